"""The way to the provider and back: what is sent, what is accepted, and what is not."""

import base64
import gzip
import hashlib
import json
from urllib.parse import parse_qs, unquote_plus, urlsplit

import pytest
import sqlalchemy as sa
from tests.unit.authn.made_tokens import OTHER_KEY
from tests.unit.authn.sign_in.foreign import (
    ATTEMPT,
    CALLBACK,
    CLIENT_ID,
    SECRET,
    SESSION,
    Browser,
    config_of,
    problem,
    signing_in,
)
from werkzeug import Response

from licet.authn.sign_in.tables import attempt, foreign_session
from licet.db.flask import database_of

FAILED = "The sign-in has expired, was finished already, or began elsewhere. Start again."
UNAVAILABLE = "The sign-in service does not answer at the moment. Try again later."
UNUSABLE = (
    "The sign-in service gave an answer that cannot be used. Try again, or tell the people who run "
    "this service."
)
TOLD = {400: FAILED, 502: UNUSABLE, 503: UNAVAILABLE}


def sessions(app):
    """How many sessions the database holds."""
    with database_of(app).read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(foreign_session))


def answer(document, status=200, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Response(body, status, headers, content_type="application/json")


def refused(app, browser, back, status=400, text=FAILED):
    """The page says so, and nobody is signed in."""
    assert (back.status_code, problem(back)) == (status, text)
    assert back.headers["Content-Type"] == "text/html; charset=utf-8"
    assert browser.cookie() is None
    assert browser.who() is None
    assert sessions(app) == 0
    return True


def test_a_person_signs_in(app, browser, provider):
    """The provider is asked in full, and vouches for somebody of its own."""
    asked = browser.begin()
    verifier_hash = asked.pop("code_challenge")
    state = asked.pop("state")
    assert asked == {
        "tenant": "1",
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "openid email profile",
        "nonce": provider.nonce,
        "code_challenge_method": "S256",
    }
    back = browser.come_back(code="the-code", state=state, iss=provider.issuer, session_state="x")
    assert (back.status_code, back.location) == (303, "/auth/you")
    ((form, authorization),) = provider.sent
    assert provider.encodings == ["identity"]  # a few bytes may unpack to gigabytes
    made = base64.urlsafe_b64encode(hashlib.sha256(form.pop("code_verifier").encode()).digest())
    assert made.rstrip(b"=").decode() == verifier_hash
    assert form == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": CALLBACK,
    }
    pair = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
    assert [unquote_plus(half) for half in pair] == [CLIENT_ID, SECRET]
    assert browser.get("/me").json == {"subject": "ann", "issuer": provider.issuer}


def test_the_cookies_are_for_this_host_alone(browser):
    """Neither a script, nor plain HTTP, nor another site's form gets at them."""
    begun = browser.get("/auth/with/oidc")
    (cookie,) = begun.headers.getlist("Set-Cookie")
    assert cookie.startswith(f"{ATTEMPT}=")
    assert cookie.endswith("Max-Age=600; Secure; HttpOnly; Path=/; SameSite=Lax")
    kept = {c.partition("=")[0]: c for c in browser.sign_in().headers.getlist("Set-Cookie")}
    assert kept[SESSION].endswith("Max-Age=2592000; Secure; HttpOnly; Path=/; SameSite=Lax")


@pytest.mark.parametrize(
    ("changes", "method"),
    [
        ({"CLIENT_SECRET": None}, "none"),
        ({}, "client_secret_post"),
    ],
)
def test_a_client_shows_itself_in_the_way_that_the_provider_takes(
    make_app, provider, changes, method
):
    """Without a secret it shows none; else in the form, where the provider takes nothing else."""
    provider.metadata["token_endpoint_auth_methods_supported"] = [method]
    browser = Browser(make_app(**config_of(provider, **changes)), provider)
    assert browser.sign_in().status_code == 303
    ((form, authorization),) = provider.sent
    assert (form["client_id"], authorization) == (CLIENT_ID, None)
    assert form.get("client_secret") == (None if changes else SECRET)


