"""A whole database to a file, and back.

A SQLite database becomes a SQLite file, by SQLite's backup API. PostgreSQL's own pg_dump and
pg_restore do the work there, in the custom format; without them there is a sentence, and no dump.
"""

from __future__ import annotations

from pathlib import Path

from licet.db.branches.backup import _postgresql, _sqlite
from licet.db.branches.branch import Branch
from licet.errors import SchemaUnusable

__all__ = ["dump", "restore"]


def dump(branch: Branch, file: Path) -> int:
    """Write the branch's database to a file, which appears when it is whole; its size in bytes.

    Raises:
        SchemaUnusable: the file is there already, or cannot be written, or pg_dump is missing.
        StoreUnavailable: the database does not answer.
    """
    return _sqlite.dump(branch, file) if branch.is_sqlite else _postgresql.dump(branch, file)


def restore(branch: Branch, file: Path) -> None:
    """Replace what the branch's database holds by what a dump holds.

    Concurrency: takes the migration lock. Killed at any point, the database holds the one or the
    other.

    Raises:
        SchemaUnusable: the file is no whole dump of this kind of database; nothing was changed.
        StoreUnavailable: the database does not answer.
    """
    if not file.is_file():  # such as a pipe, which would be waited for
        raise SchemaUnusable(told=f"{file} is no file. Nothing was changed: give that of a dump.")
    if branch.is_sqlite:
        _sqlite.restore(branch, file)
    else:
        _postgresql.restore(branch, file)
