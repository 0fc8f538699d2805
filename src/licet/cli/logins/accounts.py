"""Signing in with address and password at an issuer that is licet's own accounts."""

from __future__ import annotations

import httpx2

from licet.authn.tokens.provider_metadata import ProviderMetadata
from licet.cli.logins.asking import post
from licet.cli.logins.errors import LoginRefused
from licet.cli.logins.grant import Grant, grant_of
from licet.cli.logins.services import is_within
from licet.errors import UsageError

__all__ = ["accounts_endpoint", "sign_in_with_password"]


def accounts_endpoint(metadata: ProviderMetadata) -> str | None:
    """Where the issuer takes passwords; None when it does not.

    Raises:
        LoginRefused: it would have them sent to another origin than its own.
    """
    found = metadata.accounts_endpoint
    if found is None:
        return None
    origin = str(httpx2.URL(metadata.issuer).copy_with(raw_path=b"/"))
    if not is_within(origin, found):
        raise LoginRefused(f"{metadata.issuer} wants passwords sent to {found}: none was sent.")
    return found.rstrip("/")


def sign_in_with_password(endpoint: str, email: str, password: str, scope: str | None) -> Grant:
    """The tokens of a new session.

    Raises:
        LoginRefused: address or password are not right, or it was tried too often.
        LoginUnreachable: nobody answers.
        UsageError: there is no such scope, or what was given is no address or password.
    """
    body = {"email": email, "password": password} | ({} if scope is None else {"scope": scope})
    answer = post(f"{endpoint}/session", body=body)
    if answer.status == 422:
        raise UsageError(answer.reason())
    return grant_of(answer.granted())