@pytest.mark.parametrize("path", ["/", "/lab/bookings?day=1#top", "/a//b", "/%2F%2Fevil.example"])
def test_a_path_of_ours_is_where_it_leads(browser, path):
    """The person comes back to the page from which they began."""
    assert browser.sign_in(next=path).location == path


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "/\n/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "evil.example",
        "http:evil.example",
        "///evil.example",
        "/" + "a" * 2048,
        "",
    ],
)
def test_it_leads_to_no_other_site(browser, path):
    """Whatever a browser could take for another site's address is not followed."""
    assert browser.sign_in(next=path).location == "/auth/you"


def test_an_answer_counts_once(app, browser, provider):
    """Whoever sends it again is told so, and the session of the first goes on."""
    state = browser.begin()["state"]
    secret = browser.cookie(ATTEMPT)
    assert browser.come_back(code="c", state=state).status_code == 303
    browser.client.set_cookie(ATTEMPT, secret, domain="app.example", secure=True)
    again = browser.come_back(code="c", state=state)
    assert (again.status_code, problem(again)) == (400, FAILED)
    assert len(provider.sent) == sessions(app) == 1
    assert browser.who()["subject"] == "ann"


def test_two_tabs_may_sign_in(browser, provider):
    """Each has a state of its own, whichever comes back first."""
    first = browser.begin()
    nonce = provider.nonce
    second = browser.begin()
    assert first["nonce"] != second["nonce"]
    assert browser.come_back(code="2", state=second["state"]).status_code == 303
    provider.nonce = nonce
    assert browser.come_back(code="1", state=first["state"]).status_code == 303


def test_another_browsers_answer_is_refused(app, browser, provider):
    """Who is led to somebody else's answer is not signed in as them."""
    state = browser.begin()["state"]
    for begins in (False, True):
        victim = Browser(app, provider)
        if begins:
            victim.begin()
        assert refused(app, victim, victim.come_back(code="the-code", state=state))
    assert provider.sent == []


@pytest.mark.parametrize("state", [None, "", "x", "é" * 43, "s" * 257, "\x00"])
def test_an_answer_without_our_state_is_refused(app, browser, provider, state):
    """Nothing is looked up, nor sent."""
    browser.begin()
    assert refused(app, browser, browser.come_back(code="c", **({"state": state} if state else {})))
    assert provider.sent == []


@pytest.mark.parametrize("doubled", ["state", "code"])
def test_what_stands_twice_counts_for_nothing(app, browser, doubled):
    """Two values are no value."""
    query = {"code": "c", "state": browser.begin()["state"]}
    query[doubled] = [query[doubled], "x"]
    assert refused(app, browser, browser.come_back(**query))


def test_an_old_sign_in_is_refused(app, browser):
    """After ten minutes it has to begin anew."""
    state = browser.begin()["state"]
    with database_of(app).engine.begin() as connection:
        connection.execute(sa.update(attempt).values(expires_at=1))
    assert refused(app, browser, browser.come_back(code="c", state=state))


@pytest.mark.parametrize("code", ["", None, "c" * 4097, "a\nb", "é"])
def test_what_cannot_be_a_code_is_not_sent(app, browser, provider, code):
    """Without one there is nothing to ask."""
    state = browser.begin()["state"]
    assert refused(app, browser, browser.come_back(state=state, **({"code": code} if code else {})))
    assert provider.sent == []


@pytest.mark.parametrize("changes", [{"iss": "https://evil.example"}, {"iss": ""}, {}])
def test_another_issuers_answer_is_refused(app, browser, provider, changes):
    """The issuer is compared when it is named, and must be when the provider promises it."""
    provider.metadata["authorization_response_iss_parameter_supported"] = True
    state = browser.begin()["state"]
    assert refused(app, browser, browser.come_back(code="c", state=state, **changes))
    assert provider.sent == []


