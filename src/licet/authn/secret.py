"""Random secrets: the text is given away, its digest is kept."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

__all__ = [
    "Secret",
    "digest_of",
]


class Secret(NamedTuple):
    """256 random bits: `text` is given away, `digest` is kept."""

    text: str
    digest: str


def digest_of(text: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(text.encode()).hexdigest()
