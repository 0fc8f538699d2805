"""The rows as they were before the transaction changed them, for questions that are asked later.

What a request changed stays in the database, so that a later question would find it. A statement
about what was reads each changed table under a common table expression of the table's own name: the
rows that nothing touched, and the touched ones as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from licet.authz.writes._guard import kept_columns

__all__ = ["BATCH", "Before", "batches", "equals_one_of"]

BATCH: Final = 400
_TERMS: Final = 200  # SQLite has at most 500 SELECTs in a UNION
Key = tuple[Any, ...]


class Before:
    """The former content of what was touched in the noted tables."""

    def __init__(self) -> None:
        self._keys: dict[Any, dict[tuple[Any, ...], dict[Key, None]]] = {}
        self._rows: dict[Any, dict[Any, Key]] = {}

    def add(
        self, table: Any, columns: tuple[Any, ...], keys: Iterable[Key], rows: Iterable[Key]
    ) -> None:
        """Keep the rows that the table has with these keys before they change."""
        by_columns = self._keys.setdefault(table, {})
        by_columns.setdefault(columns, {}).update(dict.fromkeys(keys))
        self._rows.setdefault(table, {}).update((_distinct(row), tuple(row)) for row in rows)

    def has_any_of(self, tables: Iterable[Any]) -> bool:
        """Whether something was touched in one of the tables."""
        return any(table in self._keys and table.schema is None for table in tables)

    def of(self, statement: Any, tables: Iterable[Any], dialect: Any) -> Any:
        """The statement, reading these tables as they were."""
        touched = [table for table in tables if table in self._keys and table.schema is None]
        touched.sort(key=lambda table: table.name)
        if not touched:
            return statement
        return statement.add_cte(*(self._former(table, dialect) for table in touched))

    def _former(self, table: Any, dialect: Any) -> Any:
        # SQLite takes the bare name for the expression itself.
        schema = "main" if dialect.name == "sqlite" else None
        columns = [sa.column(column.name, column.type) for column in table.c]
        real = sa.table(table.name, *columns, schema=schema)
        untouched = sa.select(*real.c).where(
            *(
                sa.not_(equals_one_of([real.c[column.name] for column in by], list(keys)))
                for by, keys in self._keys[table].items()
            )
        )
        kept = kept_columns(table)
        rows = [_as_select(table, kept, row, dialect) for row in self._rows[table].values()]
        parts = [untouched, *rows]
        while len(parts) > _TERMS:
            parts = [_union(part) for part in batches(parts, _TERMS)]
        return _union(parts).cte(table.name)


def _union(parts: Sequence[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    whole = sa.union_all(*parts).subquery()
    return sa.select(*whole.c)


def _as_select(table: Any, kept: list[Any], row: Key, dialect: Any) -> Any:
    values = dict(zip(kept, row, strict=True))
    return sa.select(*(_literal(column, values.get(column), dialect) for column in table.c))


def _literal(column: Any, value: Any, dialect: Any) -> Any:
    bound = sa.bindparam(None, value, type_=column.type, unique=True)
    # SQLite has no types to cast to that would leave a date as it is.
    typed = bound if dialect.name == "sqlite" else sa.cast(bound, column.type)
    return typed.label(column.name)


def _distinct(row: Iterable[Any]) -> Any:
    """What tells a row from others; its values may be of an app's own types."""
    try:
        hash(values := tuple(row))
    except TypeError:
        return repr(values)
    return values


def equals_one_of(columns: Sequence[Any], keys: Sequence[Key]) -> Any:
    """Whether the columns together are one of the keys."""
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return sa.or_(
        sa.false(),
        *(
            sa.and_(*(column == value for column, value in zip(columns, key, strict=True)))
            for key in keys
        ),
    )


def batches(items: Iterable[Any], size: int = BATCH) -> Iterator[list[Any]]:
    """The items in lists of at most `size`."""
    pending = iter(items)
    while batch := list(islice(pending, size)):
        yield batch
