"""Enum types of PostgreSQL in a revision: made, extended, made anew and dropped.

Alembic makes a type with the table that uses it, whether or not it is there already, never with a
column, and never changes or drops one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from licet.db.branches.checks.schema import Table
from licet.db.branches.checks.shape import key_of

__all__ = ["Change", "changes", "make_lines", "named_enums", "recreate_lines", "render_enum"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """An enum type whose values differ, and the columns of the database that use it."""

    name: str
    schema: str | None
    models: tuple[str, ...]
    database: tuple[str, ...]
    columns: tuple[tuple[str, str, str | None], ...]  # table, column, server default


def named_enums(
    tables: Iterable[sa.Table], default_schema: str | None
) -> dict[str, tuple[sa.Enum, list[tuple[str, str]]]]:
    """The native enum types of the models by name, and the columns that use each."""
    found: dict[str, tuple[sa.Enum, list[tuple[str, str]]]] = {}
    for table in tables:
        for column in table.columns:
            kind = getattr(column.type, "item_type", column.type)
            if isinstance(kind, sa.Enum) and kind.native_enum and kind.name:
                found.setdefault(kind.name, (kind, []))[1].append(
                    (key_of(table, default_schema), column.name)
                )
    return found


def changes(
    tables: Iterable[sa.Table], default_schema: str | None, database: Mapping[str, Table]
) -> Iterator[Change]:
    """The types that are in the database with other values."""
    for name, (kind, used) in named_enums(tables, default_schema).items():
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
                name=name,
                schema=kind.schema,
                models=tuple(kind.enums),
                database=there.values,
                columns=columns,
            )
            break


def make_lines(kind: sa.Enum, command: str) -> list[str]:
    """`command` is ``create`` or ``drop``; neither does anything on SQLite."""
    where = f", schema={kind.schema!r}" if kind.schema else ""
    made = f"sa.Enum({', '.join(map(repr, kind.enums))}, name={kind.name!r}{where})"
    return [f"{made}.{command}(op.get_bind(), checkfirst=True)"]


def render_enum(kind: sa.Enum) -> str:
    """A column's type that does not make the enum type by itself."""
    values = ", ".join(map(repr, kind.enums))
    how = "" if not kind.create_constraint else ", create_constraint=True"
    where = f", schema={kind.schema!r}" if kind.schema else ""
    return (
        f"sa.Enum({values}, name={kind.name!r}{where}{how}).with_variant("
        f"postgresql.ENUM({values}, name={kind.name!r}{where}, create_type=False), 'postgresql')"
    )


def recreate_lines(
    change: Change, values: tuple[str, ...], *, before: tuple[str, ...]
) -> list[str]:
    """Lines that give the type these values; where values only come, the short way."""
    lines = ["if op.get_bind().dialect.name == 'postgresql':"]
    kind = _qualified(change.name if change.schema is None else f"{change.schema}.{change.name}")
    if set(before) < set(values):
        for at, value in enumerate(values):
            if value not in before:
                place = _place(values, at, before)
                lines.append(_executed(f"ALTER TYPE {kind} ADD VALUE {_literal(value)} {place}"))
        return [*lines, ""]
    old = f"{change.name}_old"
    listed = ", ".join(map(_literal, values))
    lines.append(_executed(f"ALTER TYPE {kind} RENAME TO {_q(old)}"))
    lines.append(_executed(f"CREATE TYPE {kind} AS ENUM ({listed})"))
    for table, column, default in change.columns:
        altered = f"ALTER TABLE {_qualified(table)} ALTER COLUMN {_q(column)}"
        if default is not None:
            lines.append(_executed(f"{altered} DROP DEFAULT"))
        lines.append(_executed(f"{altered} TYPE {kind} USING {_q(column)}::text::{kind}"))
        if default is not None:
            lines.append(_executed(f"{altered} SET DEFAULT {default}"))
    gone = old if change.schema is None else f"{change.schema}.{old}"
    lines.append(_executed(f"DROP TYPE {_qualified(gone)}"))
    return [*lines, ""]


def _place(values: tuple[str, ...], at: int, before: tuple[str, ...]) -> str:
    """Where a value goes, so that the type sorts as one that is made from the models."""
    if at:
        return f"AFTER {_literal(values[at - 1])}"
    return f"BEFORE {_literal(before[0])}"


def _executed(sql: str) -> str:
    """Not as `sa.text`, in which a colon begins a parameter."""
    return f"op.get_bind().exec_driver_sql({sql.replace('%', '%%')!r})"


def _qualified(name: str) -> str:
    schema, dot, bare = name.rpartition(".")
    return f"{_q(schema)}.{_q(bare)}" if dot else _q(name)


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
