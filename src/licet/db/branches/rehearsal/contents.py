"""What a branch's tables hold, as counts and sums by which two moments are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from licet.db.branches.branch import Branch
from licet.db.branches.checks.shape import schema_of

__all__ = ["Contents", "contents_of", "differences"]


@dataclass(frozen=True, kw_only=True)
class _Column:
    filled: int  # values that are not NULL
    digest: int  # a sum over the values, in whatever order


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Of one table: its rows, and each column's values."""

    rows: int
    columns: Mapping[str, _Column]


def contents_of(branch: Branch, connection: Connection) -> dict[str, Contents]:
    """Of every table of the branch; one pass over each."""
    if branch.is_sqlite:
        driver: Any = connection.connection.driver_connection
        driver.create_function("licet_digest", 1, _digest, deterministic=True)
    return {
        name: _contents(connection, name, list(table.columns))
        for name, table in schema_of(branch, connection).items()
    }


def _digest(value: object) -> int:
    found = hashlib.blake2b(repr(value).encode(), digest_size=4).digest()
    return 0 if value is None else int.from_bytes(found)


def _contents(connection: Connection, name: str, columns: list[str]) -> Contents:
    schema, _, bare = name.rpartition(".")
    table = sa.table(bare, *map(sa.column, columns), schema=schema or None)
    asked: list[Any] = [sa.func.count()]
    for column in table.c:
        asked += [
            sa.func.count(column),
            sa.func.coalesce(sa.func.sum(_digested(connection, column)), 0),
        ]
    row = connection.execute(sa.select(*asked).select_from(table)).one()
    found = {
        column: _Column(filled=int(row[1 + 2 * at]), digest=int(row[2 + 2 * at]))
        for at, column in enumerate(columns)
    }
    return Contents(rows=int(row[0]), columns=found)


def _digested(connection: Connection, column: Any) -> Any:
    if connection.dialect.name == "sqlite":
        return sa.func.licet_digest(column)
    return sa.cast(sa.func.hashtext(sa.cast(column, sa.Text)), sa.BigInteger)


def differences(
    before: Mapping[str, Contents], after: Mapping[str, Contents]
) -> Iterator[tuple[str, str]]:
    """What `before` holds and `after` does not: table or table.column, and what became of it."""
    for name, contents in before.items():
        if name not in after:
            yield name, f"the table, with {contents.rows} rows, is gone"
        elif after[name].rows != contents.rows:
            yield name, f"{contents.rows} rows became {after[name].rows}"
        else:
            yield from _columns(name, contents, after[name])


def _columns(name: str, before: Contents, after: Contents) -> Iterator[tuple[str, str]]:
    for column, values in before.columns.items():
        found = after.columns.get(column)
        if found is None:
            yield f"{name}.{column}", f"the column, with {values.filled} values, is gone"
        elif found.filled != values.filled:
            yield f"{name}.{column}", f"{values.filled} values became {found.filled}"
        elif found.digest != values.digest:
            yield f"{name}.{column}", "its values are not the same"
