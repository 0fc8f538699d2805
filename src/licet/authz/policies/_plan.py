"""A condition that was looked up in a model: what the decision and the SQL are made from.

Here every name is resolved and every type checked, so that a condition which cannot work is refused
when its policy is built. Negations are pushed to the leaves, ``all`` becomes the negation of
``any``, and what is always true or false is folded away.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from licet.authz._moment import Now
from licet.authz.policies._models.callers import CallerValues
from licet.authz.policies._models.links import Linked
from licet.authz.policies._models.nodes import (
    FALSE,
    TRUE,
    AllOf,
    AnyOf,
    CallerLeaf,
    Exists,
    Leaf,
    LinkLeaf,
    Pair,
    Place,
    Plan,
    PredicateLeaf,
    Slot,
    Test,
    Truth,
)
from licet.authz.policies._models.paths import (
    refuse,
    require_fitting,
    require_same,
    require_time,
    resolve_path,
)
from licet.authz.policies._models.shape import (
    INTEGER_MAX,
    INTEGER_MIN,
    Column,
    Kind,
    Relation,
    Shape,
    Zone,
)
from licet.authz.policies.conditions import (
    Always,
    AttributePath,
    CallerCheck,
    CallerPath,
    CallerTest,
    Comparison,
    Condition,
    Conjunction,
    Disjunction,
    IsNull,
    Negation,
    Op,
    Predicate,
    Quantifier,
    path_of,
)
from licet.errors import UntranslatableCondition

__all__ = ["LINKED_CALLER", "SUBQUERY", "folded", "make_plan"]

MAX_DEPTH: Final = 24  # what SQLite's parser can keep in mind, with room for the list around it
SUBQUERY: Final = 3  # so many levels
TWO_NUMBERS: Final = 3 * SUBQUERY  # which SQLite has to round
MAX_SIZE: Final = 500
LINKED_CALLER: Final = Column("the grantee", Kind.TEXT, is_nullable=False)


def make_plan(
    condition: Condition,
    shape: Shape,
    caller_values: CallerValues,
    *,
    naive_as_utc: bool = False,
    depth: int = 0,
) -> Plan:
    """The plan of a condition on `shape`; what it asks of callers goes to `caller_values`.

    With `naive_as_utc` every DateTime without time zone is one in UTC. The statement around the
    condition has `depth` levels.

    Raises:
        UntranslatableCondition: it names what the model does not have, compares what cannot be
            compared, or is too large; with the place of its declaration.
    """
    return _Planner(caller_values, naive_as_utc).plan(
        condition, shape, is_negated=False, depth=depth
    )


@dataclass
class _Planner:
    caller_values: CallerValues
    naive_as_utc: bool
    size: int = field(default=0)

    def plan(self, condition: Condition, shape: Shape, *, is_negated: bool, depth: int) -> Plan:  # noqa: PLR0911 - one for each kind
        self.size += 1
        depth += SUBQUERY * _subqueries(condition)
        self._require_size(condition, depth)
        match condition:
            case Negation():
                return self.plan(condition.inner, shape, is_negated=not is_negated, depth=depth + 1)
            case Conjunction() | Disjunction():
                parts = [
                    self.plan(part, shape, is_negated=is_negated, depth=depth + 1)
                    for part in condition.parts
                ]
                joins_all = isinstance(condition, Conjunction) is not is_negated
                return _all_of(parts) if joins_all else _any_of(parts)
            case Quantifier():
                return self._quantified(condition, shape, is_negated=is_negated, depth=depth)
            case Always():
                return TRUE if condition.holds is not is_negated else FALSE
            case Predicate():
                return PredicateLeaf(condition.function, is_negated)
            case IsNull(of_caller=True) | CallerTest() | CallerCheck():
                return CallerLeaf(Slot(self.caller_values.add_test(condition)), is_negated)
            case IsNull():
                return _present(condition, shape, is_negated=not is_negated)
            case Comparison():
                return self._compared(condition, shape, is_negated=is_negated, depth=depth)
            case Linked():
                return self._linked(condition, shape, is_negated=is_negated)
            case _:
                return refuse(condition, f"{type(condition).__name__} is no kind of condition")

    def _require_size(self, condition: Condition, depth: int) -> None:
        if depth > MAX_DEPTH or self.size > MAX_SIZE:
            raise UntranslatableCondition(  # without its text, which may be very long
                f"A condition has over {MAX_DEPTH} levels, of which each relationship counts "
                f"{SUBQUERY}, or {MAX_SIZE} parts. Declared at {condition.declared}"
            )

    def _quantified(
        self, condition: Quantifier, shape: Shape, *, is_negated: bool, depth: int
    ) -> Plan:
        hops, relation = resolve_path(condition, condition.path, shape)
        if not isinstance(relation, Relation) or not relation.is_many:
            refuse(
                condition,
                f"{'.'.join(condition.path)} is no to-many relationship, as any() and all() need",
            )
        inner = self.plan(
            condition.inner, relation.target, is_negated=condition.is_all, depth=depth
        )
        negated = is_negated is not condition.is_all
        if inner is FALSE:
            return TRUE if negated else FALSE
        return Exists(hops, relation, inner, negated)

    def _linked(self, condition: Linked, shape: Shape, *, is_negated: bool) -> Plan:
        hops: tuple[Relation, ...] = ()
        if condition.path:
            before, last = resolve_path(condition, condition.path, shape)
            if not isinstance(last, Relation) or last.is_many:
                refuse(condition, f"{'.'.join(condition.path)} is no to-one relationship")
            hops, shape = (*before, last), last.target
        if (reason := condition.link.unfit(shape.model)) is not None:
            refuse(condition, reason)
        index = self.caller_values.add_value(
            condition.caller_path, LINKED_CALLER, is_collection=condition.is_collection
        )
        self.caller_values.asks_now = True  # a link may have an end
        return LinkLeaf(hops, shape.model, condition.link, Slot(index), is_negated)

    def _compared(
        self, condition: Comparison, shape: Shape, *, is_negated: bool, depth: int
    ) -> Plan:
        place = self._place(condition, condition.path, shape)
        operand, column = condition.operand, place.column
        if isinstance(operand, AttributePath):
            other = self._place(condition, path_of(operand), shape)
            require_same(condition, column, other.column)
            self._require_size(condition, depth + TWO_NUMBERS * (column.kind is Kind.NUMBER))
            return Pair(place, Test(condition.op), other, is_negated)
        leaf = Leaf(place.hops, column, Test(condition.op), operand, is_negated)
        if isinstance(operand, CallerPath):
            index = self.caller_values.add_value(
                path_of(operand), column, is_collection=condition.op is Op.IN
            )
            return replace(leaf, operand=Slot(index))
        if isinstance(operand, Now):
            require_time(condition, column)
            index = self.caller_values.add_moment(operand, column)
            leaf = replace(leaf, operand=Slot(index, is_moment=True))
        else:
            require_fitting(condition, column)
        if condition.op is Op.NE:
            leaf = replace(leaf, test=Test.EQ, is_negated=not is_negated)
        return leaf if isinstance(operand, Now) else folded(leaf)

    def _place(self, condition: Comparison, path: tuple[str, ...], shape: Shape) -> Place:
        """The attribute at a path, which must be one that compares in this way."""
        hops, column = resolve_path(condition, path, shape)
        name = ".".join(path)
        if not isinstance(column, Column):
            refuse(
                condition,
                f"{name} is a relationship: compare an attribute of it, or write is_null(), any() "
                "or all()",
            )
        if column.incomparable:
            owner = hops[-1].target if hops else shape
            refuse(condition, f"{owner.name}.{column.name} {column.incomparable}")
        if (reason := column.refusal(condition.op)) is not None:
            refuse(condition, f"{name} {reason}")
        if column.zone is Zone.NONE and not (self.naive_as_utc or condition.naive_as_utc):
            refuse(
                condition,
                f"{name} is a DateTime without time zone: if it is kept in UTC, write "
                f"attr({name!r}, naive_as_utc=True), or Policy(…, naive_as_utc=True) for all; else "
                "use licet.db.types.UTCDateTime",
            )
        return Place(hops, column)


def _subqueries(condition: Condition) -> int:
    match condition:
        case Quantifier():
            return len(condition.path)
        case Comparison(operand=AttributePath() as other):
            return len(condition.path) + len(path_of(other)) - 2
        case Comparison() | IsNull():
            return len(condition.path) - 1
        case Linked():
            return len(condition.path) + 1
        case _:
            return 0


def folded(leaf: Leaf) -> Leaf | Truth:
    """The leaf, or what it amounts to when no column could hold its integer, or its text."""
    never = TRUE if leaf.is_negated else FALSE
    if leaf.test is Test.IN:
        values = frozenset(v for v in leaf.operand if not _beyond(leaf.column, v))
        return replace(leaf, operand=values) if values else never
    if leaf.test is Test.PRESENT or not _beyond(leaf.column, leaf.operand):
        return leaf
    is_above = leaf.column.kind is Kind.INTEGER and leaf.operand > 0
    if leaf.test in ((Test.LT, Test.LE) if is_above else (Test.GT, Test.GE)):
        return replace(leaf, test=Test.PRESENT, operand=None)
    return never


def _beyond(column: Column, value: Any) -> bool:
    if column.choices:
        return value not in column.choices
    return column.kind is Kind.INTEGER and not INTEGER_MIN <= value <= INTEGER_MAX


def _present(condition: IsNull, shape: Shape, *, is_negated: bool) -> Plan:
    hops, found = resolve_path(condition, condition.path, shape)
    if isinstance(found, Column):
        if found.never_null:
            refuse(condition, f"{'.'.join(condition.path)} {found.never_null}")
        return Leaf(hops, found, Test.PRESENT, None, is_negated)
    if found.is_many:
        whole = f"{'.'.join(condition.path)} is a to-many relationship, which is never null"
        refuse(condition, f"{whole}: write ~path.any(…)")
    return Exists(hops, found, TRUE, is_negated)


def _all_of(parts: list[Plan]) -> Plan:
    if any(part is FALSE for part in parts):
        return FALSE
    parts = [part for part in parts if part is not TRUE]
    return TRUE if not parts else parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _any_of(parts: list[Plan]) -> Plan:
    if any(part is TRUE for part in parts):
        return TRUE
    parts = [part for part in parts if part is not FALSE]
    return FALSE if not parts else parts[0] if len(parts) == 1 else AnyOf(tuple(parts))
