"""Which objects can be requirements, and which of them want the request: told from the outside.

Nothing is called to find out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["describe", "ensure_requirement", "wants_request_too"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_LAZY = (
    (inspect.iscoroutinefunction, "a coroutine function"),
    (inspect.isasyncgenfunction, "an async generator function"),
    (inspect.isgeneratorfunction, "a generator function"),
)
_known: WeakKeyDictionary[FunctionType, dict[bool, bool]] = WeakKeyDictionary()


def describe(requirement: object) -> str:
    """A requirement's name in logs and tables: a function's own, else its repr."""
    while isinstance(requirement, partial):
        requirement = requirement.func
    name = getattr(requirement, "__name__", None)
    if isinstance(name, str):
        return name
    try:
        return repr(requirement)
    except Exception:  # noqa: BLE001 - a name for the log is never a reason to fail
        return f"<{type(requirement).__name__}>"


def ensure_requirement(requirement: object) -> None:
    """Refuse what would always pass, or never run.

    Raises:
        TypeError: a class, a coroutine or generator function, or nothing that can be called.
    """
    if inspect.isclass(requirement):
        raise TypeError(
            f"{requirement.__name__} is a class, not a requirement: give an instance, as in "
            f"{requirement.__name__}()."
        )
    if not callable(requirement):
        raise TypeError(
            f"{describe(requirement)} is not a requirement: give a function of the identity, or an "
            "instance of a Requirement."
        )
    of_class = type(requirement)
    for part in (requirement, of_class.__call__, getattr(of_class, "fulfill", None)):
        for is_lazy, kind in _LAZY:
            if is_lazy(part):
                raise TypeError(
                    f"{describe(requirement)} is {kind}: its result would be true whatever it "
                    "says. Requirements are plain functions."
                )


def wants_request_too(called: Callable[..., Any]) -> bool:
    """Whether `called` takes (user, request) and not the user alone.

    A second parameter counts when it has no default, or when it is called ``request``.

    Raises:
        TypeError: it takes neither.
    """
    function = getattr(called, "__func__", called)
    is_bound = function is not called
    if not isinstance(function, FunctionType):
        return _read(called, 0)
    known = _known.setdefault(function, {})
    if is_bound not in known:
        known[is_bound] = _read(function, int(is_bound))
    return known[is_bound]


def _read(called: Callable[..., Any], given: int) -> bool:
    """The answer, read from the signature; the first `given` arguments are there already."""
    try:
        parameters = _parameters(inspect.unwrap(called, stop=lambda f: not _takes_any(f)))
    except ValueError:  # some builtins tell nothing
        return False
    places = [p for p in parameters if p.kind in _POSITIONAL][given:]
    required = [p for p in places if p.default is p.empty]
    named = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if named or len(required) > 2 or not (places or _takes_any(called)):
        raise TypeError(
            f"{describe(called)} cannot be a requirement: it must take the identity alone, or the "
            "identity and the request."
        )
    return len(required) == 2 or (len(places) > 1 and places[1].name == "request")


def _parameters(called: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(called, follow_wrapped=False).parameters.values())


def _takes_any(called: Callable[..., Any]) -> bool:
    return any(p.kind is p.VAR_POSITIONAL for p in _parameters(called))
