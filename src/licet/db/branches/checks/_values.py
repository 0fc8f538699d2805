"""Values of enums that only the models know: rows that hold another one cannot be read.

SQLite has no enum types, and a ``native_enum=False`` is text on PostgreSQL, too. Where such a
column has no CHECK either, nothing of the schema says which values it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from licet.db.branches.checks._compare import Difference
from licet.db.branches.checks.schema import Table

__all__ = ["value_differences"]


def value_differences(
    tables: Iterable[sa.Table], database: Mapping[str, Table], connection: Connection
) -> Iterator[Difference]:
    """A finding for each value of a row that the models' enum has not; one pass over the table."""
    for table in tables:
        there = database.get(table.fullname, database.get(table.name))
        for column in table.columns if there is not None else ():
            kind, found = column.type, there.columns.get(column.name) if there else None
            if not isinstance(kind, sa.Enum) or found is None or found.values:
                continue
            text = sa.type_coerce(column, sa.String)
            strange = sa.select(text, sa.func.count()).where(text.not_in(kind.enums))
            for value, count in connection.execute(strange.group_by(text).order_by(text).limit(5)):
                subject = f"{table.fullname}.{column.name}"
                yield Difference(
                    kind="unknown_enum_value",
                    subject=subject,
                    text=f"{subject} is {value!r} in {count} rows, and the models have no such "
                    "value, so that these cannot be read: change the rows, or add the value.",
                )
