"""From a plan to a predicate in SQL.

What does not depend on the caller is built once; what does is built for each caller, or kept with
all of the caller's values as its key, so that no statement can hold another caller's values. A
related object is asked for by EXISTS, or in WHERE by IN when the answer depends on the caller: a
database then starts from the few rows that are the caller's own. Of columns, which are for the rows
of one page, EXISTS reads only what these rows need. Nothing is joined, so no row is multiplied.

A term is True only for rows that fulfil it, and NULL or False for the others: negations are in the
leaves, which alone say what they mean for missing values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.sql import operators

from licet.authz.policies._in_sql._edges import compare_with, has_edges, is_among_many
from licet.authz.policies._in_sql._entities import (
    column_of,
    expression,
    plain,
    rows_alone,
    target_of,
    through_secondary,
)
from licet.authz.policies._in_sql._functions import (
    Many,
    begins,
    code_points,
    is_among,
    is_json_null,
    position,
)
from licet.authz.policies._in_sql._pairs import as_pair
from licet.authz.policies._models.links import as_callers
from licet.authz.policies._models.mapping import is_equality, key_names
from licet.authz.policies._models.nodes import (
    AllOf,
    AnyOf,
    CallerLeaf,
    Exists,
    Leaf,
    LinkLeaf,
    Pair,
    Plan,
    PredicateLeaf,
    Slot,
    Test,
    Truth,
)
from licet.authz.policies._models.shape import Column, Kind, Relation
from licet.authz.policies._plan import folded
from licet.errors import UntranslatableCondition

__all__ = [
    "Term",
    "Values",
    "as_column",
    "as_where",
    "build",
    "rows_alone",
    "term_of",
]

Values = Sequence[Any]
Term = ColumnElement[bool] | bool
MANY: Final = 5
_INT32: Final = 2**31
_WIDEST: Final[dict[Kind, Any]] = {Kind.INTEGER: sa.BigInteger(), Kind.TEXT: sa.Text()}


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a predicate: always the same, or made for each caller or moment."""

    make: Callable[[Values], Term]
    asks_caller: bool
    asks_now: bool = False

    @property
    def varies(self) -> bool:
        """Whether it is made for each check."""
        return self.asks_caller or self.asks_now


def build(plan: Plan, entity: Any, *, as_column: bool = False) -> Piece:
    """What makes the predicate of `plan` on a mapped class or an alias of one.

    Args:
        plan: the predicate.
        entity: what it is about.
        as_column: it is to be selected; else it stands in WHERE.

    Raises:
        UntranslatableCondition: a Python function is part of it.
    """
    match plan:
        case Truth():
            return _static(plan.holds)
        case AllOf() | AnyOf():
            pieces = [build(part, entity, as_column=as_column) for part in plan.parts]
            return _joined(pieces, sa.and_ if isinstance(plan, AllOf) else sa.or_)
        case CallerLeaf():
            index, is_negated = plan.slot.index, plan.is_negated
            return Piece(lambda values: values[index] is not is_negated, asks_caller=True)
        case PredicateLeaf():
            raise UntranslatableCondition(
                f"{plan.function!r} is a Python function, which SQL cannot call: use it for verbs "
                "on single objects, never for LIST."
            )
        case Exists():
            target = target_of(plan.relation)
            inner = build(plan.inner, target, as_column=as_column)
            link = _Link(plan.relation, target, inner, as_column)
            return _reached(plan.hops, entity, plan.is_negated, link)
        case LinkLeaf():
            return _linked_row(plan, entity, as_column)
        case Leaf(hops=()):
            return _leaf(plan, entity)
        case Pair():
            return _static(as_pair(plan, entity))
        case _:
            return _leaf_of_related(plan, entity, as_column)


def as_where(term: Term) -> ColumnElement[bool]:
    """The term as a criterion of WHERE."""
    if isinstance(term, bool):
        return sa.true() if term else sa.false()
    return term


def as_column(term: Term) -> ColumnElement[bool]:
    """The term as a column that is never NULL."""
    if isinstance(term, bool):
        return sa.literal(term, sa.Boolean())
    return sa.type_coerce(term.is_(sa.true()), sa.Boolean())


def _static(term: Term) -> Piece:
    return Piece(lambda _values: term, asks_caller=False)


def _joined(pieces: list[Piece], join: Callable[..., ColumnElement[bool]]) -> Piece:
    decisive = join is sa.or_  # a part that decides the whole: False of "and", True of "or"

    def make(values: Values) -> Term:
        terms: list[ColumnElement[bool]] = []
        for piece in pieces:
            term = piece.make(values)
            if not isinstance(term, bool):
                terms.append(term)
            elif term is decisive:
                return decisive
        if not terms:
            return not decisive
        return terms[0] if len(terms) == 1 else join(*terms)

    return _made(make, pieces)


