"""What the requirement engine asks of Flask: the current request, its state, and the app's Allows.

The one module below the requirements that imports Flask.
"""

from __future__ import annotations

from typing import Any

from flask import has_app_context, has_request_context, request

from licet._state import app_itself, request_itself

__all__ = [
    "EXTENSION",
    "app_itself",
    "current_request",
    "has_request_context",
    "registered_allows",
    "request",
]

EXTENSION = "allows"


def current_request() -> object | None:
    """The request itself, not its proxy; None outside of one."""
    return request_itself() if has_request_context() else None


def registered_allows() -> Any | None:
    """The Allows of the current app; None when it has none, or there is no app."""
    return app_itself().extensions.get(EXTENSION) if has_app_context() else None
