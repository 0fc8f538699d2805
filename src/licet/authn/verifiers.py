"""What checks the bearer tokens of an app."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from licet.authn.identity import Identity
from licet.authn.issuers import (
    embedded_issuer,
    provider_verifiers,
    token_providers,
)
from licet.authn.tokens._jws import unverified_claims
from licet.authn.tokens.chain import IssuerVerifier, TokenGuard, TokenVerifier, VerifierChain
from licet.authn.tokens.issuer import ALGORITHM
from licet.authn.tokens.jwt import JWTVerifier
from licet.settings import Settings
from licet.settings.state import app_state

__all__ = [
    "embedded_verifier",
    "guard_tokens",
    "has_authentication",
    "issuers_of",
    "use_verifier",
    "verifier_of",
    "verify_of",
]

_VERIFIER = "authn.verifier"
_VERIFY = "authn.verify"
_GUARD = "authn.guard"


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


def has_authentication(app: Flask) -> bool:
    """Whether the app can check bearer tokens at all."""
    state = app_state(app)
    return (
        state.settings.embedded_issuer
        or state.has(_VERIFIER)
        or bool(token_providers(state.settings))
    )


def issuers_of(app: Flask) -> list[str]:
    """The issuers whose tokens the app takes, as far as its verifier names them."""
    state = app_state(app)
    if not state.has(_VERIFIER):
        own = [state.settings.issuer] if state.settings.embedded_issuer else []
        return own + [provider.issuer for provider in token_providers(state.settings)]
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


def verify_of(app: Flask) -> Callable[[str], Identity]:
    """The function that turns a bearer token of the app into an identity."""
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
