"""What a database has in place of an object's value, where that is not the value itself.

An object's values are those that were loaded or those that were assigned. The latter may differ
from what a query then finds: SQLite drops time zones and keeps numbers as doubles, JSON has a null
of its own. What a query would find is what decisions compare. Where it cannot be known, or is not
the value that was meant, the value is unfit, and the check that needs it is denied.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.sql.elements import ClauseElement

from licet.authz._moment import in_utc
from licet.authz.policies._models.sessions import dialect_name
from licet.authz.policies._models.shape import Column, Kind, Zone, misplaced

__all__ = ["Unfit", "as_stored"]


class Unfit(ValueError):
    """An object's value cannot be compared; the text says why, after the attribute's name."""


def as_stored(value: Any, column: Column, owner: Any) -> Any:
    """The value as a query compares it; None when the database has NULL for it.

    Raises:
        Unfit: it is of another type than the column's, or not what the database would have.
    """
    if value is None:
        return None
    match column.kind:
        case Kind.MOMENT:
            return _moment(value, column, owner)
        case Kind.NUMBER:
            return _number(value, column, owner)
        case Kind.ENUM:
            if type(value) is not str or value not in column.choices:
                raise Unfit(f"is not {column.type_name}")
            return value
        case _:
            return _other(value, column, owner)


def _moment(value: Any, column: Column, owner: Any) -> datetime:
    if type(value) is not datetime:
        raise Unfit(f"is {type(value).__name__}, not a datetime")
    has_zone = value.utcoffset() is not None
    if column.zone is Zone.NONE:
        if has_zone:
            raise Unfit("has a time zone, and its column none: assign the time in UTC without zone")
        return value.replace(tzinfo=UTC)
    if has_zone:
        return _with_zone(value, owner)
    # SQLite gives them so; an object without a session may be one that was loaded from it
    if dialect_name(owner) == "sqlite" or (dialect_name(owner) is None and _is_loaded(owner)):
        return value.replace(tzinfo=UTC)
    raise Unfit("is a datetime without time zone")


def _with_zone(value: datetime, owner: Any) -> datetime:
    """A moment, if no database keeps another one instead."""
    if value.utcoffset():
        name = dialect_name(owner)
        if name == "sqlite" or (name is None and not _is_loaded(owner)):
            raise Unfit(
                "is in another time zone than UTC, which SQLite does not keep: assign "
                "….astimezone(UTC), or use licet.db.types.UTCDateTime"
            )
        if (reason := misplaced(value)) is not None:
            raise Unfit(reason)
    moment: datetime = in_utc(value)
    return moment


def _number(value: Any, column: Column, owner: Any) -> Decimal | int:
    """The number, if a double with the column's scale is the same number."""
    if type(value) not in (Decimal, int):
        raise Unfit(f"is {type(value).__name__}, not Decimal or int")
    if isinstance(value, Decimal) and value.is_nan():
        if dialect_name(owner) != "postgresql":
            raise Unfit("is not a number, which not every database keeps")
        return Decimal("Infinity")  # PostgreSQL orders it after all numbers, and equal to itself
    precision, scale = column.digits
    try:
        kept = Decimal(f"%.{scale}f" % value)
    except OverflowError:
        kept = None
    if kept != value:
        raise Unfit(f"has more digits than Numeric({precision}, {scale}) keeps")
    return value  # type: ignore[no-any-return]  # of one of the two types


def _other(value: Any, column: Column, owner: Any) -> Any:
    """Something that is only asked whether it is null."""
    if column.is_json:
        return None if value is sa.JSON.NULL else _known(value)
    is_nan = isinstance(value, float | Decimal) and value != value  # noqa: PLR0124 - what NaN is
    if is_nan and dialect_name(owner) != "postgresql":
        raise Unfit("is not a number, for which SQLite keeps NULL")
    return _known(value)


def _known(value: Any) -> Any:
    if isinstance(value, ClauseElement):
        raise Unfit("is an SQL expression, whose value is known when it is written and loaded")
    return value


def _is_loaded(owner: Any) -> bool:
    return instance_state(owner).key is not None
