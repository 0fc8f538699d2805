"""What somebody who signed in elsewhere is to the app, and how that ends."""

import json

import pytest
from tests.unit.authn.accounts.people import EMAIL, PASSWORD, ann
from tests.unit.authn.sign_in.foreign import PUBLIC_URL, SESSION, Browser, config_of

from licet.authn import Standing, current_account, current_identity
from licet.authn.accounts.flask import accounts_of
from licet.authn.flask import IdentityStateBuilder
from licet.authn.identity import group_principal, identity_principal
from licet.authz import public, requires_auth


@pytest.fixture(params=[False, True], ids=["alone", "beside accounts"])
def served(request, make_app, provider):
    """An app without and one with local accounts, which serve the same for these sessions."""
    accounts = {"LICET_ACCOUNTS": True} if request.param else {}
    return make_app(**config_of(provider, LABEL="The Lab"), **accounts)


@pytest.fixture
def signed_in(served, provider):
    """Ann's browser."""
    browser = Browser(served, provider)
    provider.claims = {"email": "Ann@Lab.example", "email_verified": True, "groups": ["staff"]}
    assert browser.sign_in().status_code == 303
    return browser


def test_a_session_is_told_as_json(served, signed_in, provider):
    """Who it is, and the token that unsafe requests need; for no cache to keep."""
    IdentityStateBuilder(served, ["run"])  # a provider that asks for this scope
    assert Browser.sign_in(signed_in).status_code == 303
    answer = signed_in.get("/auth/session")
    told = answer.json
    assert told.pop("csrf_token") == signed_in.token()
    assert told == {
        "account_id": None,
        "issuer": provider.issuer,
        "subject": "ann",
        "email": "ann@lab.example",
        "roles": [],
        "scope": "run",
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_identity_is_the_providers(served, signed_in, provider):
    """Issuer, subject, foreign groups, and what the provider said of the person."""
    with served.test_request_context(
        "/", base_url=PUBLIC_URL, headers={"Cookie": f"{SESSION}={signed_in.cookie()}"}
    ):
        found = current_identity._get_current_object()
    assert found.principal == identity_principal(provider.issuer, "ann")
    assert found.groups == {group_principal("staff", issuer=provider.issuer)}
    assert dict(found.claims) == {
        "iss": provider.issuer,
        "sub": "ann",
        "email": "Ann@Lab.example",
        "email_verified": True,
        "groups": ["staff"],
    }


def test_an_app_may_take_the_providers_groups_for_its_own(make_app, provider):
    """When the operator says so."""
    provider.claims = {"groups": ["staff"]}
    app = make_app(**config_of(provider, GROUPS_ARE_LOCAL="yes"))
    app.get("/groups")(public(lambda: sorted(current_identity.groups)))
    browser = Browser(app, provider)
    browser.sign_in()
    assert browser.get("/groups").json == [group_principal("staff")]


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email": "a@b.example", "email_verified": True, "name": "Ann"}, "a@b.example"),
        ({"email": "a@b.example", "name": "Ann"}, "Ann"),
        ({"name": 5, "preferred_username": "annie"}, "annie"),
        ({"name": ""}, "ann"),
        ({"name": "<b>Ann"}, "&lt;b&gt;Ann"),
    ],
)
def test_a_page_says_who_is_signed_in(served, provider, claims, name):
    """By what is known of them, and no address that nobody verified."""
    provider.claims = claims
    browser = Browser(served, provider)
    browser.sign_in()
    assert f"as <strong>{name}</strong>, with The Lab." in browser.get("/auth/you").text


@pytest.mark.parametrize(
    ("endpoint", "link"),
    [
        ("/end", "/end?client_id=our+client"),
        ("/end?a=1", "/end?a=1&amp;client_id=our+client"),
        (None, None),
    ],
)
def test_signing_out_at_the_provider_is_offered_where_it_can_be(make_app, provider, endpoint, link):
    """A link, since a form of ours may lead to no other site."""
    if endpoint is not None:
        provider.metadata["end_session_endpoint"] = provider.issuer + endpoint
    browser = Browser(make_app(**config_of(provider)), provider)
    browser.sign_in()
    text = browser.get("/auth/you").text
    assert (f'<a href="{provider.issuer}{link}" rel="noreferrer">' in text) is (link is not None)
    assert ("Sign out at Oidc" in text) is (link is not None)


def test_a_session_outlives_an_outage(make_app, provider, signed_in):
    """A process that starts while the provider is away knows who is signed in."""
    provider.is_down = True
    later = Browser(make_app(**config_of(provider)), provider)
    later.client.set_cookie(SESSION, signed_in.cookie(), domain="app.example", secure=True)
    assert later.who()["subject"] == "ann"
    assert "Sign out" in later.get("/auth/you").text


