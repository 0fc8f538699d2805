"""Authentication in a Flask request: header in, `Identity` out, once per request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flask import Flask, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.local import LocalProxy

from licet._state import app_state, request_state
from licet.authn.auth_state import AuthState, require_scope
from licet.authn.bearer import parse_bearer
from licet.authn.callers import account_of, with_roles
from licet.authn.chain import TokenVerifier
from licet.authn.identity import ANONYMOUS, Identity
from licet.authn.issuer import ALGORITHM, EmbeddedIssuer
from licet.authn.jwt import JWTVerifier
from licet.errors import ConfigurationError
from licet.settings import Settings

__all__ = [
    "WELL_KNOWN_ENDPOINTS",
    "IdentityStateBuilder",
    "TokenVerifier",
    "add_well_known_routes",
    "authenticate",
    "current_account",
    "current_identity",
    "embedded_issuer",
    "embedded_verifier",
    "find_account",
    "has_authentication",
    "issuers_of",
    "use_verifier",
    "verifier_of",
]

WELL_KNOWN_ENDPOINTS: Final = ("licet_jwks", "licet_openid_configuration")
_ISSUER = "authn.issuer"
_VERIFIER = "authn.verifier"


def embedded_issuer(app: Flask) -> EmbeddedIssuer:
    """The app's own issuer, its keys made at first use.

    Raises:
        ConfigurationError: it is switched off, or its key file cannot be made.
    """
    return app_state(app).get_or_build(_ISSUER, _build_issuer)


def _build_issuer(settings: Settings) -> EmbeddedIssuer:
    if not settings.embedded_issuer:
        raise ConfigurationError(
            "The embedded issuer is switched off by LICET_EMBEDDED_ISSUER: this app makes no "
            "tokens."
        )
    return EmbeddedIssuer(
        issuer=settings.issuer,
        audience=settings.audience,
        folder=settings.instance_path,
        ttl_seconds=settings.access_token_seconds,
    )


def use_verifier(app: Flask, verifier: TokenVerifier) -> None:
    """Have the app's bearer tokens checked by `verifier` instead of the embedded issuer's."""
    app_state(app).put(_VERIFIER, verifier)


def has_authentication(app: Flask) -> bool:
    """Whether the app can check bearer tokens at all."""
    state = app_state(app)
    return state.settings.embedded_issuer or state.has(_VERIFIER)


def issuers_of(app: Flask) -> list[str]:
    """The issuers whose tokens the app takes, as far as its verifier names them."""
    state = app_state(app)
    if not state.has(_VERIFIER):
        return [state.settings.issuer] if state.settings.embedded_issuer else []
    verifier = verifier_of(app)
    named = getattr(verifier, "issuers", None) or [getattr(verifier, "issuer", None)]
    return [issuer for issuer in named if isinstance(issuer, str)]


def verifier_of(app: Flask) -> TokenVerifier:
    """What checks the app's bearer tokens: the one it uses, else the embedded issuer's."""
    return app_state(app).get_or_build(_VERIFIER, lambda _settings: embedded_verifier(app))


def embedded_verifier(app: Flask) -> JWTVerifier:
    """A verifier of the embedded issuer's tokens, to stand in a `VerifierChain` with others."""
    issuer = embedded_issuer(app)
    return JWTVerifier(
        issuer=issuer.issuer,
        audience=issuer.audience,
        algorithms=frozenset({ALGORITHM}),
        keys=issuer,
        local_issuer=issuer.issuer,
    )


def authenticate() -> Identity:
    """The identity that the current request's bearer token vouches for.

    Raises:
        MissingToken: there is none.
        AuthenticationError: there is one, and it is not acceptable.
        AccessDenied: a function of the app's that maps identities fails.
    """
    return _identity_once(verifier_of(current_app))


def _identity_once(verifier: TokenVerifier) -> Identity:
    return with_roles(_verified_once(verifier))


def _verified_once(verifier: TokenVerifier) -> Identity:
    state = request_state()
    identity: Identity | None = state.get("identity")
    if identity is None:
        token = parse_bearer(request.environ.get("HTTP_AUTHORIZATION"))
        identity = state["identity"] = verifier.verify(token)
    return identity


def _verified_or_anonymous() -> Identity:
    if not request.headers.get("Authorization"):
        return ANONYMOUS
    return _verified_once(verifier_of(current_app))


def _identity_or_anonymous() -> Identity:
    return with_roles(_verified_or_anonymous())


current_identity: Identity = LocalProxy(_identity_or_anonymous)  # type: ignore[assignment]  # a proxy of one
"""Who calls: the bearer token's identity, or `ANONYMOUS` when the request carries no token."""


def find_account() -> Any:
    """The caller's account as the app's ``account_of`` gave it.

    None when they are not registered, or send no token.

    Raises:
        AuthenticationError: the token is not acceptable.
        AccessDenied: ``account_of`` fails.
        ConfigurationError: the app gave none.
    """
    return account_of(_verified_or_anonymous())


current_account: Any = LocalProxy(find_account)
"""The account that `find_account` gives, as a proxy: ask ``if current_account``, never ``is None``.

``== None`` is no way to ask either: Python takes an error in a proxy's comparison for False.
"""


class IdentityStateBuilder:
    """Makes `AuthState` from the app's own authentication.

    Args:
        app: whose verifier counts.
        accepted_scopes: a token needs one of these.
    """

    def __init__(self, app: Flask, accepted_scopes: Sequence[str]) -> None:
        self.accepted_scopes = tuple(accepted_scopes)
        self._app = app

    def build_from_request(self) -> AuthState:
        """The caller of the current request.

        Raises:
            AuthenticationError: no, or no acceptable, token; or one without the scope.
        """
        identity = _identity_once(verifier_of(self._app))
        require_scope(identity, self.accepted_scopes)
        return AuthState(identity)


def add_well_known_routes(app: Flask) -> None:
    """Publish the embedded issuer's keys and metadata under ``/.well-known``."""

    def jwks() -> ResponseReturnValue:
        return _public(embedded_issuer(app).jwks())

    def openid_configuration() -> ResponseReturnValue:
        return _public(embedded_issuer(app).discovery())

    keys, metadata = WELL_KNOWN_ENDPOINTS
    app.add_url_rule("/.well-known/jwks.json", keys, jwks)
    app.add_url_rule("/.well-known/openid-configuration", metadata, openid_configuration)


def _public(document: dict[str, Any]) -> ResponseReturnValue:
    return jsonify(document), {"Cache-Control": "public, max-age=300"}