def test_a_state_is_one_providers(make_app, provider):
    """An answer to one provider's sign-in is none to another's: their mix-up leads nowhere."""
    with signing_in() as other:
        app = make_app(
            LICET_OIDC_PROVIDERS="one two",
            **config_of(provider, "LICET_OIDC_ONE_"),
            **config_of(other, "LICET_OIDC_TWO_"),
        )
        browser = Browser(app, provider, "one")
        state = browser.begin()["state"]
        browser.name = "two"
        assert refused(app, browser, browser.come_back(code="c", state=state))
        assert other.sent == []
        browser.name = "one"
        assert browser.come_back(code="c", state=state).status_code == 303
        assert [form["redirect_uri"][-12:] for form, _ in provider.sent] == ["one/callback"]


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": ...},
        {"nonce": None},
        {"nonce": "\udc80"},
        {"aud": "another client"},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"exp": ...},
        {"sub": ...},
    ],
    ids=str,
)
def test_a_token_for_something_else_is_refused(app, browser, provider, claims):
    """Genuine, but of another sign-in, client, issuer or time."""
    provider.claims = claims
    assert refused(app, browser, browser.sign_in())


def test_an_access_token_is_no_id_token(app, browser, provider):
    """Its type tells."""
    provider.header = {"typ": "at+jwt"}
    assert refused(app, browser, browser.sign_in())


def test_a_forged_token_is_refused(app, browser, provider, monkeypatch):
    """The keys that the provider publishes decide."""
    real = list(provider.keys)
    monkeypatch.setattr(provider, "made", lambda: forged(provider, real))
    assert refused(app, browser, browser.sign_in())


def forged(provider, real):
    provider.keys = [OTHER_KEY]
    try:
        return type(provider).made(provider)
    finally:
        provider.keys = real


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("access_denied", 403),
        ("login_required", 403),
        ("<script>", 403),
        ("é", 403),
        ("temporarily_unavailable", 503),
        ("server_error", 503),
    ],
)
def test_a_refusal_is_told(app, browser, provider, error, status):
    """The person's own is 403, the provider's trouble 503; a code beside it is not used."""
    state = browser.begin()["state"]
    told = {403: "You were not signed in: the request was declined. You can try again."}
    back = browser.come_back(error=error, error_description="<b>", code="c", state=state)
    assert refused(app, browser, back, status, told.get(status, UNAVAILABLE))
    assert "<b>" not in back.text
    assert provider.sent == []
    assert refused(app, browser, browser.come_back(code="c", state=state))


def test_a_refusal_without_our_state_tells_nothing(app, browser):
    """Anybody could have sent it."""
    assert refused(app, browser, browser.come_back(error="access_denied", state="x"))


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (answer({"error": "invalid_grant"}, 400), 400),
        (answer({"error": "invalid_client"}, 401), 503),
        (answer({"access_token": "at", "token_type": "Bearer"}), 503),
        (answer({"access_token": "at", "id_token": 5}), 503),
        (answer([]), 502),
        (answer(b"<html>"), 502),
        (answer(b"[" * 100_000), 502),
        (answer({"id_token": "x" * 300_000}), 503),
        (answer(gzip.compress(b"{}"), **{"Content-Encoding": "gzip"}), 503),
        (answer({}, 302, Location="http://127.0.0.1:1/"), 503),
        (answer({}, 500), 503),
        (answer({"id_token": "no.jwt"}), 400),
    ],
    ids=range(12),
)
def test_a_token_endpoint_that_fails_is_told(app, browser, provider, told, status):
    """Nobody is signed in, and who may try again is told when."""
    provider.token_answer = told
    back = browser.sign_in()
    assert refused(app, browser, back, status, TOLD[status])
    assert back.headers.get("Retry-After") == ("5" if status == 503 else None)


@pytest.mark.parametrize("name", ["expires_in", "expires_at"])
@pytest.mark.parametrize("value", [[1], {}, "3600s", 1e999, 10**400, None, "\ud800"], ids=repr)
def test_no_member_of_an_answer_is_an_error_500(app, browser, provider, name, value):
    """Authlib calculates with them; nobody is signed in, and the person is told."""
    provider.token_answer = answer({"access_token": "at", "token_type": "Bearer", name: value})
    back = browser.sign_in()
    assert back.status_code in (502, 503)
    assert problem(back) in TOLD.values()


