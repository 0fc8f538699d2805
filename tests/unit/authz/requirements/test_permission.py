"""`Permission` as a condition and as a block."""

import pytest
from tests.unit.authz.asking import ADMIN, GUEST, Counting, Has, is_admin, later, yes
from werkzeug.exceptions import Forbidden

from licet.authz import Allows, Permission


@pytest.fixture
def guests(app):
    """An app whose caller is a guest, with what it does on failure counted."""
    on_fail = Counting("ignored")
    Allows(app, identity_loader=lambda: GUEST, on_fail=lambda: on_fail(None))
    with app.app_context():
        yield on_fail


def test_it_can_be_made_anywhere():
    """And tells what it was made of."""
    made = Permission(yes, is_admin, throws=KeyError, on_fail="x", identity=ADMIN)
    assert made.requirements == (yes, is_admin)
    assert (made.throws, made.on_fail, made.identity) == (KeyError, "x", ADMIN)


@pytest.mark.parametrize("use", [bool, Permission.__enter__])
def test_it_is_asked_in_an_app(use):
    """Outside of one there is nobody to ask."""
    with pytest.raises(RuntimeError):
        use(Permission(yes))


def test_as_a_condition_it_only_asks(guests):
    """True or False, and nothing else happens."""
    assert bool(Permission(yes)) is True
    assert bool(Permission(is_admin)) is False
    assert bool(Permission(is_admin, identity=ADMIN)) is True
    assert guests.asked == 0


def test_a_block_can_be_entered(guests):
    """By those who may; what is raised in it goes on."""
    with pytest.raises(LookupError), Permission(yes):
        raise LookupError


@pytest.mark.parametrize(("options", "error"), [({}, Forbidden), ({"throws": KeyError}, KeyError)])
def test_a_block_throws(guests, options, error):
    """After `on_fail`, whatever that returns."""
    with pytest.raises(error), Permission(is_admin, **options):
        pytest.fail("entered")
    assert guests.asked == 1


def test_an_own_on_fail_goes_before(guests):
    """And may raise something itself."""

    def on_fail():
        raise LookupError

    with pytest.raises(LookupError), Permission(is_admin, on_fail=on_fail):
        pytest.fail("entered")
    with pytest.raises(Forbidden), Permission(is_admin, on_fail="value"):
        pytest.fail("entered")
    assert guests.asked == 0


@pytest.mark.parametrize("bad", [Has, later, None])
def test_what_cannot_be_a_requirement_is_refused(bad):
    """When the permission is made."""
    with pytest.raises(TypeError):
        Permission(bad)


def test_a_misspelled_option_is_refused():
    """Instead of being passed over, as once."""
    with pytest.raises(TypeError):
        Permission(yes, thorws=KeyError)
