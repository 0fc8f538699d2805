"""What a view says of each of its methods: a function, a class, a partial or an object."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from flask.views import MethodView, View

from licet.authz.declared.marks import Access, access_of

__all__ = ["ANY", "Part", "is_exempt", "location_of", "marks_on", "parts_of", "sources_of"]

ANY: Final = "*"  # the method of a rule that takes every method
_DEPTH: Final = 50  # wrappers below wrappers; more is a circle


@dataclass(frozen=True, kw_only=True)
class Part:
    """The methods of a view that say the same, in order, and where the first of them is written."""

    methods: tuple[str, ...]
    access: tuple[Access, ...]
    location: str


def _layers(view: object) -> Iterator[object]:
    """The view, and what is called whenever it is: a partial's function, an object's call."""
    for _ in range(_DEPTH):
        yield view
        if not isinstance(view, functools.partial):
            break
        view = view.func
    if not isinstance(view, type):
        yield type(view).__call__ if callable(view) else None


def marks_on(view: object) -> tuple[Access, ...]:
    """What the view itself says, the outermost guard first."""
    found: list[Access] = []
    for layer in _layers(view):
        marks = access_of(layer)
        if isinstance(marks, tuple):  # an object that answers to every name marks nothing
            found += marks
    return tuple(found)


def is_exempt(view: object) -> bool:
    """Whether the guards of its blueprint and app pass the view over."""
    return any(getattr(layer, "__allows_exempt__", False) for layer in _layers(view))


Reading = Callable[[object, Iterable[str]], tuple[Access, ...]]


def parts_of(
    view: object, methods: Iterable[str], read: Reading = lambda view, _methods: marks_on(view)
) -> list[Part]:
    """The methods of a rule, grouped by what the view says of them as `read` tells it.

    A HEAD that the view answers as GET is not told apart from it.
    """
    wanted = sorted(methods)
    own = read(view, wanted)
    view_class = getattr(view, "view_class", None)
    if not (isinstance(view_class, type) and issubclass(view_class, View)):
        return [_part(_without_head(wanted), own, view)] if wanted else []
    own += read(view_class.dispatch_request, wanted)
    if not issubclass(view_class, MethodView):
        return [_part(_without_head(wanted), own, view_class)] if wanted else []
    return _by_handler(view_class, wanted, own, read)


def _without_head(methods: list[str]) -> list[str]:
    return [name for name in methods if name != "HEAD" or "GET" not in methods]


def _by_handler(
    view_class: type, methods: list[str], own: tuple[Access, ...], read: Reading
) -> list[Part]:
    """One part a declaration; a method without a handler says no more than the whole view."""
    if not hasattr(view_class, "head"):
        methods = _without_head(methods)
    grouped: dict[tuple[Access, ...], list[str]] = {}
    for method in methods:
        handler = _handler(view_class, method)
        grouped.setdefault(own + read(handler, (method,)), []).append(method)
    return [
        _part(names, access, _handler(view_class, names[0]) or view_class)
        for access, names in grouped.items()
    ]


def _handler(view_class: type, method: str) -> Any:
    handler = getattr(view_class, method.lower(), None)
    return getattr(view_class, "get", None) if handler is None and method == "HEAD" else handler


def sources_of(view: object, methods: Iterable[str]) -> list[object]:
    """What may be decorated of a view: itself, and what its class answers the methods with."""
    view_class = getattr(view, "view_class", None)
    if not (isinstance(view_class, type) and issubclass(view_class, View)):
        return [view]
    if not issubclass(view_class, MethodView):
        return [view, view_class.dispatch_request]
    return [view, *dict.fromkeys(_handler(view_class, method) for method in methods)]


def _part(methods: list[str], access: tuple[Access, ...], source: object) -> Part:
    return Part(methods=tuple(methods), access=access, location=location_of(source))


def location_of(view: object) -> str:
    """Where the innermost function is written, file:line; what has no source is named instead."""
    if view is None:
        return "no view function"
    found: Any = view
    for _ in range(_DEPTH):
        inner = getattr(
            found, "func" if isinstance(found, functools.partial) else "__wrapped__", None
        )
        if inner is None:
            break
        found = inner
    code = _code_of(found)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}"
    named = found if hasattr(found, "__qualname__") else type(found)
    return f"{getattr(named, '__module__', None) or 'builtins'}.{named.__qualname__}"


def _code_of(found: Any) -> Any:
    """The code of a function, of a class's first method, or of what an object does when called."""
    if isinstance(found, type):
        inside = (getattr(value, "__code__", None) for value in vars(found).values())
        return next((code for code in inside if code is not None), None)
    return getattr(found, "__code__", None) or getattr(type(found).__call__, "__code__", None)
