"""Filters, orders and cursors as SQL.

A related row counts only when the caller may see it, and is not in the trash: for everybody else it
is not there. Negations are two-valued: what is unknown is not so, and its negation is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from licet.authz.policies._in_sql._filter import apart
from licet.authz.policies._in_sql._functions import code_points
from licet.rest.jsonapi.filters import Compare, Inverse, Junction, Node, Related
from licet.rest.jsonapi.query import SortKey
from licet.rest.jsonapi.resource import Attribute, Bound, Link
from licet.rest.jsonapi.values import ValueType, as_json, as_text, read
from licet.rest.paging import Cursor, read_cursor, write_cursor, wrong_parameter
from licet.wire.text import ascii_lower

__all__ = [
    "Order",
    "Seen",
    "beyond_cursor",
    "criterion_of",
    "cursor_of",
    "order_of",
    "ordering",
]

# the rows of an entity that a link leads to and the caller may see
Seen = Callable[[Link, Any], list[ColumnElement[bool]]]
_ESCAPE: Final = "\\"


class matches(FunctionElement[bool]):  # noqa: N801 - SQL functions are lower case
    """Whether a text is like a pattern of LIKE, by code point and case."""

    inherit_cache = True
    type = sa.Boolean()


class folded(FunctionElement[str]):  # noqa: N801 - as above
    """A text with A to Z in lower case."""

    inherit_cache = True
    type = sa.Text()


@compiles(matches)
def _glob(element: matches, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite's LIKE knows no case, and its GLOB no escape: a pattern of GLOB is made from the other
    text, _pattern, glob = (compiler.process(part, **options) for part in element.clauses)
    return f"({text} GLOB {glob})"


@compiles(matches, "postgresql")
def _like(element: matches, compiler: SQLCompiler, **options: Any) -> str:
    text, pattern, _glob = (compiler.process(part, **options) for part in element.clauses)
    return f"({text} LIKE {pattern} ESCAPE '{_ESCAPE}')"


@compiles(folded)
def _lower(element: folded, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


@compiles(folded, "postgresql")
def _lower_c(element: folded, compiler: SQLCompiler, **options: Any) -> str:
    return f'lower(({compiler.process(element.clauses, **options)}) COLLATE "C")'


# --- filters -------------------------------------------------------------------------------------


def criterion_of(node: Node, entity: Any, seen: Seen) -> ColumnElement[bool]:
    """The node as a criterion about the rows of a class or an alias."""
    match node:
        case Junction():
            join = sa.and_ if node.is_all else sa.or_
            return join(*(criterion_of(part, entity, seen) for part in node.parts))
        case Inverse():
            return _inverse(criterion_of(node.part, entity, seen))
        case Related():
            target = aliased(node.link.target.model)
            parts = seen(node.link, target)
            if node.inner is not None:
                parts.append(criterion_of(node.inner, target, seen))
            attribute = getattr(entity, node.link.name).of_type(target)
            related = sa.and_(sa.true(), *parts)
            found: ColumnElement[bool] = (
                attribute.any(related) if node.link.is_many else attribute.has(related)
            )
            return found
    compared: ColumnElement[bool] = apart(_compared(node, entity))
    return compared


def _inverse(part: ColumnElement[bool]) -> ColumnElement[bool]:
    return part.is_not(sa.true())


def _compared(node: Compare, entity: Any) -> ColumnElement[bool]:
    column = getattr(entity, node.attribute.name)
    if node.op in _PATTERNED:
        return _like_pattern(node.op, column, node.value)
    if node.op in ("is_", "isnot"):
        null: ColumnElement[bool] = column.is_(None)
        if not node.attribute.value_type.is_comparable:  # documents show a null of JSON as null
            null = sa.or_(null, sa.cast(column, sa.Text) == "null")
        return ~null if node.op == "isnot" else null
    if node.other is not None:
        other = getattr(entity, node.other.name)
        return _OPS[node.op](_ordered(column, node.attribute), _ordered(other, node.other))
    if node.op in ("in_", "notin_"):
        among: ColumnElement[bool] = column.in_([_literal(node.attribute, v) for v in node.value])
        return _inverse(among) if node.op == "notin_" else among
    if node.op in ("eq", "ne"):
        return _OPS[node.op](column, _literal(node.attribute, node.value))
    key = _ordered(column, node.attribute)
    if node.op == "between":
        low, high = (_literal(node.attribute, value) for value in node.value)
        return sa.and_(key >= low, key <= high)
    return _OPS[node.op](key, _literal(node.attribute, node.value))


_OPS: Final[dict[str, Callable[[Any, Any], ColumnElement[bool]]]] = {
    "eq": lambda one, other: one == other,
    "ne": lambda one, other: one.is_distinct_from(other),
    "gt": lambda one, other: one > other,
    "ge": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
}
_PATTERNED: Final = frozenset({"like", "ilike", "notilike", "startswith", "endswith"})


def _literal(attribute: Attribute, value: Any) -> Any:
    """The value as a parameter; an integer beyond a narrow column's range compares as well."""
    if attribute.value_type.python is int:
        return sa.literal(value, sa.BigInteger)
    return value


def _ordered(column: Any, attribute: Attribute) -> Any:
    """What the attribute is ordered by: texts, enums among them, by code point."""
    if attribute.value_type.choices:
        return code_points(sa.cast(column, sa.Text))
    return code_points(column) if attribute.value_type.is_text else column


