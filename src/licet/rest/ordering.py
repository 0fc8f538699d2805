"""The order of a list: total, and a page's place in it.

The primary key is always the last key, so that two pages never share a row. On every database NULL
comes after each value where the order ascends, and before where it descends, as it does by default
on PostgreSQL. Texts are in the order of their column's collation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import sqlalchemy as sa

from licet.authz.policies._models.mapping import can_hold
from licet.errors.base import HTTPError
from licet.rest.paging import Cursor, read_cursor, write_cursor, wrong_parameter

__all__ = [
    "SortKey",
    "after_cursor",
    "cursor_at",
    "in_order",
    "is_read_as_written",
    "order_of",
    "parsed_cursor",
    "sortable_fields",
]

_UNSORTED: Final = (sa.JSON, sa.LargeBinary, sa.ARRAY, sa.PickleType)


@dataclass(frozen=True, eq=False)
class SortKey:
    """One key of an order: the attribute of a class, or of an alias of it, and its direction."""

    name: str
    column: Any
    is_descending: bool
    is_nullable: bool

    @property
    def word(self) -> str:
        """The key as cursors name it."""
        return f"-{self.name}" if self.is_descending else self.name


def sortable_fields(model: type[Any]) -> frozenset[str]:
    """The attributes of a mapped class that have an order: columns, but not JSON and bytes."""
    return frozenset(
        prop.key
        for prop in sa.inspect(model).column_attrs
        if isinstance(prop.columns[0], sa.Column)
        and not isinstance(prop.columns[0].type, _UNSORTED)
    )


def is_read_as_written(column_type: Any, dialect: str) -> bool:
    """Whether a value that was read equals the one in the database, as cursors need it.

    SQLite has no decimals: SQLAlchemy reads its numbers with ten places, or those of the column.
    """
    is_rounded = isinstance(column_type, sa.Numeric) and column_type.asdecimal
    return not (is_rounded and column_type.scale is None and dialect == "sqlite")


def order_of(entity: Any, wanted: Iterable[tuple[str, bool]] = ()) -> tuple[SortKey, ...]:
    """A total order: by these fields, True for descending, and by the primary key.

    `entity` is a mapped class or an alias of one; the fields are `sortable_fields` of it.
    """
    mapper = sa.inspect(entity).mapper
    keys = [
        _key(entity, mapper, name, is_descending=is_descending) for name, is_descending in wanted
    ]
    named = {key.name for key in keys}
    primary = (mapper.get_property_by_column(column).key for column in mapper.primary_key)
    return (*keys, *(_key(entity, mapper, name) for name in primary if name not in named))


def _key(entity: Any, mapper: Any, name: str, *, is_descending: bool = False) -> SortKey:
    is_nullable = bool(mapper.column_attrs[name].columns[0].nullable)
    return SortKey(name, getattr(entity, name), is_descending, is_nullable)


def in_order(
    statement: sa.Select[Any], order: Sequence[SortKey], *, is_backward: bool = False
) -> Any:
    """The statement in this order, or in its reverse."""
    return statement.order_by(*(_clause(key, is_backward) for key in order))


def _clause(key: SortKey, is_backward: bool) -> Any:  # noqa: FBT001 - private
    descends = key.is_descending is not is_backward
    clause = key.column.desc() if descends else key.column.asc()
    if not key.is_nullable:
        return clause  # an index in the database's own order answers it
    return clause.nulls_first() if descends else clause.nulls_last()


# --- cursors -------------------------------------------------------------------------------------


def cursor_at(owner: Any, order: Sequence[SortKey], *, is_before: bool = False) -> str:
    """The cursor of the page that begins after an object, or ends before it."""
    words = tuple(key.word for key in order)
    values = tuple(getattr(owner, key.name) for key in order)
    return write_cursor(Cursor(order=words, values=values, is_before=is_before))


def parsed_cursor(
    text: str, order: Sequence[SortKey], *, name: str = "cursor", status: int = 400
) -> Cursor:
    """The cursor of a URL, whose values the columns of the order can have.

    Raises:
        MalformedRequest, InvalidRequest: it is none, or of another order, or of other types.
    """
    found = read_cursor(text, [key.word for key in order], name=name, status=status)
    wrong = wrong_parameter(name, "it is no cursor of this list.", status=status)
    pairs = zip(order, found.values, strict=True)
    values = tuple(_fitting(key, value, wrong) for key, value in pairs)
    return Cursor(order=found.order, values=values, is_before=found.is_before)


def _fitting(key: SortKey, value: Any, wrong: HTTPError) -> Any:
    if value is None:
        if key.is_nullable:
            return None
        raise wrong
    column_type = key.column.type
    if isinstance(column_type, sa.Float) and type(value) is int:
        value = float(value)
    enum = getattr(column_type, "enum_class", None)
    if enum is not None and isinstance(value, str) and value in enum.__members__:
        return enum[value]
    if enum is not None or not _is_held(column_type, value):
        raise wrong
    return value


def _is_held(column_type: Any, value: Any) -> bool:
    """Whether a row could have the value; a large integer could on SQLite, whatever its type."""
    if isinstance(column_type, sa.Integer):
        return type(value) is int and -(2**63) <= value < 2**63
    if isinstance(column_type, sa.Enum):
        return value in column_type.enums
    if isinstance(column_type, sa.TypeDecorator) and not isinstance(column_type, sa.Interval):
        return can_hold(column_type, value)
    return _is_of(column_type, value)


def _is_of(column_type: Any, value: Any) -> bool:
    try:
        wanted = column_type.python_type
    except NotImplementedError:
        return not isinstance(value, Enum)
    if wanted is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    return wanted is object or type(value) is wanted


def after_cursor(order: Sequence[SortKey], cursor: Cursor) -> sa.ColumnElement[bool]:
    """The rows that come after the cursor's, or before it, in this order."""
    alternatives: list[Any] = []
    same: list[Any] = []
    for key, value in zip(order, cursor.values, strict=True):
        beyond = _beyond(key, value, cursor.is_before)
        if beyond is not None:
            alternatives.append(sa.and_(*same, beyond))
        same.append(key.column.is_(None) if value is None else key.column == _bound(key, value))
    return sa.or_(sa.false(), *alternatives)


def _beyond(key: SortKey, value: Any, is_backward: bool) -> Any:  # noqa: FBT001 - private
    """What comes after the value under one key; None when nothing can."""
    descends = key.is_descending is not is_backward
    if value is None:  # the last of an ascending order, the first of a descending one
        return key.column.is_not(None) if descends else None
    bound = _bound(key, value)
    if descends:
        return key.column < bound
    more = key.column > bound
    return sa.or_(more, key.column.is_(None)) if key.is_nullable else more


def _bound(key: SortKey, value: Any) -> Any:
    """The value as a parameter: SQLAlchemy compares True and False themselves by IS alone."""
    return sa.literal(value, key.column.type) if isinstance(value, bool) else value
