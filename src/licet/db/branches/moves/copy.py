"""A copy of a SQLite file, made before it is migrated and put back when only half was done.

A migration is one transaction, which SQLite undoes by itself. The copy is for scripts that commit
on their own: an ``autocommit_block``, ``executescript``, a PRAGMA that ends a transaction. What
they commit may be rows alone, which neither the schema nor the revision shows: each COMMIT before
the last is noted in a file before it is carried out.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy.engine import Connection

from licet.db._connecting import BUSY_SECONDS
from licet.db.branches.branch import Branch
from licet.errors import SchemaUnusable

__all__ = ["Watch", "backup", "final", "kept_whole", "make_whole"]

log = logging.getLogger(__name__)
_COPY: Final = ".before-migration"
_END: Final = ".migration-ends-at"
_COMMITTED: Final = ".migration-committed"
_HALF: Final = ".half-migrated"
_ENDS_TRANSACTION: Final = ("COMMIT", "END")
_BUSY: Final = (5, 6)  # SQLITE_BUSY and SQLITE_LOCKED
State = tuple[frozenset[str], frozenset[str]]  # the schema, and at what revisions it says to be


class Watch:
    """What notes beside a SQLite file how far its migration is; nothing where there is no copy."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._is_at_end = False

    def follow(self, connection: Connection) -> None:
        """Note each COMMIT of this connection, until the end is announced."""
        if self._file is not None:
            driver: Any = connection.connection.driver_connection
            driver.set_trace_callback(self._traced)

    def announce_end(self, revisions: Iterable[str]) -> None:
        """Just before the last COMMIT: the revisions that the database is at after it."""
        if self._file is not None:
            _beside(self._file, _END).write_text("\n".join(sorted(revisions)), "utf-8")
            self._is_at_end = True

    def _traced(self, statement: str) -> None:
        if self._file is None or self._is_at_end:
            return
        first, *_others = statement.split(None, 1) or [""]
        if first.rstrip(";").upper() in _ENDS_TRANSACTION:
            _beside(self._file, _COMMITTED).touch()


@contextmanager
def kept_whole(branch: Branch, *, is_needed: bool = True) -> Iterator[Watch]:
    """Leave a SQLite file as it was if the block fails, or had half done it and was killed.

    The block has what it gets follow its connection, and announces the end.
    The caller holds the migration lock.

    Raises:
        SchemaUnusable: there is no room for the copy, or it cannot be made or put back.
    """
    file = branch.real_file
    if not branch.is_sqlite or not is_needed or not file.is_file() or file.stat().st_size == 0:
        yield Watch(None)
        return
    make_whole(branch)
    _make(branch, _beside(file, _COPY))
    try:
        yield Watch(file)
    finally:
        make_whole(branch)


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _make(branch: Branch, copy: Path) -> None:
    part = copy.with_name(copy.name + ".part")
    try:
        _make_private(part)
        backup(branch.file, part)
        part.rename(copy)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        if isinstance(error, sqlite3.DatabaseError) and "not a database" in str(error):
            return  # which the migration tells
        raise SchemaUnusable(
            told=f"{branch.place} cannot be copied to {copy} before it is migrated ({error}): "
            "make room "
            "in that folder, or make it writable. Nothing was changed."
        ) from error


def _make_private(file: Path) -> None:
    """An empty file that its owner alone can read, as the database it is a copy of may be."""
    file.unlink(missing_ok=True)
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def make_whole(branch: Branch) -> None:
    """Put the copy back if the file is neither as it was before nor as it is at the end.

    The caller holds the migration lock.

    Raises:
        SchemaUnusable: it cannot be put back.
    """
    copy, end = _beside(branch.real_file, _COPY), _beside(branch.real_file, _END)
    committed = _beside(branch.real_file, _COMMITTED)
    if copy.is_file():
        try:
            _put_back(branch, copy, end, committed)
        except (OSError, sqlite3.Error) as error:
            raise SchemaUnusable(
                told=f"{branch.place} is half migrated, and cannot be put back yet ({error}): end "
                f"the programs that use it, then try again. {copy} holds what was before."
            ) from error
        copy.unlink()  # first: without it, the other two mean nothing
    end.unlink(missing_ok=True)
    committed.unlink(missing_ok=True)


def _put_back(branch: Branch, copy: Path, end: Path, committed: Path) -> None:
    before, now = _state(copy, branch), _state(branch.file, branch)
    is_touched = now != before or committed.is_file()
    if before is None or not is_touched or _is_at_end(now, end):
        return
    half = _beside(branch.real_file, _HALF)
    _make_private(half)
    backup(branch.file, half)
    backup(copy, branch.file)
    log.warning(
        "A migration of %s was ended with half of it done. The file is again as it was before; "
        "%s holds what was found.",
        branch.place,
        half,
    )


def _is_at_end(now: State | None, end: Path) -> bool:
    return now is not None and end.is_file() and set(now[1]) == set(end.read_text("utf-8").split())


def _state(file: Path, branch: Branch) -> State | None:
    """None where the file has no schema."""
    with closing(_open(file)) as connection:
        try:
            schema = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            texts = frozenset(text for (text,) in schema)
            if not any(branch.version_table in text for text in texts):
                return texts, frozenset()
            rows = connection.execute(f'SELECT version_num FROM "{branch.version_table}"')  # noqa: S608 - a constant
            return texts, frozenset(str(row[0]) for row in rows)
        except sqlite3.DatabaseError:
            return None


def backup(source: Path, target: Path, *, is_final: bool = False) -> None:
    """Copy a SQLite database, consistent though others write to it; `target` is replaced.

    Args:
        source: a database's file.
        target: another one's, which may be in use.
        is_final: nobody writes to `source`, such as a dump; what stands beside it is left aside.

    Raises:
        sqlite3.Error: either is no database, or has been locked for ten seconds.
        OSError: there is no room.
    """
    give_up_at = time.monotonic() + BUSY_SECONDS

    def look(status: int, _remaining: int, _total: int) -> None:
        # Without this, Python tries for ever.
        if status in _BUSY and time.monotonic() >= give_up_at:
            raise sqlite3.OperationalError("database is locked")

    opened = final(source) if is_final else _open(source)
    with closing(opened) as read, closing(_open(target)) as written:
        read.backup(written, progress=look)


def final(file: Path) -> sqlite3.Connection:
    """A connection to a file that nobody writes to, as it is, which makes none beside it."""
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1", uri=True)


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=BUSY_SECONDS)
