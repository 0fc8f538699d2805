"""Which column types conditions can compare, and why the others cannot be.

A comparison may use a type only when Python, SQLite and PostgreSQL agree about its values to the
last bit. Any column can be asked whether it is null.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.types import TypeDecorator, TypeEngine

from licet.authz.policies._models.shape import Column, Kind, Zone
from licet.db.types import UTCDateTime

__all__ = ["column_of"]

DOUBLE_DIGITS: Final = 15
_CODE_POINT_COLLATIONS: Final = frozenset({None, "C", "POSIX", "BINARY", "ucs_basic"})
_KINDS: Final[dict[type[TypeEngine[Any]], Kind]] = {
    **dict.fromkeys(
        (sa.String, sa.Text, sa.Unicode, sa.UnicodeText, sa.VARCHAR, sa.TEXT), Kind.TEXT
    ),
    **dict.fromkeys((sa.Integer, sa.SmallInteger, sa.BigInteger), Kind.INTEGER),
    **dict.fromkeys((sa.INTEGER, sa.SMALLINT, sa.BIGINT), Kind.INTEGER),
    **dict.fromkeys((sa.Boolean, sa.BOOLEAN), Kind.BOOLEAN),
    **dict.fromkeys((sa.Date, sa.DATE), Kind.DATE),
    UTCDateTime: Kind.MOMENT,
}
_MOMENTS: Final = (sa.DateTime, sa.DATETIME, sa.TIMESTAMP, postgresql.TIMESTAMP)
_NUMBERS: Final = (sa.Numeric, sa.NUMERIC, sa.DECIMAL)
_MICROSECONDS: Final = 6
_DIALECT: Final = SQLiteDialect_pysqlite()


@dataclass(frozen=True)
class _Traits:
    """What of a type counts for comparisons; its variants must have the same."""

    kind: Kind
    enum_class: type[Enum] | None = None
    choices: tuple[str, ...] = ()
    zone: Zone = Zone.UTC
    digits: tuple[int, int] = (0, 0)
    storage: object = None


def column_of(name: str, column: sa.Column[Any]) -> Column:
    """How conditions may use a column under the name of its attribute."""
    traits = _traits(column.type)
    types = [column.type, *_variants(column.type)]
    if isinstance(traits, _Traits):
        return Column(name, is_nullable=bool(column.nullable), **vars(traits))
    is_json = any(map(_is_json, types))
    return Column(
        name,
        Kind.OTHER,
        bool(column.nullable) or is_json,
        is_json=is_json,
        incomparable=f"is {column.type!r}, {traits}",
        never_null=next(filter(None, map(_own_null, types)), ""),
    )


def _variants(column_type: TypeEngine[Any]) -> Iterable[TypeEngine[Any]]:
    return getattr(column_type, "_variant_mapping", {}).values()


def _traits(column_type: TypeEngine[Any]) -> _Traits | str:
    """How values of the type and its variants compare, or why databases disagree about them."""
    traits = _own_traits(column_type)
    for variant in _variants(column_type):
        of_variant = _own_traits(variant)
        if isinstance(traits, _Traits) and of_variant != traits:
            told = of_variant if isinstance(of_variant, str) else "another type"
            return f"with the variant {variant!r}, {told}"
    return traits


def _own_traits(column_type: TypeEngine[Any]) -> _Traits | str:
    """The same without variants."""
    if isinstance(column_type, sa.Enum):
        return _of_enum(column_type)
    if isinstance(column_type, sa.Uuid):
        if not column_type.as_uuid:
            return "a Uuid read as text: use as_uuid=True"
        return _Traits(Kind.UUID, storage=bool(column_type.native_uuid))
    if type(column_type) in _MOMENTS:
        return _of_moments(column_type)
    if type(column_type) in _NUMBERS:
        return _of_numbers(column_type)
    kind = _KINDS.get(type(column_type))
    collation = getattr(column_type, "collation", None)
    if kind is Kind.TEXT and collation not in _CODE_POINT_COLLATIONS:
        return f"whose collation {collation} does not compare by code point"
    return _Traits(kind) if kind else "a type that the databases do not all compare alike"


def _of_enum(column_type: sa.Enum) -> _Traits | str:
    texts, members = tuple(column_type.enums), column_type.enum_class
    if len(set(texts)) < len(texts) or (members is not None and len(texts) != len(members)):
        return "an Enum that does not keep each member as a text of its own"
    if members is None:
        return _Traits(Kind.ENUM, choices=texts)
    if not _are_unlike(members):
        return "an Enum whose == takes several members for one, which no database does"
    return _Traits(Kind.ENUM, enum_class=members, storage=texts)


def _are_unlike(members: Iterable[Enum]) -> bool:
    """Whether each member equals itself and no other, and can be looked up."""
    try:
        return all((one == other) is (one is other) for one, other in product(members, repeat=2))
    except Exception:  # noqa: BLE001 - an app's own ==
        return False


def _of_moments(column_type: Any) -> _Traits | str:
    if getattr(column_type, "precision", None) not in (None, _MICROSECONDS):
        return "which drops microseconds: leave the precision out"
    return _Traits(Kind.MOMENT, zone=Zone.KEPT if column_type.timezone else Zone.NONE)


def _of_numbers(column_type: Any) -> _Traits | str:
    precision, scale = column_type.precision, column_type.scale
    if not column_type.asdecimal:
        return "a Numeric read as float: use asdecimal=True"
    if precision is None or scale is None or not 0 <= scale <= precision <= DOUBLE_DIGITS:
        return (
            f"which SQLite keeps as a double, exact to {DOUBLE_DIGITS} digits only: say how many "
            f"it has, with at most {DOUBLE_DIGITS} in all, such as Numeric(12, 2)"
        )
    if column_type.decimal_return_scale not in (None, scale):
        return "which is read with another scale than it is kept with: leave that out"
    return _Traits(Kind.NUMBER, digits=(precision, scale))


# --- null ----------------------------------------------------------------------------------------


def _innermost(column_type: TypeEngine[Any]) -> TypeEngine[Any]:
    while isinstance(column_type, TypeDecorator):
        column_type = column_type.impl_instance
    return column_type


def _own_null(column_type: TypeEngine[Any]) -> str:
    """Why a type of the app's own has no null that Python and SQL agree about; "" when it has."""
    if type(column_type).__module__.startswith("sqlalchemy."):
        return ""
    try:
        read = column_type.result_processor(_DIALECT, None)
        is_read = read is None or read(None) is None
        write = column_type.bind_processor(_DIALECT)
        is_written = write is None or write(None) is None or _is_json(column_type)
    except Exception as error:  # noqa: BLE001 - an app's functions, called with None
        return f"is {column_type!r}, whose conversion of None raises {type(error).__name__}"
    if is_read and is_written:
        return ""
    what = "writes something for None" if is_read else "reads something from NULL"
    return f"is {column_type!r}, which {what}, so that null is not the same in Python and SQL"


def _is_json(column_type: TypeEngine[Any]) -> bool:
    return isinstance(_innermost(column_type), sa.JSON)
