"""What the JOSE libraries let through and we do not: strict decoding and strict claims.

Signatures are joserfc's work. Here stands what has to hold besides: canonical base64url, no
duplicate members, no ``crit`` or ``b64``, plain integer times, and every claim that we rely on.

Source: RFC 7515 section 4, RFC 7519 section 4, RFC 9068 sections 2 and 4.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from licet.errors import InvalidToken

__all__ = ["ClaimRules", "decode_compact"]

LEEWAY_SECONDS: Final = 60
_MAX_TIME: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last moment a datetime can hold


def decode_compact(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a compact JWS, not yet verified.

    Raises:
        InvalidToken: not three canonical base64url parts holding two JSON objects.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidToken("The bearer token is not a signed JWT.")
    header_bytes, claims_bytes, _signature = (_decode_part(part) for part in parts)
    return _json_object(header_bytes, "header"), _json_object(claims_bytes, "claims")


def _decode_part(part: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError) as error:
        raise InvalidToken("The bearer token is not base64url.") from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != part:
        raise InvalidToken("The bearer token is not canonical base64url.")
    return raw


def _json_object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise InvalidToken(f"The bearer token's {what} cannot be read.") from error
    if not isinstance(found, dict):
        raise InvalidToken(f"The bearer token's {what} is not an object.")
    return found


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


class ClaimRules:
    """What the header and the claims of an acceptable token say."""

    def __init__(self, *, issuer: str, audience: str, token_types: frozenset[str]) -> None:
        self.issuer = issuer
        self.audience = audience
        self.token_types = token_types

    def check_header(self, header: Mapping[str, Any]) -> None:
        """Refuse what the header must not say.

        Raises:
            InvalidToken: ``crit``, ``b64``, or a ``typ`` other than the expected.
        """
        if "crit" in header or "b64" in header:
            raise InvalidToken("The bearer token asks for extensions that are not supported.")
        typ = header.get("typ")
        if not isinstance(typ, str) or _short_type(typ) not in self.token_types:
            raise InvalidToken("The bearer token is not an access token.")

    def check_claims(self, claims: Mapping[str, Any], now: float) -> None:
        """Refuse claims that are missing, malformed, out of time or not meant for us.

        Raises:
            InvalidToken: with the claim's name, never its value.
        """
        if claims.get("iss") != self.issuer:
            raise InvalidToken("The bearer token comes from an issuer that is not accepted.")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not _is_subject(subject):
            raise InvalidToken("The bearer token names no subject.")
        self._check_audience(claims.get("aud"))
        if "exp" not in claims:
            raise InvalidToken("The bearer token never expires.")
        if _time(claims, "exp") <= now:
            raise InvalidToken("The bearer token has expired.")
        for name in ("nbf", "iat"):
            if name in claims and _time(claims, name) > now + LEEWAY_SECONDS:
                raise InvalidToken("The bearer token is not valid yet.")
        if not isinstance(claims.get("scope", ""), str):
            raise InvalidToken("The bearer token's scope is not a string.")
        if not isinstance(claims.get("groups") or [], list):
            raise InvalidToken("The bearer token's groups are not a list.")

    def _check_audience(self, audience: object) -> None:
        listed = [audience] if isinstance(audience, str) else audience
        if not isinstance(listed, list) or self.audience not in listed:
            raise InvalidToken("The bearer token is meant for another service.")


def _time(claims: Mapping[str, Any], name: str) -> int | float:
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value <= _MAX_TIME:  # also refuses NaN
        raise InvalidToken(f"The bearer token's {name} is not a time.")
    return value  # type: ignore[no-any-return]  # checked on the line above


def _is_subject(subject: str) -> bool:
    """Whether it can be hashed, stored and logged: no control characters, no lone surrogates."""
    return 1 <= len(subject) <= 255 and subject.isprintable()


def _short_type(typ: str) -> str:
    return typ.lower().removeprefix("application/")
