"""The bearer token of a request, or why there is none.

Source: RFC 6750 section 2.1 (header only: a token in a query or a body is never read).
"""

from __future__ import annotations

import re
from typing import Final

from licet.errors import MissingToken, UnverifiedAuthenticationError

__all__ = ["MAX_TOKEN_BYTES", "parse_bearer"]

MAX_TOKEN_BYTES: Final = 8 * 1024
_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE | re.ASCII)


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
    match = _BEARER.fullmatch(header)
    if match is None:
        raise UnverifiedAuthenticationError(
            "The Authorization header is not of the form 'Bearer <token>'."
        )
    return match.group(1)
