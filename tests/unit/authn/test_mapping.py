"""What an app makes of an identity: roles, account and standing."""

import contextlib
import functools
import inspect

import pytest
import sqlalchemy as sa
from tests.ids import shown
from tests.unit.authn.callers import Names, by
from werkzeug.local import LocalProxy

from licet import Licet
from licet.authn import (
    Standing,
    authenticate,
    current_account,
    current_identity,
    find_account,
    use_verifier,
)
from licet.authn.callers import has_accounts
from licet.authn.flask import IdentityStateBuilder
from licet.errors import (
    AccessDenied,
    ConfigurationError,
    InsufficientScope,
    InvalidToken,
    StoreUnavailable,
)

ACCOUNTS = {"ann": {"name": "Ann", "role": "admin"}, "bob": {"name": "Bob", "role": "user"}}


@pytest.fixture
def licet(app):
    """An attached app whose tokens are names."""
    use_verifier(app, Names())
    return Licet(app)


class Hook:
    """A function of the app's that counts its calls."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def __call__(self, about):
        self.asked.append(about)
        answer = self.answer(about) if inspect.isfunction(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer


def account(identity):
    """The account of the subject."""
    return ACCOUNTS.get(identity.subject)


def test_without_functions_an_identity_is_as_vouched_for(app):
    """An app that maps nothing has no roles of its own, and says that it has no accounts."""
    use_verifier(app, Names(roles=frozenset({"issuers"})))
    with app.test_request_context(headers=by("ann")):
        assert current_identity.roles == {"issuers"}
        with pytest.raises(ConfigurationError, match=r"@licet\.account_of"):
            _ = current_account.name


def test_roles_are_the_apps(app, licet):
    """What the function gives is the caller's roles, wherever the identity is asked for."""
    hook = licet.roles_of(Hook({"admin"}))
    with app.test_request_context(headers=by("ann")):
        assert current_identity.roles == authenticate().roles == frozenset({"admin"})
        assert current_identity.roles is current_identity.roles
        with pytest.raises(InsufficientScope):
            IdentityStateBuilder(app, ["run"]).build_from_request()
    assert [identity.subject for identity in hook.asked] == ["ann"]


def test_an_account_is_the_apps(app, licet):
    """What the function gives is the current account, asked for once."""
    hook = licet.account_of(Hook(account))
    with app.test_request_context(headers=by("ann")):
        assert (current_account["name"], current_account["role"]) == ("Ann", "admin")
    assert len(hook.asked) == 1


@pytest.mark.parametrize(("headers", "asked"), [({}, 0), (by("eve"), 1)])
def test_who_is_not_registered_has_no_account(app, licet, headers, asked):
    """Neither has who sends no token; then nobody is asked."""
    hook = licet.account_of(Hook(account))
    with app.test_request_context(headers=headers):
        for _ in range(2):
            assert not current_account
            assert find_account() is None
    assert len(hook.asked) == asked


def test_a_bad_token_has_neither_account_nor_roles(app, licet):
    """Who sends one is refused, not taken for somebody unregistered."""
    licet.account_of(Hook(account))
    with app.test_request_context(headers=by("bad")), pytest.raises(InvalidToken):
        find_account()


def test_nobody_has_no_roles(app, licet):
    """A request without a token is nobody's, and no function is asked."""
    hook = licet.roles_of(Hook({"admin"}))
    with app.test_request_context():
        assert current_identity.roles == frozenset()
    assert hook.asked == []


def test_roles_may_follow_from_the_account(app, licet):
    """The function for roles may use the current account; who has none has no roles."""
    accounts = licet.account_of(Hook(account))
    roles = licet.roles_of(Hook(lambda _identity: {current_account["role"]}))
    for name, expected in (("ann", {"admin"}), ("bob", {"user"}), ("eve", set())):
        with app.test_request_context(headers=by(name)):
            assert current_identity.roles == expected
            assert bool(current_account) == bool(expected)
    assert (len(accounts.asked), len(roles.asked)) == (3, 2)


@pytest.mark.parametrize("standing", [Standing.UNAPPROVED, Standing.DISABLED])
def test_who_is_not_active_has_no_roles(app, licet, standing):
    """A disabled administrator is none, and the function for roles is not asked."""
    licet.account_of(Hook(account))
    roles = licet.roles_of(Hook({"admin"}))
    licet.standing_of(Hook(standing))
    with app.test_request_context(headers=by("ann")):
        assert current_identity.roles == frozenset()
    assert roles.asked == []


def test_the_issuers_roles_need_an_active_account_too(app):
    """Where the app knows accounts, roles in a token alone count for nothing."""
    use_verifier(app, Names(roles=frozenset({"issuers"})))
    Licet(app).account_of(Hook(account))
    for name, expected in (("ann", {"issuers"}), ("eve", set())):
        with app.test_request_context(headers=by(name)):
            assert current_identity.roles == expected


def test_every_function_sees_the_identity_as_vouched_for(app, licet):
    """While one is asked, the caller has the issuer's roles only, whoever asks first."""
    seen = []

    def look(answer, _about):
        seen.append((current_identity.subject, current_identity.roles))
        return answer

    licet.roles_of(functools.partial(look, {"admin"}))
    licet.account_of(functools.partial(look, ACCOUNTS["ann"]))
    licet.standing_of(functools.partial(look, Standing.ACTIVE))
    for first in (lambda: current_identity.roles, lambda: current_account["name"]):
        with app.test_request_context(headers=by("ann")):
            first()
            assert current_identity.roles == {"admin"}
    assert seen == [("ann", frozenset())] * 6