def _like_pattern(op: str, column: Any, text: str) -> ColumnElement[bool]:
    if op == "startswith":
        pieces = [text, ""]
    elif op == "endswith":
        pieces = ["", text]
    else:
        pieces = text.split("%")
    if op in ("ilike", "notilike"):
        found = _matching(folded(column), [ascii_lower(piece) for piece in pieces])
        return _inverse(found) if op == "notilike" else found
    return _matching(column, pieces)


def _matching(text: Any, pieces: list[str]) -> ColumnElement[bool]:
    """Whether the text is these pieces, with anything between them."""
    like = "%".join(
        piece.replace(_ESCAPE, _ESCAPE * 2).replace("%", r"\%").replace("_", r"\_")
        for piece in pieces
    )
    glob = "*".join(
        "".join(f"[{char}]" if char in "[*?" else char for char in piece) for piece in pieces
    )
    return matches(text, sa.literal(like, sa.Text), sa.literal(glob, sa.Text))


# --- orders --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """One key of a total order: an expression, its direction, and whether it can be null.

    `word` is what cursors call it.
    """

    word: str
    expression: Any
    attribute: Attribute
    is_descending: bool
    is_nullable: bool


def order_of(keys: Sequence[SortKey], bound: Bound, seen: Seen) -> list[Order]:
    """The order of a list, which ends with the primary key."""
    orders = [_order(key, bound, seen) for key in keys]
    if not any(not key.links and key.attribute.name == bound.key.name for key in keys):
        is_descending = bool(keys) and keys[-1].is_descending
        orders.append(_order(SortKey((), bound.key, is_descending), bound, seen))
    return orders


def _order(key: SortKey, bound: Bound, seen: Seen) -> Order:
    attribute = key.attribute
    expression = _value(list(key.links), attribute, bound.model, seen)
    is_nullable = bool(key.links) or attribute.value_type.is_nullable
    path = ".".join([*(link.name for link in key.links), attribute.name])
    word = f"-{path}" if key.is_descending else path
    return Order(word, expression, attribute, key.is_descending, is_nullable)


def _value(links: list[Link], attribute: Attribute, entity: Any, seen: Seen) -> Any:
    """The attribute of the object that the links lead to; NULL when the caller sees none."""
    if not links:
        return _ordered(getattr(entity, attribute.name), attribute)
    link, *rest = links
    target = aliased(link.target.model)
    ((own, related),) = link.keys
    criteria = seen(link, target)
    return (
        sa.select(_value(rest, attribute, target, seen))
        .select_from(target)
        .where(getattr(target, related) == getattr(entity, own), *criteria)
        .correlate(entity)
        .scalar_subquery()
    )


def ordering(orders: Sequence[Order], *, is_reversed: bool = False) -> list[Any]:
    """The clauses of ORDER BY; null is the largest value, as in all lists of rest."""
    clauses = []
    for order in orders:
        is_descending = order.is_descending is not is_reversed
        clause = order.expression.desc() if is_descending else order.expression.asc()
        if order.is_nullable:
            clause = clause.nulls_first() if is_descending else clause.nulls_last()
        clauses.append(clause)
    return clauses


def cursor_of(orders: Sequence[Order], values: Sequence[Any]) -> str:
    """The cursor of a row with these values of the order's keys."""
    held = [as_text(value) if isinstance(value, Enum) else value for value in values]
    return write_cursor(Cursor(order=_words(orders), values=tuple(held)))


def beyond_cursor(
    text: str, orders: Sequence[Order], parameter: str, *, is_reversed: bool = False
) -> ColumnElement[bool]:
    """The rows that come after the one whose cursor the query parameter has.

    Raises:
        MalformedRequest: it is no cursor, or one of another order.
    """
    found = read_cursor(text, _words(orders), name=parameter)
    try:
        pairs = zip(orders, found.values, strict=True)
        values = [_held(order.attribute.value_type, value) for order, value in pairs]
    except ValueError as error:
        raise wrong_parameter(parameter, "it is no cursor of this list.") from error
    return _beyond(orders, values, is_reversed=is_reversed)


def _words(orders: Sequence[Order]) -> tuple[str, ...]:
    return tuple(order.word for order in orders)


def _held(given: ValueType, value: Any) -> Any:
    if given.python is float and isinstance(value, float) and not isfinite(value):
        return value  # which a body may not have, and a row can
    value = as_json(value)
    if given.choices:  # by the text that the database orders it by
        return read(ValueType(str), value)
    return read(ValueType(given.python, is_aware=given.is_aware), value)


def _beyond(
    orders: Sequence[Order], values: Sequence[Any], *, is_reversed: bool
) -> ColumnElement[bool]:
    """The rows that come after the one with these values of the order's keys."""
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for order, value in zip(orders, values, strict=True):
        further = _further(order, value, is_descending=order.is_descending is not is_reversed)
        if further is not None:
            alternatives.append(sa.and_(*equal, further))
        key = order.expression
        same = key.is_(None) if value is None else key == _key_value(order, value)
        equal.append(same)
    return sa.or_(*alternatives) if alternatives else sa.false()


def _further(order: Order, value: Any, *, is_descending: bool) -> ColumnElement[bool] | None:
    key = order.expression
    if value is None:
        return key.is_not(None) if is_descending else None
    bound_value = _key_value(order, value)
    if is_descending:
        less: ColumnElement[bool] = key < bound_value
        return less
    return sa.or_(key > bound_value, key.is_(None)) if order.is_nullable else key > bound_value


def _key_value(order: Order, value: Any) -> Any:
    return _literal(order.attribute, value)
