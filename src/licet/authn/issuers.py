"""Whose tokens an app knows: its own issuer, and the providers that its settings name."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask

from licet.authn.tokens._jwks import ProviderKeys
from licet.authn.tokens.issuer import EmbeddedIssuer
from licet.authn.tokens.jwt import JWTVerifier
from licet.errors import ConfigurationError
from licet.settings import ProviderSettings, Settings
from licet.settings.state import app_state

__all__ = [
    "accept_scopes",
    "accepted_scopes",
    "embedded_issuer",
    "keys_of_provider",
    "provider_verifiers",
    "token_providers",
]

_ISSUER = "authn.issuer"
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


def accept_scopes(app: Flask, scopes: Iterable[str]) -> None:
    """Count `scopes` among those that something in the app asks for."""
    app_state(app).get_or_build(_SCOPES, _no_scopes).extend(scopes)


def accepted_scopes(app: Flask) -> list[str]:
    """The scopes that something in the app asks of the embedded issuer's tokens."""
    return list(dict.fromkeys(app_state(app).get_or_build(_SCOPES, _no_scopes)))


def _no_scopes(_settings: Settings) -> list[str]:
    return []


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
        for provider in token_providers(app_state(app).settings)
    ]


def token_providers(settings: Settings) -> list[ProviderSettings]:
    """The foreign providers whose access tokens the app takes."""
    return [provider for provider in settings.providers if provider.audience]


def keys_of_provider(app: Flask, issuer: str) -> ProviderKeys:
    """The public keys of a foreign provider, which all that the app checks of it shares.

    Raises:
        ConfigurationError: the issuer is not a URL that keys may be fetched from.
    """
    name = f"authn.keys {issuer}"
    return app_state(app).get_or_build(name, lambda _settings: ProviderKeys(issuer))
