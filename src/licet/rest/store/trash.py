"""The end of the trash: rows that are in it for 30 days are deleted, with what belongs to them.

A row belongs to another where its foreign key cannot be NULL, or its table or model says so
(``ON DELETE CASCADE``, a relationship with ``cascade="delete"``). What else refers to a row that is
deleted refers to nothing afterwards. No policy is asked, and no hook is called.

Concurrency: any number of processes. The rows are locked as they are found, so that one that is
restored meanwhile stays, whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import RelationshipDirection, Session

__all__ = ["KEPT", "moment_for", "purge_trash"]

KEPT: Final = timedelta(days=30)
_BATCH: Final = 200
_MOST_BATCHES: Final = 50  # of a round
_OPTIONS: Final = {"licet_unguarded": "the trash is kept for 30 days"}
_Keys = list[tuple[Any, ...]]


def moment_for(model: type[Any], name: str, moment: datetime) -> datetime:
    """A moment as a column of datetimes has it: in UTC, with its time zone or without."""
    kind = sa.inspect(model).columns[name].type
    is_naive = isinstance(kind, sa.DateTime) and not kind.timezone
    utc = moment.astimezone(UTC)
    return utc.replace(tzinfo=None) if is_naive else utc


def purge_trash(session: Session, model: type[Any], name: str, now: datetime) -> int:
    """Delete what is in the trash for 30 days, and commit after each batch; how many rows.

    Args:
        session: of the app.
        model: the mapped class.
        name: its column that says since when a row is in the trash.
        now: the present moment.
    """
    mapper = sa.inspect(model)
    column: Any = mapper.columns[name]
    table, key = column.table, list(column.table.primary_key)
    is_due = getattr(model, name) <= moment_for(model, name, now - KEPT)
    own = [getattr(model, mapper.get_property_by_column(one).key) for one in mapper.primary_key]
    # of the class alone, as its table may have rows of others
    few = sa.select(*own).where(is_due).order_by(*own).limit(_BATCH).correlate(None)
    root = table if mapper.concrete else mapper.base_mapper.local_table
    # the same value once more locks the rows on every database
    found = sa.update(table).where(_is_one(key, few)).values({column: column}).returning(*key)
    total = 0
    try:
        for _ in range(_MOST_BATCHES):
            connection = session.connection(bind_arguments={"mapper": mapper})
            keys = [tuple(row) for row in connection.execute(found, execution_options=_OPTIONS)]
            if keys:
                _Purge(connection, model).delete(root, keys)
            session.commit()
            total += len(keys)
            if len(keys) < _BATCH:
                break
    except BaseException:
        session.rollback()
        raise
    return total


class _Purge:
    """Deletes rows and what belongs to them, each once."""

    def __init__(self, connection: sa.Connection, model: type[Any]) -> None:
        self._connection = connection
        self._owned = _owned(model)
        self._seen: set[tuple[Any, ...]] = set()

    def delete(self, table: sa.Table, keys: _Keys) -> None:
        """Delete the rows with these keys, after what refers to them."""
        new = [key for key in keys if (table, key) not in self._seen]
        self._seen.update((table, key) for key in new)
        for start in range(0, len(new), _BATCH):
            is_here = _is_one(list(table.primary_key), new[start : start + _BATCH])
            for other in sorted(table.metadata.tables.values(), key=lambda one: one.key):
                for constraint in other.foreign_key_constraints:
                    if constraint.referred_table is table:
                        self._let_go(other, constraint, is_here)
            self._execute(sa.delete(table).where(is_here))

    def _let_go(
        self, table: sa.Table, constraint: sa.ForeignKeyConstraint, is_here: sa.ColumnElement[bool]
    ) -> None:
        """Have no row of the table refer to the rows that are deleted."""
        columns = list(constraint.columns)
        targets = [element.column for element in constraint.elements]
        # of its own, since a table may refer to itself
        refers = _is_one(columns, sa.select(*targets).where(is_here).correlate(None))
        nullable = [one for one in columns if one.nullable and not one.primary_key]
        if nullable and not self._is_owned(constraint):
            self._execute(sa.update(table).where(refers).values(dict.fromkeys(nullable)))
        elif key := list(table.primary_key):
            rows = self._execute(sa.select(*key).where(refers))
            self.delete(table, [tuple(row) for row in rows])
        else:
            self._execute(sa.delete(table).where(refers))

    def _is_owned(self, constraint: sa.ForeignKeyConstraint) -> bool:
        says_so = (constraint.ondelete or "").upper() == "CASCADE"
        return says_so or frozenset(constraint.columns) in self._owned

    def _execute(self, statement: Any) -> Any:
        return self._connection.execute(statement, execution_options=_OPTIONS)


def _is_one(columns: Sequence[Any], values: Any) -> sa.ColumnElement[bool]:
    """Whether the columns have one of these values: rows, or a statement that selects them."""
    if len(columns) > 1:
        return sa.tuple_(*columns).in_(values)
    is_rows = isinstance(values, list)
    found: sa.ColumnElement[bool] = columns[0].in_(
        [one for (one,) in values] if is_rows else values
    )
    return found


def _owned(model: type[Any]) -> set[frozenset[Any]]:
    """The foreign keys of rows that models delete with the row that they refer to."""
    return {
        frozenset(child for _, child in prop.synchronize_pairs)
        for mapper in sa.inspect(model).registry.mappers
        for prop in mapper.relationships
        if prop.cascade.delete and prop.direction is RelationshipDirection.ONETOMANY
    }
