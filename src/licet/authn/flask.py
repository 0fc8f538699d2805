"""Authentication in a Flask request: header in, `Identity` out, once per request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.local import LocalProxy

from licet._state import app_state, request_state
from licet.authn._jwks import ProviderKeys
from licet.authn._jws import unverified_claims
from licet.authn.auth_state import AuthState, require_scope
from licet.authn.bearer import parse_bearer
from licet.authn.callers import account_of, with_roles
from licet.authn.chain import IssuerVerifier, TokenVerifier, VerifierChain
from licet.authn.identity import ANONYMOUS, Identity
from licet.authn.issuer import ALGORITHM, EmbeddedIssuer
from licet.authn.jwt import JWTVerifier
from licet.authn.provider_metadata import ACCOUNTS_ENDPOINT
from licet.errors import ConfigurationError
from licet.settings import ProviderSettings, Settings

__all__ = [
    "WELL_KNOWN_ENDPOINTS",
    "IdentityStateBuilder",
    "TokenGuard",
    "TokenVerifier",
    "accepted_scopes",
    "add_well_known_routes",
    "authenticate",
    "current_account",
    "current_identity",
    "embedded_issuer",
    "embedded_verifier",
    "find_account",
    "guard_tokens",
    "has_authentication",
    "issuers_of",
    "keys_of_provider",
    "provider_verifiers",
    "read_cookies_with",
    "use_verifier",
    "verifier_of",
]

WELL_KNOWN_ENDPOINTS: Final = ("licet_jwks", "licet_openid_configuration")
_ISSUER = "authn.issuer"
_VERIFIER = "authn.verifier"
_VERIFY = "authn.verify"
_GUARD = "authn.guard"
_COOKIES = "authn.cookies"
_SCOPES = "authn.scopes"


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


@dataclass(frozen=True, kw_only=True)
class TokenGuard:
    """Refuses some of the embedded issuer's tokens though they are genuine.

    `wrap` does so around the embedded issuer's verifier; `check` is given the claims of a token
    that any other verifier took.
    """

    wrap: Callable[[IssuerVerifier], IssuerVerifier]
    check: Callable[[Mapping[str, Any]], None]


def use_verifier(app: Flask, verifier: TokenVerifier) -> None:
    """Have the app's bearer tokens checked by `verifier` instead of the embedded issuer's.

    Tokens of local accounts that were withdrawn are refused all the same.
    """
    state = app_state(app)
    state.put(_VERIFIER, verifier)
    state.put(_VERIFY, _guarded(app, verifier))


def _guarded(app: Flask, verifier: TokenVerifier) -> Callable[[str], Identity]:
    """Verifies by `verifier`, and then asks the guard about tokens that name our own issuer."""
    issuer = app_state(app).settings.issuer

    def verify(token: str) -> Identity:
        identity = verifier.verify(token)
        guard = _guard_of(app)
        if guard is not None:
            claims = identity.claims if "iss" in identity.claims else unverified_claims(token)
            if claims.get("iss") == issuer:
                guard.check(claims)
        return identity

    return verify


def guard_tokens(app: Flask, guard: TokenGuard) -> None:
    """Have `guard` refuse some of the embedded issuer's tokens."""
    app_state(app).put(_GUARD, guard)


def _guard_of(app: Flask) -> TokenGuard | None:
    return app_state(app).get_or_build(
        _GUARD, lambda settings: _guard_of_accounts(app) if settings.accounts.enabled else None
    )


def _guard_of_accounts(app: Flask) -> TokenGuard:
    from licet.authn.accounts.flask import token_guard  # noqa: PLC0415 - which imports this module

    return token_guard(app)


def read_cookies_with(app: Flask, read: Callable[[], Identity | None]) -> None:
    """Have `read` tell who calls in a request without an ``Authorization`` header."""
    app_state(app).put(_COOKIES, read)


def accepted_scopes(app: Flask) -> list[str]:
    """The scopes that something in the app asks of the embedded issuer's tokens."""
    return list(dict.fromkeys(app_state(app).get_or_build(_SCOPES, _no_scopes)))


def _no_scopes(_settings: Settings) -> list[str]:
    return []


def has_authentication(app: Flask) -> bool:
    """Whether the app can check bearer tokens at all."""
    state = app_state(app)
    return state.settings.embedded_issuer or state.has(_VERIFIER) or bool(_foreign(state.settings))


def issuers_of(app: Flask) -> list[str]:
    """The issuers whose tokens the app takes, as far as its verifier names them."""
    state = app_state(app)
    if not state.has(_VERIFIER):
        own = [state.settings.issuer] if state.settings.embedded_issuer else []
        return own + [provider.issuer for provider in _foreign(state.settings)]
    verifier = verifier_of(app)
    named = getattr(verifier, "issuers", None) or [getattr(verifier, "issuer", None)]
    return [issuer for issuer in named if isinstance(issuer, str)]


def verifier_of(app: Flask) -> TokenVerifier:
    """What checks the app's bearer tokens: the one it uses, else what the settings say."""
    return app_state(app).get_or_build(_VERIFIER, lambda settings: _verifier(app, settings))


