"""The models against the schema of the database: the second of the three comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from licet.db.branches.branch import Branch
from licet.db.branches.checks._compare import (
    Difference,
    columns_that_differ,
    options_that_differ,
    rules_that_differ,
)
from licet.db.branches.checks._expected import made_in_memory, made_temporarily
from licet.db.branches.checks._postgresql import read_postgresql
from licet.db.branches.checks._sqlite import read_sqlite
from licet.db.branches.checks._values import value_differences
from licet.db.branches.checks.schema import Table
from licet.errors import ConfigurationError

__all__ = [
    "default_schema",
    "expected_schema",
    "key_of",
    "schema_of",
    "schemas_of",
    "shape_differences",
    "table_differences",
]


def shape_differences(branch: Branch, connection: Connection) -> list[Difference]:
    """What differs, by table: tables, columns, constraints, indexes, enum values, defaults."""
    models, database = expected_schema(branch, connection), schema_of(branch, connection)
    return [
        *table_differences(models, database, _names(branch.tables)),
        *value_differences(branch.tables, database, connection),
    ]


def schema_of(branch: Branch, connection: Connection) -> dict[str, Table]:
    """The branch's tables as the database has them."""
    if branch.is_sqlite:
        found = read_sqlite(connection)
    else:
        default, schemas = schemas_of(branch, connection)
        found = {
            name if schema == default else f"{schema}.{name}": table
            for (schema, name), table in read_postgresql(connection, schemas).items()
        }
    return {name: table for name, table in found.items() if branch.owns(name)}


def default_schema(branch: Branch, connection: Connection) -> str | None:
    """The schema in which names without one are; None on SQLite, which has no others.

    Raises:
        ConfigurationError: none of those that are to be searched is there.
    """
    if branch.is_sqlite:
        return None
    found: str | None = connection.scalar(sa.select(sa.func.current_schema()))
    if found is None:
        path = connection.scalar(sa.text("SELECT current_setting('search_path')"))
        raise ConfigurationError(
            f"{branch.place} has none of the schemas of the search_path, which is {path}: CREATE "
            "SCHEMA, or set another search_path."
        )
    return found


def schemas_of(branch: Branch, connection: Connection) -> tuple[str, list[str]]:
    """PostgreSQL's default schema, and all that the branch has tables in."""
    default = str(default_schema(branch, connection))
    others = {table.schema for table in branch.tables if table.schema}
    return default, [default, *sorted(others - {default})]


def expected_schema(branch: Branch, connection: Connection) -> dict[str, Table]:
    """The branch's tables as the database would have them if it were made from the models."""
    metadata = branch.metadata
    if branch.is_sqlite:
        with made_in_memory(metadata) as other:
            found = read_sqlite(other)
        return {table.name: found[table.name] for table in branch.tables}
    default, _all = schemas_of(branch, connection)
    with made_temporarily(connection, metadata) as schema:
        made = read_postgresql(connection, [schema])
    return {key_of(table, default): made[schema, table.name] for table in branch.tables}


def key_of(table: sa.Table, default: str | None) -> str:
    """By which name a table of the models stands in what is compared.

    `default` is the `default_schema`.
    """
    return table.name if default is None or table.schema in (None, default) else table.fullname


def _names(tables: Iterable[sa.Table]) -> frozenset[str]:
    """The names of constraints and indexes that the models give."""
    rules: list[Any] = [rule for table in tables for rule in (*table.constraints, *table.indexes)]
    return frozenset(str(rule.name) for rule in rules if rule.name)


def table_differences(
    models: Mapping[str, Table], database: Mapping[str, Table], named: frozenset[str] = frozenset()
) -> Iterator[Difference]:
    """What differs between two schemas; names of `named` differ even where nothing else does."""
    for name in sorted(models.keys() | database.keys()):
        if name not in database:
            text = f"{name} is missing: the models have the table, the database has not."
            yield Difference(kind="missing_table", subject=name, text=text)
        elif name not in models:
            text = f"{name} is left over: the database has the table, no model has."
            yield Difference(kind="leftover_table", subject=name, text=text)
        else:
            yield from options_that_differ(name, models[name], database[name])
            yield from columns_that_differ(name, models[name], database[name])
            yield from rules_that_differ(name, models[name], database[name], named)
