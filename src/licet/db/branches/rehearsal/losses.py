"""What a downgrade loses, and whether its script says so.

A downgrade says so at the beginning of its docstring, by the names of the tables and columns:
``Lose note.website.``, or ``Lose page, and of note: website, stars.``
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sqlalchemy.engine import Connection

from licet.db.branches.branch import Branch
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.run import move
from licet.db.branches.rehearsal.contents import Contents, contents_of

if TYPE_CHECKING:
    from alembic.script import Script

__all__ = ["declared_by", "is_declared", "losses"]


def declared_by(scripts: Iterable[Script]) -> str:
    """The first sentences of the scripts' downgrades: their docstrings up to an empty line."""
    found = []
    for script in scripts:
        downgrade = getattr(script.module, "downgrade", None)
        found.append((inspect.getdoc(downgrade) or "").partition("\n\n")[0])
    return "\n".join(found)


def is_declared(subject: str, lines: str) -> bool:
    """Whether a table, or the table and the column of ``table.column``, stands in the lines."""
    table, _, column = subject.rpartition(".")
    return _has(subject, lines) or bool(table and _has(table, lines) and _has(column, lines))


def _has(name: str, lines: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w|\.\w)", lines) is not None


def losses(branch: Branch, target: str) -> list[tuple[str, int]]:
    """Tables and columns that a downgrade drops, with how many rows or values are in them.

    The downgrade runs, and is rolled back.

    Raises:
        SchemaUnusable: it fails.
        ConfigurationError: there is no such revision.
    """
    with connected(branch, writes=False) as connection:
        before = contents_of(branch, connection)
        connection.rollback()
    after: dict[str, Contents] = {}

    def look(connection: Connection) -> None:
        after.update(contents_of(branch, connection))

    move(branch, "downgrade", target, before_commit=look, is_trial=True)
    return list(_gone(before, after))


def _gone(before: dict[str, Contents], after: dict[str, Contents]) -> Iterator[tuple[str, int]]:
    for name, contents in sorted(before.items()):
        if name not in after:
            yield name, contents.rows
            continue
        for column, values in contents.columns.items():
            if column not in after[name].columns:
                yield f"{name}.{column}", values.filled
