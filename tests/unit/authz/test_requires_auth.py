"""Views for who is signed in, registered, approved, and of certain roles."""

import asyncio
import json
import logging

import pytest
from flask import Blueprint
from flask.views import MethodView, View
from tests.unit.authn.callers import Names, by

from licet import Licet, protect
from licet.authn import Standing, current_account, current_identity, use_verifier
from licet.authz import AccessKind, access_of, requires_auth
from licet.errors import InvalidCondition

PEOPLE = {
    "ann": ("admin", Standing.ACTIVE),
    "bob": ("user", Standing.ACTIVE),
    "una": ("admin", Standing.UNAPPROVED),
    "dis": ("admin", Standing.DISABLED),
}
GUARDS = {
    "any": {},
    "admin": {"allowed_roles": ["admin"]},
    "either": {"allowed_roles": ["admin", "user"]},
    "nobody": {"allowed_roles": ["missing"]},
    "register": {"allow_unregistered": True},
    "own": {"allow_disabled": True},
    "all": {"allow_unregistered": True, "allow_disabled": True},
    "own-admin": {"allowed_roles": ["admin"], "allow_disabled": True},
}


@pytest.fixture
def bare(app):
    """An app whose tokens are names, and that knows no accounts."""
    use_verifier(app, Names())
    Licet(app)
    return app


@pytest.fixture
def people(app):
    """An app whose tokens are names, and whose accounts are PEOPLE."""
    use_verifier(app, Names())
    licet = Licet(app)
    licet.account_of(lambda identity: PEOPLE.get(identity.subject))
    licet.roles_of(lambda _identity: {current_account[0]})
    licet.standing_of(lambda account: account[1])
    return app


def guard(app, name="any", view=lambda: "ok", **needs):
    """The client of an app with one guarded view at ``/``."""
    app.add_url_rule("/", "view", requires_auth(name, **GUARDS.get(name, needs))(view))
    return app.test_client()


REFUSED = {
    None: (401, "missing_token"),
    "bad": (401, "invalid_token"),
    "eve": (403, "not_registered"),
    "una": (403, "account_not_approved"),
    "dis": (403, "account_disabled"),
}
DENIED = (403, "access_denied")
PASSED = (200, None)
# What differs from REFUSED and, for the active, from PASSED.
TABLE = {
    "any": {},
    "admin": {"bob": DENIED},
    "either": {},
    "nobody": {"ann": DENIED, "bob": DENIED},
    "register": {"eve": PASSED},
    "own": {"una": PASSED, "dis": PASSED},
    "all": {"eve": PASSED, "una": PASSED, "dis": PASSED},
    "own-admin": {"bob": DENIED, "una": DENIED, "dis": DENIED},
}


@pytest.mark.parametrize("caller", [None, "bad", "eve", "una", "dis", "ann", "bob"])
@pytest.mark.parametrize("name", TABLE)
def test_who_is_refused_with_what(people, name, caller):
    """The table of the specification, for each guard and each kind of caller."""
    response = guard(people, name).get("/", headers=by(caller) if caller else {})
    expected = TABLE[name].get(caller, REFUSED.get(caller, PASSED))
    found = (response.status_code, response.json["code"] if response.is_json else None)
    assert found == expected
    assert ("WWW-Authenticate" in response.headers) == (expected[0] == 401)


@pytest.mark.parametrize("name", TABLE)
def test_the_view_is_called_for_those_who_pass_only(people, name):
    """However somebody is refused, the view does not run."""
    ran = []
    client = guard(people, name, lambda: ran.append(current_identity.subject) or "ok")
    for caller in ("bad", "eve", "una", "dis", "ann", "bob"):
        passed = client.get("/", headers=by(caller)).status_code == 200
        assert ran == [caller] * passed
        ran.clear()


def test_without_accounts_a_good_token_is_enough(bare):
    """An app that knows no accounts takes everybody whose token is good."""
    client = guard(bare)
    assert client.get("/", headers=by("eve")).status_code == 200
    assert client.get("/", headers=by("bad")).status_code == 401


def test_without_accounts_roles_count(bare):
    """The issuer's roles are enough where the app has none of its own."""
    use_verifier(bare, Names(roles=frozenset({"admin"})))
    assert guard(bare, "admin").get("/", headers=by("eve")).status_code == 200


