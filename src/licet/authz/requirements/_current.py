"""What the requirement engine asks of Flask: the current request, its state, and the app's Allows.

The one module below the requirements that imports Flask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import has_app_context, has_request_context, request

from licet.settings.state import app_itself, app_state, request_itself

__all__ = [
    "EXTENSION",
    "IN_TEMPLATES",
    "app_itself",
    "asked_in_templates",
    "current_request",
    "has_request_context",
    "registered_allows",
    "request",
]

EXTENSION = "allows"
IN_TEMPLATES = "authz.allowed"


def current_request() -> object | None:
    """The request itself, not its proxy; None outside of one."""
    return request_itself() if has_request_context() else None


def registered_allows() -> Any | None:
    """The Allows of the current app; None when it has none, or there is no app."""
    return app_itself().extensions.get(EXTENSION) if has_app_context() else None


def asked_in_templates(otherwise: Callable[..., bool]) -> Callable[..., bool]:
    """What ``allowed`` is in the current app's templates: licet's, if licet is attached."""
    state = app_state(app_itself())
    if not state.has(IN_TEMPLATES):
        return otherwise
    return state.get_or_build(IN_TEMPLATES, lambda _settings: otherwise)
