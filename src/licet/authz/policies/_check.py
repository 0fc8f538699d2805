"""One condition on one model, ready to be used: the object's answer, the SQL, the explanation."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapper

from licet.authz._clock import at_one_moment
from licet.authz._moment import known_moment
from licet.authz.policies._in_memory import compile_decision
from licet.authz.policies._in_sql._terms import Piece, Term, build
from licet.authz.policies._in_words import Explanation, explain
from licet.authz.policies._models.callers import CallerValues, InvalidCaller
from licet.authz.policies._models.kept import KeptStatements, exactly
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
from licet.authz.policies._models.shape import ObjectReader, Shape
from licet.authz.policies._plan import make_plan
from licet.authz.policies._reader import FormerReader, LoadedReader
from licet.authz.policies.conditions import Condition

__all__ = ["FORMER", "NOW", "Check", "KnownCaller", "known_caller"]

log = logging.getLogger(__name__)
NOW: Final[ObjectReader] = LoadedReader()
FORMER: Final[ObjectReader] = FormerReader()
_TERMS: Final = 64


class Check:
    """What `condition` says of objects of a mapped class, in all three readings.

    Raises:
        UntranslatableCondition: it does not fit the class.
    """

    def __init__(self, condition: Condition, shape: Shape, *, naive_as_utc: bool = False) -> None:
        self.condition = condition
        self._shape = shape
        self._caller_values = CallerValues()
        self.plan = make_plan(condition, shape, self._caller_values, naive_as_utc=naive_as_utc)
        self.asks_related: Final = asks_related(self.plan)
        self._decide = compile_decision(self.plan, NOW)
        self._piece: Piece | None = None
        self._column: Piece | None = None
        self._terms: Final = KeptStatements(_TERMS)

    @property
    def asks_now(self) -> bool:
        """Whether it compares something with the moment of the decision."""
        return self._caller_values.asks_now

    @property
    def has_predicate(self) -> bool:
        """Whether a Python function is part of it, which SQL cannot say."""
        return has_predicate(self.plan)

    @property
    def holds_on_missing_data(self) -> bool:
        """Whether it can hold because a value or a related object is missing."""
        return holds_on_missing_data(self.plan)

    def holds(self, owner: Any, identity: Any) -> bool:
        """Whether it holds of an object as it now is.

        Raises:
            UnloadedObject: a related object cannot be known.
        """
        state = owner._sa_instance_state
        if state.modified or state.key is None:  # what a flush makes of it takes a closer look
            return self.explain(owner, identity).holds
        return self.holds_as_stored(owner, identity)

    def holds_as_stored(self, owner: Any, identity: Any) -> bool:
        """The same of an object that is known to have no unflushed changes."""
        values = self._caller_values.read(identity)
        try:
            return values is not None and self._decide(owner, values, identity)
        except InvalidCaller as error:
            log.error("A check is denied: %s", error)  # noqa: TRY400 - told in one line
            return False

    def held(self, owner: Any, identity: Any) -> bool:
        """Whether it held of an object before its unflushed changes."""
        return self.explain(owner, identity, FORMER).holds

    def may_hold(self, identity: Any) -> bool:
        """Whether it could hold of some object; False only where it holds of none whatever."""
        values = self._caller_values.read(identity)
        return values is not None and outcome_of_caller(self.plan, values) is not False

    def prepare(self) -> None:
        """Build the SQL now.

        Raises:
            UntranslatableCondition: SQL cannot say it.
        """
        if self._piece is None:
            self._piece = build(self.plan, self._shape.model)

    def criterion(self, identity: Any, entity: Any = None) -> Term:
        """The same in SQL, on the class or on an alias of it; True or False when that is known."""
        values = self._values_of(identity)
        if values is None:
            return False
        if not (entity is None or isinstance(sa.inspect(entity), Mapper)):
            return build(self.plan, entity).make(values)
        if self._piece is None:
            self._piece = build(self.plan, self._shape.model)
        return self._kept_term(self._piece, values)

    def column(self, identity: Any, entity: Any = None) -> Term:
        """The same to be selected with the rows, in the form that `as_column` takes."""
        values = self._values_of(identity)
        if values is None:
            return False
        if not (entity is None or isinstance(sa.inspect(entity), Mapper)):
            return build(self.plan, entity, as_column=True).make(values)
        if self._column is None:
            self._column = build(self.plan, self._shape.model, as_column=True)
        return self._kept_term(self._column, values)

    def _kept_term(self, piece: Piece, values: Sequence[Any]) -> Term:
        """The piece's term, which is kept for callers of equal values."""
        if not piece.asks_caller or self.asks_now:  # a static one is made already
            return piece.make(values)
        told = exactly(values)
        return self._terms.get(None if told is None else (piece, told), lambda: piece.make(values))

    def _values_of(self, identity: Any) -> Sequence[Any] | None:
        """The caller's values; None when one of them is of a wrong type."""
        if type(identity) is KnownCaller:
            return identity.values[self]
        return self._caller_values.read(identity)

    def asked_of(self, identity: Any) -> Sequence[Any] | None:
        """What it asks of the caller, and the moment; None when something is of a wrong type."""
        return self._caller_values.read(identity)

    def values_to_keep(self, identity: Any) -> Sequence[Any] | None:
        """All that the SQL depends on; None when that is unknown, or another with each moment."""
        return None if self.asks_now else self._caller_values.read(identity)

    def explain(self, owner: Any, identity: Any, reader: ObjectReader = NOW) -> Explanation:
        """Every part of it on one object, with its outcome."""
        if self.asks_now and known_moment() is None:  # which is one for all parts
            with at_one_moment():
                return self.explain(owner, identity, reader)
        try:
            self._caller_values.require(identity)  # what is not come by would not be seen
            return explain(self.condition, owner, identity, self._shape, reader)
        except InvalidCaller as error:
            log.error("A check is denied: %s", error)  # noqa: TRY400 - told in one line
            return Explanation(str(error), holds=False)


