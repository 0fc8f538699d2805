"""Names of parametrised cases that are the same in every process of a run, which compares them."""

from __future__ import annotations

import re

__all__ = ["shown"]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+| id='\d+'")
_MADE = re.compile(r"[\w-]{20,}|\d{10,}")  # the text of a key that is new each time, and the time


def shown(value: object) -> str:
    """The text of a value, without what is another in each process; 60 characters at most."""
    text = f"{sorted(value, key=repr)}" if isinstance(value, set) else f"{value}"
    return _MADE.sub("…", _ADDRESS.sub("", text))[:60]
