"""The JSON endpoints, and what withdrawn tokens open."""

import io
import json
import threading
import time

import pytest
from flask import Flask, jsonify
from tests.unit.authn.accounts.people import EMAIL, PASSWORD, ann

from licet import Licet
from licet.authn import current_identity, embedded_issuer
from licet.authn.accounts.flask import accounts_of
from licet.authn.accounts.mail import FolderTransport, SmtpTransport
from licet.authn.flask import IdentityStateBuilder
from licet.authn.throttle import Limit, Limits
from licet.errors import ConfigurationError, StoreUnavailable

CREDENTIALS = {"email": EMAIL, "password": PASSWORD}
NEW = "battery staple"


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def tokens(app, client):
    """The tokens of Ann, who has signed in."""
    ann(accounts_of(app))
    return client.post("/auth/session", json=CREDENTIALS).json


def bearer(tokens):
    """The header that carries the access token."""
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def secret_of(app):
    """The secret of the newest mail."""
    parts = accounts_of(app)
    assert parts.outbox.wait(10)
    return parts.mail.secret()


def status(client, tokens):
    """How the access token is answered."""
    return client.get("/auth/session", headers=bearer(tokens)).status_code


def test_a_life(app, client):
    """From sign-up to deletion, as a client sees it."""
    answer = client.post("/auth/accounts", json=CREDENTIALS)
    assert (answer.status_code, answer.json) == (202, {"message": "Look at your mail."})
    assert client.post("/auth/session", json=CREDENTIALS).status_code == 401
    answered = {"token": secret_of(app), "password": PASSWORD}
    wrong = client.post("/auth/verify", json={**answered, "password": NEW})
    assert (wrong.status_code, wrong.json["code"]) == (401, "invalid_credentials")
    assert client.post("/auth/verify", json=answered).status_code == 204
    assert client.post("/auth/verify", json=answered).json["code"] == "invalid_link"
    tokens = client.post("/auth/session", json={**CREDENTIALS, "scope": "read"}).json
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 900, "read")
    me = client.get("/auth/session", headers=bearer(tokens)).json
    assert (me["email"], me["roles"], me["scope"], me["csrf_token"]) == (EMAIL, [], "read", None)
    tokens = client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).json
    gone = client.delete("/auth/account", json={"password": PASSWORD}, headers=bearer(tokens))
    assert gone.status_code == 204
    assert status(client, tokens) == 401


def test_a_reset(app, client, tokens):
    """A forgotten password is replaced, and what was open is closed."""
    assert client.post("/auth/reset", json={"email": EMAIL}).status_code == 202
    body = {"token": secret_of(app), "password": NEW}
    assert client.post("/auth/reset/confirm", json=body).status_code == 204
    assert client.post("/auth/reset/confirm", json=body).status_code == 400
    assert status(client, tokens) == 401
    assert client.post("/auth/session", json={**CREDENTIALS, "password": NEW}).status_code == 200


def test_a_change(client, tokens):
    """The present password is asked for; then every session ends, the caller's too."""
    body = {"current_password": "wrong", "new_password": NEW}
    assert client.post("/auth/password", json=body, headers=bearer(tokens)).status_code == 401
    assert status(client, tokens) == 200
    body["current_password"] = PASSWORD
    assert client.post("/auth/password", json=body, headers=bearer(tokens)).status_code == 204
    assert status(client, tokens) == 401


def test_signing_out_with_the_access_token(client, tokens):
    """The caller's session ends, with its refresh token."""
    other = client.post("/auth/session", json=CREDENTIALS).json
    assert client.post("/auth/logout", headers=bearer(tokens)).status_code == 204
    assert [status(client, found) for found in (tokens, other)] == [401, 200]
    body = {"refresh_token": tokens["refresh_token"]}
    assert client.post("/auth/refresh", json=body).status_code == 401


@pytest.mark.parametrize("known", [True, False])
def test_signing_out_with_the_refresh_token(client, tokens, known):
    """An expired access token is no hindrance; what is not known is answered the same."""
    body = {"refresh_token": tokens["refresh_token"] if known else "x"}
    assert client.post("/auth/logout", json=body).status_code == 204
    assert status(client, tokens) == (401 if known else 200)


def test_signing_out_everywhere(client, tokens):
    """All sessions end."""
    other = client.post("/auth/session", json=CREDENTIALS).json
    assert client.post("/auth/logout-everywhere", headers=bearer(tokens)).status_code == 204
    assert [status(client, found) for found in (tokens, other)] == [401, 401]


