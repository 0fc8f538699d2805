"""What was unsafe in Flask-Allows 0.7.1 and is not here: each test fails with the original."""

import contextlib
import gc
import importlib.util
import warnings

import pytest
from flask import Flask
from werkzeug.exceptions import Forbidden, NotFound

from licet.compat.flask_allows import (
    Additional,
    Allows,
    And,
    C,
    Not,
    Or,
    Override,
    OverrideManager,
    Permission,
    Requirement,
    allows,
    current_overrides,
    guard_entire,
    requires,
)
from licet.compat.flask_allows.overrides import _override_ctx_stack

USER = {"name": "ann"}


def yes(_user):
    return True


def no(_user):
    return False


class Has(Requirement):
    """Needs a permission's name to be made."""

    def __init__(self, permission=None):
        self.permission = permission

    def fulfill(self, user):
        return self.permission in user


async def later(_user):
    return False


def answers(extension, requirement):
    """Whether somebody passes; an exception lets nobody pass either, but is not an answer."""
    return extension.fulfill([requirement], USER)


@pytest.fixture
def extension():
    return Allows(identity_loader=lambda: USER)


@pytest.mark.parametrize("combine", [And, Or, C, lambda *given: And(C(*given))])
def test_none_is_false_everywhere(extension, combine):
    """Seed document 002's own requirement gives None for those who have no such permission."""

    def is_admin(user):
        return user.get("admin")

    assert answers(extension, combine(is_admin)) is False
    assert answers(extension, Or(combine(is_admin), no)) is False


def coroutine(user):
    return later(user)


def generator(_user):
    return (each for each in [False])


@pytest.mark.parametrize(
    "lazy",
    [coroutine, generator, lambda _u: Has, lambda _u: no, lambda _u: NotImplemented],
    ids=["coroutine", "generator", "class", "function", "NotImplemented"],
)
def test_what_only_looks_true_lets_nobody_pass(extension, lazy):
    """Neither alone nor combined, and without a warning of a coroutine that nobody awaited."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert answers(extension, lazy) is False
        assert answers(extension, Or(no, lazy)) is False
        gc.collect()


@pytest.mark.parametrize("bad", [lambda _user: later(None), lambda user: user["missing"]])
@pytest.mark.parametrize("shape", [Not, lambda bad: Or(bad, yes), lambda bad: Not(And(Not(bad)))])
def test_a_mistake_lets_nobody_pass_under_a_negation(extension, bad, shape, caplog):
    """It denies the whole check, and is logged with the requirement's name."""
    assert answers(extension, shape(bad)) is False
    assert "Requirement <lambda>" in caplog.text


def test_an_abort_stays_the_response(extension):
    """As seed document 002 writes it; under a negation too."""

    def post_exists(user):
        raise NotFound

    for shape in (post_exists, Not(post_exists), Or(post_exists, yes)):
        with pytest.raises(NotFound):
            answers(extension, shape)
    assert answers(extension, Not(lambda user: user.missing)) is False


def test_a_type_error_is_a_mistake(extension):
    """The requirement is not asked again with the request in the place of something else."""
    asked = []

    def with_default(user, limit=None):
        asked.append(limit)
        return limit is not None or user + 1

    assert answers(extension, with_default) is False
    assert asked == [None]


def test_a_default_for_the_request_is_not_used(extension):
    """Whoever has a parameter called request gets it, with one warning when the guard is made."""
    app = Flask("app")

    def is_get(user, request=None):
        return request is not None and request.method == "GET"

    with pytest.deprecated_call() as caught:
        guarded = extension.requires(is_get)(lambda: "in")
    assert [str(each.message).startswith(repr(is_get)) for each in caught] == [True]
    with app.test_request_context("/"):
        assert guarded() == "in"


@pytest.mark.parametrize("bad", [Has, object, later], ids=["requirement", "class", "coroutine"])
@pytest.mark.parametrize("guard", [requires, Permission, guard_entire, And, Or, Not])
def test_a_class_is_no_requirement(bad, guard):
    """It is refused when the guard is made, and so is a coroutine function."""
    with pytest.raises(TypeError):
        guard(bad)


def test_an_override_ends_with_its_block(extension):
    """Also when the block raises."""
    with contextlib.suppress(LookupError), extension.overrides.override(Override(no)):
        raise LookupError
    left = extension.overrides.current
    while _override_ctx_stack.top is not None:
        _override_ctx_stack.pop()
    assert left is None


def test_a_view_that_raises_leaves_nothing(extension):
    """The next request in the same thread begins with nothing."""
    app = Flask("app")
    app.testing = True
    extension.init_app(app)

    @app.route("/")
    def view():
        current_overrides.add(no)
        raise LookupError

    with pytest.raises(LookupError):
        app.test_client().get("/")
    left = _override_ctx_stack.top
    while _override_ctx_stack.top is not None:
        _override_ctx_stack.pop()
    assert left is None


def test_an_override_acts_on_its_own_checks():
    """Not on those of another extension."""
    mine, other = Allows(), Allows()
    mine.overrides.push(Override(no))
    try:
        assert other.fulfill([no], USER) is False
        assert mine.fulfill([no], USER) is True
    finally:
        mine.overrides.pop()


def test_a_wrong_pop_takes_nothing_away():
    """The context stays with the manager that pushed it."""
    mine, other = OverrideManager(), OverrideManager()
    mine.push(Override(no))
    with pytest.raises(RuntimeError):
        other.pop()
    left = mine.current
    while _override_ctx_stack.top is not None:
        _override_ctx_stack.pop()
    assert left == Override(no)


def test_additions_of_two_can_be_added():
    """In place."""
    some = Additional(yes)
    some += Additional(no, len)
    assert some == Additional(yes, no, len)


@pytest.mark.parametrize("identity", [0, "", ()])
def test_a_false_identity_is_one(extension, identity):
    """The loader's is not taken instead."""
    seen = []
    extension.fulfill([lambda user: seen.append(user) or True], identity)
    assert seen == [identity]


def test_an_iterable_is_not_used_up():
    """A guard of a generator asks at every request, not at the first only."""
    app = Flask("app")
    Allows(app, identity_loader=lambda: USER)
    app.before_request(guard_entire(each for each in [no]))
    app.add_url_rule("/", view_func=lambda: "in")
    client = app.test_client()
    assert [client.get("/").status_code for _ in range(2)] == [403, 403]


def test_a_missing_loader_is_named():
    """Instead of telling that None cannot be called."""
    with pytest.raises(RuntimeError, match="identity_loader"):
        Allows().fulfill([yes])


def test_templates_can_ask():
    """Which their users asked for."""
    app = Flask("app")
    Allows(app, identity_loader=lambda: USER)
    with app.test_request_context("/"):
        env = app.jinja_env
        template = env.from_string("{{ allowed(no) }}")
        context = {"no": no}
        app.update_template_context(context)
        assert template.render(context) == "False"


def test_an_instance_thrown_again_does_not_grow():
    """Its traceback is that of the last time."""
    extension = Allows(identity_loader=lambda: USER, throws=Forbidden())
    lengths = []
    for _ in range(2):
        with pytest.raises(Forbidden) as caught:
            extension.run([no])
        lengths.append(len(caught.traceback))
    assert lengths[0] == lengths[1]


def test_it_runs_on_the_flask_of_today():
    """The original needs ``flask._compat``, which went with Flask 2."""
    app = Flask("app")
    extension = Allows(app)
    with app.app_context():
        assert allows == extension
    assert importlib.util.find_spec("flask._compat") is None
