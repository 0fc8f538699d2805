"""The rows as they were before the transaction changed them, for questions that are asked later.

What a request changed stays in the database, so that a later question would find it. A statement
about what was reads each changed table under a common table expression of the table's own name: the
rows that nothing touched, and the touched ones as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from licet.authz.policies._in_sql._entities import rows_alone
from licet.authz.policies._in_sql._given import given_rows
from licet.authz.writes._family import kept_columns
from licet.errors import UsageError

__all__ = ["BARE", "BATCH", "Before", "batches", "equals_one_of", "is_plain"]

BATCH: Final = 400
BARE: Final = "licet_no_schema"
_TERMS: Final = 200  # SQLite has at most 500 SELECTs in a UNION
_MOST: Final = 30_000  # parameters of a statement, of which SQLite takes 32,766
_PLAIN: Final[dict[Any, type[Any]]] = {
    **dict.fromkeys((sa.Integer, sa.BigInteger, sa.SmallInteger), int),
    **dict.fromkeys((sa.String, sa.Text, sa.Unicode, sa.VARCHAR), str),
    sa.Uuid: UUID,
}
Key = tuple[Any, ...]
Only = tuple[tuple[Any, ...], Sequence[Key]]  # columns of a table, and their values in some rows


class Before:
    """The former content of what was touched in the noted tables."""

    def __init__(self) -> None:
        self._keys: dict[Any, dict[tuple[Any, ...], dict[Key, None]]] = {}
        self._rows: dict[Any, dict[Any, Key]] = {}
        # of the keys, those that the database may have in another form
        self._odd: dict[Any, dict[tuple[Any, ...], dict[Key, None]]] = {}

    def add(
        self, table: Any, columns: tuple[Any, ...], keys: Iterable[Key], rows: Iterable[Key]
    ) -> None:
        """Keep the rows that the table has with these keys before they change."""
        by_columns = self._keys.setdefault(table, {})
        of_columns = by_columns.setdefault(columns, {})
        for key in keys:
            of_columns[key] = None
            if not is_plain(columns, key):
                self._odd.setdefault(table, {}).setdefault(columns, {})[key] = None
        self._rows.setdefault(table, {}).update((_distinct(row), tuple(row)) for row in rows)

    def unknown(self, table: Any, columns: tuple[Any, ...], keys: Iterable[Key]) -> list[Key]:
        """The keys whose rows were not kept yet."""
        known = self._keys.get(table, {}).get(columns, {})
        return [key for key in keys if key not in known]

    def size(self, tables: Iterable[Any]) -> int:
        """How many keys of rows of these tables are known, whether there were such rows or not."""
        return sum(len(keys) for table in tables for keys in self._keys.get(table, {}).values())

    def of(
        self,
        statement: Any,
        tables: Iterable[Any],
        connection: Any,
        only: Mapping[Any, Only] = MappingProxyType({}),
    ) -> tuple[Any, dict[str, Any]] | None:
        """The statement that reads these tables as they were, and its options.

        None when nothing that it reads was touched. Of the tables in `only` it reads no rows but
        those that have these keys in these columns.

        Raises:
            UsageError: the transaction touched more rows than a statement can hold.
        """
        tables = list(tables)
        wanted = {
            table: keys
            for table, (columns, keys) in only.items()
            if self._keys.get(table, {}).keys() == {columns}
            and all(is_plain(columns, key) for key in keys)
        }
        touched = [table for table in tables if self._is_touched(table, wanted.get(table))]
        if not touched:
            return None
        schemas = connection.get_execution_options().get("schema_translate_map") or {}
        is_bare = not schemas and all(table.schema is None for table in tables)
        if not is_bare:
            # each table is read under its bare name, which no two of them may have
            names = Counter(table.name for table in tables)
            if max(names.values()) > 1:
                name = names.most_common(1)[0][0]
                raise UsageError(
                    f"Tables of one name in two schemas were changed together: {name}. Change them "
                    "in transactions of their own."
                )
            touched = tables
        made = []
        for table in sorted(touched, key=lambda table: str(table.name)):
            schema = schemas.get(table.schema, table.schema)
            made.append(self._former(table, schema, connection.dialect, wanted.get(table)))
        options = {} if is_bare else {"schema_translate_map": _bare(schemas, tables)}
        return rows_alone(statement).add_cte(*made), options

    def _is_touched(self, table: Any, only: Sequence[Key] | None) -> bool:
        found = self._keys.get(table)
        if found is None or only is None or table in self._odd:
            return found is not None
        return any(key in keys for keys in found.values() for key in only)

    def _former(
        self, table: Any, schema: str | None, dialect: Any, only: Sequence[Key] | None
    ) -> Any:
        columns = [sa.column(column.name, column.type) for column in table.c]
        real = sa.table(_real_name(table, schema, dialect), *columns)
        by_columns, kept = self._keys.get(table, {}), kept_columns(table)
        odd, wanted = self._odd.get(table, {}), set(only or ())
        chosen = {
            by: [key for key in keys if only is None or key in wanted or key in odd.get(by, ())]
            for by, keys in by_columns.items()
        }
        rows = list(self._rows.get(table, {}).values())
        for by in by_columns if only is not None else ():
            places = [next(n for n, one in enumerate(kept) if one is column) for column in by]
            rows = [row for row in rows if tuple(row[n] for n in places) in wanted]
        untouched = sa.select(*real.c).where(
            *chain.from_iterable(
                _none_of([real.c[column.name] for column in by], by, keys, dialect)
                for by, keys in chosen.items()
            )
        )
        given = _given(table, kept, rows, dialect) if len(rows) > _TERMS else None
        if given is not None:
            return _union([untouched, given]).cte(str(table.name))
        size = len(rows) * len(kept) + sum(len(by) * len(keys) for by, keys in chosen.items())
        if size > _MOST:
            raise UsageError(
                f"The transaction changed {len(rows)} rows of {table}, by which others are "
                "decided: more than a statement can hold. Change them in portions, with a commit "
                "after each."
            )
        parts = [untouched, *(_as_select(table, kept, row, dialect) for row in rows)]
        while len(parts) > _TERMS:
            parts = [_union(part) for part in batches(parts, _TERMS)]
        return _union(parts).cte(str(table.name))


def _given(table: Any, kept: list[Any], rows: list[Key], dialect: Any) -> Any:
    """The rows as a few parameters, if they can be given so; what is not kept is NULL."""
    given = given_rows(kept, rows, dialect)
    if given is None:
        return None
    found = given.subquery().c
    kept_names = {column.name for column in kept}
    return sa.select(
        *(
            found[column.name] if column.name in kept_names else _literal(column, None, dialect)
            for column in table.c
        )
    )


def _none_of(found: list[Any], columns: Key, keys: list[Key], dialect: Any) -> Iterator[Any]:
    """That the found columns are none of the keys, of which there may be very many."""
    whole = [key for key in keys if None not in key] if len(keys) > _TERMS else []
    given = given_rows(columns, whole, dialect) if whole else None
    if given is not None:
        yield (sa.tuple_(*found) if len(found) > 1 else found[0]).not_in(given)
        keys = [key for key in keys if None in key]
    for batch in batches(keys):  # SQLite's expressions are at most 1,000 deep
        yield sa.not_(equals_one_of(found, batch))


def is_plain(columns: Sequence[Any], key: Key) -> bool:
    """Whether equal keys are equal to Python, too: numbers, and texts and UUIDs as they are."""
    return all(
        type(value) is _PLAIN.get(type(column.type))
        and getattr(column.type, "as_uuid", True)
        and not getattr(column.type, "collation", None)
        for column, value in zip(columns, key, strict=True)
    )


def _real_name(table: Any, schema: str | None, dialect: Any) -> Any:
    """The table's own name where its bare one is that of the expression."""
    if schema is None:
        # SQLite takes the bare name for the expression itself.
        return (
            sa.quoted_name(f'main."{table.name}"', quote=False) if _is_lite(dialect) else table.name
        )
    quote = dialect.identifier_preparer.quote
    return sa.quoted_name(f"{quote(schema)}.{quote(table.name)}", quote=False)


def _is_lite(dialect: Any) -> bool:
    return bool(dialect.name == "sqlite")


def _bare(schemas: Mapping[Any, Any], tables: Iterable[Any]) -> dict[Any, Any]:
    """A map of schemas by which each of the tables is read under its bare name.

    SQLAlchemy has no name for no schema; this one is taken off when the statement is executed.
    """
    return {**schemas, **dict.fromkeys((table.schema for table in tables), BARE)}


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
