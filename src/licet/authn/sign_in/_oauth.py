"""Authlib's OAuth client, which sends as all of licet does. Extra: ``licet[console]``."""

from __future__ import annotations

from licet.errors import ConfigurationError
from licet.wire.client import CarefulClient

try:
    from authlib.integrations.base_client.errors import OAuthError
    from authlib.integrations.httpx_client import OAuth2Client
except ImportError as error:
    raise ConfigurationError(
        "Signing in at an OpenID provider (LICET_OIDC_CLIENT_ID) needs Authlib: "
        "pip install 'licet[console]'"
    ) from error

__all__ = ["OAuthError", "SignInClient"]


class SignInClient(OAuth2Client, CarefulClient):  # type: ignore[misc]  # Authlib has no types
    """Authlib's client, whose requests are sent as all others of licet."""
