"""Rows that are given to a statement as a few parameters, however many there are.

On SQLite they are one text of JSON, on PostgreSQL an array for each column. Databases limit the
parameters of a statement, and the depth of its expressions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

from licet.wire.text import is_storable

__all__ = ["given_rows"]

# what PostgreSQL has arrays of, and the driver knows how to send
_IN_ARRAYS: Final = (
    sa.Integer,
    sa.Boolean,
    sa.Uuid,
    sa.String,
    sa.Date,
    sa.DateTime,
    sa.Time,
    sa.Numeric,
)


def given_rows(columns: Sequence[Any], rows: Sequence[Any], dialect: Dialect) -> Any:
    """A SELECT of these values of the columns, or None where they cannot be given so."""
    if dialect.name == "sqlite":
        return _of_json(columns, rows, dialect)
    return _of_arrays(columns, rows) if dialect.name == "postgresql" else None


def _of_json(columns: Sequence[Any], rows: Sequence[Any], dialect: Dialect) -> Any:
    converters = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
    stored = [
        [
            value if convert is None else convert(value)
            for value, convert in zip(row, converters, strict=True)
        ]
        for row in rows
    ]
    if not all(_is_json(value) for row in stored for value in row):
        return None
    each = sa.func.json_each(sa.bindparam(None, json.dumps(stored), unique=True)).table_valued(
        "value"
    )
    return sa.select(
        *(
            sa.type_coerce(
                sa.func.json_extract(each.c.value, sa.literal_column(f"'$[{index}]'")), column.type
            ).label(column.name)
            for index, column in enumerate(columns)
        )
    )


def _is_json(value: object) -> bool:
    """Whether SQLite reads it from JSON exactly as it was."""
    if type(value) is str:
        return is_storable(value)
    return value is None or type(value) in (int, bool)


def _of_arrays(columns: Sequence[Any], rows: Sequence[Any]) -> Any:
    if not all(isinstance(column.type, _IN_ARRAYS) for column in columns):
        return None
    arrays = []
    for index, column in enumerate(columns):
        array = postgresql.ARRAY(column.type)
        values = [row[index] for row in rows]
        arrays.append(sa.cast(sa.bindparam(None, values, type_=array, unique=True), array))
    names = (sa.column(column.name, column.type) for column in columns)
    given = sa.func.unnest(*arrays).table_valued(*names).render_derived()
    return sa.select(*given.c)
