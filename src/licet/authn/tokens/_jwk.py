"""Published keys: which of them may verify a signature.

A key set is somebody else's document. A key that is not meant for signatures, is too weak or cannot
be read is left out, and the others count all the same.

Source: RFC 7517 (JWK), RFC 7518 section 6 (parameters); Nemec et al., "The Return of Coppersmith's
Attack", 2017 (the fingerprint of weak RSA keys).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from joserfc.util import base64_to_int

__all__ = ["MAX_KID_CHARS", "usable_key", "usable_keys"]

_PUBLIC_MEMBERS: Final = {
    "RSA": ("n", "e"),
    "EC": ("crv", "x", "y"),
    "OKP": ("crv", "x"),
}
_SECRET_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_CURVES: Final = frozenset({"P-256", "P-384", "P-521", "Ed25519"})
MAX_KID_CHARS: Final = 256
_RSA_BITS: Final = range(2048, 8193)
_MIN_EXPONENT: Final = 65537
_SMALL_PRIMES: Final = tuple(n for n in range(3, 168) if all(n % d for d in range(2, n)))
# What the powers of 65537 leave over modulo each small prime: ROCA moduli leave nothing else.
_ROCA_RESIDUES: Final = {
    prime: frozenset(pow(65537, power, prime) for power in range(prime)) for prime in _SMALL_PRIMES
}


def usable_keys(document: Any) -> dict[str, Key]:
    """The keys of a JWK set that may verify signatures, by their id.

    Two keys of one id are both left out: which of them is meant cannot be known.

    Raises:
        ValueError: the document is no key set at all.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("the document has no list of keys")  # noqa: TRY004 - a remote's mistake
    jwks = [jwk for jwk in listed if isinstance(jwk, dict) and isinstance(jwk.get("kid"), str)]
    times = Counter(jwk["kid"] for jwk in jwks)
    keys = {jwk["kid"]: usable_key(jwk) for jwk in jwks}
    return {kid: key for kid, key in keys.items() if key is not None and times[kid] == 1}


def usable_key(jwk: Mapping[str, Any]) -> Key | None:
    """The public key, or None when it cannot be read or must not verify signatures.

    Left out are: symmetric keys, keys published with their private half, keys for encryption, keys
    without a usable id, RSA below 2,048 bits or of the ROCA kind, and curves that no accepted
    algorithm uses.
    """
    kty, kid = jwk.get("kty"), jwk.get("kid")
    if not isinstance(kty, str) or kty not in _PUBLIC_MEMBERS or _SECRET_MEMBERS & jwk.keys():
        return None
    if not isinstance(kid, str) or not 1 <= len(kid) <= MAX_KID_CHARS or not _is_for_verifying(jwk):
        return None
    members: dict[str, Any] = {
        name: jwk[name] for name in ("kty", "kid", "alg", *_PUBLIC_MEMBERS[kty]) if name in jwk
    }
    try:
        if not _is_strong(members):
            return None
        return JWKRegistry.import_key(members)
    except (JoseError, ValueError, TypeError, LookupError):
        return None


def _is_for_verifying(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    )


def _is_strong(members: Mapping[str, Any]) -> bool:
    if members["kty"] != "RSA":
        return members["crv"] in _CURVES
    modulus, exponent = base64_to_int(members["n"]), base64_to_int(members["e"])
    return (
        modulus.bit_length() in _RSA_BITS
        and exponent >= _MIN_EXPONENT
        and exponent % 2 == 1
        and not _is_roca(modulus)
    )


def _is_roca(modulus: int) -> bool:
    """Whether the key comes from the chips whose keys can be factored (CVE-2017-15361)."""
    return all(modulus % prime in _ROCA_RESIDUES[prime] for prime in _SMALL_PRIMES)
