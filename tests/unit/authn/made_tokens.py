"""Tokens for the tests, good and forged, and the keys that sign them."""

from __future__ import annotations

import base64
import json

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

ISSUER = "https://issuer.example"
AUDIENCE = "https://service.example"
NOW = 1_800_000_000
KID = "the-key"
KEY = ECKey.generate_key("P-256", {"kid": KID})
OTHER_KEY = ECKey.generate_key("P-256", {"kid": KID})
RSA_KEY = RSAKey.generate_key(2048, {"kid": KID})
HEADER = {"alg": "ES256", "kid": KID, "typ": "at+jwt"}
CLAIMS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "someone",
    "iat": NOW,
    "exp": NOW + 900,
    "scope": "read write",
}


class Keys:
    """A key source that counts how often it is asked."""

    def __init__(self, key=KEY):
        self.key_of = {KID: key}
        self.asked = 0

    def key(self, kid):
        """The key, as a `KeySource` gives it."""
        self.asked += 1
        return self.key_of.get(kid)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


def b64(raw: bytes | str) -> str:
    """Canonical base64url."""
    data = raw.encode() if isinstance(raw, str) else raw
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def changed(original, changes):
    """The members with the changes made; what is changed to ... is left out."""
    return {k: v for k, v in {**original, **changes}.items() if v is not ...}


def signed(payload: str, header: str | None = None, key=KEY, algorithm="ES256") -> str:
    """A token of exactly this text, truly signed."""
    signing_input = f"{b64(json.dumps(HEADER) if header is None else header)}.{b64(payload)}"
    signer = jws.JWSRegistry.algorithms[algorithm]
    return f"{signing_input}.{b64(signer.sign(signing_input.encode(), key))}"


def token(header=None, key=KEY, algorithm="ES256", **claims) -> str:
    """A truly signed token whose header and claims differ from the good one's by these."""
    head = json.dumps(changed(HEADER, header or {}))
    return signed(json.dumps(changed(CLAIMS, claims)), head, key, algorithm)
