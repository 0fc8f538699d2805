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
    _register(app, Exception)


def install_message_handler(app: Flask) -> None:
    """Answer licet's own errors in the shape of the app wherever it has no handler of its own."""
    _register(app, HTTPError)


def _register(app: Flask, kind: type[Exception]) -> None:
    if kind not in app.error_handler_spec[None][None]:
        app.register_error_handler(kind, _handle)


def _handle(error: Exception) -> Response | HTTPException:
    is_raised = sys.exc_info()[1] is error  # not so for the 500 that Flask makes at last
    if not isinstance(error, HTTPException) or (
        is_raised and current_app.trap_http_exception(error)
    ):
        raise error
    if is_final(error):
        return error
    if isinstance(error, ServiceUnavailable):
        error.log_reason(str(request.endpoint))
    cause = None if is_raised else getattr(error, "original_exception", None)
    return problem_response(error, error_id=None if cause is None else log_error_id(cause))


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