def test_a_provider_that_is_away_is_told(app, browser, provider):
    """Before anything is kept; when it is back, all is well."""
    provider.is_down = True
    away = browser.get("/auth/with/oidc")
    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert problem(away) == UNAVAILABLE
    assert 'href="/auth/sign-in"' in away.text
    with database_of(app).read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(attempt)) == 0


def test_a_provider_that_leaves_meanwhile_is_told(app, browser, provider):
    """The sign-in has to begin anew."""
    state = browser.begin()["state"]
    provider.is_down = True
    assert refused(app, browser, browser.come_back(code="c", state=state), 503, UNAVAILABLE)
    provider.is_down = False
    assert browser.sign_in().status_code == 303


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization_endpoint", ...),
        ("authorization_endpoint", 5),
        ("authorization_endpoint", "http://idp.example/auth"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("token_endpoint", "http://idp.example/token"),
        ("token_endpoint", "ftp://127.0.0.1/token"),
        ("token_endpoint", ...),
    ],
)
def test_metadata_that_lead_astray_are_not_followed(app, browser, provider, name, value):
    """No secret, code or person is sent where anybody can listen."""
    provider.metadata[name] = value
    if (name, value) == ("token_endpoint", ...):
        assert refused(app, browser, browser.sign_in(), 503, UNAVAILABLE)
        assert provider.sent == []
    else:
        assert problem(browser.get("/auth/with/oidc")) == UNAVAILABLE


def test_an_unknown_provider_is_a_page(browser):
    """There and back."""
    for path in ("/auth/with/nobody", "/auth/with/nobody/callback?state=x&code=c"):
        found = browser.get(path)
        assert (found.status_code, problem(found)) == (
            404,
            "There is no such provider to sign in at.",
        )


def test_nobody_begins_without_end(browser):
    """One address may begin a hundred sign-ins in a quarter of an hour."""
    for _ in range(100):
        assert browser.get("/auth/with/oidc").status_code == 303
    late = browser.get("/auth/with/oidc")
    assert (late.status_code, problem(late)) == (429, "Too many attempts. Try again later.")
    assert int(late.headers["Retry-After"]) > 800


def test_a_provider_is_asked_seldom_what_it_is(browser, provider):
    """Its metadata are remembered."""
    for _ in range(3):
        assert browser.sign_in().status_code == 303
    assert provider.asked["/.well-known/openid-configuration"] == 2  # once for its keys


@pytest.mark.parametrize("accounts", [{}, {"LICET_ACCOUNTS": True}], ids=["alone", "beside"])
def test_a_sign_in_below_a_prefix_comes_back_below_it(make_app, provider, accounts):
    """Somebody who wanted no other page sees the one that says who they are, of this app."""
    browser = Browser(make_app(**config_of(provider), **accounts), provider)
    below = {"environ_overrides": {"SCRIPT_NAME": "/lab"}}
    away = browser.get("/auth/with/oidc", **below)
    asked = {k: v[0] for k, v in parse_qs(urlsplit(away.location).query).items()}
    provider.nonce = asked["nonce"]
    back = browser.get(
        "/auth/with/oidc/callback", query_string={"code": "c", "state": asked["state"]}, **below
    )
    assert (back.status_code, back.location) == (303, "/lab/auth/you")


@pytest.mark.parametrize("values", ["mfa", "https://refeds.org/profile/mfa  phr"])
def test_a_provider_is_asked_how_to_make_sure(make_app, provider, values):
    """With the values of the setting; without it, nothing is asked."""
    browser = Browser(make_app(**config_of(provider, ACR_VALUES=values)), provider)
    assert browser.begin()["acr_values"] == " ".join(values.split())
    assert "acr_values" not in Browser(make_app(**config_of(provider)), provider).begin()