GUARDED = [
    ("GET", "/auth/session"),
    ("POST", "/auth/logout"),
    ("POST", "/auth/logout-everywhere"),
    ("POST", "/auth/password"),
    ("DELETE", "/auth/account"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_somebody_must_be_signed_in(client, method, path):
    """Without a token: 401, with the challenge, before the body is looked at."""
    answer = client.open(path, method=method)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="licet", resource_metadata=')
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_a_token_of_no_session_has_no_account(app, client, method, path):
    """What `licet token` prints speaks for no local account."""
    minted = embedded_issuer(app).mint("ann", ["a"])
    answer = client.open(path, method=method, headers=bearer({"access_token": minted}))
    assert (answer.status_code, answer.json["code"]) == (403, "access_denied")


PATHS = ["accounts", "verify", "session", "refresh", "reset", "reset/confirm"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"email": 5}',
        b'{"email": "a", "password": "b", "token": "c d"}',
        b'{"email": "\\ud800@b"}',
        b"\xff",
        b"[" * 10_000,
    ],
)
def test_what_is_not_understood_is_told(client, path, body):
    """Bad bodies are 422 with the field and the reason, never what was sent."""
    answer = client.post(f"/auth/{path}", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("path", PATHS)
def test_other_types_are_not_read(client, path):
    """A form of another site cannot pass for JSON."""
    answer = client.post(f"/auth/{path}", data=json.dumps(CREDENTIALS), content_type="text/plain")
    assert answer.status_code == 415
    assert client.post(f"/auth/{path}", data=CREDENTIALS).status_code == 415


@pytest.mark.parametrize("path", PATHS)
def test_long_bodies_are_not_read(client, path):
    """16 KiB are enough for everybody."""
    body = json.dumps({**CREDENTIALS, "more": "x" * 16 * 1024})
    answer = client.post(f"/auth/{path}", data=body, content_type="application/json")
    assert answer.status_code == 413


def test_answers_are_not_stored(client, tokens):
    """Neither tokens nor refusals stay in a cache."""
    for answer in (
        client.post("/auth/session", json=CREDENTIALS),
        client.post("/auth/session", json={}),
        client.get("/auth/session"),
    ):
        assert answer.headers["Cache-Control"] == "no-store"


def test_too_many_attempts_are_told_when_to_come_back(make_app):
    """429, with Retry-After."""
    tight = Limits(passwords=Limit(attempts=1, seconds=60))
    client = make_app(limits=tight).test_client()
    assert client.post("/auth/session", json=CREDENTIALS).status_code == 401
    answer = client.post("/auth/session", json=CREDENTIALS)
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_attempts")
    assert 58 <= int(answer.headers["Retry-After"]) <= 60


def test_callers_are_told_apart_by_their_address(make_app):
    """The limit by address counts the one that the request came from."""
    tight = Limits(passwords_by_address=Limit(attempts=1, seconds=60))
    client = make_app(limits=tight).test_client()

    def attempt(address):
        environ = {"REMOTE_ADDR": address}
        return client.post("/auth/session", json=CREDENTIALS, environ_base=environ).status_code

    assert [attempt(f"192.0.2.{last}") for last in (1, 1, 2)] == [401, 429, 401]


def test_a_withdrawn_token_opens_no_view(app):
    """Any view that asks who calls refuses it at once, though it was verified a moment ago."""
    app.add_url_rule("/me", view_func=lambda: jsonify(current_identity.subject))
    ann(accounts_of(app))
    client = app.test_client()
    tokens = client.post("/auth/session", json=CREDENTIALS).json
    assert client.get("/me", headers=bearer(tokens)).status_code == 200
    client.post("/auth/logout", headers=bearer(tokens))
    answer = client.get("/me", headers=bearer(tokens))
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_token")


def test_another_process_follows_within_two_seconds(make_app):
    """By the real clock: an app of its own, sharing the database, refuses the token in time."""
    here, there = make_app(), make_app()
    ann(accounts_of(here))
    tokens = here.test_client().post("/auth/session", json=CREDENTIALS).json
    client = there.test_client()
    assert status(client, tokens) == 200
    here.test_client().post("/auth/logout", headers=bearer(tokens))
    ended = time.monotonic()
    begun = ended
    while status(client, tokens) == 200:
        assert begun < ended + 2
        begun = time.monotonic()


def test_scopes_are_those_of_the_providers_and_the_settings(make_app):
    """Without asking, a session may do all that the app's providers and the operator know."""
    app = make_app(LICET_ACCOUNT_SCOPES="extra")
    IdentityStateBuilder(app, ["run", "extra"])
    ann(accounts_of(app))
    client = app.test_client()
    assert client.post("/auth/session", json=CREDENTIALS).json["scope"] == "run extra"
    refused = client.post("/auth/session", json={**CREDENTIALS, "scope": "admin"})
    assert refused.json["detail"] == "scope: the scopes to be had are: run extra"


def test_a_database_that_does_not_answer_lets_nobody_in(app, client, tokens, monkeypatch):
    """503, when nobody can know whether a token was withdrawn."""
    parts = accounts_of(app)
    parts.revocations._fresh_until = 0.0

    def fail(_serial):
        raise StoreUnavailable

    monkeypatch.setattr(parts.revocations, "_read", fail)
    answer = client.get("/auth/session", headers=bearer(tokens))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_without_the_setting_there_is_nothing(tmp_path):
    """An app that does not ask for accounts has no endpoints for them."""
    app = Flask("app", instance_path=str(tmp_path))
    Licet(app)
    assert app.test_client().post("/auth/session", json=CREDENTIALS).status_code == 404


def test_accounts_need_the_embedded_issuer(tmp_path):
    """Without it nobody could sign their tokens, which is told at start."""
    app = Flask("app", instance_path=str(tmp_path))
    app.config.update(LICET_ACCOUNTS=True, LICET_EMBEDDED_ISSUER=False)
    with pytest.raises(ConfigurationError, match="LICET_EMBEDDED_ISSUER"):
        Licet(app)


@pytest.mark.parametrize(
    ("url", "kind"), [("", FolderTransport), ("smtp://localhost", SmtpTransport)]
)
def test_the_settings_make_the_parts(tmp_path, url, kind):
    """Mail and lifetimes are those of the settings; passwords are kept as RFC 9106 says."""
    app = Flask("app", instance_path=str(tmp_path))
    app.config.update(LICET_SMTP_URL=url, LICET_SESSION_SECONDS=60)
    parts = accounts_of(app)
    assert isinstance(parts.mail, kind)
    assert parts.session_seconds == 60
    assert parts.passwords.hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert accounts_of(app) is parts


def test_the_work_of_a_command_begins_at_once(app):
    """Outside a request there is no answer to wait for."""
    done = threading.Event()
    accounts_of(app).outbox.submit(done.set)
    assert done.wait(10)


def test_a_bad_mail_setting_is_told_at_start(tmp_path):
    """Not at the first sign-up."""
    app = Flask("app", instance_path=str(tmp_path))
    app.config.update(LICET_ACCOUNTS=True, LICET_SMTP_URL="mail.example")
    with pytest.raises(ConfigurationError, match="LICET_SMTP_URL"):
        Licet(app)


@pytest.mark.parametrize("enabled", [True, False])
def test_where_passwords_are_taken_is_published(make_app, enabled):
    """`licet login` asks for a password only where the issuer says that it takes some."""
    app = make_app.bare(LICET_ACCOUNTS=enabled, LICET_ISSUER="https://service.example")
    Licet(app)
    metadata = app.test_client().get("/.well-known/openid-configuration").json
    endpoint = "https://service.example/auth" if enabled else None
    assert metadata.get("licet_accounts_endpoint") == endpoint


def test_mails_lead_to_where_people_reach_the_service(make_app):
    """Which is LICET_PUBLIC_URL; the issuer's name may be another."""
    app = make_app(LICET_ISSUER="https://id.example", LICET_PUBLIC_URL="https://lab.example/x")
    client = app.test_client()
    client.post("/auth/accounts", json=CREDENTIALS)
    assert secret_of(app)
    ann(accounts_of(app))
    client.post("/auth/reset", json={"email": EMAIL})
    assert secret_of(app)
    client.post("/auth/accounts", json=CREDENTIALS)
    assert accounts_of(app).outbox.wait(10)
    texts = [mail.text for mail in accounts_of(app).mail.sent]
    assert len(texts) == 3
    assert all("https://lab.example/x/auth/" in text for text in texts)
    assert not any("id.example" in text for text in texts)


@pytest.mark.parametrize("path", ["/auth/session", "/auth/accounts", "/auth/sign-in"])
def test_a_chunked_body_that_is_too_long_is_told(app, path):
    """It has no length that could be looked at before."""
    body = b"x" * 20_000
    is_form = path == "/auth/sign-in"
    answer = app.test_client().post(
        path,
        input_stream=io.BytesIO(body),
        headers={"Transfer-Encoding": "chunked"},
        content_type="application/x-www-form-urlencoded" if is_form else "application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413