@pytest.mark.parametrize("path", ["/auth/you/sign-out", "/auth/you/sign-out-everywhere"])
def test_a_form_signs_out(signed_in, path):
    """Only with the token that the page has; the cookie is worth nothing afterwards."""
    cookie = signed_in.cookie()
    for form in ({}, {"csrf_token": "x"}, {"csrf_token": signed_in.cookie()}):
        assert signed_in.post(path, form).status_code == 403
    assert signed_in.who()["subject"] == "ann"
    answer = signed_in.post(path, {"csrf_token": signed_in.token()})
    assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/auth/sign-in")
    assert signed_in.cookie() is None
    assert "You are signed out" in signed_in.get(answer.location).text
    signed_in.client.set_cookie(SESSION, cookie, domain="app.example", secure=True)
    assert signed_in.who() is None


@pytest.mark.parametrize("path", ["/auth/logout", "/auth/logout-everywhere"])
def test_a_program_signs_out(signed_in, path):
    """Only with the token in its header."""
    assert signed_in.post(path).status_code == 403
    assert signed_in.post(path, headers={"X-CSRF-Token": "x"}).status_code == 403
    token = signed_in.who()["csrf_token"]
    assert signed_in.post(path, headers={"X-CSRF-Token": token}).status_code == 204
    assert signed_in.cookie() is None
    assert signed_in.who() is None


@pytest.mark.parametrize(
    ("path", "remains"), [("/auth/you/sign-out", True), ("/auth/you/sign-out-everywhere", False)]
)
def test_everywhere_is_every_browser(served, signed_in, provider, path, remains):
    """Of this person, and of nobody else."""
    other, bobs = Browser(served, provider), Browser(served, provider)
    other.sign_in()
    provider.claims = {"sub": "bob"}
    bobs.sign_in()
    signed_in.post(path, {"csrf_token": signed_in.token()})
    assert bool(other.who()) is remains
    assert bobs.who()["subject"] == "bob"


def test_the_token_guards_every_view(signed_in):
    """An unsafe request with the cookie alone may be another site's."""
    assert signed_in.post("/me").status_code == 403
    token = signed_in.who()["csrf_token"]
    assert signed_in.post("/me", headers={"X-CSRF-Token": token}).json["subject"] == "ann"


@pytest.mark.parametrize("value", ["f.planted", "planted", "f.", ".", "x.planted", "é"])
def test_a_planted_cookie_is_not_taken_over(served, provider, value):
    """Signing in always makes a new session, so that nobody knows its cookie before."""
    browser = Browser(served, provider)
    browser.client.set_cookie(SESSION, value, domain="app.example", secure=True)
    assert browser.who() is None
    assert browser.get("/me").json["subject"] == ""
    assert browser.sign_in().status_code == 303
    first = browser.cookie()
    assert first not in (None, value)
    browser.sign_in()
    assert browser.cookie() not in (first, value)


def test_nobody_is_sent_to_sign_in(served, provider):
    """Pages lead there; programs are told."""
    browser = Browser(served, provider)
    for path in ("/auth/you/sign-out", "/auth/you/sign-out-everywhere"):
        assert browser.post(path).status_code == 403
        token = browser.token("/auth/sign-in") if served.config.get("LICET_ACCOUNTS") else None
        if token:
            assert browser.post(path, {"csrf_token": token}).status_code == 303
    assert browser.get("/auth/you").location.startswith("/auth/sign-in")
    for method, path in (("GET", "session"), ("POST", "logout"), ("POST", "logout-everywhere")):
        answer = browser.client.open(f"/auth/{path}", method=method, base_url=PUBLIC_URL)
        assert (answer.status_code, answer.json["code"]) == (401, "missing_token")


def test_the_page_has_a_link_for_each_provider(served, provider):
    """It keeps where the person wants to go."""
    browser = Browser(served, provider)
    text = browser.get("/auth/sign-in?next=/lab%3Fa=1%26b").text
    assert '<a href="/auth/with/oidc?next=/lab?a%3D1%26b">Sign in with The Lab</a>' in text
    assert ('name="password"' in text) is bool(served.config.get("LICET_ACCOUNTS"))
    assert '"/auth/with/oidc"' in browser.get("/auth/sign-in").text


def test_the_pages_have_their_style(served, provider):
    """From this site, whichever blueprint shows the page."""
    browser = Browser(served, provider)
    for path in ("/auth/sign-in", "/auth/with/nobody"):
        style = browser.get(path).text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        with browser.get(style) as found:
            assert found.status_code == 200


