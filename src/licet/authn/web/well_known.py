"""Where a client that was answered 401 learns who gives tokens for this service.

The document is at ``/.well-known/oauth-protected-resource``, and every 401's bearer challenge names
it. Scopes are not listed: some belong to providers that not everybody may know of.

Source: RFC 9728 sections 2, 3 and 5.1.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, Response, has_request_context, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from licet.authn.issuers import (
    embedded_issuer,
)
from licet.authn.tokens.provider_metadata import ACCOUNTS_ENDPOINT
from licet.authn.verifiers import issuers_of
from licet.authn.web.bodies import json_document
from licet.errors import ConfigurationError
from licet.settings.state import app_state
from licet.wire.described import Answer, Content, Described, described_by
from licet.wire.loopback import is_loopback

__all__ = [
    "METADATA_ENDPOINT",
    "WELL_KNOWN",
    "WELL_KNOWN_ENDPOINTS",
    "add_protected_resource_metadata",
    "add_well_known_routes",
    "protected_resource_metadata",
]

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
METADATA_ENDPOINT: Final = "licet_oauth_protected_resource"
# One Bearer challenge with nothing but quoted parameters: what licet itself sends, and bare Bearer.
_CHALLENGE = re.compile(r'Bearer(?: \w+="[^"\\]*"(?:, \w+="[^"\\]*")*)?', re.ASCII)
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]+")

WELL_KNOWN_ENDPOINTS: Final = ("licet_jwks", "licet_openid_configuration")


def protected_resource_metadata(app: Flask) -> dict[str, Any]:
    """The document: this service, who gives tokens for it, and how they are sent."""
    resource = _address(app) or app_state(app).settings.public_url
    document: dict[str, Any] = {"resource": resource}
    if issuers := issuers_of(app):
        document["authorization_servers"] = issuers
    return {**document, "bearer_methods_supported": ["header"]}


def add_protected_resource_metadata(app: Flask) -> None:
    """Publish the document, and name it in the challenge of every 401.

    Where no setting says the service's address, only requests to this machine are told of it: see
    `_address`.

    Raises:
        ConfigurationError: the service's public URL is none that a challenge can name.
    """
    public_url = app_state(app).settings.public_url
    if not _PLAIN_URL.fullmatch(public_url):
        raise ConfigurationError(
            f"LICET_PUBLIC_URL (else LICET_ISSUER) is {public_url!r}: write an http or https URL "
            "in ASCII, without a query or fragment."
        )

    @described_by(_described("Whose tokens this service takes (RFC 9728)."))
    def publish() -> ResponseReturnValue:
        return _public(protected_resource_metadata(app))

    def name_in_challenge(response: Response) -> Response:
        if response.status_code == 401 and (address := _address(app)) is not None:
            named = f'resource_metadata="{address}{WELL_KNOWN}"'
            challenges = response.headers.getlist("WWW-Authenticate")
            response.headers.setlist(
                "WWW-Authenticate", [_with_parameter(challenge, named) for challenge in challenges]
            )
        return response

    app.add_url_rule(WELL_KNOWN, METADATA_ENDPOINT, publish)
    app.after_request(name_in_challenge)


def _address(app: Flask) -> str | None:
    """The service's URL, without a slash at its end; None where it is not known.

    Without a setting it is the URL that the current request used, if that is one of this machine.
    No other Host header is believed: a client would be sent to its host for tokens.
    """
    settings = app_state(app).settings
    if settings.has_public_url:
        return settings.public_url
    if not has_request_context():
        return None
    try:
        root = request.root_url.rstrip("/")
        host = urlsplit(root).hostname or ""
    except (HTTPException, ValueError):  # a host that is not trusted, or that is none
        return None
    return root if is_loopback(host) and _PLAIN_URL.fullmatch(root) else None


def _with_parameter(challenge: str, parameter: str) -> str:
    if not _CHALLENGE.fullmatch(challenge) or "resource_metadata=" in challenge:
        return challenge
    return f"{challenge}{', ' if '=' in challenge else ' '}{parameter}"


def add_well_known_routes(app: Flask) -> None:
    """Publish the embedded issuer's keys and metadata under ``/.well-known``."""

    @described_by(_described("The keys that the tokens of this service are checked with."))
    def jwks() -> ResponseReturnValue:
        return _public(embedded_issuer(app).jwks())

    @described_by(_described("Who makes the tokens of this service (OpenID Discovery)."))
    def openid_configuration() -> ResponseReturnValue:
        return _public({**embedded_issuer(app).discovery(), **_accounts_endpoint(app)})

    keys, metadata = WELL_KNOWN_ENDPOINTS
    app.add_url_rule("/.well-known/jwks.json", keys, jwks)
    app.add_url_rule("/.well-known/openid-configuration", metadata, openid_configuration)


def _accounts_endpoint(app: Flask) -> dict[str, str]:
    """Where `licet login` may send a password, if the app takes any."""
    settings = app_state(app).settings
    return {ACCOUNTS_ENDPOINT: f"{settings.issuer}/auth"} if settings.accounts.enabled else {}


def _described(summary: str) -> Described:
    content = Content(schema={"type": "object"})
    return Described(
        summary=summary,
        tag="well-known",
        answers=(Answer(status=200, description=summary, content=content),),
        refusals={400: "The request is malformed."},
        may_be_nobody=True,
    )


def _public(document: dict[str, Any]) -> ResponseReturnValue:
    return json_document(document), {"Cache-Control": "public, max-age=300"}