async def asynchronous(identity):
    """A function that nobody awaits."""


def generator():
    """What decides nothing before it has run."""
    yield {"admin"}


NO_ROLES = [None, "admin", ["admin"], {"admin": 1}, True, 1, {"admin", 1}, {None}, generator()]
NO_ACCOUNTS = [True, False, 0, "", [], {}, dict, len, generator(), LocalProxy(lambda: None)]
NO_ACCOUNTS += [sa.column("a")]
NO_STANDINGS = [None, True, "active", Standing, 1]
BAD = [
    *(("roles_of", answer) for answer in NO_ROLES),
    *(("account_of", lambda _, answer=answer: answer) for answer in NO_ACCOUNTS),
    ("account_of", asynchronous),
    ("roles_of", asynchronous),
    *(("standing_of", lambda _, answer=answer: answer) for answer in NO_STANDINGS),
    *((name, ValueError("ann@example.org")) for name in ("roles_of", "account_of", "standing_of")),
    *((name, ConfigurationError("x")) for name in ("roles_of", "account_of", "standing_of")),
]


@pytest.mark.parametrize(("name", "answer"), BAD, ids=shown)
def test_a_function_that_fails_denies(app, licet, caplog, name, answer):
    """Wrong answers and errors are 403 to everybody, logged without a word about whom, once."""
    hooks = {"roles_of": {"admin"}, "account_of": account, "standing_of": Standing.ACTIVE}
    given = {key: getattr(licet, key)(Hook(value)) for key, value in hooks.items()}
    given[name].answer = answer
    with app.test_request_context(headers=by("ann")):
        for _ in range(2):
            with pytest.raises(AccessDenied) as caught:
                _ = current_identity.roles
            assert (caught.value.code, caught.value.code_name) == (403, "access_denied")
    assert len(given[name].asked) == 1
    assert f"The app's {name} " in caplog.text
    assert "which denies" in caplog.text
    assert "example.org" not in caplog.text


def test_an_outage_stays_an_outage(app, licet):
    """An error of licet's own reaches the caller as it is, each time it is asked for."""
    hook = licet.account_of(Hook(StoreUnavailable()))
    with app.test_request_context(headers=by("ann")):
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                _ = current_account["name"]
    assert len(hook.asked) == 1


def test_an_account_that_asks_for_itself_is_denied(app, licet, caplog):
    """A function that can never answer is a bug, and denies."""
    licet.account_of(Hook(lambda _identity: current_account["name"]))
    with app.test_request_context(headers=by("ann")), pytest.raises(AccessDenied):
        _ = current_account["name"]
    assert "raised ConfigurationError" in caplog.text


def test_a_standing_needs_an_account(app, licet):
    """An app that says how accounts stand has to say what accounts there are."""
    licet.standing_of(Hook(Standing.ACTIVE))
    licet.roles_of(Hook({"admin"}))
    request = app.test_request_context(headers=by("ann"))
    with request, pytest.raises(ConfigurationError, match=r"@licet\.account_of"):
        _ = current_identity.roles


def test_a_function_that_was_stopped_decides_nothing(app, licet):
    """An interrupt is no answer: the caller goes on without the app's roles."""

    def interrupted(_identity):
        raise KeyboardInterrupt

    licet.roles_of(interrupted)
    with app.test_request_context(headers=by("ann")):
        with contextlib.suppress(KeyboardInterrupt):
            _ = current_identity.roles
        assert current_identity.roles == frozenset()


def test_functions_count_for_every_attached_app(app, tmp_path):
    """Given before or after attaching."""
    licet = Licet()
    licet.roles_of(roles := Hook({"admin"}))
    for _ in range(2):
        licet.init_app(app)
    use_verifier(app, Names())
    licet.standing_of(Hook(Standing.ACTIVE))
    licet.account_of(Hook(account))
    with app.test_request_context(headers=by("ann")):
        assert current_identity.roles == {"admin"}
        assert current_account["name"] == "Ann"
    assert len(roles.asked) == 1


def test_there_is_one_function_of_each_kind(app):
    """A second one is told when it is given; the same once more is not."""
    licet, hook = Licet(app), Hook(set())
    assert licet.roles_of(hook) is licet.roles_of(hook) is hook
    for other in (licet, Licet()):
        other.account_of(account)
    with pytest.raises(ConfigurationError, match="roles_of already"):
        licet.roles_of(Hook(set()))


@pytest.mark.parametrize("hook", [None, "f", dict, asynchronous], ids=shown)
def test_what_is_no_ordinary_function_is_refused(hook):
    """A class, a coroutine function and what cannot be called are told when they are given."""
    with pytest.raises(ConfigurationError, match=r"@licet\.roles_of takes"):
        Licet().roles_of(hook)


def test_a_failure_tells_its_place(app, licet, caplog):
    """The log says which file and line raised what."""
    licet.roles_of(lambda _identity: 1 / 0)
    with app.test_request_context(headers=by("ann")), pytest.raises(AccessDenied):
        authenticate()
    assert "raised ZeroDivisionError in test_mapping.py, line" in caplog.text


def test_whether_an_app_knows_accounts(app, licet):
    """It does from the moment when it was given the function for them."""
    assert not has_accounts(app)
    licet.account_of(account)
    assert has_accounts(app)
