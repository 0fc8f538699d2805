"""The flushes that are under way, the innermost last: a hook of one can begin another."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary, ref

import sqlalchemy as sa
from sqlalchemy.orm import Session

from licet.authz.writes._scope import statements_scope
from licet.authz.writes._watch import Watch
from licet.errors import UnguardedWrite

__all__ = [
    "begin_before_savepoint",
    "current_flush",
    "enter_flush",
    "flush_of",
    "flushes",
    "forget_connection",
    "leave_flush",
    "note_connection",
    "refuse_undecided",
    "watches_committed_by",
]

_flushes: ContextVar[tuple[tuple[Session, Watch | None], ...]] = ContextVar(
    "licet_flushes", default=()
)

_written: WeakKeyDictionary[Any, list[Watch]] = WeakKeyDictionary()
_committing: WeakKeyDictionary[Any, list[ref[Watch]]] = WeakKeyDictionary()


def enter_flush(session: Session, watch: Watch | None) -> None:
    """A session begins to flush, with what watches it, if something does."""
    _flushes.set((*_flushes.get(), (session, watch)))


def leave_flush(session: Session) -> Watch | None:
    """The flush has ended, or failed; returns what watched it."""
    found = _flushes.get()
    for index in range(len(found) - 1, -1, -1):
        if found[index][0] is session:
            _flushes.set(found[:index])
            return found[index][1]
    return None


def note_connection(connection: Any, watch: Watch) -> None:
    """A watched flush writes by a connection."""
    found = _written.setdefault(connection, [])
    if watch not in found:
        found.append(watch)


def refuse_undecided(connection: Any) -> None:
    """Refuse the commit of a connection by which rows were written that nobody decided about.

    Raises:
        UnguardedWrite: there are such; they are rolled back.
    """
    found = _written.pop(connection, [])
    _committing[connection] = [ref(watch) for watch in found]
    if any(not watch.is_settled for watch in found):
        connection.connection.rollback()
        raise UnguardedWrite(
            "A connection is committed by which a session has written guarded rows that nobody "
            "has decided about: commit the session."
        )


def forget_connection(connection: Any) -> None:
    """What was written by the connection was rolled back."""
    _written.pop(connection, None)
    _committing.pop(connection, None)


def begin_before_savepoint(connection: Any, _name: str | None) -> None:
    """A savepoint is made by a connection to SQLite.

    Python's driver begins a transaction with the first statement that writes. A savepoint before
    that would be the transaction: its release would commit what nobody has decided about yet.
    """
    if connection.dialect.driver != "pysqlite" or statements_scope() is None:
        return
    driver = connection.connection.dbapi_connection
    if not driver.in_transaction:
        driver.execute("BEGIN").close()


def watches_committed_by(connection: Any) -> list[Watch]:
    """What watches the rows that the connection's commit, which has failed, was about."""
    found = (watch() for watch in _committing.get(connection, ()))
    return [watch for watch in found if watch is not None]


def flushes() -> int:
    """How many flushes are under way."""
    return len(_flushes.get())


def current_flush() -> Watch | None:
    """What watches the innermost one."""
    found = _flushes.get()
    return found[-1][1] if found else None


def flush_of(target: Any) -> Watch | None:
    """What watches the flush that writes an object."""
    found = _flushes.get()
    if not found:
        return None
    session = sa.inspect(target).session
    return next((watch for one, watch in reversed(found) if one is session), None)
