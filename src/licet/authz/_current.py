"""What the requirement engine asks of Flask: the current request, its state, and the app's Allows.

The one module below the requirements that imports Flask.
"""

from __future__ import annotations

from typing import Any

from flask import current_app, has_app_context, has_request_context, request

from licet._state import request_state

__all__ = ["EXTENSION", "current_request", "registered_allows", "request", "state_of_request"]

EXTENSION = "allows"


def current_request() -> object | None:
    """The request itself, not its proxy; None outside of one."""
    if not has_request_context():
        return None
    return request._get_current_object()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001 - werkzeug's


def state_of_request() -> dict[str, Any] | None:
    """What licet keeps on the current request; None outside of one."""
    return request_state() if has_request_context() else None


def registered_allows() -> Any | None:
    """The Allows of the current app; None when it has none, or there is no app."""
    if not has_app_context():
        return None
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's
    return app.extensions.get(EXTENSION)
