"""What a request leaves to be written when it is over: open sessions, and streamed answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from weakref import WeakSet

from flask import Flask, Response, has_request_context
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from licet.authz.writes._scope import Scope, later, leave_scope, scope_of, statements_scope
from licet.settings.state import request_itself, request_state

__all__ = ["guard_afterwards", "note_session"]

_SESSIONS: Final = "authz.written_sessions"


def guard_afterwards(app: Flask) -> None:
    """Guard what the app's requests leave to be written after them."""
    # licet's function is the last that is called, as it is among the first that were registered
    functions = app.teardown_request_funcs.setdefault(None, [])
    if _leave not in functions:
        functions.insert(0, _leave)
        app.after_request_funcs.setdefault(None, []).insert(0, _guard_stream)


def note_session(session: Session) -> None:
    """A session has begun a transaction, in a request or elsewhere."""
    if has_request_context():
        request_state().setdefault(_SESSIONS, WeakSet()).add(session)


def _leave(_error: BaseException | None = None) -> None:
    """What waits in a session is decided for the caller of the request, whenever it is written."""
    for session in list(request_state().get(_SESSIONS, ())):
        if session.new or session.dirty or session.deleted:
            scope = scope_of(session)
            if scope is not None:
                leave_scope(session, _kept(scope))


def _kept(scope: Scope) -> Scope:
    """The scope with its caller, who is not known any more when the request is over."""
    try:
        asking = scope.find_caller()
    except HTTPException:
        asking = None  # nobody
    return Scope(
        scope.guard,
        lambda: asking,
        mains=scope.mains,
        is_narrow=scope.is_narrow,
        request=request_itself(),
    )


def _guard_stream(response: Response) -> Response:
    if response.is_streamed and not response.direct_passthrough:
        scope = statements_scope()
        if scope is not None:
            response.response = _Guarded(iter(response.response), _kept(scope))
    return response


class _Guarded:
    """The parts of an answer, each made under the guard of its request."""

    def __init__(self, parts: Iterator[Any], scope: Scope) -> None:
        self._parts, self._scope = parts, scope

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        token = later.set(self._scope)
        try:
            return next(self._parts)
        finally:
            later.reset(token)

    def close(self) -> None:
        """End the parts."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            token = later.set(self._scope)
            try:
                close()
            finally:
                later.reset(token)
