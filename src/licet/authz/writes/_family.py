"""Names of tables, and classes whose rows are each other's: what one row may be called.

A row can be written as an object of several classes, and a table can be known to SQLAlchemy by
several objects. What is guarded follows the row and the table, not what they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapper

from licet.authz.policies.policy import Policy

__all__ = [
    "AT_REGISTRATION",
    "BY_SERVICE",
    "GRANTS",
    "TableName",
    "kept_columns",
    "name_of",
    "reads_alike",
    "root_of",
]

TableName = tuple[str, str]
GRANTS: Final[TableName] = ("", "licet_grant")
BY_SERVICE: Final = "licet_by_service"  # the option of a statement about grants that asked who may
AT_REGISTRATION: Final[list[Callable[[Iterable[Policy]], None]]] = []
_UNKEPT: Final = (sa.LargeBinary, sa.JSON, sa.ARRAY, sa.PickleType)
_DEFAULT_SCHEMAS: Final = frozenset({"main", "public", "dbo"})


def name_of(table: Any) -> TableName:
    """The schema and the name of a table, by which any two objects for it are equal."""
    schema = str(getattr(table, "schema", None) or "").casefold()
    name = str(getattr(table, "name", "")).casefold()
    return ("" if schema in _DEFAULT_SCHEMAS else schema), name


def root_of(mapper: Mapper[Any]) -> Mapper[Any]:
    """The nearest base whose primary key is the row's own; a concrete class is one itself."""
    while mapper.inherits is not None and not mapper.concrete:
        mapper = mapper.inherits
    return mapper


def kept_columns(table: Any) -> list[Any]:
    """The columns of a table that conditions and joins can read."""
    return [column for column in table.c if not isinstance(column.type, _UNKEPT)]


def reads_alike(column: Any) -> bool:
    """Whether different stored values of a column may be read as equal ones.

    SQLite has decimal numbers as floating ones, and a type of the app's own reads what it likes.
    """
    kind = column.type
    is_rounded = isinstance(kind, sa.Numeric) and kind.asdecimal
    return is_rounded or isinstance(kind, sa.types.TypeDecorator | sa.types.UserDefinedType)
