"""HTTP in and out of a provider: the body that is read, documents and errors that are sent."""

from __future__ import annotations

import logging
import uuid
from typing import Final

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from licet._state import app_state
from licet.actions.documents import render
from licet.error_documents import error_document, is_final, reason_of
from licet.errors import ActionNotFound, RequestTooLarge, ServiceUnavailable

__all__ = ["error_response", "json_response", "read_body"]

log = logging.getLogger(__name__)
JSON: Final = "application/json"


def read_body() -> bytes:
    """The request's body.

    Raises:
        RequestTooLarge: it is longer than ``LICET_MAX_BODY_BYTES``.

    A body without a Content-Length is cut at werkzeug's limit without an error: allowing one byte
    more than we take is how a body that is too long shows.
    """
    limit = app_state(current_app).settings.max_body_bytes
    request.max_content_length = limit + 1
    try:
        raw = request.get_data()
    except RequestEntityTooLarge as error:
        raise _too_large(limit) from error
    if len(raw) > limit:
        raise _too_large(limit)
    return raw


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"The request body is larger than {limit} bytes.")


def json_response(
    body: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A response with what was rendered before."""
    return Response(body, status, headers, content_type=JSON)


def error_response(error: Exception) -> Response | HTTPException:
    """The response for anything raised while an operation ran: always the interface's JSON."""
    if isinstance(error, HTTPException) and is_final(error):
        return error
    document = error_document(_uniform(error))
    body = document.as_dict()
    if document.status == 500 and not isinstance(error, HTTPException):
        body["error_id"] = uuid.uuid4().hex
        log.error("Unexpected error %s in %s", body["error_id"], request.endpoint, exc_info=error)
    elif isinstance(error, ServiceUnavailable):
        log.warning("%s in %s: %s", body["code"], request.endpoint, reason_of(error))
    return json_response(render(body), document.status, dict(document.headers))


def _uniform(error: Exception) -> Exception:
    """Let an action that is hidden and one that does not exist be told in the very same words.

    The words that a callback chose for its own missing actions would give the hidden ones away.
    """
    action_id = (request.view_args or {}).get("action_id")
    if action_id is not None and isinstance(error, ActionNotFound):
        return ActionNotFound(f"No Action with id {action_id}")
    return error
