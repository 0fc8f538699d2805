"""Every error of an app as a document, for apps that want it: ``LICET_PROBLEM_ERRORS``.

It is a problem document, or seed document 004's where ``LICET_ERROR_SHAPE`` is ``message``; licet's
own errors then have that shape in any case. Else they need none of this, they are responses.
Handlers of the app come first, by status and by class, on blueprints and on the app, whenever they
are registered. Unexpected exceptions go Flask's way; only the last answer to them is written here.

Source: RFC 9457; seed document 004.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Callable

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from licet.errors import ServiceUnavailable
from licet.errors.base import HTTPError, path_of
from licet.errors.rendering import is_final
from licet.rest.shapes import as_message, as_problem
from licet.settings.state import app_state

__all__ = ["install_message_handler", "install_problem_handler", "log_error_id", "problem_response"]

log = logging.getLogger(__name__)


def install_problem_handler(app: Flask) -> None:
    """Answer with a problem document wherever the app has no handler of its own.

    Flask looks for handlers by status first, then along the bases of the error's class. The handler
    for `Exception` is therefore the last. An app that has one itself, or registers one later, needs
    no other: its own takes everything that this one would.
    """
    _register(app, _handle)


def install_message_handler(app: Flask) -> None:
    """Answer licet's own errors in the shape of the app wherever it has no handler of its own.

    This handler is the last, too: one for `HTTPError` would go before the app's own for
    `HTTPException`.
    """
    _register(app, _handle_own)


def _register(app: Flask, handle: Callable[[Exception], Response | HTTPException]) -> None:
    if Exception not in app.error_handler_spec[None][None]:
        app.register_error_handler(Exception, handle)


def _handle_own(error: Exception) -> Response | HTTPException:
    """What is not licet's is answered as if there were no handler."""
    if isinstance(error, HTTPException) and not isinstance(error, HTTPError):
        if _is_trapped(error):
            raise error
        return error
    return _handle(error)


def _handle(error: Exception) -> Response | HTTPException:
    if not isinstance(error, HTTPException) or _is_trapped(error):
        raise error
    if is_final(error):
        return error
    if isinstance(error, ServiceUnavailable):
        error.log_reason(str(request.endpoint))
    cause = None if _is_raised(error) else getattr(error, "original_exception", None)
    return problem_response(error, error_id=None if cause is None else log_error_id(cause))


def _is_raised(error: Exception) -> bool:
    """Not so of the 500 that Flask makes at last."""
    return sys.exc_info()[1] is error


def _is_trapped(error: Exception) -> bool:
    return _is_raised(error) and current_app.trap_http_exception(error)


def log_error_id(cause: BaseException) -> str:
    """An id by which the answer finds the exception that Flask has just logged."""
    error_id = uuid.uuid4().hex
    log.warning(
        "%s in %s is answered with the error_id %s",
        type(cause).__name__,
        request.endpoint,
        error_id,
    )
    return error_id


def problem_response(error: Exception, *, error_id: str | None = None) -> Response:
    """`error` in the app's shape; an unexpected one tells nothing but its id in the log."""
    shape = app_state(current_app).settings.rest.error_shape
    render = as_message if shape == "message" else as_problem
    return Response(*render(error, path_of(request), error_id=error_id))
