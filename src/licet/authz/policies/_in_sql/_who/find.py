"""Who fulfils a condition on one stored object: the accounts for whose callers it holds.

This is the predicate of `_terms` the other way round. The object is one row, found by its key, and
the caller's attributes are columns of the accounts' table. What does not depend on the caller is
asked once. What relates the object to the caller by equality becomes ``account.column IN (SELECT …
of the object)``, so that an index on the account answers it; the rest is asked of each account.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList

from licet.authz._places import invalid
from licet.authz.policies._in_sql._entities import rows_alone
from licet.authz.policies._in_sql._terms import Term
from licet.authz.policies._in_sql._who.accounts import Accounts, Scalar
from licet.authz.policies._in_sql._who.beside import (
    Asked,
    MakeTerm,
    Path,
    Question,
    column_at,
    joined,
    related_rows,
)
from licet.authz.policies._in_sql._who.comparing import comparable, refuse
from licet.authz.policies._models.callers import InvalidCaller
from licet.authz.policies._models.mapping import key_names
from licet.authz.policies._models.nodes import (
    AllOf,
    AnyOf,
    CallerLeaf,
    Exists,
    Leaf,
    LinkLeaf,
    Plan,
    Slot,
    Test,
)
from licet.authz.policies._models.shape import Relation, Shape
from licet.authz.policies._plan import SUBQUERY, make_plan
from licet.authz.policies.conditions import Condition
from licet.errors import UntranslatableCondition

log = logging.getLogger(__name__)
AROUND: Final = 2 * SUBQUERY + 3  # levels: the object, a union, and what joins them

__all__ = ["accounts_that_fulfil", "paths_asked"]


def accounts_that_fulfil(
    condition: Condition, shape: Shape, owner: Any, accounts: Accounts, *, naive_as_utc: bool
) -> sa.Select[Any]:
    """The active accounts for whose callers the condition holds of a stored object.

    Raises:
        InvalidCondition: the object is not as the database has it.
        UntranslatableCondition: it asks something of the caller that no account row says.
    """
    state = sa.inspect(owner)
    if state.identity is None or state.modified:
        raise invalid(
            f"Who may is asked of the database, which has not yet what the {shape.name} is now: "
            "flush the session before."
        )
    asked = Asked()
    try:
        plan = make_plan(condition, shape, asked, naive_as_utc=naive_as_utc, depth=AROUND)
    except UntranslatableCondition as error:  # which was built, and is too deep within this
        refuse(f"with {AROUND} levels around it. {error}")
    entity = aliased(shape.model)
    is_owner = [
        rows_alone(getattr(entity, name) == value)
        for name, value in zip(key_names(shape.model), state.identity, strict=True)
    ]
    found = accounts.statement()
    try:
        question = Question(accounts, asked.each)
        question.require_moments()
        term = _AboutObject(question, entity, is_owner).term(plan)
    except InvalidCaller as error:  # a moment that is none
        log.error("Nobody may: %s", error)  # noqa: TRY400 - told in one line
        return found.where(sa.false())
    return found if term is True else found.where(sa.false() if term is False else term)


def paths_asked(condition: Condition, shape: Shape, *, naive_as_utc: bool) -> set[Path]:
    """The attributes of callers that a condition asks for."""
    asked = Asked()
    make_plan(condition, shape, asked, naive_as_utc=naive_as_utc)
    return asked.paths


@dataclass(frozen=True)
class _AboutObject:
    """Terms about accounts and one row, which is found by its key."""

    question: Question
    owner: Any
    is_owner: list[ColumnElement[bool]]

    def term(self, plan: Plan, *, is_outermost: bool = True) -> Term:
        """The term on an account's row; only the outermost OR can become a union."""
        if not self.question.asks_caller(plan):
            return self._rows((), lambda entity: self.question.known(plan, entity))
        match plan:
            case CallerLeaf():
                return self.question.of_caller(plan)
            case AllOf() | AnyOf():
                return self._joined(plan, is_outermost=is_outermost)
            case Exists(is_negated=False, inner=AnyOf(parts=parts)):
                either = AnyOf(tuple(replace(plan, inner=part) for part in parts))
                return self._joined(either, is_outermost=is_outermost)
            case Exists(is_negated=False):
                found = self._from_related(plan)
            case Leaf(is_negated=False, test=Test.EQ):
                found = self._started(plan, (), [])
            case LinkLeaf(is_negated=False):
                found = self._from_links(plan)
            case _:
                found = None
        if found is None:
            return self._rows((), lambda entity: self.question.within(plan, entity))
        return found

    def _joined(self, plan: AllOf | AnyOf, *, is_outermost: bool) -> Term:
        """The parts, of which those that do not ask the caller are asked at once."""
        asks = self.question.asks_caller
        known = tuple(part for part in plan.parts if not asks(part))
        rest = [part for part in plan.parts if asks(part)]
        parts: list[Plan] = [replace(plan, parts=known), *rest] if known else rest
        is_all = isinstance(plan, AllOf)
        terms = [self.term(part, is_outermost=is_outermost and is_all) for part in parts]
        if is_all or any(term is True for term in terms) or not is_outermost:
            return joined(terms, is_all=is_all)
        return self._either([term for term in terms if not isinstance(term, bool)])

    def _either(self, terms: list[ColumnElement[bool]]) -> Term:
        """One of several terms: as a union where an index can answer some, else as an OR.

        PostgreSQL reads the whole table for an OR of subqueries, whatever indexes there are.
        """
        started = [term for term in terms if _starts_from_rows(term)]
        others = [term for term in terms if not _starts_from_rows(term)]
        branches = [*started, sa.or_(*others)] if others else started
        if not started or len(branches) < 2:
            return joined(terms, is_all=False)
        mapper = sa.inspect(self.question.accounts.model)
        selected = sa.select(*mapper.primary_key).select_from(mapper.selectable).correlate(None)
        first, *more = mapper.primary_key
        key = sa.tuple_(first, *more) if more else first
        chosen = sa.union_all(*(selected.where(branch) for branch in branches))
        found: ColumnElement[bool] = key.in_(chosen)
        return found

    def _from_related(self, plan: Exists) -> Term | None:
        """The term that begins with the related rows, if an equality there leads to accounts."""
        parts = plan.inner.parts if isinstance(plan.inner, AllOf) else (plan.inner,)
        for part in parts:
            if isinstance(part, Leaf) and part.test is Test.EQ and not part.is_negated:
                others = [one for one in parts if one is not part]
                found = self._started(part, (*plan.hops, plan.relation), others)
                if found is not None:
                    return found
        return None

    def _started(self, leaf: Leaf, way: tuple[Relation, ...], others: list[Plan]) -> Term | None:
        """``account.column IN (…)``, of the values that the leaf compares with it."""
        if not isinstance(leaf.operand, Slot) or leaf.operand.is_moment:
            return None  # no account says it
        said = self.question.said_of_value(leaf.operand)
        if not isinstance(said, Scalar):
            return None
        rows = _Rows(self.owner, self.is_owner)
        at = rows.follow(way)
        terms = [self.question.within(other, at) for other in others]
        if False in terms:
            return False
        attribute = column_at(rows.follow(leaf.hops, at), leaf.column.name)
        left, right = comparable(leaf.column, attribute, said, Test.EQ)
        found: ColumnElement[bool] = right.in_(self._selected(rows, left, terms))
        return found

    def _from_links(self, leaf: LinkLeaf) -> Term | None:
        """``account.column IN (…)``, of those that the object is linked with."""
        said = self.question.said_of_value(leaf.slot)
        if not isinstance(said, Scalar):
            return None
        rows = _Rows(self.owner, self.is_owner)
        callers = self.question.callers_linked(leaf, rows.follow(leaf.hops))
        callers = callers.where(*rows.criteria).correlate(*self.question.accounts.tables)
        found: ColumnElement[bool] = said.expression.in_(callers)
        return found

    def _rows(self, way: tuple[Relation, ...], make: MakeTerm) -> Term:
        """Whether a row at the end of the way fulfils what is made; it may refer to the account."""
        rows = _Rows(self.owner, self.is_owner)
        term = make(rows.follow(way))
        if term is False:
            return False
        return self._selected(rows, sa.literal_column("1"), [term]).exists()

    def _selected(self, rows: _Rows, column: Any, terms: Iterable[Term]) -> sa.Select[Any]:
        wheres = [*rows.criteria, *(term for term in terms if not isinstance(term, bool))]
        return (
            sa.select(column)
            .select_from(sa.inspect(self.owner).selectable)
            .where(*wheres)
            .correlate(*self.question.accounts.tables)
        )


def _starts_from_rows(term: Any) -> bool:
    """Whether it is ``account.column IN (SELECT …)``, alone or with more that AND joins to it."""
    if isinstance(term, BooleanClauseList) and term.operator is operators.and_:
        return any(map(_starts_from_rows, term.clauses))
    return isinstance(term, BinaryExpression) and term.operator is operators.in_op


@dataclass
class _Rows:
    """One object and what it is related to, in one FROM."""

    owner: Any
    criteria: list[ColumnElement[bool]]

    def __post_init__(self) -> None:
        self.criteria = list(self.criteria)

    def follow(self, way: Iterable[Relation], start: Any = None) -> Any:
        """What the relationships lead to, from the object or from `start`."""
        entity = self.owner if start is None else start
        for relation in way:
            entity, related = related_rows(entity, relation)
            self.criteria.append(related.element.element.whereclause)
        return entity
