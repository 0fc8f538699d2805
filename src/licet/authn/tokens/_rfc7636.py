"""PKCE: the secret that ties an authorization code to who asked for it.

Source: RFC 7636 section 4; only S256, as RFC 9700 section 2.1.1 wants it.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["CHALLENGE_METHOD", "CodeSecret", "new_code_secret"]

CHALLENGE_METHOD: Final = "S256"


class CodeSecret(NamedTuple):
    """`verifier` stays here until the code is redeemed; `challenge` goes through the browser."""

    verifier: str
    challenge: str


def new_code_secret(random_bytes: Callable[[int], bytes] = os.urandom) -> CodeSecret:
    """A verifier of 256 random bits, and its challenge."""
    verifier = _text(random_bytes(32))
    return CodeSecret(verifier, _text(hashlib.sha256(verifier.encode("ascii")).digest()))


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