def test_a_failing_function_refuses(app, caplog):
    """A bug in the app's own function is 403, never a passed guard, never a 500."""
    use_verifier(app, Names())
    Licet(app).account_of(lambda _identity: 1 / 0)
    response = guard(app, "all").get("/", headers=by("ann"))
    assert (response.status_code, response.json["code"]) == DENIED
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("resource", ["trials", None])
def test_a_denial_is_one_line_in_the_log(people, caplog, resource):
    """It tells who, what and why; no token and no role."""
    people.add_url_rule("/", "view", requires_auth(resource, ["x"])(lambda: "ok"))
    with caplog.at_level(logging.INFO, "licet.authz.decisions"):
        people.test_client().get("/", headers={**by("ann"), "X-Request-Id": "r1"})
    (record,) = caplog.records
    assert json.loads(record.getMessage().removeprefix("denied ")) == record.licet
    assert record.licet["principal"].startswith("urn:licet:identity:")
    assert {**record.licet, "principal": ""} == {
        "request_id": "r1",
        "principal": "",
        "verb": "GET",
        "resource": resource or "view",
        "visible": True,
        "reason": "access_denied",
    }


def test_nobody_is_named_anonymous(people, caplog):
    """A denial of who sent no token has no principal."""
    with caplog.at_level(logging.INFO, "licet.authz.decisions"):
        guard(people).get("/")
    (record,) = caplog.records
    assert (record.licet["principal"], record.licet["reason"]) == ("anonymous", "missing_token")


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        ({}, "signed in"),
        ({"allowed_roles": ("a", "b")}, "one of a, b"),
        ({"allow_unregistered": True}, "signed in, also unregistered"),
        ({"allow_disabled": True}, "signed in, also disabled"),
        (
            {"allowed_roles": ["a"], "allow_unregistered": True, "allow_disabled": True},
            "one of a, also unregistered, also disabled",
        ),
    ],
)
def test_a_guarded_view_says_what_it_asks(needs, text):
    """The mark is on the guarded function, with the resource's name."""

    def view():
        """Its own words."""

    guarded = requires_auth("trials", **needs)(view)
    (access,) = access_of(guarded)
    assert (access.kind, access.text, access.resource) == (
        AccessKind.AUTHENTICATED,
        text,
        "trials",
    )
    assert access_of(view) == ()
    assert guarded.__doc__ == "Its own words."


def test_a_guard_declares_its_endpoint(people):
    """The audit is content with it, and with the published metadata."""
    guard(people)
    people.static_folder = None
    protect(people)


def test_views_of_every_style_are_guarded(people):
    """Coroutines, methods and class views, with their arguments."""

    async def coroutine(number):
        await asyncio.sleep(0)
        return f"coroutine {number}"

    class Methods(MethodView):
        @requires_auth("methods", ["admin"])
        def get(self, number):
            return f"method {number}"

    class Classic(View):
        decorators = (requires_auth("classic", ["admin"]),)

        def dispatch_request(self, number):
            return f"class {number}"

    blueprint = Blueprint("all", "all")
    guarded = requires_auth("coroutine", ["admin"])(coroutine)
    blueprint.add_url_rule("/coroutine/<int:number>", view_func=guarded)
    blueprint.add_url_rule("/method/<int:number>", view_func=Methods.as_view("method"))
    blueprint.add_url_rule("/class/<int:number>", view_func=Classic.as_view("class"))
    people.register_blueprint(blueprint)
    people.async_to_sync = lambda view: lambda *args, **kwargs: asyncio.run(view(*args, **kwargs))
    client = people.test_client()
    for style in ("coroutine", "method", "class"):
        assert client.get(f"/{style}/5", headers=by("ann")).text == f"{style} 5"
        assert client.get(f"/{style}/5", headers=by("bob")).status_code == 403


@pytest.mark.parametrize("resource", [5, "", " ", lambda: "forgotten parentheses", ["admin"]])
def test_a_resource_is_a_name(resource):
    """A guard without its parentheses is told when it is declared."""
    with pytest.raises(InvalidCondition, match="name of a resource"):
        requires_auth(resource)


@pytest.mark.parametrize("roles", ["admin", [None], [""], [["admin"]]])
def test_roles_are_a_list_of_names(roles):
    """One name alone would be read letter by letter."""
    with pytest.raises(InvalidCondition, match="list of role names"):
        requires_auth("trials", roles)


@pytest.mark.parametrize("view", [None, dict, "view", View])
def test_only_functions_are_guarded(view):
    """A class is guarded by its decorators or before its methods."""
    with pytest.raises(InvalidCondition, match="view functions"):
        requires_auth("trials")(view)
