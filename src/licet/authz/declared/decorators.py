"""Guards of others' making, such as Flask-Login's ``login_required``, recognised and tried.

A mark would say what its author believes. So nothing is marked: a view is recognised by the code
and the arguments of the function that the decorator put around it, as the outermost function or
below guards of licet's and other declared ones; below anything else, nobody knows whether it is
asked. Then that very function is called as by an anonymous request, with a view in place of the
app's that only tells whether it was reached.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from dataclasses import dataclass, field
from types import CellType, FunctionType
from typing import Any, Final

from flask import Flask, request
from werkzeug.exceptions import HTTPException

from licet.authz.declared._views import ANY, marks_on
from licet.authz.declared.marks import Access, AccessKind
from licet.errors import ConfigurationError

__all__ = ["Decorator", "DecoratorReader", "decorator_of"]

_DEPTH: Final = 50  # wrappers below wrappers; more is a circle
_REFUSALS: Final = frozenset({301, 302, 303, 307, 308, 401, 403, 404})
_ANY_METHOD: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, kw_only=True)
class Decorator:
    """What is known of a declared decorator: by what its work is recognised, and its words."""

    code: Any
    arguments: tuple[object, ...]
    access: Access

    def made(self, layer: FunctionType) -> bool:
        """Whether the function is this decorator's work, with these arguments."""
        return layer.__code__ is self.code and _arguments(layer) == self.arguments


def decorator_of(decorator: Callable[[Any], Any], text: str | None) -> Decorator:
    """Learn to recognise a decorator by putting it around a view of our own.

    Raises:
        ConfigurationError: its work cannot be recognised, or takes arguments and has no `text`.
    """

    def sample(**_arguments: object) -> None:
        """A view that is never called."""

    name = getattr(decorator, "__qualname__", repr(decorator))
    try:
        made = decorator(sample)
    except Exception as error:
        raise ConfigurationError(
            f"declare_decorator takes what decorates a view; {name} raised {error!r} when it did."
        ) from error
    if not isinstance(made, FunctionType) or made is sample or _cell_of_view(made) is None:
        raise ConfigurationError(
            f"The views that {name} decorates cannot be recognised: it must give a function of its "
            "own, made with functools.wraps. Say what guards each endpoint instead: "
            "licet.declare(app, endpoint, access=…)."
        )
    arguments = _arguments(made)
    if arguments and text is None:
        raise ConfigurationError(
            f"{_name_of(made)} has arguments: say what it asks with them, as in "
            'declare_decorator(app, roles_required("admin"), text="the role admin").'
        )
    access = Access(kind=AccessKind.AUTHENTICATED, text=text or _name_of(made))
    return Decorator(code=made.__code__, arguments=arguments, access=access)


def _cell_of_view(layer: FunctionType) -> CellType | None:
    """Where a wrapper keeps what it wraps."""
    wrapped = getattr(layer, "__wrapped__", None)
    cells = layer.__closure__ or ()
    return next((cell for cell in cells if wrapped and _contents(cell) is wrapped), None)


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # an empty one
        return None


def _arguments(layer: FunctionType) -> tuple[object, ...]:
    """Whatever else the wrapper closes over."""
    view = _cell_of_view(layer)
    return tuple(_contents(cell) for cell in layer.__closure__ or () if cell is not view)


def _name_of(layer: FunctionType) -> str:
    """The decorator's name; of `wraps` only the code is left to tell it."""
    return layer.__code__.co_qualname.partition(".<locals>")[0]


@dataclass
class DecoratorReader:
    """Reads what is said of an app's views; each declared decorator is tried once a method."""

    app: Flask
    known: Iterable[Decorator]
    _tried: dict[tuple[int, str], str | None] = field(default_factory=dict)

    def read(self, view: object, methods: Iterable[str]) -> tuple[Access, ...]:
        """What is said of the view: by the decorators that refuse all the methods, and by marks."""
        said = tuple(
            found.access
            for found, layer in self._found(view)
            if not any(self._objection(found, layer, method) for method in _each(methods))
        )
        return said + marks_on(view)

    def objections(self, view: object, methods: Iterable[str]) -> Iterator[str]:
        """Why declared decorators on the view say nothing: what they did when they were tried."""
        for found, layer in self._found(view):
            tried = (self._objection(found, layer, method) for method in _each(methods))
            yield from (f"@{_name_of(layer)} {objection}" for objection in tried if objection)

    def stranger(self, view: object) -> Iterator[str]:
        """The outermost wrapper of the view that is neither declared nor licet's, if any."""
        for layer in _layers(view):
            is_known = _is_licets(layer) or any(one.made(layer) for one in self.known)
            if hasattr(layer, "__wrapped__") and not is_known:
                name, place = _name_of(layer), layer.__globals__.get("__name__")
                if any(one.code is layer.__code__ for one in self.known):
                    what = "is declared with other arguments than it has here."
                else:
                    declared = f"licet.declare_decorator(app, {name})"
                    what = f"is not known here. If it refuses callers: {declared}."
                yield f"@{name} ({place}) {what} What is below it was not looked at."
                return

    def _found(self, view: object) -> Iterator[tuple[Decorator, FunctionType]]:
        for layer in _layers(view):
            found = next((one for one in self.known if one.made(layer)), None)
            if found is not None:
                yield found, layer
            elif not _is_licets(layer):
                return

    def _objection(self, found: Decorator, layer: FunctionType, method: str) -> str | None:
        key = (id(found), method)
        if key not in self._tried:
            # Apart from the request that waits for the audit: both would share flask.g, where
            # Flask-Login keeps the user, and that request's would be the trial's nobody.
            self._tried[key] = Context().run(_objection, self.app, layer, method)
        return self._tried[key]


