"""Where a declaration stands in the program, and the error that names the place."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Final

from licet.errors import InvalidCondition

__all__ = ["declared_at", "invalid", "require_function"]

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


def require_function(view: object, name: str) -> None:
    """Refuse to let the decorator `name` stand on a class, or on another object.

    A bound method is a function, too: Flask-RESTful and Flask-RESTX put their `method_decorators`
    on it in each request.

    Raises:
        InvalidCondition: it does.
    """
    is_method = inspect.ismethod(view) and not inspect.isclass(view.__self__)  # as_view is of one
    if not (inspect.isfunction(view) or is_method):
        raise invalid(f"{name} decorates view functions and methods, not {view!r}.")
