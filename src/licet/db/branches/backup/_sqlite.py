"""SQLite's backup API, which copies a consistent state while others write."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from licet.db.branches.backup._files import appearing
from licet.db.branches.branch import Branch
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.copy import backup, final, make_whole
from licet.db.branches.moves.lock import migration_lock
from licet.errors import SchemaUnusable

__all__ = ["dump", "restore"]

_HEAD: Final = b"SQLite format 3\x00"


def dump(branch: Branch, file: Path) -> int:
    """Copy the database to a file; its size in bytes."""
    with connected(branch, writes=False) as connection:  # tells of one that is none
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    with appearing(file) as part:
        try:
            backup(branch.file, part)
        except sqlite3.Error as error:
            raise SchemaUnusable(
                told=f"{branch.place} cannot be copied to {file}: {error}. Make room, or try again."
            ) from error
        return part.stat().st_size


def restore(branch: Branch, file: Path) -> None:
    """Copy a file over the database in one transaction."""
    _refuse_broken(file)
    with migration_lock(branch):
        make_whole(branch)  # else the next migration would put its copy over what is restored
        try:
            backup(file, branch.file, is_final=True)
        except sqlite3.Error as error:
            raise SchemaUnusable(
                told=f"{branch.place} was not restored, and is as it was: {error}. End the "
                "programs "
                "that use it, then try again."
            ) from error


def _refuse_broken(file: Path) -> None:
    with file.open("rb") as opened:
        head = opened.read(len(_HEAD))
    if head != _HEAD:
        raise SchemaUnusable(
            told=f"{file} is no dump of a SQLite database. Nothing was changed: give a file that "
            "`licet db dump` has written."
        )
    log = file.with_name(f"{file.name}-wal")
    if log.is_file() and log.stat().st_size:
        raise SchemaUnusable(
            told=f"{file} is no dump, but a database in use: {log.name} beside it holds a part. "
            "Nothing was changed: dump that database, and restore the dump."
        )
    reason = _what_is_wrong(file)
    if reason is not None:
        raise SchemaUnusable(
            told=f"{file} is not whole ({reason}): it was written to its half, or damaged. "
            "Nothing was "
            "changed: restore another dump."
        )


def _what_is_wrong(file: Path) -> str | None:
    try:
        with closing(final(file)) as read:
            (pages,) = read.execute("PRAGMA page_count").fetchone()
            (page_size,) = read.execute("PRAGMA page_size").fetchone()
            if pages * page_size != file.stat().st_size:
                return f"{file.stat().st_size} of {pages * page_size} bytes"
            (said,) = read.execute("PRAGMA integrity_check(1)").fetchone()
            return None if said == "ok" else str(said).replace("\n", " ")
    except sqlite3.Error as error:
        return str(error)
