"""The extension: identity, failure, and what it attaches to an app."""

import inspect
import warnings

import pytest
from flask import Response, render_template_string
from flask_login import AnonymousUserMixin
from jinja2 import UndefinedError
from tests.unit.authz.asking import ADMIN, GUEST, Counting, Has, as_coroutine, is_admin, later, yes
from tests.unit.authz.asking import no as no_one
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.local import LocalProxy

from licet.authn import ANONYMOUS, Identity, current_identity, embedded_issuer
from licet.authz import Additional, Allows, And, Override, allows, requires
from licet.errors import InvalidToken, MissingToken, UsageError

KNOWN = Identity(issuer="i", subject="s", principal="urn:licet:group:x")


class Denied(Exception):
    """Raised for those who may not pass."""


def test_the_defaults():
    """Nobody to load, Forbidden to throw, nothing to do on failure."""
    made = Allows()
    assert made._identity_loader is None
    assert made.throws is Forbidden
    assert made.on_fail("any", thing=1) is None


def test_the_signatures_are_the_originals():
    """A ported program may pass everything by position."""
    run = inspect.signature(Allows.run)
    assert list(inspect.signature(Allows).parameters) == [
        *("app", "identity_loader", "throws", "on_fail")
    ]
    assert issubclass(inspect.signature(Allows).parameters["throws"].default, Forbidden)
    assert [p.name for p in run.parameters.values()][1:] == [
        *("requirements", "identity", "throws", "on_fail", "f_args", "f_kwargs"),
        "use_on_fail_return",
    ]


@pytest.mark.parametrize("attach", [Allows, lambda app: Allows().init_app(app)])
def test_it_is_registered(app, attach):
    """With the app, or later by `init_app`; the proxy then stands for it."""
    attach(app)
    with app.app_context():
        assert allows == app.extensions["allows"]


def test_an_app_without_one_is_told(app):
    """By name, and how to attach one."""
    with app.app_context(), pytest.raises(RuntimeError) as caught:
        _ = allows.throws
    assert str(caught.value).startswith("The app 'audited' has no licet.authz.Allows")
    assert "init_app" in str(caught.value)


def test_without_an_app_flask_tells():
    """Outside of an app context there is none to ask."""
    with pytest.raises(RuntimeError, match="application context"):
        _ = allows.throws


def test_the_loader_can_be_given_three_ways():
    """At the start, by a call, or as a decorator, the last one counting."""
    made = Allows(identity_loader=lambda: GUEST)
    assert not made.fulfill([is_admin])
    made.identity_loader(lambda: ADMIN)
    assert made.fulfill([is_admin])

    @made.identity_loader
    def load():
        return GUEST

    assert load() is GUEST
    assert not made.fulfill([is_admin])


@pytest.mark.parametrize("bad", [later, "ann", ADMIN])
def test_a_loader_that_cannot_work_is_refused(bad):
    """A coroutine would be an identity for anybody."""
    with pytest.raises(TypeError, match="identity_loader"):
        Allows(identity_loader=bad)


def test_a_loader_that_gives_a_coroutine_is_told():
    """Nobody passes as one, and no warning of a coroutine is left."""
    made = Allows(identity_loader=lambda: later(ADMIN))
    with pytest.raises(UsageError, match="identity_loader gave a coroutine"):
        made.fulfill([yes])


def test_a_missing_loader_is_told():
    """By name, and how to give one."""
    with pytest.raises(UsageError, match=r"no identity_loader.*Allows\(app, identity_loader="):
        Allows().fulfill([yes])
    with pytest.raises(RuntimeError, match="identity_loader"):
        Allows().run([yes])


@pytest.mark.parametrize("identity", [0, "", (), False])
def test_only_none_means_that_no_identity_is_given(identity):
    """One that is false is checked as it is."""
    seen = []
    made = Allows(identity_loader=lambda: ADMIN)
    made.fulfill([seen.append], identity)
    assert seen == [identity]
    made.run([lambda user: seen.append(user) or True], identity)
    assert seen == [identity, identity]


def test_the_loader_is_asked_once_a_run():
    """Also for those who may not pass."""
    loader = Counting(GUEST)
    made = Allows(identity_loader=lambda: loader(None))
    with pytest.raises(Forbidden):
        made.run([is_admin])
    assert loader.asked == 1


def test_all_requirements_must_pass():
    """In order, up to the first that does not; of none, everybody passes."""
    last = Counting()
    made = Allows(identity_loader=lambda: ADMIN)
    assert made.fulfill([])
    assert made.fulfill(each for each in (yes, is_admin))
    assert not made.fulfill((yes, no_one, last))
    assert last.asked == 0


