"""Values that SQLite keeps in several forms: the first and the last form that is such a value.

SQLite has a moment as text, of which SQLAlchemy writes six digits of the second, CURRENT_TIMESTAMP
none and strftime('%f') three; all are read as the same moment. It has a number of Numeric(12, 2) as
a double, of which every one that rounds to the same two digits is read as the same number. In the
order of the database these forms lie together: a value is equal when it is between the first and
the last, and less when it is before the first. An index answers that. PostgreSQL has one form each.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from licet.authz.policies._in_sql._functions import Many, is_among
from licet.authz.policies._models.nodes import (
    Test,
)
from licet.authz.policies._models.shape import Column, Kind, Zone

__all__ = ["compare_with", "has_edges", "is_among_many"]

_EXACT: Final = Context(prec=1000)


def has_edges(column: Column) -> bool:
    """Whether values of the column have several forms on SQLite."""
    return column.kind in (Kind.MOMENT, Kind.NUMBER)


def compare_with(column: Column, test: Test, attribute: Any, value: Any) -> Any:
    """The comparison of an attribute with a value, in every form that they have."""
    first, last = _bound(column, value, is_first=True), _bound(column, value, is_first=False)
    match test:
        case Test.EQ:
            return is_between(attribute, first, last)
        case Test.LT | Test.GE:
            return _OPERATORS[test](attribute, first)
        case _:
            return _OPERATORS[test](attribute, last)


def is_among_many(column: Column, attribute: Any, values: Iterable[Any]) -> Any:
    """Whether an attribute is one of many values."""
    if column.kind is Kind.MOMENT:
        kind = ManyMoments(column.zone is Zone.NONE)
        return is_among(attribute, sa.bindparam(None, list(values), kind, unique=True))
    numbers = [Decimal(value) for value in values]
    many = sa.bindparam(None, numbers, postgresql.ARRAY(sa.Numeric()), unique=True)
    edges = [
        _bound(column, number, is_first=is_first)
        for number in numbers
        for is_first in (True, False)
    ]
    return is_within(attribute, many, *edges)


_OPERATORS: Final[dict[Test, Callable[[Any, Any], Any]]] = {
    Test.LT: operators.lt,
    Test.LE: operators.le,
    Test.GT: operators.gt,
    Test.GE: operators.ge,
}


def _bound(column: Column, value: Any, *, is_first: bool) -> Any:
    kind: TypeEngine[Any]
    if column.kind is Kind.NUMBER:
        kind, value = NumberEdge(column.digits[1], is_first), Decimal(value)
    else:
        kind = MomentEdge(column.zone is Zone.NONE, is_first)
    return sa.bindparam(None, value, kind, unique=True)


class MomentEdge(TypeDecorator[datetime]):
    """The first or the last text of a moment, or the moment itself."""

    impl = sa.DateTime
    cache_ok = True

    def __init__(self, is_naive: bool, is_first: bool) -> None:  # noqa: FBT001 - parts of the cache key
        super().__init__()
        self.is_naive = is_naive
        self.is_first = is_first

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite."""
        if dialect.name == "sqlite":
            return sa.String()
        return sa.DateTime(timezone=not self.is_naive)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """What the database compares with."""
        if value is None:
            return None
        if dialect.name != "sqlite":
            return value.replace(tzinfo=None) if self.is_naive else value
        return _texts(value)[0 if self.is_first else -1]

    @property
    def python_type(self) -> type[Any]:
        """A datetime."""
        return datetime


