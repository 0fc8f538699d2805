"""Signatures in compact form: strict decoding, and whether a signature holds.

The mathematics is joserfc's. Here stands what has to hold besides: canonical base64url, no
duplicate members, an algorithm that fits the key. What the signed text means is `_claims`' work.

Source: RFC 7515 (JWS), RFC 7518 section 3 (algorithms), RFC 8725 section 3 (best practices).
"""

from __future__ import annotations

import binascii
from typing import Any, Final, NamedTuple

from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

from licet.errors import InvalidToken
from licet.wire.documents import read_json

__all__ = [
    "ASYMMETRIC_ALGORITHMS",
    "Compact",
    "check_signature",
    "decode_compact",
    "decode_part",
    "json_object",
    "unverified_claims",
]

ASYMMETRIC_ALGORITHMS: Final = frozenset(
    {"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "Ed25519"}
)
_TO_BASE64: Final = bytes.maketrans(b"-_+/=", b"+/   ")  # base64's own become no letters
_MAX_DEPTH: Final = 32
_REGISTRY: Final = JWSRegistry(algorithms=sorted(ASYMMETRIC_ALGORITHMS))


class Compact(NamedTuple):
    """The parts of a compact JWS, decoded; nothing in it is verified."""

    header: dict[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes


def decode_compact(token: str) -> Compact:
    """The parts of a token.

    Raises:
        InvalidToken: not three canonical base64url parts, or the first is no JSON object.
    """
    try:
        text = token.encode("ascii")
    except UnicodeEncodeError as error:
        raise InvalidToken("The bearer token is not base64url.") from error
    parts = text.split(b".")
    if len(parts) != 3:
        raise InvalidToken("The bearer token is not a signed JWT.")
    header, payload, signature = map(decode_part, parts)
    signing_input = text[: -len(parts[2]) - 1]
    return Compact(json_object(header, "header"), payload, signing_input, signature)


def decode_part(part: bytes) -> bytes:
    """The bytes that canonical base64url stands for.

    Raises:
        InvalidToken: it is not base64url, or not in its one canonical spelling.
    """
    text = part.translate(_TO_BASE64) + b"=" * (-len(part) % 4)
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise InvalidToken("The bearer token is not base64url.") from error
    if binascii.b2a_base64(raw, newline=False) != text:
        raise InvalidToken("The bearer token is not canonical base64url.")
    return raw


def json_object(raw: bytes, what: str) -> dict[str, Any]:
    """The JSON object that a part holds, called `what` in the refusal.

    Raises:
        InvalidToken: it is not UTF-8, not JSON, no object, or a member stands twice in it.
    """
    try:
        found = read_json(raw)
        _refuse_depth(found, raw)
    except ValueError as error:
        raise InvalidToken(f"The bearer token's {what} cannot be read.") from error
    if not isinstance(found, dict):
        raise InvalidToken(f"The bearer token's {what} is not an object.")
    return found


def _refuse_depth(found: object, raw: bytes) -> None:
    """Refuse what is nested deeper than any claim.

    How deep Python's parser goes depends on its version, and what reads the claims may go less.
    """
    if raw.count(b"[") + raw.count(b"{") <= _MAX_DEPTH:
        return
    level = [found]
    for _ in range(_MAX_DEPTH):
        inner: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        level = inner
    if level:
        raise ValueError("it is nested too deep")


def unverified_claims(token: str) -> dict[str, Any]:
    """What a token says, whether that is true or not; nothing when it is no signed JWT."""
    try:
        return json_object(decode_compact(token).payload, "claims")
    except InvalidToken:
        return {}


def check_signature(token: Compact, key: Key) -> None:
    """Refuse a token that was not signed with the private half of `key`.

    Which of `ASYMMETRIC_ALGORITHMS` are accepted is the caller's decision, made before.

    Raises:
        InvalidToken: the signature does not hold, or the algorithm does not fit the key's type,
            its curve, or the algorithm, use or operations that the key is published for.
    """
    try:
        algorithm = _REGISTRY.get_alg(token.header.get("alg", ""))
        algorithm.check_key(key)
        holds = algorithm.verify(token.signing_input, token.signature, key)
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidToken("The bearer token's key cannot have made its signature.") from error
    if not holds:
        raise InvalidToken("The bearer token's signature does not hold.")