def _made(make: Callable[[Values], Term], pieces: Iterable[Piece]) -> Piece:
    """A piece that varies as these do, and is made once when none of them does."""
    asks_caller, asks_now = (
        any(getattr(piece, name) for piece in pieces) for name in ("asks_caller", "asks_now")
    )
    return Piece(make, asks_caller, asks_now) if asks_caller or asks_now else _static(make(()))


# --- related objects -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Link:
    """A relationship, an alias of its target, and what must hold there."""

    relation: Relation
    target: Any
    inner: Piece
    as_column: bool


def _where(selected: Any, inner: Term) -> Any:
    return selected if isinstance(inner, bool) else selected.where(inner)


def _reached(hops: Iterable[Relation], entity: Any, is_negated: bool, last: _Link) -> Piece:  # noqa: FBT001
    """The link's condition, through to-one relationships; a negation is outermost."""
    owners = [entity]
    links: list[tuple[Relation, Any]] = []
    for hop in hops:
        links.append((hop, target_of(hop)))
        owners.append(links[-1][1])
    piece = _linked(owners[-1], last, is_negated and not links)
    for index in range(len(links) - 1, -1, -1):
        relation, target = links[index]
        link = _Link(relation, target, piece, last.as_column)
        piece = _linked(owners[index], link, is_negated and index == 0)
    return piece


def _linked(owner: Any, link: _Link, is_negated: bool) -> Piece:  # noqa: FBT001
    attribute = getattr(owner, link.relation.name)
    related = attribute.of_type(link.target)
    exists: Any = rows_alone(related.any() if link.relation.is_many else related.has())
    starts_from_caller = link.inner.asks_caller and not link.as_column and not is_negated
    by_key = _by_key(owner, link, attribute.property) if starts_from_caller else None

    def make(values: Values) -> Term:
        inner = link.inner.make(values)
        if inner is False:
            return is_negated
        if by_key is not None:
            return by_key(inner)
        found: ColumnElement[bool] = _where(exists, inner)
        return ~found if is_negated else found

    return _made(make, (link.inner,))


def _by_key(
    owner: Any, link: _Link, prop: RelationshipProperty[Any]
) -> Callable[[Term], ColumnElement[bool]] | None:
    """``owner.key IN (SELECT …)``, when the relationship is one plain equality a side."""
    pairs = prop.synchronize_pairs
    if len(pairs) != 1 or not is_equality(prop.primaryjoin, pairs):
        return None
    if prop.secondary is None:
        ((local, remote),) = prop.local_remote_pairs
        own_key, chosen = column_of(owner, local), plain(link.target, remote)
        if own_key is None or chosen is None:
            return None
        selected = sa.select(chosen)
        if remote.nullable:
            selected = selected.where(chosen.is_not(None))
        may_be_null = local.nullable
    else:
        found = through_secondary(owner, link.target, prop)
        if found is None:
            return None
        own_key, selected = found
        may_be_null = False
    selected = selected.correlate(None)

    def make(inner: Term) -> ColumnElement[bool]:
        is_in: ColumnElement[bool] = own_key.in_(_where(selected, inner))
        return sa.and_(own_key.is_not(None), is_in) if may_be_null else is_in

    return make


# --- leaves --------------------------------------------------------------------------------------


def _leaf(leaf: Leaf, entity: Any) -> Piece:
    attribute = expression(entity, leaf.column.name)
    if isinstance(leaf.operand, Slot):
        is_moment = leaf.operand.is_moment
        return Piece(
            lambda values: _compared(_with_value(leaf, values), attribute),
            asks_caller=not is_moment,
            asks_now=is_moment,
        )
    return _static(_compared(leaf, attribute))


def _leaf_of_related(leaf: Leaf, entity: Any, as_column: bool) -> Piece:  # noqa: FBT001
    """A missing related object is a missing value, so negations stay outside of the EXISTS."""
    *way, last = leaf.hops
    target = target_of(last)

    def linked(known: Leaf) -> Piece:
        inner = _leaf(replace(known, hops=(), is_negated=False), target)
        return _reached(way, entity, known.is_negated, _Link(last, target, inner, as_column))

    if leaf.test is not Test.NE:
        return linked(leaf)
    # != is "not ==" beside a value, and "is present" beside none: which, is known in each check
    equal = linked(replace(leaf, test=Test.EQ, is_negated=not leaf.is_negated))
    present = linked(replace(leaf, test=Test.PRESENT, operand=None))
    index = leaf.operand.index
    return Piece(
        lambda values: (present if values[index] is None else equal).make(values), asks_caller=True
    )


