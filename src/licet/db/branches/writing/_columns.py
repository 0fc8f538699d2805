"""Server defaults and indexes that Alembic's autogenerate passes over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from licet.db.branches.branch import Branch
from licet.db.branches.checks.schema import Table
from licet.db.branches.checks.shape import key_of

__all__ = ["add_defaults", "add_indexes"]


def add_defaults(
    branch: Branch,
    default_schema: str | None,
    models: Mapping[str, Table],
    database: Mapping[str, Table],
    up: list[Any],
    down: list[Any],
) -> None:
    """Changed server defaults; those that count up or are computed are left to be resolved."""
    for table in branch.tables:
        key = key_of(table, default_schema)
        for column in table.columns:
            new = models[key].columns[column.name]
            old = database[key].columns.get(column.name) if key in database else None
            if old is None or old.default == new.default or old.extra or new.extra:
                continue
            if "nextval(" in f"{old.default} {new.default}":
                continue
            before = _clause(branch, old.default)
            up.append(_altered(table, column, column.server_default))
            down.insert(0, _altered(table, column, before))


def _clause(branch: Branch, default: str | None) -> sa.DefaultClause | None:
    """The default that a column has, as a script may give it back."""
    if default is None:
        return None
    return sa.DefaultClause(sa.text(f"({default})" if branch.is_sqlite else default))


def _altered(table: sa.Table, column: sa.Column[Any], default: Any) -> ops.ModifyTableOps:
    altered = ops.AlterColumnOp(
        table.name,
        column.name,
        schema=table.schema,
        existing_type=column.type,
        existing_nullable=column.nullable,
        modify_server_default=default,
    )
    return ops.ModifyTableOps(table.name, [altered], schema=table.schema)


def add_indexes(
    tables: Iterable[sa.Table],
    models: Mapping[str, Table],
    database: Mapping[str, Table],
    up: list[Any],
    down: list[Any],
) -> None:
    """Indexes on expressions, which Alembic passes over on SQLite."""
    for table in tables:
        there = database.get(table.name)
        known = {rule.name for rule in there.rules} if there is not None else set()
        for index in table.indexes:
            if index.name in known or not any(
                not isinstance(part, sa.Column) for part in index.expressions
            ):
                continue
            if table.name in models and not _is_made(up, str(index.name)):
                up.append(ops.CreateIndexOp.from_index(index))
                down.insert(0, ops.DropIndexOp.from_index(index))


def _is_made(operations: Iterable[Any], name: str) -> bool:
    """Whether an index is among the operations, or within one of them."""
    return any(
        _is_made(one.ops, name)
        if isinstance(one, ops.ModifyTableOps)
        else isinstance(one, ops.CreateIndexOp) and one.index_name == name
        for one in operations
    )
