"""Whether the calling thread has a transaction open that keeps everybody else from writing.

SQLite takes one writer at a time. Code of the app's that has flushed a session, and not committed
it, holds the file's write lock; whatever licet writes then in that same thread would wait for
itself. So what runs such code (`watch`) can ask (`OwnWrites.hold`) before it writes.

Every connection of SQLAlchemy's is seen, of a session or not; one that the app opened with
`sqlite3` itself is not.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from licet.db._connecting import file_of
from licet.db.engine import Database

__all__ = ["OwnWrites", "watch"]


class OwnWrites:
    """The connections on which a thread began a transaction while it was watched."""

    def __init__(self) -> None:
        self._begun: list[weakref.ref[Connection]] = []

    def note(self, connection: Connection) -> None:
        """A transaction begins."""
        if connection.dialect.name == "sqlite":
            self._begun = [ref for ref in self._begun if _is_open(ref())]
            self._begun.append(weakref.ref(connection))

    def hold(self, database: Database) -> bool:
        """Whether one of them has uncommitted changes in the file of this database."""
        if not (self._begun and database.is_sqlite):
            return False
        file = _resolved(database.url.render_as_string(hide_password=False))
        return any(
            file is not None
            and file == _resolved(connection.engine.url.render_as_string(hide_password=False))
            and _has_changes(connection)
            for ref in self._begun
            if (connection := ref()) is not None
        )


class _Watched(threading.local):
    writes: OwnWrites | None = None


_watched = _Watched()


@contextmanager
def watch() -> Iterator[OwnWrites]:
    """Note the transactions that the calling thread begins within the block."""
    _listen()
    before, _watched.writes = _watched.writes, OwnWrites()
    try:
        yield _watched.writes
    finally:
        _watched.writes = before


@lru_cache(maxsize=1)
def _listen() -> None:
    """Once a process, and only if somebody watches."""
    sa.event.listen(Engine, "begin", _note)


def _note(connection: Connection) -> None:
    if _watched.writes is not None:
        _watched.writes.note(connection)


def _is_open(connection: Connection | None) -> bool:
    return connection is not None and not connection.closed and connection.in_transaction()


def _has_changes(connection: Connection) -> bool:
    """Whether something was written: the driver begins a transaction no earlier."""
    if not _is_open(connection):
        return False
    return bool(getattr(connection.connection.dbapi_connection, "in_transaction", False))


@lru_cache(maxsize=64)
def _resolved(url: str) -> Path | None:
    file = file_of(sa.make_url(url))
    return None if file is None else file.resolve()
