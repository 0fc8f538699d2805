"""What hangs on a SQLite table that a batch operation makes anew.

SQLite alters little of a table. Alembic's batch operation makes another one, copies the rows, drops
the old one and gives its name to the new one. Dropped with it are the table's triggers, indexes
that SQLAlchemy does not reflect as they are (on expressions, or descending), and the number that
AUTOINCREMENT counts from; and a view of the table has SQLite refuse the new name. This module puts
them back, unless a script does so itself, or drops them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from licet.db.branches.sql_text import words
from licet.errors import SchemaUnusable

__all__ = ["put_back", "refuse_misfits", "watch"]

_KEPT: Final = "licet.made_anew"
_NAME: Final = r"""(?:"((?:[^"]|"")+)"|(\w+))"""
_DROPPED: Final = re.compile(rf"\s*DROP TABLE {_NAME}\s*$", re.IGNORECASE)
_NAMED: Final = re.compile(
    rf"""\s*ALTER TABLE "?_alembic_tmp_.* RENAME TO {_NAME}\s*$""", re.IGNORECASE | re.DOTALL
)
_UNWANTED: Final = re.compile(rf"\s*DROP (?:TRIGGER|INDEX) (?:IF EXISTS )?{_NAME}", re.IGNORECASE)
_HANGING: Final = (
    "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
    " AND type IN ('trigger', 'index') ORDER BY type, name"
)
_WITH_TRIGGERS: Final = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN"
    " (SELECT tbl_name FROM sqlite_master WHERE type = 'trigger')"
)
_COUNTED: Final = "SELECT seq FROM sqlite_sequence WHERE name = ?"


@dataclass(kw_only=True)
class _Kept:
    """By the name of a table: what hung on it as it was dropped, and how far it had counted."""

    hanging: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    is_new: set[str] = field(default_factory=set)


def watch(connection: Connection) -> None:
    """Keep from now on what hangs on the tables that are made anew; of SQLite's only."""
    if connection.dialect.name != "sqlite" or _KEPT in connection.info:
        return
    connection.info[_KEPT] = kept = _Kept()

    def before(_on: object, _cursor: object, statement: str, *_others: object) -> None:
        if found := _DROPPED.match(statement):
            kept.is_new.discard(_plain(found))
            _keep(connection, kept, _plain(found))
        elif _NAMED.match(statement):
            _run(connection, "PRAGMA legacy_alter_table = ON")  # else it asks the views
        elif found := _UNWANTED.match(statement):
            _forget(kept, _plain(found))

    def after(_on: object, _cursor: object, statement: str, *_others: object) -> None:
        if found := _NAMED.match(statement):
            _run(connection, "PRAGMA legacy_alter_table = OFF")
            kept.is_new.add(_plain(found))
            _count_on(connection, kept, _plain(found))

    sa.event.listen(connection, "before_cursor_execute", before)
    sa.event.listen(connection, "after_cursor_execute", after)


def put_back(connection: Connection) -> None:
    """Make again what is gone, at the end of each script.

    Raises:
        SchemaUnusable: a trigger or an index is about what is no longer there.
    """
    kept: _Kept | None = connection.info.get(_KEPT)
    for table in sorted(kept.is_new if kept else ()):
        for kind, name, sql in kept.hanging.pop(table, ()) if kept else ():
            try:
                _make(connection, kind, name, sql)
            except DBAPIError as error:
                raise _lost(f"the {kind} {name} of {table}", error) from error


def refuse_misfits(connection: Connection) -> None:
    """Refuse views and triggers that do not fit tables made anew, at the end of all scripts.

    Raises:
        SchemaUnusable: there is one; the text names it.
    """
    kept: _Kept | None = connection.info.get(_KEPT)
    if kept is not None and kept.is_new:
        kept.is_new.clear()
        _compile_all(connection)


def _lost(what: str, error: DBAPIError) -> SchemaUnusable:
    reason = str(error.orig).partition("\n")[0]
    return SchemaUnusable(
        told=f"After the migration, {what} does not fit the tables any more ({reason}). Nothing "
        "was changed: have the migration drop it, or make another."
    )


def _plain(found: re.Match[str]) -> str:
    quoted, bare = found.groups()
    return str(bare or quoted.replace('""', '"'))


def _run(connection: Connection, sql: str, *arguments: Any) -> list[Any]:
    """Past SQLAlchemy, whose events this is called by."""
    driver: Any = connection.connection.driver_connection
    return list(driver.execute(sql, arguments).fetchall())


def _keep(connection: Connection, kept: _Kept, table: str) -> None:
    kept.hanging[table] = [tuple(row) for row in _run(connection, _HANGING, table)]
    with suppress(Exception):  # where no table counts, there is no such table
        for (number,) in _run(connection, _COUNTED, table):
            kept.counted[table] = int(number)


def _forget(kept: _Kept, name: str) -> None:
    for table, hanging in kept.hanging.items():
        kept.hanging[table] = [one for one in hanging if one[1] != name]


def _count_on(connection: Connection, kept: _Kept, table: str) -> None:
    """Let AUTOINCREMENT give no number again that a deleted row had."""
    number = kept.counted.pop(table, None)
    text = _run(connection, "SELECT sql FROM sqlite_master WHERE name = ?", table)
    if number is None or not text or "autoincrement" not in words(text[0][0]):
        return
    if _run(connection, _COUNTED, table):
        sql = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1"
    else:
        sql = "INSERT INTO sqlite_sequence VALUES (?1, ?2)"
    _run(connection, sql, table, number)


def _make(connection: Connection, kind: str, name: str, sql: str) -> None:
    there = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE type = ? AND name = ?", (kind, name)
    ).scalar()
    if there is None and (kind == "trigger" or _is_unreflected(sql)):
        connection.exec_driver_sql(sql)
    elif there is not None and kind == "index" and _is_turned(sql, there):
        connection.exec_driver_sql(f"DROP INDEX {_quoted(name)}")
        connection.exec_driver_sql(sql)


def _is_unreflected(index: str) -> bool:
    """Whether an index has an expression: SQLAlchemy passes it over."""
    found = words(index)
    start = found.index("(")
    return "(" in found[start + 1 :] or not {"*", "+", "-", "/", "|", "||"}.isdisjoint(found)


def _is_turned(before: str, now: str) -> bool:
    """Whether an index has lost its DESC, and nothing else."""
    was = words(before)
    return "desc" in was and tuple(one for one in was if one != "desc") == words(now)


def _compile_all(connection: Connection) -> None:
    """Have SQLite compile views and triggers, which it does not as they are made."""
    for (view,) in _run(connection, "SELECT name FROM sqlite_master WHERE type = 'view'"):
        _compile(connection, f"the view {view}", f"SELECT * FROM {_quoted(view)}")  # noqa: S608 - names of the schema
    for (table,) in _run(connection, _WITH_TRIGGERS):
        rows = _run(connection, "SELECT name FROM pragma_table_info(?)", table)
        sets = ", ".join(f"{name} = {name}" for name in (_quoted(row[0]) for row in rows))
        what, quoted = f"a trigger of {table}", _quoted(table)
        _compile(connection, what, f"INSERT INTO {quoted} DEFAULT VALUES")
        _compile(connection, what, f"UPDATE {quoted} SET {sets}")  # noqa: S608 - as above
        _compile(connection, what, f"DELETE FROM {quoted}")  # noqa: S608 - as above


def _compile(connection: Connection, what: str, sql: str) -> None:
    try:
        connection.exec_driver_sql(f"EXPLAIN {sql}").close()
    except DBAPIError as error:
        raise _lost(what, error) from error


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