@pytest.mark.parametrize("bad", [Has, later, "admin", lambda: True])
def test_what_cannot_be_a_requirement_is_refused_at_once(bad):
    """When a guard is made of it, not when it is asked."""
    made = Allows(identity_loader=lambda: ADMIN)
    with pytest.raises(TypeError):
        made.requires(yes, bad)
    with pytest.raises(TypeError):
        made.fulfill([bad])


def old(user, request):
    """Takes the request, as long ago."""
    return request is not None


@pytest.mark.parametrize("requirements", [[old], [And(yes, old)], [old, And(old), old]])
def test_one_warning_for_the_request(requirements):
    """When the guard is made, beginning with the repr; none when it asks."""
    made = Allows(identity_loader=lambda: ADMIN)
    with pytest.deprecated_call() as caught:
        guarded = made.requires(*requirements)(lambda: "in")
    (warning,) = caught
    assert str(warning.message).startswith(f"{old!r}: Passing request to requirements")
    assert warning.filename == __file__
    with warnings.catch_warnings():
        assert guarded() == "in"
        assert guarded() == "in"


@pytest.mark.parametrize("throws", [Denied, Denied("no")])
@pytest.mark.parametrize("place", ["allows", "attribute", "run", "requires"])
def test_throws_may_be_a_class_or_an_instance(throws, place):
    """Of the extension or, going before that, of the guard."""
    made = Allows(
        identity_loader=lambda: GUEST, throws=throws if place == "allows" else Unauthorized
    )
    if place == "attribute":
        made.throws = throws
    assert made.throws is (throws if place in {"allows", "attribute"} else Unauthorized)
    options = {"throws": throws} if place in {"run", "requires"} else {}
    guarded = made.requires(is_admin, **options)(lambda: "in")
    with pytest.raises(Denied):
        guarded() if place == "requires" else made.run([is_admin], **options)


def test_an_instance_does_not_grow():
    """Raised again and again it keeps no trace of earlier requests."""
    throws = Denied()
    made = Allows(identity_loader=lambda: GUEST, throws=throws)
    depths = []
    for _ in range(3):
        with pytest.raises(Denied) as caught:
            made.run([is_admin])
        depths.append(len(caught.traceback))
    assert depths[0] == depths[2]


@pytest.mark.parametrize(
    ("given", "result"),
    [("a value", "a value"), (lambda *args, **kwargs: (args, kwargs), ((1,), {"a": 2})), (0, 0)],
)
def test_on_fail_answers_instead(given, result):
    """A value, or what it gives for the arguments of the run."""
    made = Allows(identity_loader=lambda: GUEST, on_fail=given)
    assert made.run([is_admin], f_args=(1,), f_kwargs={"a": 2}) == result
    other = Allows(identity_loader=lambda: GUEST, on_fail="other")
    assert other.run([is_admin], on_fail=given, f_args=(1,), f_kwargs={"a": 2}) == result


def test_on_fail_that_gives_none_throws():
    """And one whose answer is not wanted."""
    seen = []
    made = Allows(identity_loader=lambda: GUEST, on_fail=seen.append)
    with pytest.raises(Forbidden):
        made.run([is_admin], f_args=(1,))
    with pytest.raises(Forbidden):
        made.run([is_admin], on_fail="value", use_on_fail_return=False)
    assert seen == [1]


def test_those_who_pass_get_none():
    """Nothing is called, nothing raised."""
    assert Allows(identity_loader=lambda: ADMIN, on_fail="no").run([is_admin]) is None


def test_a_guarded_function_keeps_its_arguments():
    """They reach the function, or else `on_fail`."""
    made = Allows(identity_loader=lambda: GUEST, on_fail=lambda *a, **k: ("failed", a, k))

    def function(*args, **kwargs):
        return "done", args, kwargs

    assert made.requires(yes)(function)(1, b=2) == ("done", (1,), {"b": 2})
    assert made.requires(is_admin)(function)(1, b=2) == ("failed", (1,), {"b": 2})
    assert made.requires(is_admin, identity=ADMIN)(function)(1) == ("done", (1,), {})


def test_a_subclass_may_check_in_its_own_way():
    """What it puts in the place of `fulfill` is asked by guards too."""

    class Strict(Allows):
        def fulfill(self, requirements, identity=None):
            return super().fulfill([*requirements, is_admin], identity)

    guarded = Strict(identity_loader=lambda: GUEST).requires(yes)(lambda: "in")
    with pytest.raises(Forbidden):
        guarded()


def in_request(app, function, **headers):
    with app.test_request_context("/", headers=headers):
        return function()


