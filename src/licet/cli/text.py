"""Text from elsewhere, made fit for a terminal."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """One line of text without what a terminal would obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
