"""Columns as fields of pydantic: each takes what the column can hold, and nothing else."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import sqlalchemy as sa
from pydantic import AwareDatetime, Base64Bytes, Field, JsonValue, NaiveDatetime

__all__ = ["field_of"]

_BITS: Final = ((sa.BigInteger, 63), (sa.SmallInteger, 15), (sa.Integer, 31))


def field_of(model: type[Any], name: str, *, is_partial: bool) -> tuple[Any, Any]:
    """The type and the default of a column's field, as pydantic's `create_model` takes them."""
    column: Any = sa.inspect(model).column_attrs[name].columns[0]
    kind = _type_of(column.type)
    if column.nullable:
        kind = kind | None
    has_default = column.default is not None or column.server_default is not None
    if not (is_partial or column.nullable or has_default):
        return kind, Field(description=column.comment)
    return kind, Field(default=_told_default(column), description=column.comment)


def _told_default(column: Any) -> Any:
    """The default that documentation tells; it is the column's business to set it."""
    return column.default.arg if getattr(column.default, "is_scalar", False) else None


def _type_of(column_type: Any) -> Any:
    innermost = column_type
    while isinstance(innermost, sa.TypeDecorator):
        innermost = innermost.impl_instance
    if isinstance(innermost, sa.Enum):
        return innermost.enum_class or Literal[tuple(innermost.enums)]
    if isinstance(innermost, sa.JSON):
        return JsonValue
    try:
        python_type = column_type.python_type
    except NotImplementedError:  # SQLAlchemy 2.0; 2.1 says object
        python_type = object
    if python_type is not object:
        return _constrained(innermost, python_type)
    # An app's own type: one for moments, such as UTC without the zone, takes aware ones.
    return AwareDatetime if isinstance(innermost, sa.DateTime) else Any


def _constrained(column_type: Any, python_type: type[Any]) -> Any:
    if python_type is int:
        bits = next((bits for kind, bits in _BITS if isinstance(column_type, kind)), 63)
        return Annotated[int, Field(ge=-(2**bits), lt=2**bits)]
    if python_type is str:
        return Annotated[str, Field(max_length=getattr(column_type, "length", None))]
    if python_type is datetime:
        is_aware = getattr(column_type, "timezone", False)
        return AwareDatetime if is_aware else NaiveDatetime
    if python_type is Decimal:
        digits, places = column_type.precision, column_type.scale
        return Annotated[Decimal, Field(max_digits=digits, decimal_places=places)]
    if python_type is bytes:
        return Base64Bytes
    if python_type is float:
        return Annotated[float, Field(allow_inf_nan=False)]
    return python_type