@pytest.mark.parametrize(
    ("throws", "guard_throws", "error"),
    [
        (None, None, MissingToken),
        (Forbidden, None, Forbidden),
        (None, Forbidden, Forbidden),
        (Denied, None, Denied),
        (None, Denied, Denied),
    ],
)
@pytest.mark.parametrize("identity", [ANONYMOUS, current_identity], ids=["anonymous", "proxy"])
def test_licets_anonymous_caller_gets_401(app, throws, guard_throws, error, identity):
    """Unless somebody named another exception, Forbidden included."""
    options = {} if throws is None else {"throws": throws}
    made = Allows(app, identity_loader=lambda: identity, **options)
    with pytest.raises(error) as caught:
        in_request(app, lambda: made.run([no_one], throws=guard_throws))
    assert type(caught.value) is error


@pytest.mark.parametrize("nobody", [None, AnonymousUserMixin(), LocalProxy(lambda: None)])
def test_nobody_of_the_apps_own_gets_401(app, nobody):
    """None, or whoever says that they are not authenticated, unless an exception was named."""
    made = Allows(app, identity_loader=lambda: nobody)
    with pytest.raises(MissingToken, match="Sign in to do this"):
        made.run([no_one])
    with pytest.raises(Forbidden):
        made.run([no_one], throws=Forbidden)


def test_the_401_has_a_challenge(app):
    """As RFC 9110 wants it."""
    Allows(app, identity_loader=lambda: current_identity)
    app.add_url_rule("/", view_func=requires(no_one)(lambda: "in"))
    response = app.test_client().get("/")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="licet"'


@pytest.mark.parametrize(
    ("identity", "given"), [(KNOWN, None), (GUEST, None), (KNOWN, ANONYMOUS), (None, ANONYMOUS)]
)
def test_others_get_403(identity, given):
    """Known callers, other identities, and whoever was given to the check."""
    with pytest.raises(Forbidden):
        Allows(identity_loader=lambda: identity).run([no_one], given)


def test_licets_identity_is_looked_up_once(app):
    """Requirements get the identity itself, and a bad token is refused before they are asked."""
    seen = []
    made = Allows(app, identity_loader=lambda: current_identity)
    token = embedded_issuer(app).mint("ann", ["run"])
    assert not in_request(app, lambda: made.fulfill([seen.append]), Authorization=f"Bearer {token}")
    assert type(seen[0]) is Identity
    with pytest.raises(InvalidToken):
        in_request(app, lambda: made.fulfill([seen.append]), Authorization="Bearer x")
    assert len(seen) == 1


def test_an_answer_that_is_none_raises_over_http(app):
    """A requirement that answers later denies: 403, no warning, no page."""
    Allows(app, identity_loader=lambda: ADMIN)
    app.add_url_rule("/", view_func=requires(as_coroutine)(lambda: "in"))
    assert app.test_client().get("/").status_code == 403


@pytest.mark.parametrize(("user", "text"), [(ADMIN, "menu secret"), (GUEST, "menu ")])
def test_templates_can_ask(app, user, text):
    """`allowed` takes requirements as `requires` does."""
    Allows(app, identity_loader=lambda: user)
    page = "menu {% if allowed(is_admin, has) %}secret{% endif %}"
    with app.test_request_context("/"):
        assert render_template_string(page, is_admin=is_admin, has=Has("view")) == text


def test_templates_can_ask_for_another(app):
    """About an identity of their own."""
    Allows(app, identity_loader=lambda: GUEST)
    page = "{{ allowed(is_admin, identity=admin) }}"
    with app.test_request_context("/"):
        assert render_template_string(page, is_admin=is_admin, admin=ADMIN) == "True"


def test_a_misspelled_requirement_in_a_template_is_told(app):
    """By Jinja, as any other name that is not there."""
    Allows(app, identity_loader=lambda: ADMIN)
    with app.test_request_context("/"), pytest.raises(UndefinedError, match="is_amdin"):
        render_template_string("{{ allowed(is_amdin) }}")


def test_attaching_leaves_jinja_unmade(app):
    """What the program says about templates later still counts."""
    Allows(app)
    assert "jinja_env" not in vars(app)


def test_contexts_count_in_run(app):
    """As in `fulfill`."""
    made = Allows(app, identity_loader=lambda: GUEST)
    with made.overrides.override(Override(is_admin)):
        assert made.run([is_admin]) is None
    with made.additional.additional(Additional(no_one)), pytest.raises(Forbidden):
        made.run([yes])


def test_the_response_is_left_alone(app):
    """What it attaches after a request hands it on."""
    Allows(app)
    app.add_url_rule("/", view_func=lambda: Response("done", 202))
    assert app.test_client().get("/").status_code == 202