def _each(methods: Iterable[str]) -> Iterable[str]:
    listed = sorted(methods)
    return _ANY_METHOD if ANY in listed else listed


def _layers(view: object) -> Iterator[FunctionType]:
    """The view's wrappers from the outermost in."""
    layer: Any = view
    for _ in range(_DEPTH):
        while isinstance(layer, functools.partial):
            layer = layer.func
        if not isinstance(layer, FunctionType):
            return
        yield layer
        layer = getattr(layer, "__wrapped__", None)


def _is_licets(layer: FunctionType) -> bool:
    return str(layer.__globals__.get("__name__")).startswith("licet.")


def _objection(app: Flask, layer: FunctionType, method: str) -> str | None:
    """None where the wrapper refuses an anonymous request; else what it does instead."""
    reached: list[object] = []

    def view(*_arguments: object, **_named: object) -> str:
        reached.append(None)
        return ""

    guard = _around(layer, view)
    objection: str | None = "could not be tried: the app gives no request context"
    # Suppressed are errors of functions that end a request which had no beginning.
    with contextlib.suppress(Exception), app.test_request_context(method=method, **_place(app)):
        _call_functions_before(app)
        objection = _refusal_by(app, guard, method, reached)
    return objection


def _place(app: Flask) -> dict[str, str]:
    """Where the trial is sent: over HTTPS, since a redirect to that refuses no caller."""
    trusted = app.config.get("TRUSTED_HOSTS")
    if trusted:
        host, root = trusted[0].lstrip("."), app.config["APPLICATION_ROOT"].strip("/")
        return {"path": "/", "base_url": f"https://{host}/{root}"}
    return {"path": "/", "url_scheme": "https"}


def _call_functions_before(app: Flask) -> None:
    """Call each function before a request, since the guard may go by what one sets, as g.user.

    One that refuses or fails, such as a rate limit, keeps no other from being called: the question
    is what the guard does, not what stands before it.
    """
    for name in (None, *reversed(request.blueprints)):
        for preprocess in app.url_value_preprocessors.get(name, ()):
            with contextlib.suppress(Exception):
                preprocess(request.endpoint, request.view_args)
    for name in (None, *reversed(request.blueprints)):
        for function in app.before_request_funcs.get(name, ()):
            with contextlib.suppress(Exception):
                app.ensure_sync(function)()


def _refusal_by(
    app: Flask, guard: Callable[..., Any], method: str, reached: list[object]
) -> str | None:
    """None where the guard refuses the current request; else what it does instead."""
    try:
        answer = app.ensure_sync(guard)()
        status = None if answer is None else app.make_response(answer).status_code
    except HTTPException as error:
        status = error.code
    except Exception as error:  # noqa: BLE001 - a guard of whatever make
        status = _status_of_handler(app, error)
        if status is None:
            return f"could not be tried: {type(error).__name__}: {error}"
    if reached:
        return f"lets an anonymous {method} through"
    return None if status in _REFUSALS else f"answers an anonymous {method} with {status}"


def _status_of_handler(app: Flask, error: Exception) -> int | None:
    """The status that the app's handler answers the error with; None where the app has none.

    Flask-JWT-Extended and Flask-Principal refuse so: by an error of their own, and its handler.
    """
    try:
        return app.make_response(app.handle_user_exception(error)).status_code
    except Exception:  # noqa: BLE001 - the same error, or the handler's
        return None


def _around(layer: FunctionType, view: Callable[..., Any]) -> FunctionType:
    """The same wrapper around another view."""
    kept = _cell_of_view(layer)
    closure = tuple(CellType(view) if cell is kept else cell for cell in layer.__closure__ or ())
    copy = FunctionType(
        layer.__code__, layer.__globals__, layer.__name__, layer.__defaults__, closure
    )
    copy.__kwdefaults__ = layer.__kwdefaults__
    return copy
