"""Where a declaration stands in the program, and the error that names the place."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from licet.errors import InvalidCondition

__all__ = ["declared_at", "invalid"]

_PACKAGE: Final = f"{Path(__file__).parents[1]}/"


def declared_at() -> str:
    """``file:line`` of the program's own line that is running, outside of this package."""
    frame = sys._getframe(1)  # noqa: SLF001 - the way that logging and warnings take
    while frame.f_code.co_filename.startswith(_PACKAGE) and frame.f_back is not None:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def invalid(text: str) -> InvalidCondition:
    """The error for a declaration that cannot work, with its place in the program."""
    return InvalidCondition(f"{text} Declared at {declared_at()}")
