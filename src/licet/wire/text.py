"""Which text can be stored, by every database and in JSON; text fit for a log or a terminal."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Final

from licet.errors.names import with_article

__all__ = ["ascii_lower", "is_storable", "printable", "readable", "shown", "unstorable"]

_TO_LOWER: Final = {ord(letter): ord(letter.lower()) for letter in ascii_uppercase}
_NUL: Final = "\x00"
_MAX_SHOWN: Final = 120


def unstorable(text: str) -> str | None:
    """What the text holds that cannot be stored, such as "NUL character"; None when it can be."""
    if _NUL in text:
        return "NUL character"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "lone surrogate"
    return None


def is_storable(text: str) -> bool:
    """Whether every database and JSON reader can take the text."""
    return unstorable(text) is None


def readable(text: str) -> str:
    """The text with a replacement character for each NUL and lone surrogate."""
    if is_storable(text):
        return text
    return (
        text.replace(_NUL, "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def printable(text: str) -> str:
    """One line of text without what a terminal would obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def ascii_lower(text: str) -> str:
    """The text with A to Z in lower case, and nothing else changed.

    Unicode's own folding makes one of two: the Kelvin sign becomes a k, and ß becomes ss.
    """
    return text.translate(_TO_LOWER)


def shown(value: object) -> str:
    """What somebody sent, as one short quoted line of ASCII: for a log, never for an answer."""
    if not isinstance(value, str):
        return "none" if value is None else with_article(type(value).__name__)
    whole = ascii(value[: _MAX_SHOWN + 1])
    return whole if len(whole) <= _MAX_SHOWN else f"{whole[:_MAX_SHOWN]}…"
