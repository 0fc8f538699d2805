"""Tokens as a forger makes them, for trying a verifier.

Nothing here can sign for an issuer whose private key it was not given.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64encode

from licet.authn.tokens._jws import decode_compact, json_object

__all__ = ["Forge", "b64", "changed"]


@dataclass(frozen=True, kw_only=True)
class Forge:
    """Makes tokens that differ from a good one.

    `key` signs them; `is_genuine` says whether it is the issuer's own. `published` is the issuer's
    public key where it is known, else that of `key`. `has_strict_type` says whether a token must
    name its use in ``typ``.
    """

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    key: Key
    published: Key
    is_genuine: bool
    has_strict_type: bool = True

    @classmethod
    def of_token(cls, token: str, key: Key) -> Forge:
        """A forge that holds the key which signed `token`, and starts from that token."""
        compact = decode_compact(token)
        claims = json_object(compact.payload, "claims")
        return cls(header=compact.header, claims=claims, key=key, published=key, is_genuine=True)

    @classmethod
    def with_own_key(
        cls,
        *,
        issuer: str,
        audience: str,
        algorithm: str = "ES256",
        typ: str = "at+jwt",
        published: Key | None = None,
        has_strict_type: bool = True,
    ) -> Forge:
        """A forge that knows how a good token looks, and lacks the key to sign one."""
        key = _new_key(algorithm)
        issued_at = int(time.time())
        kid = (published.kid if published else None) or key.thumbprint()
        return cls(
            header={"alg": algorithm, "kid": kid, "typ": typ},
            claims={
                "iss": issuer,
                "aud": audience,
                "sub": "licet-doctor",
                "iat": issued_at,
                "exp": issued_at + 300,
            },
            key=key,
            published=published or key,
            is_genuine=False,
            has_strict_type=has_strict_type,
        )

    def token(
        self,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        key: Key | None = None,
    ) -> str:
        """A signed token that is good but for these members; those that are ... are left out."""
        return self.signed(
            json.dumps(changed(self.header, header)),
            json.dumps(changed(self.claims, claims)),
            key,
        )

    def signed(self, header: str, claims: str, key: Key | None = None) -> str:
        """A signed token of exactly this text."""
        signing_input = f"{b64(header)}.{b64(claims)}"
        return f"{signing_input}.{self.signature(signing_input, key)}"

    def signature(self, signing_input: str, key: Key | None = None) -> str:
        """The signature of the text in the good token's algorithm, in base64url."""
        algorithm = JWSRegistry.algorithms[self.header["alg"]]
        return b64(algorithm.sign(signing_input.encode(), key or self.key))

    def symmetric(self, secret: bytes, header: Mapping[str, Any]) -> str:
        """A token that is signed symmetrically."""
        signing_input = f"{self.part(header, of=self.header)}.{self.part({}, of=self.claims)}"
        mac = hmac.digest(secret, signing_input.encode(), "sha256")
        return f"{signing_input}.{b64(mac)}"

    def part(self, changes: Mapping[str, Any], *, of: Mapping[str, Any]) -> str:
        """One part of a token, in base64url."""
        return b64(json.dumps(changed(of, changes)))

    def other_key(self) -> Key:
        """A key of the forger's own, of the kind that the good token is signed with."""
        return _new_key(self.header["alg"])


def b64(content: str | bytes) -> str:
    """Canonical base64url."""
    raw = content.encode() if isinstance(content, str) else content
    return urlsafe_b64encode(raw).decode("ascii")


def changed(original: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The members with the changes made; those that are changed to ... are left out."""
    merged = {**original, **(changes or {})}
    return {name: value for name, value in merged.items() if value is not ...}


def _new_key(algorithm: str) -> Key:
    if algorithm == "Ed25519":
        return OKPKey.generate_key("Ed25519", auto_kid=True)
    curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}.get(algorithm)
    if curve is None:
        return RSAKey.generate_key(2048, auto_kid=True)
    return ECKey.generate_key(curve, auto_kid=True)
