"""A certified provider that an app knows by its settings alone, and opaque tokens."""

from collections.abc import Iterator

import httpx2
import pytest
from flask import Flask
from tests.oidc.node import RESOURCE, NodeProvider, new_key, require_node

from licet import Licet
from licet.authn import (
    IntrospectionVerifier,
    VerifierChain,
    current_identity,
    embedded_issuer,
    embedded_verifier,
    use_verifier,
)
from licet.authz import public
from licet.errors import InvalidToken

OPAQUE = f"{RESOURCE}/opaque"


@pytest.fixture
def provider() -> Iterator[NodeProvider]:
    require_node()
    found = NodeProvider(new_key("the-key")).start()
    try:
        yield found
    finally:
        found.stop()


def made(folder, **config):
    app = Flask(__name__, instance_path=str(folder))
    app.config.update(config)
    Licet(app)
    app.get("/me")(public(lambda: {"issuer": current_identity.issuer}))
    return app


def status(app, token):
    """How a request with this token is answered, and who is seen."""
    answer = app.test_client().get("/me", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, (answer.json or {}).get("issuer")


def introspection(provider):
    return IntrospectionVerifier(
        f"{provider.issuer}/token/introspection",
        "robot",
        "robot-secret",
        issuer=provider.issuer,
        audience=OPAQUE,
        accepts_clients=True,
    )


def test_a_clients_token_is_taken_by_settings(provider, tmp_path):
    """Issuer, audience and algorithm are enough; local tokens stay good beside it."""
    app = made(
        tmp_path,
        LICET_OIDC_ISSUER=provider.issuer,
        LICET_OIDC_AUDIENCE=RESOURCE,
        LICET_OIDC_ALGORITHMS="ES256",
    )
    assert status(app, provider.token()) == (200, provider.issuer)
    assert status(app, embedded_issuer(app).mint("ann", [])) == (200, "http://localhost:8000")
    assert status(app, provider.token(resource="https://other.example"))[0] == 401
    assert app.test_client().get("/auth/sign-in").status_code == 404


def test_an_opaque_token_is_introspected(provider, tmp_path):
    """The provider is asked what it stands for; until it is revoked."""
    verifier = introspection(provider)
    app = made(tmp_path)
    use_verifier(app, VerifierChain(embedded_verifier(app), opaque=verifier))
    token = provider.token(["read"], OPAQUE)
    identity = verifier.verify(token)
    assert (identity.issuer, identity.subject) == (provider.issuer, "client:robot")
    assert identity.scopes == {"read"}
    assert status(app, token) == (200, provider.issuer)
    revoked = httpx2.post(
        f"{provider.issuer}/token/revocation", data={"token": token}, auth=("robot", "robot-secret")
    )
    assert revoked.status_code == 200
    verifier.forget()
    assert status(app, token)[0] == 401
    verifier.close()


def test_an_opaque_token_for_another_service_is_refused(provider):
    """Active, but not meant for us."""
    verifier = introspection(provider)
    with pytest.raises(InvalidToken, match="another service"):
        verifier.verify(provider.token(resource="https://other.example/opaque"))
    with pytest.raises(InvalidToken):
        verifier.verify("made-up")
    verifier.close()


def test_introspection_while_the_provider_is_away(provider, tmp_path):
    """Nobody is accepted and nobody refused; what was asked shortly before still counts."""
    verifier = introspection(provider)
    app = made(tmp_path)
    use_verifier(app, verifier)
    known, unknown = provider.token(["read"], OPAQUE), provider.token(["read"], OPAQUE)
    assert status(app, known)[0] == 200
    provider.stop()
    assert status(app, known)[0] == 200
    assert status(app, unknown)[0] == 503
    provider.start()
    assert status(app, unknown)[0] == 401  # it forgot all of its tokens
    assert status(app, provider.token(["read"], OPAQUE))[0] == 200
    verifier.close()
