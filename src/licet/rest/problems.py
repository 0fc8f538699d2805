"""Every error of an app as a problem document, for apps that want it: ``LICET_PROBLEM_ERRORS``.

Licet's own errors need none of this, they are responses. Handlers of the app come first, by status
and by class, on blueprints and on the app, whenever they are registered. Unexpected exceptions go
Flask's way; only the last answer to them is written here.

Source: RFC 9457.
"""

from __future__ import annotations

import logging
import sys
import uuid

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from licet.errors import ServiceUnavailable
from licet.errors.rendering import is_final, problem_parts

__all__ = ["install_problem_handler", "problem_response"]

log = logging.getLogger(__name__)


def install_problem_handler(app: Flask) -> None:
    """Answer with a problem document wherever the app has no handler of its own.

    Flask looks for handlers by status first, then along the bases of the error's class. The handler
    for `Exception` is therefore the last. An app that has one itself, or registers one later, needs
    no other: its own takes everything that this one would.
    """
    if Exception not in app.error_handler_spec[None][None]:
        app.register_error_handler(Exception, _handle)


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
    return problem_response(error, error_id=None if cause is None else _log_id(cause))


def _log_id(cause: BaseException) -> str:
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
    """`error` as RFC 9457's JSON; an unexpected one tells nothing but its id in the log."""
    members = {} if error_id is None else {"error_id": error_id}
    return Response(*problem_parts(error, request.path, **members))
