"""The models against the schema of the database: the second of the three comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from licet.db.branches.branch import Branch
from licet.db.branches.checks._compare import Difference, columns_that_differ, rules_that_differ
from licet.db.branches.checks._expected import made_in_memory, made_temporarily
from licet.db.branches.checks._postgresql import read_postgresql
from licet.db.branches.checks._sqlite import read_sqlite
from licet.db.branches.checks._values import value_differences
from licet.db.branches.checks.schema import Table

__all__ = ["expected_schema", "schema_of", "shape_differences", "table_differences"]


def shape_differences(branch: Branch, connection: Connection) -> list[Difference]:
    """What differs, by table: tables, columns, constraints, indexes, enum values, defaults."""
    models, database = expected_schema(branch, connection), schema_of(branch, connection)
    return [
        *table_differences(models, database, _names(branch.metadata)),
        *value_differences(branch.metadata, database, connection),
    ]


def schema_of(branch: Branch, connection: Connection) -> dict[str, Table]:
    """The branch's tables as the database has them."""
    if branch.is_sqlite:
        found = read_sqlite(connection)
    else:
        default, schemas = _schemas(branch, connection)
        found = {
            name if schema == default else f"{schema}.{name}": table
            for (schema, name), table in read_postgresql(connection, schemas).items()
        }
    return {name: table for name, table in found.items() if branch.owns(name)}


def _schemas(branch: Branch, connection: Connection) -> tuple[str, list[str]]:
    default = str(connection.scalar(sa.select(sa.func.current_schema())))
    others = {table.schema for table in branch.metadata.tables.values() if table.schema}
    return default, [default, *sorted(others - {default})]


def expected_schema(branch: Branch, connection: Connection) -> dict[str, Table]:
    """The branch's tables as the database would have them if it were made from the models."""
    metadata = branch.metadata
    if branch.is_sqlite:
        with made_in_memory(metadata) as other:
            found = read_sqlite(other)
        return {table.name: found[table.name] for table in metadata.tables.values()}
    default, _all = _schemas(branch, connection)
    with made_temporarily(connection, metadata) as schema:
        made = read_postgresql(connection, [schema])
    return {
        table.name if table.schema in (None, default) else f"{table.schema}.{table.name}": made[
            schema, table.name
        ]
        for table in metadata.tables.values()
    }


def _names(metadata: sa.MetaData) -> frozenset[str]:
    """The names of constraints and indexes that the models give."""
    rules: list[Any] = [
        rule for table in metadata.tables.values() for rule in (*table.constraints, *table.indexes)
    ]
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
            yield from columns_that_differ(name, models[name], database[name])
            yield from rules_that_differ(name, models[name], database[name], named)
