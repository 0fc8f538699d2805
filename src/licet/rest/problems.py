"""Every error of an app as a problem document, unknown routes and 405 included.

Blueprints that speak another error language (action providers) have handlers of their own, which
come first.

Source: RFC 9457.
"""

from __future__ import annotations

import json
import logging
import uuid
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from licet.errors import LicetError, ServiceUnavailable
from licet.errors.rendering import error_document, is_final, reason_of

__all__ = ["install_problem_handler", "problem_response"]

log = logging.getLogger(__name__)
PROBLEM: Final = "application/problem+json"


def install_problem_handler(app: Flask) -> None:
    """Render whatever no other handler of the app takes."""
    app.register_error_handler(HTTPException, _handle)
    app.register_error_handler(Exception, _handle)


def _handle(error: Exception) -> Response | HTTPException:
    if isinstance(error, HTTPException):
        if isinstance(error, ServiceUnavailable):
            log.warning("%s in %s: %s", error.name, request.endpoint, reason_of(error))
        return error if is_final(error) else problem_response(error)
    error_id = uuid.uuid4().hex
    log.error("Unexpected error %s in %s", error_id, request.endpoint, exc_info=error)
    return problem_response(error, error_id=error_id)


def problem_response(error: Exception, *, error_id: str | None = None) -> Response:
    """`error` as RFC 9457's JSON; an unexpected one tells nothing but its id in the log."""
    document = error_document(error)
    title, status_code = _named(document.status)
    problem = {
        "type": "about:blank",
        "title": title,
        "status": document.status,
        "detail": document.description,
        "instance": request.path,
        "code": getattr(error, "code_name", None) if isinstance(error, LicetError) else status_code,
    }
    if error_id is not None:
        problem["error_id"] = error_id
    headers = {**document.headers, "Content-Type": PROBLEM}
    return Response(json.dumps(problem), document.status, headers)


def _named(status: int) -> tuple[str, str]:
    """A status's phrase and its code in words; apps may answer with one that no standard lists."""
    try:
        known = HTTPStatus(status)
    except ValueError:
        return f"HTTP status {status}", f"http_{status}"
    return known.phrase, known.name.lower()
