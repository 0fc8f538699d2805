"""What who gives tokens gave, checked.

Source: RFC 6749 section 5.1, RFC 6750 section 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from licet.cli.logins.errors import LoginRefused

__all__ = ["Grant", "grant_of"]

_UNSAID_SECONDS: Final = 300
_LONGEST_SECONDS: Final = 30 * 24 * 3600
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,8192}")


@dataclass(frozen=True, kw_only=True)
class Grant:
    """An access token and, perhaps, what the next one is had with."""

    access_token: str = field(repr=False)
    expires_in: int
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    scope: str | None


def grant_of(document: Mapping[str, Any]) -> Grant:
    """The grant that an answer holds.

    Raises:
        LoginRefused: it holds none that can be used as a bearer token.
    """
    access_token = _token(document, "access_token")
    if access_token is None or str(document.get("token_type")).lower() != "bearer":
        raise LoginRefused("The answer to the sign-in holds no bearer token.")
    scope = document.get("scope")
    return Grant(
        access_token=access_token,
        expires_in=_seconds(document.get("expires_in")),
        refresh_token=_token(document, "refresh_token"),
        id_token=_token(document, "id_token"),
        scope=scope if isinstance(scope, str) else None,
    )


def _token(document: Mapping[str, Any], name: str) -> str | None:
    found = document.get(name)
    return found if isinstance(found, str) and _TOKEN.fullmatch(found) else None


def _seconds(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        return _UNSAID_SECONDS
    return min(max(given, 0), _LONGEST_SECONDS)
