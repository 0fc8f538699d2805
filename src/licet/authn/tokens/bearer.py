"""The bearer token of a request, or why there is none.

Source: RFC 6750 section 2.1 (header only: a token in a query or a body is never read).
"""

from __future__ import annotations

import string
from typing import Final

from licet.errors import MissingToken, UnverifiedAuthenticationError

__all__ = ["MAX_TOKEN_BYTES", "is_of_another_scheme", "parse_bearer"]

MAX_TOKEN_BYTES: Final = 8 * 1024
_SCHEME: Final = "bearer "
_TOKEN68: Final = (string.ascii_letters + string.digits + "-._~+/").encode()


def parse_bearer(header: str | None) -> str:
    """The token in an ``Authorization`` header.

    Raises:
        MissingToken: there is no header, or an empty one.
        UnverifiedAuthenticationError: another scheme, more than two parts, characters outside
            token68, or more than 8 KiB.
    """
    if header is None or not (header := header.strip()):
        raise MissingToken
    if len(header) > MAX_TOKEN_BYTES + len("Bearer "):
        raise UnverifiedAuthenticationError(
            f"The Authorization header is longer than {MAX_TOKEN_BYTES} bytes."
        )
    scheme, token = header[: len(_SCHEME)], header[len(_SCHEME) :].lstrip(" ")
    if scheme.lower() != _SCHEME or not _is_token68(token):
        raise UnverifiedAuthenticationError(
            "The Authorization header is not of the form 'Bearer <token>'."
        )
    return token


def is_of_another_scheme(header: str) -> bool:
    """Whether an ``Authorization`` header is for somebody else, such as a proxy that asks Basic."""
    return header.lstrip()[:6].lower() != "bearer"


def _is_token68(token: str) -> bool:
    """Whether the text is made of token68's characters, with ``=`` only at its end."""
    body = token.rstrip("=")
    # Deleting the permitted bytes is ten times as fast as a regular expression on a long token.
    return bool(body) and body.isascii() and not body.encode().translate(None, _TOKEN68)
