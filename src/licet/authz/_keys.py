"""Which values a column can hold at all, so that asking a database for them is no error."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["can_hold", "key_names"]

_DIALECT: Final = DefaultDialect()


def key_names(model: type[Any]) -> tuple[str, ...]:
    """The attributes that make the primary key of a mapped class."""
    mapper = sa.inspect(model)
    return tuple(str(mapper.get_property_by_column(one).key) for one in mapper.primary_key)


def can_hold(column_type: TypeEngine[Any], value: object) -> bool:
    """Whether a column of this type could hold the value: its type matches, and its range."""
    if value is None or (isinstance(value, str) and not _is_storable(value)):
        return False
    if isinstance(column_type, TypeDecorator):
        return _is_taken(column_type, value)
    if isinstance(column_type, sa.Integer):
        limit = 2 ** _bits(column_type)
        return type(value) is int and -limit <= value < limit
    if isinstance(column_type, sa.Enum) and column_type.enum_class is None:
        return isinstance(value, str) and value in column_type.enums
    if isinstance(column_type, sa.Uuid) and not column_type.as_uuid:
        return isinstance(value, str) and _is_uuid(value)
    wanted = column_type.python_type  # object, of a type that says nothing
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _is_taken(column_type: TypeDecorator[Any], value: Any) -> bool:
    """Whether an app's own type takes the value, and makes of it what its column can hold."""
    if type(column_type).process_bind_param is not TypeDecorator.process_bind_param:
        try:
            value = column_type.process_bind_param(value, _DIALECT)
        except Exception:  # noqa: BLE001 - whatever it says of a value that it does not know
            return False
    return can_hold(column_type.impl_instance, value)


def _bits(column_type: sa.Integer) -> int:
    if isinstance(column_type, sa.BigInteger):
        return 63
    return 15 if isinstance(column_type, sa.SmallInteger) else 31


def _is_storable(text: str) -> bool:
    return "\x00" not in text and text.encode("utf-8", "ignore").decode() == text


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
