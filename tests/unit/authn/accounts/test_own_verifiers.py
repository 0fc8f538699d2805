"""Withdrawn tokens are refused whichever verifier the app uses."""

from dataclasses import replace

import pytest
from flask import Flask
from tests.unit.authn.accounts.people import EMAIL, ann, grant

from licet import Licet
from licet.authn import (
    Identity,
    JWTVerifier,
    VerifierChain,
    current_identity,
    embedded_issuer,
    embedded_verifier,
    use_verifier,
)
from licet.authn.accounts.credentials import set_blocked
from licet.authn.accounts.flask import accounts_of


class Own:
    """Takes the local issuer's tokens, and tells of them what it is asked to."""

    def __init__(self, app, **changes):
        self.issuer = embedded_issuer(app).issuer
        self.changes = changes
        self._verifier = JWTVerifier(
            issuer=self.issuer,
            audience=embedded_issuer(app).audience,
            algorithms={"ES256"},
            keys=embedded_issuer(app),
        )

    def verify(self, token):
        """The identity, with the changes."""
        return replace(self._verifier.verify(token), **self.changes)


OWN = {
    "a JWTVerifier": lambda app: Own(app)._verifier,
    "one of its own": Own,
    "without claims": lambda app: Own(app, claims={}),
    "with another issuer": lambda app: Own(app, issuer="app", claims={"user": 1}),
    "a chain": lambda app: VerifierChain(Own(app)),
    "a chain with the embedded one": lambda app: VerifierChain(embedded_verifier(app)),
}


def status(app, token):
    """What an endpoint that asks who calls answers."""
    client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    return client.get("/who", headers=headers).status_code


def add_who(app):
    app.get("/who")(lambda: {"who": str(current_identity.subject)})


@pytest.mark.parametrize("made", OWN.values(), ids=OWN)
@pytest.mark.parametrize("order", ["before", "after"])
def test_a_blocked_account_is_out(make_app, made, order):
    """At once, whether the verifier was given before or after the accounts were attached."""
    app = make_app() if order == "after" else None
    if app is None:
        app = make_app.bare()
        use_verifier(app, made(app))
        Licet(app)
    else:
        use_verifier(app, made(app))
    add_who(app)
    parts = accounts_of(app)
    ann(parts)
    token = grant(parts).access_token
    assert status(app, token) == 200
    set_blocked(parts, EMAIL, blocked=True)
    assert status(app, token) == 401


@pytest.mark.parametrize("made", OWN.values(), ids=OWN)
def test_a_session_that_ended_is_out(make_app, made):
    """Signing out withdraws that session's tokens, and no other's."""
    app = make_app()
    use_verifier(app, made(app))
    add_who(app)
    parts = accounts_of(app)
    ann(parts)
    ended, going_on = grant(parts), grant(parts)
    body = {"refresh_token": ended.refresh_token}
    assert app.test_client().post("/auth/logout", json=body).status_code == 204
    assert status(app, ended.access_token) == 401
    assert status(app, going_on.access_token) == 200


def test_another_process_hears_of_it(make_app):
    """An app that shares the database, and was never attached to, refuses within two seconds."""
    app, other = make_app(), make_app.bare()
    use_verifier(other, Own(other)._verifier)
    add_who(other)
    parts = accounts_of(app)
    ann(parts)
    token = grant(parts).access_token
    assert status(other, token) == 200
    set_blocked(parts, EMAIL, blocked=True)
    accounts_of(other).revocations._fresh_until = 0.0  # two seconds later
    assert status(other, token) == 401


def test_tokens_of_others_are_not_asked_about(make_app):
    """A foreign or an opaque token has nothing to do with the accounts."""

    class Foreign:
        def verify(self, token):
            claims = {"iss": "https://other.example"} if token == "foreign" else {}
            return Identity(issuer="x", subject="x", principal="urn:x", claims=claims)

    app = make_app()
    use_verifier(app, Foreign())
    add_who(app)
    accounts_of(app).revocations._read = None
    assert {status(app, token) for token in ("foreign", "opaque")} == {200}


def test_without_accounts_nobody_is_asked(tmp_path):
    """An app that has none opens no database for it."""
    app = Flask("bare", instance_path=str(tmp_path))
    app.config["LICET_PROTECT"] = False
    use_verifier(app, Own(app))
    Licet(app)
    add_who(app)
    assert status(app, embedded_issuer(app).mint("ann", ["read"])) == 200
    assert not (tmp_path / "licet.sqlite3").exists()
