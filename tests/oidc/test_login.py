"""`licet login` with a browser at a certified OpenID provider."""

import json
import webbrowser
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from flask import Flask
from tests.oidc.browser import sign_in
from tests.oidc.node import NodeProvider, new_key, require_node
from tests.unit.actions.serving import served
from tests.unit.cli.signing_in import Service, logins

from licet import Licet
from licet.authn import JWTVerifier, current_identity, use_verifier
from licet.authz import public


@pytest.fixture(scope="module")
def provider() -> Iterator[NodeProvider]:
    require_node()
    found = NodeProvider(new_key("only"), script="people.mjs").start()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def at(provider, tmp_path) -> Iterator[Service]:
    """A service that takes the provider's tokens and has an action provider that tells who asks."""
    found = Service()
    with served(found) as url:
        app = Flask("service", instance_path=str(tmp_path / "service"))
        app.config.update(LICET_PUBLIC_URL=url, LICET_EMBEDDED_ISSUER=False)
        Licet(app)
        verifier = JWTVerifier(issuer=provider.issuer, audience=url, algorithms={"ES256"})
        use_verifier(app, verifier)

        @app.get("/me/")
        @public
        def me():
            return {"who": current_identity.subject, "scopes": sorted(current_identity.scopes)}

        found.app, found.url = app, url
        yield found


class Browser:
    """Opens pages in threads of their own; `doing` is what somebody does there."""

    def __init__(self) -> None:
        self.doing = sign_in
        self.opened: list[str] = []
        self.answers: list[httpx2.Response] = []

    def open(self, url: str) -> bool:
        self.opened.append(url)
        self.answers.append(self.doing(url))
        return True


@pytest.fixture
def browser(monkeypatch) -> Browser:
    found = Browser()
    monkeypatch.setattr(webbrowser, "open", found.open)
    monkeypatch.setenv("BROWSER", "any")
    return found


@pytest.fixture
def login(licet, at, provider, browser):
    """Signs in at the provider for the service."""

    def run(*words: str, client_id: str = "licet-cli"):
        where = ("login", provider.issuer, "--resource", at.url, "--client-id", client_id)
        return licet(*where, *words)

    return run


def told(licet, at):
    """What the service tells of who calls."""
    return json.loads(licet("action", "introspect", f"{at.url}/me").stdout)


def test_somebody_signs_in(licet, login, at, provider, browser, tmp_path):
    """The token is for the service, and the service sees who it is."""
    result = login("--scope", "read", "--scope", "email")
    assert (result.exit_code, result.stdout) == (
        0,
        f"Signed in as ann@example.org at {provider.issuer} for {at.url}\n",
    )
    assert told(licet, at) == {"who": "ann", "scopes": ["read"]}
    kept = logins(tmp_path / "config")[0]
    for secret in (kept["access_token"], kept["refresh_token"]):
        assert secret not in result.output
    assert "may be closed" in browser.answers[0].text


def expire(tmp_path) -> dict:
    """Let the kept access token be about to end; what was kept."""
    path = tmp_path / "config" / "licet" / "logins.json"
    [kept] = logins(tmp_path / "config")
    path.write_text(json.dumps({"logins": [kept | {"renew_at": 0.0}]}))
    return kept


