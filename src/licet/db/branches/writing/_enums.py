"""Enum types of PostgreSQL in a revision: made, extended, made anew and dropped.

Alembic makes a type with the table that uses it, whether or not it is there already, never with a
column, and never changes or drops one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from licet.db.branches.checks.schema import Table

__all__ = ["Change", "changes", "make_lines", "named_enums", "recreate_lines", "render_enum"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """An enum type whose values differ, and the columns of the database that use it."""

    name: str
    models: tuple[str, ...]
    database: tuple[str, ...]
    columns: tuple[tuple[str, str, str | None], ...]  # table, column, server default


def named_enums(metadata: sa.MetaData) -> dict[str, tuple[sa.Enum, list[tuple[str, str]]]]:
    """The native enum types of the models by name, and the columns that use each."""
    found: dict[str, tuple[sa.Enum, list[tuple[str, str]]]] = {}
    for table in metadata.tables.values():
        for column in table.columns:
            kind = getattr(column.type, "item_type", column.type)
            if isinstance(kind, sa.Enum) and kind.native_enum and kind.name:
                found.setdefault(kind.name, (kind, []))[1].append((table.name, column.name))
    return found


def changes(metadata: sa.MetaData, database: Mapping[str, Table]) -> Iterator[Change]:
    """The types that are in the database with other values."""
    for name, (kind, used) in named_enums(metadata).items():
        for table, column in used:
            there = database[table].columns.get(column) if table in database else None
            if there is None or not there.values or set(there.values) == set(kind.enums):
                continue
            columns = tuple(
                (other, each, shape.default)
                for other, found in database.items()
                for each, shape in found.columns.items()
                if shape.type.removesuffix("[]").strip('"') == name
            )
            yield Change(
                name=name, models=tuple(kind.enums), database=there.values, columns=columns
            )
            break


def make_lines(kind: sa.Enum, command: str) -> list[str]:
    """`command` is ``create`` or ``drop``; neither does anything on SQLite."""
    made = f"sa.Enum({', '.join(map(repr, kind.enums))}, name={kind.name!r})"
    return [f"{made}.{command}(op.get_bind(), checkfirst=True)"]


def render_enum(kind: sa.Enum) -> str:
    """A column's type that does not make the enum type by itself."""
    values = ", ".join(map(repr, kind.enums))
    how = "" if not kind.create_constraint else ", create_constraint=True"
    return (
        f"sa.Enum({values}, name={kind.name!r}{how}).with_variant("
        f"postgresql.ENUM({values}, name={kind.name!r}, create_type=False), 'postgresql')"
    )


def recreate_lines(
    change: Change, values: tuple[str, ...], *, before: tuple[str, ...]
) -> list[str]:
    """Lines that give the type these values; where values only come, the short way."""
    lines = ["if op.get_bind().dialect.name == 'postgresql':"]
    if set(before) < set(values):
        added = [value for value in values if value not in before]
        kind = _q(change.name)
        lines += [_executed(f"ALTER TYPE {kind} ADD VALUE {_literal(one)}") for one in added]
        return [*lines, ""]
    old = f"{change.name}_old"
    listed = ", ".join(map(_literal, values))
    lines.append(_executed(f"ALTER TYPE {_q(change.name)} RENAME TO {_q(old)}"))
    lines.append(_executed(f"CREATE TYPE {_q(change.name)} AS ENUM ({listed})"))
    for table, column, default in change.columns:
        altered = f"ALTER TABLE {_q(table)} ALTER COLUMN {_q(column)}"
        kind = _q(change.name)
        if default is not None:
            lines.append(_executed(f"{altered} DROP DEFAULT"))
        lines.append(_executed(f"{altered} TYPE {kind} USING {_q(column)}::text::{kind}"))
        if default is not None:
            lines.append(_executed(f"{altered} SET DEFAULT {default}"))
    lines.append(_executed(f"DROP TYPE {_q(old)}"))
    return [*lines, ""]


def _executed(sql: str) -> str:
    """Not as `sa.text`, in which a colon begins a parameter."""
    return f"op.get_bind().exec_driver_sql({sql.replace('%', '%%')!r})"


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