class ManyMoments(Many):
    """Any number of moments as one parameter, on SQLite with every text that each may have."""

    cache_ok = True

    def __init__(self, is_naive: bool) -> None:  # noqa: FBT001 - a part of the cache key
        super().__init__(sa.DateTime(timezone=not is_naive))
        self.is_naive = is_naive

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The moments as the database keeps them."""
        if dialect.name == "sqlite":
            return json.dumps([text for moment in value for text in _texts(moment)])
        return [moment.replace(tzinfo=None) if self.is_naive else moment for moment in value]


def _texts(moment: datetime) -> list[str]:
    """Every text of a moment in UTC that SQLite may have, in its order."""
    whole = moment.replace(tzinfo=None).isoformat(" ", "microseconds")
    digits = whole.rstrip("0")
    if not digits.endswith("."):
        return [whole[:end] for end in range(len(digits), len(whole) + 1)]
    return [digits[:-1], *(whole[:end] for end in range(len(digits) + 1, len(whole) + 1))]


class NumberEdge(TypeDecorator[Decimal]):
    """The first or the last double that is read as a number, or the number itself."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, scale: int, is_first: bool) -> None:  # noqa: FBT001 - parts of the cache key
        super().__init__()
        self.scale = scale
        self.is_first = is_first

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """A double on SQLite; elsewhere of any precision, lest it be cut to the column's."""
        return sa.Float() if dialect.name == "sqlite" else sa.Numeric()

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """What the database compares with."""
        if value is None or dialect.name != "sqlite":
            return value
        return (
            _first_double(value, self.scale) if self.is_first else _last_double(value, self.scale)
        )

    @property
    def python_type(self) -> type[Any]:
        """A Decimal."""
        return Decimal


def _first_double(number: Decimal, scale: int) -> float:
    """The least double that is read as `number` or more."""
    step = Decimal(1).scaleb(-scale)
    least = number.quantize(step, ROUND_CEILING, _EXACT)
    found = float(_EXACT.subtract(least, step / 2))
    while _read(found, scale) >= least:
        found = math.nextafter(found, -math.inf)
    while _read(found, scale) < least:
        found = math.nextafter(found, math.inf)
    return found


def _last_double(number: Decimal, scale: int) -> float:
    """The greatest double that is read as `number` or less."""
    return -_first_double(-number, scale)  # rounding is the same on both sides of zero


def _read(double: float, scale: int) -> Decimal:
    """The number that SQLAlchemy makes of a double."""
    return Decimal(f"%.{scale}f" % double)


class _Comparison(FunctionElement[bool]):
    """What is written as a comparison, so that SQLite needs no ``= 1``, which no index answers."""

    inherit_cache = True
    type = sa.Boolean()

    def self_group(self, against: Any = None) -> Any:
        """Itself."""
        return self


class is_between(_Comparison):  # noqa: N801 - SQL functions are lower case
    """Whether a value is one whose first and last forms are given."""

    inherit_cache = True


class is_within(_Comparison):  # noqa: N801 - as above
    """Whether a value is one of many, given as an array and as the first and last form of each."""

    inherit_cache = True


@compiles(is_between)
def _equal(element: is_between, compiler: SQLCompiler, **options: Any) -> str:
    value, _first, last = element.clauses
    return f"({compiler.process(value, **options)} = {compiler.process(last, **options)})"


@compiles(is_between, "sqlite")
def _between(element: is_between, compiler: SQLCompiler, **options: Any) -> str:
    value, first, last = (compiler.process(part, **options) for part in element.clauses)
    return f"({value} BETWEEN {first} AND {last})"


@compiles(is_within)
def _any_number(element: is_within, compiler: SQLCompiler, **options: Any) -> str:
    value, many, *_edges = element.clauses
    return f"({compiler.process(value, **options)} = ANY ({compiler.process(many, **options)}))"


@compiles(is_within, "sqlite")
def _within_edges(element: is_within, compiler: SQLCompiler, **options: Any) -> str:
    value, _many, *edges = element.clauses
    texts = [compiler.process(edge, **options) for edge in edges]
    rows = ", ".join(f"({f}, {t})" for f, t in zip(texts[::2], texts[1::2], strict=True))
    inside = f"{compiler.process(value, **options)} BETWEEN column1 AND column2"
    return f"EXISTS (SELECT 1 FROM (VALUES {rows}) WHERE {inside})"  # noqa: S608 - compiled parts
