"""What a column holds of a value that came from outside, as JSON or a form has it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from licet.wire.text import is_storable

__all__ = ["as_held", "may_be_null"]

_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
_BITS: Final = {sa.BigInteger: 63, sa.SmallInteger: 15}


def as_held(column_type: TypeEngine[Any], value: Any, dialect: Dialect) -> Any:
    """The value, which is not None, as a column of the type takes it.

    Of an integer, a number, a date, a time, a moment and a UUID their texts are read. A type that
    is not known here takes what it likes.

    Raises:
        ValueError: it cannot hold the value.
    """
    for known, read in _READERS:
        if isinstance(column_type, known):
            return read(column_type, value, dialect)
    return value


def may_be_null(column: Any, dialect: Dialect, *, is_draft: bool) -> bool:
    """Whether a column may be given None; that of a new row gets its default then."""
    if column.nullable or column.type.should_evaluate_none:
        return True
    if isinstance(column.type, TypeDecorator) and _is_own(column.type):
        try:
            return _sent(column.type, None, dialect) is not None
        except Exception:  # noqa: BLE001 - whatever it says of None
            return False
    return is_draft and (
        column.default is not None
        or column.server_default is not None
        or column is column.table.autoincrement_column
    )


def _taken(column_type: TypeDecorator[Any], value: Any, dialect: Dialect) -> Any:
    """The value, if an app's own type does not refuse it."""
    if not _is_own(column_type):
        is_other = type(column_type).load_dialect_impl is not TypeDecorator.load_dialect_impl
        return value if is_other else as_held(column_type.impl_instance, value, dialect)
    try:
        _sent(column_type, value, dialect)
    except Exception as error:
        read = as_held(column_type.impl_instance, value, dialect)
        if read is value:
            raise ValueError(str(error)) from error
        return _taken(column_type, read, dialect)
    return value


def _is_own(column_type: TypeDecorator[Any]) -> bool:
    """Whether the type makes something of its own of a value that is sent."""
    own = type(column_type)
    names = ("process_bind_param", "bind_processor")
    return any(getattr(own, name) is not getattr(TypeDecorator, name) for name in names)


def _sent(column_type: TypeDecorator[Any], value: Any, dialect: Dialect) -> Any:
    """What is sent to the database."""
    process = column_type.dialect_impl(dialect).bind_processor(dialect)
    return value if process is None else process(value)


def _truth(_type: sa.Boolean, value: Any, _dialect: Dialect) -> Any:
    return bool(value) if type(value) in (bool, int) and value in (0, 1) else _refuse(value)


def _whole(column_type: sa.Integer, value: Any, dialect: Dialect) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    bits = next((bits for known, bits in _BITS.items() if isinstance(column_type, known)), 31)
    limit = 2 ** (63 if dialect.name == "sqlite" else bits)
    return value if type(value) is int and -limit <= value < limit else _refuse(value)


def _choice(column_type: sa.Enum, value: Any, _dialect: Dialect) -> Any:
    known = column_type.enum_class
    is_member = known is not None and isinstance(value, known)
    is_name = isinstance(value, str) and value in column_type.enums
    return value if is_member or is_name else _refuse(value)


def _text(column_type: sa.String, value: Any, _dialect: Dialect) -> Any:
    longest = column_type.length
    is_fit = isinstance(value, str) and is_storable(value)
    return value if is_fit and (longest is None or len(value) <= longest) else _refuse(value)


def _uuid(column_type: sa.Uuid[Any], value: Any, _dialect: Dialect) -> Any:
    if isinstance(value, UUID):
        return value if column_type.as_uuid else _refuse(value)
    read = UUID(value) if isinstance(value, str) else _refuse(value)
    return read if column_type.as_uuid else value


def _float(_type: Any, value: Any, _dialect: Dialect) -> Any:
    _require_number(value)
    try:
        read = float(value)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    if math.isnan(read):  # which SQLite keeps as NULL
        _refuse(value)
    return read if isinstance(value, str) else value


def _decimal(column_type: Any, value: Any, _dialect: Dialect) -> Any:
    _require_number(value)
    precision, scale = column_type.precision, column_type.scale or 0
    try:
        read = Decimal(value)
        kept = read if precision is None else read.quantize(Decimal(1).scaleb(-scale))
    except InvalidOperation as error:
        raise ValueError(str(error)) from error
    if not read.is_finite() or (precision is not None and abs(kept) >= 10 ** (precision - scale)):
        _refuse(value)
    return read if isinstance(value, str) else value


def _require_number(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        _refuse(value)


def _one_of(*types: type[Any]) -> _Read:
    def read(_type: Any, value: Any, _dialect: Dialect) -> Any:
        return value if isinstance(value, types) else _refuse(value)

    return read


def _moment(known: type[Any], read_text: Callable[[str], Any]) -> _Read:
    """Of a type that JSON does not have, so that its text is read."""

    def read(_type: Any, value: Any, _dialect: Dialect) -> Any:
        if isinstance(value, str):
            return read_text(value)
        return value if isinstance(value, known) else _refuse(value)

    return read


def _refuse(value: object) -> NoReturn:
    raise ValueError(f"{type(value).__name__} does not fit")


_Read = Callable[[Any, Any, Dialect], Any]
# the special ones before what they are made from
_READERS: Final[tuple[tuple[type[Any], _Read], ...]] = (
    (sa.Interval, _one_of(timedelta)),
    (TypeDecorator, _taken),
    (sa.Boolean, _truth),
    (sa.Integer, _whole),
    (sa.Enum, _choice),
    (sa.String, _text),
    (sa.LargeBinary, _one_of(bytes, bytearray, memoryview)),
    (sa.Uuid, _uuid),
    (sa.Float, _float),
    (sa.Numeric, _decimal),
    (sa.ARRAY, _one_of(list, tuple)),
    (sa.DateTime, _moment(date, datetime.fromisoformat)),
    (sa.Date, _moment(date, date.fromisoformat)),
    (sa.Time, _moment(time, time.fromisoformat)),
)
