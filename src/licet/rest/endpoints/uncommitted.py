"""A warning for views that are answered as done, and whose changes nobody commits.

A view may leave the commit to the app's `after_request`. One that leaves it to nobody is answered
with a key and a tag all the same, and its row is gone with the session.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

import sqlalchemy as sa
from flask import Response, after_this_request, request
from sqlalchemy.orm import Session

__all__ = ["listen_to_sessions", "warn_if_never_committed"]

log = logging.getLogger(__name__)
_FLUSHED: Final = "licet.rest.flushed"  # in the transaction that is under way
_ANSWERED: Final = "licet.rest.answered"  # by which endpoint
_lock = threading.Lock()
_installed: list[bool] = []


def warn_if_never_committed(session: Session) -> None:
    """Log a warning if the request is answered as done and what was flushed is not committed."""
    endpoint = request.endpoint

    @after_this_request
    def note(response: Response) -> Response:
        if response.status_code < 400 and _FLUSHED in session.info:
            session.info[_ANSWERED] = endpoint
        return response


def listen_to_sessions() -> None:
    """Notice what the sessions of the process flush and commit; once is enough."""
    with _lock:
        if not _installed:
            _installed.append(True)
            sa.event.listen(Session, "after_flush", _after_flush)
            sa.event.listen(Session, "after_commit", _after_commit)
            sa.event.listen(Session, "after_transaction_end", _after_transaction_end)


def _after_flush(session: Session, _context: Any) -> None:
    session.info[_FLUSHED] = True


def _after_commit(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop(_FLUSHED, None)


def _after_transaction_end(session: Session, transaction: Any) -> None:
    if transaction.parent is not None:
        return
    is_lost, endpoint = session.info.pop(_FLUSHED, False), session.info.pop(_ANSWERED, None)
    if is_lost and endpoint is not None:
        log.warning(
            "The answer of %s says that something was done, and it was not committed: commit in "
            "the view, or by marshal_response(…, commit=True).",
            endpoint,
        )
