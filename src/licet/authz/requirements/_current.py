"""What the requirement engine asks of Flask: the current request context, and the app's Allows.

The one module below the requirements that imports Flask.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias
from weakref import ReferenceType, ref

from flask import has_app_context, has_request_context, request
from flask.ctx import RequestContext
from flask.globals import request_ctx

from licet.settings.state import app_itself, app_state

__all__ = [
    "EXTENSION",
    "IN_TEMPLATES",
    "Place",
    "app_itself",
    "asked_in_templates",
    "current_place",
    "follow_copies",
    "has_request_context",
    "in_force_at_copy",
    "is_gone",
    "registered_allows",
    "request",
]

EXTENSION = "allows"
IN_TEMPLATES = "authz.allowed"

Place: TypeAlias = ReferenceType[RequestContext] | None
"""A request context, weakly referred to; None outside of any."""

_COPIED: Final = "licet.authz.copied"  # on a copied request context: what is in force in it
_context_itself: Callable[[], RequestContext] = request_ctx._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's


def current_place() -> Place:
    """The current request context; a copy of one is another place."""
    return ref(_context_itself()) if has_request_context() else None


def is_gone(place: Place) -> bool:
    """Whether the request context exists no more."""
    return place is not None and place() is None


def in_force_at_copy() -> Any | None:
    """What was in force where the current request context was copied; None when it is no copy."""
    return _context_itself().__dict__.get(_COPIED)


def follow_copies(place: Place, in_force: Callable[[Place], Any | None]) -> None:
    """Let copies of a request context begin with what is in force where each is made.

    Flask's `copy_current_request_context` calls the context's own `copy`, and a new thread has
    none of the context variables. The context is held weakly: it goes with its request, and does
    not wait for the garbage collector.
    """
    context = None if place is None else place()
    if place is not None and context is not None and "copy" not in context.__dict__:
        context.copy = partial(_copy, place, in_force)  # type: ignore[method-assign]  # this one's


def _copy(
    place: ReferenceType[RequestContext], in_force: Callable[[Place], Any | None]
) -> RequestContext:
    original: Any = place()
    copied: RequestContext = type(original).copy(original)
    found = in_force(place)
    if found is None:
        found = original.__dict__.get(_COPIED)
    copied.__dict__[_COPIED] = found
    follow_copies(ref(copied), in_force)
    return copied


def registered_allows() -> Any | None:
    """The Allows of the current app; None when it has none, or there is no app."""
    return app_itself().extensions.get(EXTENSION) if has_app_context() else None


def asked_in_templates(otherwise: Callable[..., bool]) -> Callable[..., bool]:
    """What ``allowed`` is in the current app's templates: licet's, if licet is attached."""
    state = app_state(app_itself())
    if not state.has(IN_TEMPLATES):
        return otherwise
    return state.get_or_build(IN_TEMPLATES, lambda _settings: otherwise)