def _verifier(app: Flask, settings: Settings) -> TokenVerifier:
    """The embedded issuer's, and that of each foreign provider which has an audience."""
    foreign = provider_verifiers(app)
    if not foreign:
        return embedded_verifier(app)
    own = [embedded_verifier(app)] if settings.embedded_issuer else []
    return VerifierChain(*own, *foreign)


def provider_verifiers(app: Flask) -> list[JWTVerifier]:
    """Verifiers of the access tokens of the providers that the settings name.

    Raises:
        ConfigurationError: an issuer or an algorithm cannot be.
    """
    return [
        JWTVerifier(
            issuer=provider.issuer,
            audience=provider.audience,
            algorithms=provider.algorithms,
            keys=keys_of_provider(app, provider.issuer),
            takes_plain_type=provider.takes_plain_type,
            groups_are_local=provider.groups_are_local,
        )
        for provider in _foreign(app_state(app).settings)
    ]


def _foreign(settings: Settings) -> list[ProviderSettings]:
    return [provider for provider in settings.providers if provider.audience]


def keys_of_provider(app: Flask, issuer: str) -> ProviderKeys:
    """The public keys of a foreign provider, which all that the app checks of it shares.

    Raises:
        ConfigurationError: the issuer is not a URL that keys may be fetched from.
    """
    name = f"authn.keys {issuer}"
    return app_state(app).get_or_build(name, lambda _settings: ProviderKeys(issuer))


def _verify_of(app: Flask) -> Callable[[str], Identity]:
    return app_state(app).get_or_build(_VERIFY, lambda _settings: verifier_of(app).verify)


def embedded_verifier(app: Flask) -> IssuerVerifier:
    """A verifier of the embedded issuer's tokens, to stand in a `VerifierChain` with others."""
    issuer = embedded_issuer(app)
    verifier = JWTVerifier(
        issuer=issuer.issuer,
        audience=issuer.audience,
        algorithms=frozenset({ALGORITHM}),
        keys=issuer,
        local_issuer=issuer.issuer,
    )
    guard = _guard_of(app)
    return verifier if guard is None else guard.wrap(verifier)


def authenticate() -> Identity:
    """The identity that the current request's bearer token, or else its cookie, vouches for.

    Raises:
        MissingToken: there is none.
        AuthenticationError: there is one, and it is not acceptable.
        AccessDenied: a function of the app's that maps identities fails.
        ForgeryRefused: there is a cookie, and the request may be another site's.
    """
    return _identity_once(current_app)


def _identity_once(app: Flask) -> Identity:
    return with_roles(_verified_once(app), app)


def _verified_once(app: Flask) -> Identity:
    state = request_state()
    identity: Identity | None = state.get("identity")
    if identity is None:
        header = request.environ.get("HTTP_AUTHORIZATION")
        identity = None if header else _identity_of_cookie(app)
        if identity is None:
            identity = _verify_of(app)(parse_bearer(header))
        state["identity"] = identity
    return identity


def _identity_of_cookie(app: Flask) -> Identity | None:
    read: Callable[[], Identity | None] | None
    read = app_state(app).get_or_build(_COOKIES, lambda _settings: None)
    return None if read is None else read()


def _verified_or_anonymous() -> Identity:
    if request.environ.get("HTTP_AUTHORIZATION"):
        return _verified_once(current_app)
    return _identity_of_cookie(current_app) or ANONYMOUS


def _identity_or_anonymous() -> Identity:
    return with_roles(_verified_or_anonymous(), current_app)


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
        app_state(app).get_or_build(_SCOPES, _no_scopes).extend(accepted_scopes)

    def build_from_request(self) -> AuthState:
        """The caller of the current request.

        Raises:
            AuthenticationError: no, or no acceptable, token; or one without the scope.
        """
        identity = _identity_once(self._app)
        require_scope(identity, self.accepted_scopes)
        return AuthState(identity)


def add_well_known_routes(app: Flask) -> None:
    """Publish the embedded issuer's keys and metadata under ``/.well-known``."""

    def jwks() -> ResponseReturnValue:
        return _public(embedded_issuer(app).jwks())

    def openid_configuration() -> ResponseReturnValue:
        return _public({**embedded_issuer(app).discovery(), **_accounts_endpoint(app)})

    keys, metadata = WELL_KNOWN_ENDPOINTS
    app.add_url_rule("/.well-known/jwks.json", keys, jwks)
    app.add_url_rule("/.well-known/openid-configuration", metadata, openid_configuration)


def _accounts_endpoint(app: Flask) -> dict[str, str]:
    """Where `licet login` may send a password, if the app takes any."""
    settings = app_state(app).settings
    return {ACCOUNTS_ENDPOINT: f"{settings.issuer}/auth"} if settings.accounts.enabled else {}


def _public(document: dict[str, Any]) -> ResponseReturnValue:
    return jsonify(document), {"Cache-Control": "public, max-age=300"}
