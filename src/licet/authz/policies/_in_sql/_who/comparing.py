"""How an attribute of an object and a column of accounts compare, or why they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from sqlalchemy.sql import operators

from licet.authz.policies._in_sql._functions import begins, position
from licet.authz.policies._in_sql._pairs import comparable as in_one_form
from licet.authz.policies._in_sql._who.accounts import Scalar
from licet.authz.policies._models.nodes import (
    Test,
)
from licet.authz.policies._models.shape import Column, Kind, Zone
from licet.errors import UntranslatableCondition

__all__ = ["OPERATORS", "comparable", "refuse"]


def comparable(column: Column, attribute: Any, said: Scalar, test: Test) -> tuple[Any, Any]:
    """The attribute and the account's value, in forms that compare as they do in Python.

    As they are where that compares so, because an index then answers.

    Raises:
        UntranslatableCondition: they are of different types.
    """
    theirs, one, other = said.column, attribute.type, said.expression.type
    is_same = (column.kind, column.enum_class, bool(column.choices), column.storage) == (
        *(theirs.kind, theirs.enum_class),
        *(bool(theirs.choices), theirs.storage),
    )
    if not is_same or theirs.zone is not Zone.UTC:
        refuse(
            f"{column.name}, {column.type_name}, is compared with {theirs.name} of accounts, "
            f"{theirs.type_name}, which is kept otherwise"
        )
    match column.kind:
        case Kind.TEXT:
            is_plain = test not in _ORDERS and one.collation == other.collation
        case Kind.ENUM:
            is_plain = one.native_enum is other.native_enum and one.name == other.name
        case _:  # SQLite keeps moments and numbers in several forms
            is_plain = column.kind not in (Kind.MOMENT, Kind.NUMBER)
    if is_plain:
        return attribute, said.expression
    return in_one_form(column, attribute), in_one_form(theirs, said.expression)


_ORDERS: Final = frozenset({Test.LT, Test.LE, Test.GT, Test.GE})
OPERATORS: Final[Mapping[Test, Callable[[Any, Any], Any]]] = {
    Test.EQ: operators.eq,
    Test.LT: operators.lt,
    Test.LE: operators.le,
    Test.GT: operators.gt,
    Test.GE: operators.ge,
    Test.CONTAINS: lambda text, part: position(text, part) > 0,
    Test.STARTSWITH: begins,
}


def refuse(reason: str) -> NoReturn:
    raise UntranslatableCondition(f"Who may do it cannot be asked of the database: {reason}.")
