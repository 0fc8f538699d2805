"""Who has no account, or none that may be used, is refused by guards and policies alike."""

import pytest
from tests.unit.authn.callers import Names, by
from tests.unit.authz.notes import make_app

from licet import Licet
from licet.authn import ANONYMOUS, Standing, authenticate, current_identity, use_verifier
from licet.authn.callers import require_standing
from licet.authz import Allows, Permission, requires, requires_auth
from licet.authz.flask import current_caller

PEOPLE = {name: Standing[name.upper()] for name in ("active", "unapproved", "disabled")}
REFUSED = {
    "stranger": "not_registered",
    "unapproved": "account_not_approved",
    "disabled": "account_disabled",
}
OPEN = ["/notes", "/notes/1", "/required"]


def app_of(loader=lambda: current_identity):
    """Notes, which everybody may read, in an app that knows PEOPLE."""
    app = make_app(config={"LICET_PROTECT": False})
    use_verifier(app, Names())
    licet = Licet(app)
    licet.account_of(lambda identity: identity.subject if identity.subject in PEOPLE else None)
    licet.standing_of(PEOPLE.get)
    Allows(app, identity_loader=loader)
    app.get("/required")(requires(lambda identity: True)(lambda: "ok"))

    @app.get("/own")
    @requires_auth("own", allow_unregistered=True, allow_disabled=True)
    def own():
        with Permission(lambda identity: True):
            return str(current_caller().name)

    return app


@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("loader", [lambda: current_identity, authenticate])
def test_a_token_of_somebody_without_standing_is_refused(path, name, loader):
    """Even where everybody may read; the reason is told, as `requires_auth` tells it."""
    answer = app_of(loader).test_client().get(path, headers=by(name))
    assert (answer.status_code, answer.json["code"]) == (403, REFUSED[name])


@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("headers", [{}, by("active")])
def test_who_is_active_or_shows_no_token_is_not(path, headers):
    """The first is as ever, the second is nobody whose account could be looked at."""
    assert app_of().test_client().get(path, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/notes/2", "/notes/99"])
def test_the_refusal_tells_nothing_of_the_object(path):
    """It comes before the object is looked for."""
    answer = app_of().test_client().get(path, headers=by("disabled"))
    assert (answer.status_code, answer.json["code"]) == (403, "account_disabled")


@pytest.mark.parametrize("name", [*PEOPLE, "stranger"])
def test_a_guard_that_admits_them_does_so_for_policies_too(name):
    """The view for one's own record works, field masks and permissions included."""
    answer = app_of().test_client().get("/own", headers={**by(name), "X-User": "me"})
    assert (answer.status_code, answer.text) == (200, "me")


def test_a_bad_token_is_told_as_such():
    """Nobody's standing is asked."""
    assert app_of().test_client().get("/notes", headers=by("bad")).status_code == 401


def test_without_accounts_nobody_is_asked(app):
    """An app that maps nothing admits whoever is vouched for; and so outside of a request."""
    use_verifier(app, Names())
    with app.test_request_context(headers=by("ann")):
        require_standing(authenticate())
        require_standing(ANONYMOUS)
    with app.app_context():
        assert Allows(app, identity_loader=lambda: ANONYMOUS).fulfill([lambda _: True])


def own_callers(app):
    """Notes whose callers are the app's own, found by a header."""
    Allows(app, identity_loader=current_caller)
    app.get("/required")(requires(lambda caller: caller.is_authenticated)(lambda: "ok"))
    return app.test_client()


@pytest.mark.parametrize("path", ["/notes/1", "/required"])
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        (by("ann"), 403, "not_registered"),
        (by("bad"), 401, "missing_token"),
        ({"Authorization": "Basic YTpi"}, 401, "missing_token"),
        ({}, 401, "missing_token"),
    ],
)
def test_a_good_token_of_nobody_the_app_knows(path, headers, status, code):
    """The app's own callers: who shows a good token has signed in, and is not registered."""
    method = "GET" if path == "/required" else "DELETE"
    app = make_app()
    use_verifier(app, Names())
    answer = own_callers(app).open(path, method=method, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/notes/1", "/required"])
def test_an_app_that_takes_no_tokens_asks_to_sign_in(monkeypatch, path):
    """A header for something else is not looked into where no issuer is known."""
    monkeypatch.setenv("LICET_EMBEDDED_ISSUER", "false")
    method = "GET" if path == "/required" else "DELETE"
    answer = own_callers(make_app()).open(path, method=method, headers=by("ann"))
    assert (answer.status_code, answer.json["code"]) == (401, "missing_token")
