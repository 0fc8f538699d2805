"""Reads the schema of a SQLite database.

CHECK constraints stand only in the text of the CREATE TABLE, which is taken apart token by token.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy.engine import Connection

from licet.db.branches.checks.schema import (
    CHECK,
    FOREIGN_KEY,
    INDEX,
    PRIMARY_KEY,
    UNIQUE,
    Column,
    Rule,
    Table,
)
from licet.db.branches.sql_text import closing, items_of, normal, tokens, words

__all__ = ["read_sqlite"]

_TABLES: Final = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
    " ESCAPE '\\'"
)


def read_sqlite(connection: Connection) -> dict[str, Table]:
    """Every table by its name."""
    return {name: _table(connection, name, sql) for name, sql in _rows(connection, _TABLES)}


def _rows(connection: Connection, sql: str, *arguments: str) -> list[Any]:
    return list(connection.exec_driver_sql(sql, arguments))


def _table(connection: Connection, name: str, sql: str) -> Table:
    info = _rows(connection, "SELECT * FROM pragma_table_xinfo(?)", name)
    keys = [row.name for row in sorted(info, key=lambda row: row.pk) if row.pk]
    is_row_id = len(keys) == 1 and any(row.pk and row.type.upper() == "INTEGER" for row in info)
    items = items_of(sql)
    columns = {
        row.name: Column(
            type=" ".join(row.type.upper().split()),
            nullable=not row.notnull and not (row.pk and is_row_id),
            default=None if row.dflt_value is None else normal(row.dflt_value),
            extra=_extra(items, row.name),
        )
        for row in info
    }
    rules = [
        *([Rule(kind=PRIMARY_KEY, text=_listed(keys))] if keys else []),
        *_foreign_keys(connection, name),
        *_indexes(connection, name),
        *(check for item in items for check in _checks(item)),
    ]
    return Table(columns=columns, rules=tuple(rules), options=_options(sql, items))


def _options(sql: str, items: list[tuple[str, ...]]) -> tuple[str, ...]:
    """What stands behind the parentheses, and whether the table counts with AUTOINCREMENT."""
    found = tokens(sql)
    end = closing(found, found.index("(")) if "(" in found else len(found)
    behind = " ".join(found[end + 1 :]).upper().split(" , ")
    counts = any(word.upper() == "AUTOINCREMENT" for item in items for word in item)
    return tuple(sorted(filter(None, (*behind, "AUTOINCREMENT" * counts))))


def _extra(items: list[tuple[str, ...]], column: str) -> str:
    """What a column is computed from, and how its texts are compared."""
    for item in items:
        plain = words(" ".join(item))
        if not plain or plain[0] != column.lower():
            continue
        collated = f"collation {plain[plain.index('collate') + 1]}" if "collate" in plain else ""
        if "as" not in plain or plain[plain.index("as") + 1 : plain.index("as") + 2] != ("(",):
            return collated
        at = plain.index("as") + 1
        text = normal(" ".join(item[at : closing(item, at) + 1]))
        return " ".join(filter(None, (f"generated as {text}", collated)))
    return ""


def _listed(names: list[str]) -> str:
    return f"({', '.join(names)})"


def _foreign_keys(connection: Connection, table: str) -> Iterator[Rule]:
    rows = _rows(connection, "SELECT * FROM pragma_foreign_key_list(?) ORDER BY id, seq", table)
    for key in sorted({row.id for row in rows}):
        mine = [row for row in rows if row.id == key]
        columns, others = [row[3] for row in mine], [row[4] for row in mine]
        target = "" if None in others else f" {_listed(others)}"
        text = f"{_listed(columns)} to {mine[0][2]}{target}"
        for event, action in (("DELETE", mine[0].on_delete), ("UPDATE", mine[0].on_update)):
            text += "" if action in ("NO ACTION", "RESTRICT") else f" ON {event} {action}"
        yield Rule(kind=FOREIGN_KEY, text=text)


def _indexes(connection: Connection, table: str) -> Iterator[Rule]:
    made = dict(_rows(connection, "SELECT name, sql FROM sqlite_master WHERE type = 'index'"))
    for row in _rows(connection, "SELECT * FROM pragma_index_list(?)", table):
        columns = [
            part.name for part in _rows(connection, "SELECT * FROM pragma_index_info(?)", row.name)
        ]
        is_plain = not row.partial and None not in columns
        if row.origin == "u" or (row.unique and row.origin == "c" and is_plain):
            name = row.name if row.origin == "c" else None
            yield Rule(kind=UNIQUE, text=_listed(columns), name=name)
        elif row.origin == "c":
            found = words(made[row.name])
            text = " ".join(found[found.index("(") :])
            yield Rule(kind=INDEX, text=f"{'UNIQUE ' * row.unique}{text}", name=row.name)


def _checks(item: tuple[str, ...]) -> Iterator[Rule]:
    """The CHECK constraints of a column, or the one that the item is."""
    for at, word in enumerate(item):
        if word.lower() != "check" or item[at + 1 : at + 2] != ("(",):
            continue
        depth = 0
        for end in range(at + 1, len(item)):
            depth += {"(": 1, ")": -1}.get(item[end], 0)
            if depth == 0:
                break
        is_named = at > 1 and item[at - 2].lower() == "constraint"
        source = " ".join(item[at + 2 : end])
        yield Rule(
            kind=CHECK,
            text=normal(source),
            name=words(item[at - 1])[0] if is_named else None,
            source=source,
        )