def test_a_provider_that_is_ours_no_more_has_no_sessions(make_app, provider, signed_in):
    """They end with its settings, and when its name is another's."""
    cookie = signed_in.cookie()
    for changes in ({"name": "gone"}, {"issuer": "https://idp.example"}):
        config = config_of(provider, ISSUER=changes.get("issuer", provider.issuer))
        if "name" in changes:
            config = {"LICET_OIDC_PROVIDERS": "other", **config_of(provider, "LICET_OIDC_OTHER_")}
        other = Browser(make_app(**config), provider)
        other.client.set_cookie(SESSION, cookie, domain="app.example", secure=True)
        assert other.who() is None


def test_a_bearer_token_goes_before_the_cookie(make_app, provider):
    """A session of this kind answers for nobody who shows a token."""
    app = make_app(**config_of(provider), LICET_ACCOUNTS=True)
    browser = Browser(app, provider)
    ann(accounts_of(app))
    form = {"email": EMAIL, "password": PASSWORD}
    token = browser.client.post("/auth/session", json=form).json["access_token"]
    browser.sign_in()
    shown = browser.get("/auth/session", headers={"Authorization": f"Bearer {token}"}).json
    assert (shown["email"], shown["csrf_token"]) == (EMAIL, None)
    bad = {"Authorization": "Bearer x"}
    assert browser.get("/auth/session", headers=bad).status_code == 401


def test_local_sessions_stay_local(make_app, provider):
    """Signing in with a password gives what it always gave, in the same browser too."""
    app = make_app(**config_of(provider), LICET_ACCOUNTS=True)
    ann(accounts_of(app))
    browser = Browser(app, provider)
    browser.sign_in()
    form = {"email": EMAIL, "password": PASSWORD, "csrf_token": browser.token("/auth/sign-in")}
    assert browser.post("/auth/sign-in", form).location == "/auth/you"
    assert browser.who()["account_id"]
    assert EMAIL in browser.get("/auth/you").text
    assert browser.sign_in().status_code == 303
    assert browser.who()["account_id"] is None
    for path in ("/auth/password", "/auth/account"):
        method = "DELETE" if path.endswith("account") else "POST"
        answer = browser.client.open(
            path,
            method=method,
            data=json.dumps({"password": PASSWORD}),
            content_type="application/json",
            base_url=PUBLIC_URL,
            headers={"X-CSRF-Token": browser.who()["csrf_token"]},
        )
        assert (answer.status_code, answer.json["code"]) == (403, "access_denied")


def test_the_apps_own_account_decides(app, browser, provider):
    """The hooks are asked about the foreign identity; who is disabled is refused at once."""
    standings = {"ann": Standing.ACTIVE}
    licet = app.extensions["attached"]
    licet.account_of(lambda identity: identity.subject if identity.subject in standings else None)
    licet.standing_of(standings.get)
    licet.roles_of(lambda _identity: {"operator"})
    app.get("/lab")(requires_auth("lab", ["operator"])(lambda: str(current_account)))
    browser.sign_in()
    assert browser.get("/lab").text == "ann"
    assert browser.who()["roles"] == ["operator"]
    standings["ann"] = Standing.DISABLED
    assert browser.get("/lab").json["code"] == "account_disabled"
    standings.clear()
    assert browser.get("/lab").json["code"] == "not_registered"


def status_with(app, cookie):
    """How a browser with this cookie is answered."""
    client = app.test_client()
    client.set_cookie(SESSION, cookie, domain="app.example", secure=True)
    return client.get("/auth/session", base_url=PUBLIC_URL).status_code


def test_signing_in_again_ends_the_session_before(served, signed_in):
    """The browser has lost its cookie; whoever kept it has nothing of it."""
    former = signed_in.cookie()
    assert status_with(served, former) == 200
    assert signed_in.sign_in().status_code == 303
    assert status_with(served, former) == 401
    assert status_with(served, signed_in.cookie()) == 200


def test_a_cookie_of_a_provider_that_was_taken_out_is_nobodys(make_app, provider):
    """The app does not trust it any more, so its sessions end with the setting."""
    before = make_app(**config_of(provider))
    browser = Browser(before, provider)
    assert browser.sign_in().status_code == 303
    other = config_of(provider, "LICET_OIDC_OTHER_")
    after = make_app(LICET_OIDC_PROVIDERS="other", **other)
    assert status_with(before, browser.cookie()) == 200
    assert status_with(after, browser.cookie()) == 401
