"""HTTP in and out of a provider: the body that is read, documents and errors that are sent."""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app, got_request_exception, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException, default_exceptions
from werkzeug.http import parse_list_header

from licet.actions.documents import ActionStatus, convert_to_json, render
from licet.errors import ActionNotFound, RequestTooLarge, ServiceUnavailable
from licet.errors.rendering import error_document, is_final
from licet.settings.state import app_itself, app_state
from licet.wire.incoming import bounded_body

__all__ = [
    "MAX_WAIT_SECONDS",
    "JsonProvider",
    "WaitingRoom",
    "answer_errors",
    "assign_json_provider",
    "error_response",
    "json_response",
    "preferred_wait_seconds",
    "read_body",
    "wait_for_change",
]


log = logging.getLogger(__name__)
JSON: Final = "application/json"
MAX_WAIT_SECONDS: Final = 30
_FIRST_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 0.5
_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(;.*)?", re.ASCII | re.IGNORECASE)


def read_body() -> bytes:
    """The request's body.

    Raises:
        RequestTooLarge: it is longer than ``LICET_MAX_BODY_BYTES``.
    """
    limit = app_state(current_app).settings.max_body_bytes
    raw = bounded_body(request, limit)
    if raw is None:
        raise RequestTooLarge(f"The request body is larger than {limit} bytes.")
    return raw


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
    if not isinstance(error, HTTPException):
        body["error_id"] = _tell_unexpected(error)
    elif isinstance(error, ServiceUnavailable):
        error.log_reason(str(request.endpoint))
    return json_response(render(body), document.status, dict(document.headers))


def answer_errors(blueprint: Blueprint) -> None:
    """Answer a blueprint's errors in the interface's JSON, where it has no handler of its own.

    Flask asks for handlers by status before those by class, and the app has its own for pages. A
    handler for each status on the blueprint keeps these away, and asks the blueprint's by class.
    """
    handlers = blueprint.error_handler_spec[None]
    if Exception not in handlers[None]:
        blueprint.register_error_handler(Exception, error_response)

    def answer_by_class(error: HTTPException) -> Any:
        found = next(handlers[None][kind] for kind in type(error).__mro__ if kind in handlers[None])
        return current_app.ensure_sync(found)(error)

    for status, kind in default_exceptions.items():
        if kind not in handlers[status]:
            blueprint.register_error_handler(status, answer_by_class)


def _tell_unexpected(error: Exception) -> str:
    """Signal and log an exception as Flask does; the id by which its answer finds it in the log."""
    app, error_id = app_itself(), uuid.uuid4().hex
    got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=error)
    app.log_exception(sys.exc_info())
    log.warning(
        "%s in %s is answered with the error_id %s",
        type(error).__name__,
        request.endpoint,
        error_id,
    )
    return error_id


def _uniform(error: Exception) -> Exception:
    """Let an action that is hidden and one that does not exist be told in the very same words.

    The words that a callback chose for its own missing actions would give the hidden ones away.
    """
    action_id = (request.view_args or {}).get("action_id")
    if action_id is not None and isinstance(error, ActionNotFound):
        return ActionNotFound(f"No Action with id {action_id}")
    return error


class JsonProvider(DefaultJSONProvider):
    """Flask's own, and documents besides."""

    @staticmethod
    def default(o: Any) -> Any:
        """What `json` cannot write by itself."""
        return convert_to_json(o)


def assign_json_provider(app_or_blueprint: Flask | Blueprint) -> None:
    """Let ``jsonify`` write documents in an app; on a blueprint it changes nothing."""
    if isinstance(app_or_blueprint, Flask):
        app_or_blueprint.json = JsonProvider(app_or_blueprint)


def preferred_wait_seconds(header: str | None) -> int:
    """The seconds that a ``Prefer`` header asks for, at most 30; 0 without a wait that is sound.

    Of several, the first counts (RFC 7240, section 2).
    """
    if not header:
        return 0
    for preference in parse_list_header(header):
        found = _WAIT.fullmatch(preference)
        if found is not None:
            return min(int(found[1]), MAX_WAIT_SECONDS)
    return 0


class WaitingRoom:
    """How many requests of a process may wait at once, so that others find a thread.

    Args:
        seats: the number.
    """

    def __init__(self, seats: int) -> None:
        self._seats = threading.BoundedSemaphore(seats) if seats else None

    @contextmanager
    def seat(self) -> Iterator[bool]:
        """Whether there is one; it is free again afterwards."""
        taken = self._seats is not None and self._seats.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken and self._seats is not None:
                self._seats.release()


def wait_for_change(
    read: Callable[[], ActionStatus | None],
    before: ActionStatus,
    seconds: float,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> ActionStatus | None:
    """The action once its state is another than `before`'s, or as it is after `seconds`.

    An action that has ended is not waited for. None when it is gone.
    """
    found: ActionStatus | None = before
    give_up_at = monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while found is not None and found.status == before.status and not found.is_complete():
        left = give_up_at - monotonic()
        if left <= 0:
            return found
        sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        found = read()
    return found