def refreshed(provider, kept) -> httpx2.Response:
    """What the provider answers to a refresh token."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": kept["refresh_token"],
        "client_id": "licet-cli",
    }
    return httpx2.post(f"{provider.issuer}/token", data=form)


def test_it_is_renewed_quietly(licet, login, at, tmp_path):
    """Refresh tokens are used once each, and the service sees the same person."""
    login("--scope", "read")
    first = expire(tmp_path)
    assert told(licet, at)["who"] == "ann"
    second = expire(tmp_path)
    assert told(licet, at) == {"who": "ann", "scopes": ["read"]}
    [third] = logins(tmp_path / "config")
    for name in ("access_token", "refresh_token"):
        assert len({one[name] for one in (first, second, third)}) == 3


def test_signing_out_revokes(licet, login, provider, tmp_path):
    """The refresh token is not good at the provider any more."""
    login("--scope", "read")
    [kept] = logins(tmp_path / "config")
    result = licet("logout", provider.issuer)
    assert (result.exit_code, result.stderr) == (0, "")
    assert refreshed(provider, kept).json()["error"] == "invalid_grant"
    assert logins(tmp_path / "config") == []


def test_a_sign_in_that_was_ended_elsewhere(licet, login, at, provider, tmp_path):
    """A refresh token that somebody else used ends the sign-in, which is then forgotten."""
    login("--scope", "read")
    assert refreshed(provider, expire(tmp_path)).status_code == 200
    result = licet("action", "introspect", f"{at.url}/me")
    assert result.exit_code == 3
    assert f"Sign in again: licet login {provider.issuer}" in result.stderr
    assert logins(tmp_path / "config") == []


def test_a_sign_in_without_a_refresh_token(licet, login, at, tmp_path):
    """It is good until its token ends, and can be signed out of."""
    assert login(client_id="licet-short").exit_code == 0
    assert told(licet, at)["who"] == "ann"
    result = licet("logout")
    assert result.exit_code == 0
    assert "cannot end a sign-in" in result.stderr  # the provider revokes no JWT
    login(client_id="licet-short")
    expire(tmp_path)
    result = licet("action", "introspect", f"{at.url}/me")
    assert result.exit_code == 3
    assert "gave nothing to renew it with" in result.stderr


def test_without_a_verified_address(login, browser):
    """Who has none is told by their number at the provider."""
    browser.doing = lambda url: sign_in(url, "eve")
    assert login().stdout.startswith("Signed in as eve at ")


def test_somebody_does_not_agree(login, browser, tmp_path):
    """A refusal at the provider is one here."""
    browser.doing = lambda url: sign_in(url, agrees=False)
    result = login()
    assert (result.exit_code, result.stdout) == (3, "")
    assert "End-User aborted interaction" in result.stderr
    assert logins(tmp_path / "config") == []


def test_nobody_comes(login, browser, monkeypatch):
    """The waiting ends; with --no-browser, or without a desktop, the address is printed only."""
    first = login("--no-browser", "--wait-seconds", "1")
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for result in (first, login("--wait-seconds", "1")):
        assert (result.exit_code, result.stdout) == (4, "")
        assert "code_challenge_method=S256" in result.stderr
        assert "Nobody signed in within 1 s" in result.stderr
    assert browser.opened == []


def test_words_that_are_missing(licet, at, provider):
    """A foreign issuer needs to know the program, and what the token is for."""
    for words in (("--resource", at.url), ("--client-id", "licet-cli")):
        result = licet("login", provider.issuer, *words)
        assert result.exit_code == 2


def test_the_issuer_and_the_program_need_not_be_named(licet, at, browser):
    """The service names its issuer, and the environment the program."""
    environ = {"LICET_LOGIN_CLIENT_ID": "licet-cli"}
    assert licet("login", "--resource", at.url, env=environ).exit_code == 0


def forged(issuer, url, **changes):
    """What the provider would send the browser back with, changed; None takes a parameter away."""
    asked = {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}
    answer = {"state": asked["state"], "iss": issuer, "code": "x"} | changes
    kept = {name: value for name, value in answer.items() if value is not None}
    return httpx2.get(f"{asked['redirect_uri']}?{urlencode(kept, doseq=True)}")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"iss": "https://other.example"}, "is not from"),
        ({"iss": None}, "is not from"),
        ({"iss": None, "error": "access_denied"}, "is not from"),
        ({"error": "access_denied"}, "access_denied"),
        ({"error": "a", "error_description": "\x1b[2J"}, "refused: \ufffd[2J"),
        ({"code": None}, "without a code"),
        ({}, "grant request is invalid"),
    ],
)
def test_answers_of_others(login, provider, browser, tmp_path, changes, told):
    """Only what the provider sent is redeemed, and only for a code that it gave."""
    browser.doing = lambda url: forged(provider.issuer, url, **changes)
    result = login()
    assert (result.exit_code, result.stdout) == (3, "")
    assert told in result.stderr
    assert logins(tmp_path / "config") == []


def test_answers_to_another_sign_in(login, provider, browser):
    """Without the right state, or with one parameter twice, the waiting goes on."""

    def disturbed(url):
        for changes, status in (
            ({"state": None}, 400),
            ({"state": "x"}, 400),
            ({"state": "\u00e9"}, 400),
            ({"code": ["a", "b"]}, 404),
        ):
            assert forged(provider.issuer, url, **changes).status_code == status
        callback = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        assert httpx2.get(callback.replace("callback", "favicon.ico")).status_code == 404
        assert httpx2.post(callback).status_code == 501
        return sign_in(url)

    browser.doing = disturbed
    assert login().exit_code == 0
