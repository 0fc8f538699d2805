"""A copy of a SQLite file, made before it is migrated and put back when only half was done.

A migration is one transaction, which SQLite undoes by itself. The copy is for scripts that commit
on their own: an ``autocommit_block``, ``executescript``, a PRAGMA that ends a transaction.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from licet.db._connecting import BUSY_SECONDS
from licet.db.branches.branch import Branch
from licet.errors import SchemaUnusable

__all__ = ["backup", "kept_whole"]

log = logging.getLogger(__name__)
_COPY: Final = ".before-migration"
_END: Final = ".migration-ends-at"
_HALF: Final = ".half-migrated"
State = tuple[frozenset[str], frozenset[str]]  # the schema, and at what revisions it says to be


@contextmanager
def kept_whole(
    branch: Branch, *, is_needed: bool = True
) -> Iterator[Callable[[Iterable[str]], None]]:
    """Leave a SQLite file as it was if the block fails, or had half done it and was killed.

    The block calls what it gets just before it commits, with the revisions that it commits.
    The caller holds the migration lock.

    Raises:
        SchemaUnusable: there is no room for the copy, or it cannot be made.
    """
    file = branch.file
    if not branch.is_sqlite or not is_needed or not file.is_file() or file.stat().st_size == 0:
        yield lambda _revisions: None
        return
    copy, end = file.with_name(file.name + _COPY), file.with_name(file.name + _END)
    _mend(branch, copy, end)
    _make(branch, copy)
    try:
        yield lambda revisions: _note(end, revisions)
    finally:
        _mend(branch, copy, end)


def _note(end: Path, revisions: Iterable[str]) -> None:
    end.write_text("\n".join(sorted(revisions)), "utf-8")


def _make(branch: Branch, copy: Path) -> None:
    part = copy.with_name(copy.name + ".part")
    part.unlink(missing_ok=True)
    try:
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


def _mend(branch: Branch, copy: Path, end: Path) -> None:
    """Put the copy back if the file is neither as it was before nor as it is at the end."""
    if not copy.is_file():
        end.unlink(missing_ok=True)
        return
    before, now = _state(copy, branch), _state(branch.file, branch)
    if before is not None and now != before and not _is_at_end(now, end):
        half = branch.file.with_name(branch.file.name + _HALF)
        half.unlink(missing_ok=True)
        backup(branch.file, half)
        backup(copy, branch.file)
        log.warning(
            "A migration of %s was ended with half of it done. The file is again as it was before; "
            "%s holds what was found.",
            branch.place,
            half,
        )
    copy.unlink()  # first: without it, the note of the end means nothing
    end.unlink(missing_ok=True)


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


def backup(source: Path, target: Path) -> None:
    """Copy a SQLite database, consistent though others write to it; `target` is replaced.

    Raises:
        sqlite3.Error: either is no database, or is locked.
        OSError: there is no room.
    """
    with closing(_open(source)) as read, closing(_open(target)) as written:
        read.backup(written)


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=BUSY_SECONDS)