def _linked_row(plan: LinkLeaf, entity: Any, as_column: bool) -> Piece:  # noqa: FBT001
    """``key IN (SELECT …)`` of the rows that link objects with the caller."""
    (name,) = key_names(plan.model)

    def at(row: Any, is_negated: bool) -> Piece:  # noqa: FBT001
        key = expression(row, name)

        def make(values: Values) -> Term:
            callers = as_callers(values[plan.slot.index])
            if not callers:
                return is_negated
            term: ColumnElement[bool] = key.in_(plan.link.keys(plan.model, callers))
            return ~term if is_negated else term

        return Piece(make, asks_caller=True)

    if not plan.hops:
        return at(entity, plan.is_negated)
    *way, last = plan.hops
    target = target_of(last)
    link = _Link(last, target, at(target, False), as_column)  # noqa: FBT003
    return _reached(way, entity, plan.is_negated, link)


def _with_value(leaf: Leaf, values: Values) -> Leaf | Truth:
    """The leaf beside the caller's value; beside none it is False, and != asks for any value."""
    value = values[leaf.operand.index]
    if value is None:
        if leaf.test is Test.NE:
            return replace(leaf, test=Test.PRESENT, operand=None)
        return Truth(leaf.is_negated)
    if leaf.test is Test.NE:
        leaf = replace(leaf, test=Test.EQ, is_negated=not leaf.is_negated)
    return folded(replace(leaf, operand=value))


def term_of(leaf: Leaf, attribute: Any) -> Term:
    """The leaf beside a constant, about an expression of the leaf's column."""
    return _compared(folded(leaf), attribute)


def _compared(plan: Leaf | Truth, attribute: Any) -> Term:
    if isinstance(plan, Truth):
        return plan.holds
    if plan.test is Test.PRESENT:
        return _present(plan, attribute)
    term: ColumnElement[bool] = _positive(plan.column, plan.test, attribute, plan.operand)
    if not plan.is_negated:
        return term
    return term.is_not(sa.true()) if plan.column.is_nullable else ~term


def _present(leaf: Leaf, attribute: Any) -> Term:
    if not leaf.column.is_nullable:
        return not leaf.is_negated
    if leaf.column.kind is Kind.OTHER:  # whose operators may be its own
        attribute = sa.type_coerce(attribute, sa.Text())
    if leaf.column.is_json:
        is_null = sa.or_(attribute.is_(None), is_json_null(attribute))
        return is_null if leaf.is_negated else sa.not_(is_null)
    found: ColumnElement[bool] = attribute.is_(None) if leaf.is_negated else attribute.is_not(None)
    return found


def _positive(column: Column, test: Test, attribute: Any, operand: Any) -> Any:
    if test is Test.IN:
        return _is_in(column, attribute, operand)
    if test is Test.CONTAINS:
        return position(attribute, sa.literal(operand, sa.Text())) > 0
    if test is Test.STARTSWITH:
        return begins(attribute, sa.literal(operand, sa.Text()))
    if has_edges(column):
        return compare_with(column, test, attribute, operand)
    value = _bound(column, attribute, operand)
    if column.kind is Kind.TEXT and test is not Test.EQ:
        attribute = code_points(attribute)
    return _OPERATORS[test](attribute, value)


def _bound(column: Column, attribute: Any, value: Any) -> Any:
    """A parameter of its own; an integer's is as wide as its value, however narrow the column."""
    kind = attribute.type
    if column.kind is Kind.INTEGER:
        kind = sa.Integer() if -_INT32 <= value < _INT32 else sa.BigInteger()
    return sa.bindparam(None, value, kind, unique=True)


def _is_in(column: Column, attribute: Any, values: frozenset[Any]) -> Any:
    if len(values) < MANY:
        return sa.or_(*(_positive(column, Test.EQ, attribute, value) for value in values))
    if has_edges(column):
        return is_among_many(column, attribute, values)
    item = _WIDEST.get(column.kind, attribute.type)  # or the cast would cut texts to its length
    return is_among(attribute, sa.bindparam(None, list(values), type_=Many(item), unique=True))


_OPERATORS: Final[dict[Test, Callable[[Any, Any], Any]]] = {
    Test.EQ: operators.eq,
    Test.LT: operators.lt,
    Test.LE: operators.le,
    Test.GT: operators.gt,
    Test.GE: operators.ge,
}