@dataclass(frozen=True, eq=False)
class KnownCaller:
    """A caller as some checks have read them, each once; their SQL is made of nothing else.

    An attribute of the caller may be another when it is read again. A statement that was made from
    that, and kept for callers of the first, would show these what they may not see.

    Args:
        values: what each check asks of the caller.
        key: equal for callers for whom the checks have the same SQL.
    """

    values: Mapping[Check, Sequence[Any]]
    key: tuple[Any, ...]


def known_caller(checks: Iterable[Check], identity: Any) -> KnownCaller | None:
    """The caller, to make a statement with the SQL of these checks that is kept under its `key`.

    None when what it depends on is unknown, or another with each moment.
    """
    values: dict[Check, Sequence[Any]] = {}
    key = []
    for check in checks:
        found = check.values_to_keep(identity)
        told = None if found is None else exactly(found)
        if found is None or told is None:
            return None
        values[check] = found
        key.append(told)
    return KnownCaller(values, tuple(key))


def outcome_of_caller(plan: Plan, values: Sequence[Any]) -> bool | None:
    """What the caller alone decides of a plan; None where it takes an object to know."""
    match plan:
        case Truth():
            return plan.holds
        case CallerLeaf():
            return values[plan.slot.index] is not plan.is_negated
        case AllOf() | AnyOf():
            decisive = isinstance(plan, AnyOf)
            outcomes = [outcome_of_caller(part, values) for part in plan.parts]
            if decisive in outcomes:
                return decisive
            return None if None in outcomes else not decisive
        case Exists() if outcome_of_caller(plan.inner, values) is False:
            return plan.is_negated
        case LinkLeaf() if not values[plan.slot.index]:
            return plan.is_negated
        case Leaf(operand=Slot()) if plan.test is not Test.NE:
            has_value = values[plan.operand.index] not in (None, frozenset())
            return None if has_value else plan.is_negated
        case _:
            return None


def asks_related(plan: Plan) -> bool:
    """Whether other objects can be asked to decide about one."""
    match plan:
        case AllOf() | AnyOf():
            return any(map(asks_related, plan.parts))
        case Leaf() | LinkLeaf():
            return bool(plan.hops)
        case Pair():
            return bool(plan.left.hops or plan.right.hops)
        case _:
            return isinstance(plan, Exists | PredicateLeaf)


def has_predicate(plan: Plan) -> bool:
    """Whether a Python function is somewhere in a plan."""
    match plan:
        case AllOf() | AnyOf():
            return any(map(has_predicate, plan.parts))
        case Exists():
            return has_predicate(plan.inner)
        case _:
            return isinstance(plan, PredicateLeaf)


def holds_on_missing_data(plan: Plan) -> bool:
    """Whether some part of a plan is True where something is missing."""
    match plan:
        case AllOf() | AnyOf():
            return any(map(holds_on_missing_data, plan.parts))
        case Exists():
            return plan.is_negated or holds_on_missing_data(plan.inner)
        case Leaf():
            may_be_missing = plan.column.is_nullable or bool(plan.hops)
            return may_be_missing and (plan.is_negated or plan.test is Test.NE)
        case Pair():
            may_be_missing = plan.left.may_be_missing or plan.right.may_be_missing
            return may_be_missing and (plan.is_negated or plan.test is Test.NE)
        case _:
            return False
