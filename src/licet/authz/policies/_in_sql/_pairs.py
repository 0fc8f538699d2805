"""One attribute beside another in SQL: each in a form that compares as its values do in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from licet.authz.policies._in_sql._entities import expression, rows_alone, target_of
from licet.authz.policies._in_sql._functions import code_points
from licet.authz.policies._models.nodes import (
    Pair,
    Place,
    Test,
)
from licet.authz.policies._models.shape import Column, Kind, Zone

__all__ = ["as_pair", "comparable"]


def as_pair(plan: Pair, entity: Any) -> ColumnElement[bool]:
    """The comparison, never True where a value is missing but for ``!=`` and for a negation.

    Each attribute is found by itself, and is missing where a related object on its way is.
    """
    left, right = (_found(place, entity) for place in (plan.left, plan.right))
    term: ColumnElement[bool] = _OPERATORS[plan.test](left, right)
    return term.is_not(sa.true()) if plan.is_negated else term


def _found(place: Place, entity: Any) -> Any:
    """The attribute, by one subquery within another when it is that of a related object."""
    if not place.hops:
        return comparable(place.column, expression(entity, place.column.name))
    hop, *rest = place.hops
    target = target_of(hop)
    related = rows_alone(getattr(entity, hop.name).of_type(target).has())
    found = _found(Place(tuple(rest), place.column), target)
    return related.element.element.with_only_columns(found).scalar_subquery()


def comparable(column: Column, attribute: Any) -> Any:
    """The attribute, so that it compares with every other attribute of its kind."""
    match column.kind:
        case Kind.TEXT:
            return code_points(attribute)  # two columns may have two collations
        case Kind.ENUM:
            return code_points(sa.cast(attribute, sa.Text()))  # and two types of enums
        case Kind.MOMENT:
            return naive_moment(attribute) if column.zone is Zone.NONE else whole_moment(attribute)
        case Kind.NUMBER:
            return read_number(attribute, sa.literal_column(str(10 ** column.digits[1])))
        case _:
            return attribute


_OPERATORS: Final[dict[Test, Callable[[Any, Any], Any]]] = {
    Test.EQ: operators.eq,
    Test.NE: operators.is_distinct_from,
    Test.LT: operators.lt,
    Test.LE: operators.le,
    Test.GT: operators.gt,
    Test.GE: operators.ge,
}


class whole_moment(FunctionElement[Any]):  # noqa: N801 - SQL functions are lower case
    """A moment; on SQLite its text with all six digits of the second."""

    inherit_cache = True
    type = sa.DateTime(timezone=True)


class naive_moment(FunctionElement[Any]):  # noqa: N801 - as above
    """A moment in UTC that is kept without time zone."""

    inherit_cache = True
    type = sa.DateTime(timezone=True)


class read_number(FunctionElement[Any]):  # noqa: N801 - as above
    """A number; on SQLite the double nearest to what is read: ``read_number(x, 10**scale)``."""

    inherit_cache = True
    type = sa.Numeric()


@compiles(whole_moment)
def _moment(element: whole_moment, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(naive_moment)
def _in_utc(element: naive_moment, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} AT TIME ZONE 'UTC')"


@compiles(whole_moment, "sqlite")
@compiles(naive_moment, "sqlite")
def _six_digits(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"({text} || substr('.000000', length({text}) - 18))"


@compiles(read_number)
def _number(element: read_number, compiler: SQLCompiler, **options: Any) -> str:
    number, _scale = element.clauses
    return compiler.process(number, **options)


@compiles(read_number, "sqlite")
def _rounded(element: read_number, compiler: SQLCompiler, **options: Any) -> str:
    """The double, rounded to its column's digits as Python does it, half to even.

    SQLite's round() goes by sixteen digits. Here the product with the power of ten is ``p + e``
    without any error, and ``n`` is its whole part. Doubles of too many digits are left as they are.

    Source: T. J. Dekker, "A floating-point technique for extending the available precision" (1971).
    """
    x, ten = (compiler.process(part, **options) for part in element.clauses)
    high = int(ten) >> 25 << 25  # no more than 26 bits, as the other part
    low = int(ten) - high
    n, e = (
        "CAST(p AS INTEGER)",
        f"(h*{high}.0 - p + h*{low}.0 + (x - h)*{high}.0 + (x - h)*{low}.0)",
    )
    above, below = f"p - {n} - 0.5", f"p - {n} + 0.5"
    return (
        f"(SELECT CASE WHEN abs(x) >= {2.0**53} / {ten} THEN x ELSE ({n} + CASE "  # noqa: S608 - of compiled parts
        f"WHEN {above} > -{e} OR {above} = -{e} AND {n} % 2 THEN 1 "
        f"WHEN {below} < -{e} OR {below} = -{e} AND {n} % 2 THEN -1 ELSE 0 END) / {ten}.0 END "
        f"FROM (SELECT {x} AS x, {x} * {ten}.0 AS p, "
        f"{x} * 134217729.0 - ({x} * 134217729.0 - {x}) AS h))"
    )
