"""A plan about rows and callers side by side, the callers being rows of the accounts' table.

A term is True only for accounts that fulfil it; a negation is of a term that is never NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased

from licet.authz._moment import Now
from licet.authz.policies._in_sql._entities import rows_alone
from licet.authz.policies._in_sql._terms import Term, build, term_of
from licet.authz.policies._in_sql._who.accounts import Accounts, Constant, Members, Said, Scalar
from licet.authz.policies._in_sql._who.comparing import OPERATORS, comparable, refuse
from licet.authz.policies._models.callers import (
    CallerValues,
    InvalidCaller,
    moment_after,
    moment_beside,
    read_test,
)
from licet.authz.policies._models.mapping import key_names
from licet.authz.policies._models.nodes import (
    AllOf,
    AnyOf,
    CallerLeaf,
    Exists,
    Leaf,
    LinkLeaf,
    Plan,
    PredicateLeaf,
    Slot,
    Test,
)
from licet.authz.policies._models.shape import Column, Kind, Relation, misfit
from licet.authz.policies.conditions import (
    CallerTest,
    Condition,
    IsNull,
    Op,
)

__all__ = [
    "Asked",
    "MakeTerm",
    "Path",
    "Question",
    "column_at",
    "joined",
    "related_rows",
]

Path = tuple[str, ...]
MakeTerm: TypeAlias = Callable[[Any], Term]


@dataclass(frozen=True)
class _Value:
    """An attribute of the caller that is compared with one of an object's."""

    path: Path
    is_collection: bool


@dataclass(frozen=True)
class _Moment:
    """The moment of the question, beside one of an object's."""

    now: Now
    column: Column


class Asked(CallerValues):
    """Keeps what a plan asks of callers, instead of reading it."""

    def __init__(self) -> None:
        super().__init__()
        self.each: list[_Value | _Moment | Condition] = []

    def add_value(self, path: Path, column: Column, *, is_collection: bool) -> int:
        self.each.append(_Value(path, is_collection))
        return len(self.each) - 1

    def add_moment(self, now: Now, column: Column) -> int:
        self.each.append(_Moment(now, column))
        return len(self.each) - 1

    def add_test(self, condition: Condition) -> int:
        self.each.append(condition)
        return len(self.each) - 1

    @property
    def paths(self) -> set[Path]:
        """The attributes that are asked for."""
        found = (one for one in self.each if isinstance(one, _Value | CallerTest | IsNull))
        return {one.path for one in found}


@dataclass(frozen=True)
class Question:
    """What a plan asks of callers, and what account rows say of that."""

    accounts: Accounts
    asked: list[_Value | _Moment | Condition]

    def require_moments(self) -> None:
        """Refuse moments that are none, also those that the answer would not depend on.

        A decision refuses them, too.

        Raises:
            InvalidCaller: one is not within the years 1 to 9999.
        """
        for one in self.asked:
            now = one.now if isinstance(one, _Moment) else getattr(one, "operand", None)
            if isinstance(now, Now):
                moment_after(now)

    def asks_caller(self, plan: Plan) -> bool:
        """Whether the answer depends on the caller."""
        match plan:
            case AllOf() | AnyOf():
                return any(map(self.asks_caller, plan.parts))
            case Exists():
                return self.asks_caller(plan.inner)
            case Leaf():
                return isinstance(plan.operand, Slot) and not plan.operand.is_moment
            case _:
                return isinstance(plan, CallerLeaf | PredicateLeaf | LinkLeaf)

    def known(self, plan: Plan, entity: Any) -> Term:
        """The term of a plan that does not ask the caller, at the moment of the question."""
        values = [
            moment_beside(one.now, one.column) if isinstance(one, _Moment) else None
            for one in self.asked
        ]
        return build(plan, entity).make(values)

    def within(self, plan: Plan, entity: Any) -> Term:
        """The term on an account's row and a row of the entity, side by side."""
        if not self.asks_caller(plan):
            return self.known(plan, entity)
        match plan:
            case AllOf() | AnyOf():
                terms = (self.within(part, entity) for part in plan.parts)
                return joined(terms, is_all=isinstance(plan, AllOf))
            case CallerLeaf():
                return self.of_caller(plan)
            case Exists():
                way = (*plan.hops, plan.relation)
                found = _some(entity, way, lambda row: self.within(plan.inner, row))
                return _negated(found) if plan.is_negated else found
            case Leaf():
                found = self._leaf(plan, entity)
                return _negated(found) if plan.is_negated else found
            case LinkLeaf():
                said = self.said_of_value(plan.slot)
                found = _some(entity, plan.hops, lambda row: self.linked(plan, said, row))
                return _negated(found) if plan.is_negated else found
            case _:
                return refuse("a Python function decides, which SQL cannot call")

    # --- the caller alone ------------------------------------------------------------------------

    def of_caller(self, leaf: CallerLeaf) -> Term:
        """The term of a test of the caller."""
        test = self.asked[leaf.slot.index]
        if isinstance(test, CallerTest):
            found = self._test(test)
        elif isinstance(test, IsNull):
            found = self._is_null(test)
        else:
            refuse(f"the function {test} is asked of callers, which SQL cannot call")
        return _negated(found) if leaf.is_negated else found

    def _test(self, test: CallerTest) -> Term:
        said = self._said(test.path)
        if isinstance(said, Constant):
            return _of_constant(test, said)
        if isinstance(said, Members):
            return self._of_members(test, said)
        column, operand = said.column, test.operand
        if isinstance(operand, Now) and column.kind is Kind.MOMENT:
            operand = moment_beside(operand, column)
        values = operand if test.op is Op.IN else (operand,)
        reasons = [_unfit(column, value) for value in values]
        refusal = column.refusal(test.op)
        if refusal is not None or (values and all(reasons)):
            refuse(f"`{test}` {refusal or reasons[0]}")
        kept = frozenset(v for v in values if _unfit(column, v) is None and _is_choice(column, v))
        if test.op is Op.IN:
            return term_of(Leaf((), column, Test.IN, kept), said.expression)
        if not kept:  # no account has it
            return test.op is Op.NE
        leaf = Leaf((), column, Test(test.op), operand)
        if test.op is Op.NE:
            leaf = replace(leaf, test=Test.EQ, is_negated=True)
        return term_of(leaf, said.expression)

    def _of_members(self, test: CallerTest, said: Members) -> Term:
        if test.op is not Op.CONTAINS or _unfit(said.column, test.operand) is not None:
            refuse(f"`{test}` is asked of a collection of {said.column.type_name}")
        if not _is_choice(said.column, test.operand):
            return False
        wanted = Leaf((), said.column, Test.EQ, test.operand)
        return said.some(lambda member: term_of(wanted, member))

    def _is_null(self, test: IsNull) -> Term:
        said = self._said(test.path)
        match said:
            case Constant():
                return said.value is None
            case Members():  # an empty collection is not missing
                return False
            case _:
                return term_of(Leaf((), said.column, Test.PRESENT, None, True), said.expression)  # noqa: FBT003 - a field

    def _said(self, path: Path) -> Said:
        if path not in self.accounts.said:
            model, name = self.accounts.model.__name__, ".".join(path)
            known = ", ".join(sorted(".".join(one) for one in self.accounts.said))
            refuse(
                f"nothing is known of caller.{name} of {model} rows, of which register_accounts "
                f"knows {known}: say what it is with attributes={{{name!r}: …}}"
            )
        return self.accounts.said[path]

    # --- the caller beside an attribute ----------------------------------------------------------

    def said_of_value(self, slot: Slot) -> Said:
        """What account rows say of a value of the caller's."""
        asked = self.asked[slot.index]
        if not isinstance(asked, _Value):
            raise TypeError(f"{asked} is no value.")
        said = self._said(asked.path)
        if not isinstance(said, Constant) and asked.is_collection is not isinstance(said, Members):
            kind = "a collection" if asked.is_collection else "one value"
            refuse(f"caller.{'.'.join(asked.path)} is asked for as {kind}, and is none")
        return said

    def linked(self, leaf: LinkLeaf, said: Said, row: Any) -> Term:
        """Whether the row is linked with the account."""
        callers = self.callers_linked(leaf, row)
        own = sa.inspect(row).selectable
        sources = [one for one in callers.get_final_froms() if one is not own]
        callers = callers.correlate_except(*sources)
        match said:
            case Constant():
                return False if said.value is None else sa.literal(said.value).in_(callers)
            case Members():
                return said.some(lambda caller: caller.in_(callers))
            case _:
                return said.expression.in_(callers)  # type: ignore[no-any-return]  # a column

    def callers_linked(self, leaf: LinkLeaf, row: Any) -> sa.Select[Any]:
        """The SELECT of the callers that are linked with the row."""
        said = self.said_of_value(leaf.slot)
        if not isinstance(said, Constant) and said.column.kind is not Kind.TEXT:
            refuse(f"{leaf.link} is asked of {said.column.type_name}, not of a text")
        (name,) = key_names(leaf.model)
        callers: sa.Select[Any] = leaf.link.callers(leaf.model, column_at(row, name))
        return callers

    def _leaf(self, leaf: Leaf, entity: Any) -> Term:
        """The term of the leaf without its negation."""
        said = self.said_of_value(leaf.operand)
        match said:
            case Constant():
                return self._beside_constant(leaf, said, entity)
            case Members():
                return self._among(leaf, said, entity)
            case _:
                return self._beside(leaf, said, entity)

    def _beside_constant(self, leaf: Leaf, said: Constant, entity: Any) -> Term:
        if said.value is not None and (reason := misfit(leaf.column, said.value)) is not None:
            refuse(f"what accounts have in common, {said.value!r}, {reason}")
        known = replace(leaf, operand=Slot(0), is_negated=False)
        return build(known, entity).make([said.value])

    def _among(self, leaf: Leaf, said: Members, entity: Any) -> Term:
        def is_member(row: Any) -> Term:
            attribute = column_at(row, leaf.column.name)

            def equals(member: Any) -> Term:
                left, right = comparable(
                    leaf.column, attribute, Scalar(member, said.column), Test.EQ
                )
                found: ColumnElement[bool] = left == right
                return found

            return said.some(equals)

        return _some(entity, leaf.hops, is_member)

    def _beside(self, leaf: Leaf, said: Scalar, entity: Any) -> Term:
        if leaf.test is Test.NE:
            return self._differs(leaf, said, entity)

        def fulfils(row: Any) -> Term:
            attribute = column_at(row, leaf.column.name)
            left, right = comparable(leaf.column, attribute, said, leaf.test)
            found: ColumnElement[bool] = OPERATORS[leaf.test](left, right)
            return found

        return _some(entity, leaf.hops, fulfils)

    def _differs(self, leaf: Leaf, said: Scalar, entity: Any) -> Term:
        """Not equal, and not both of them missing."""
        equal = self._beside(replace(leaf, test=Test.EQ), said, entity)
        differs = _negated(equal)
        if not said.column.is_nullable:
            return differs
        is_there = replace(leaf, test=Test.PRESENT, operand=None, is_negated=False)
        present = self.known(is_there, entity)
        missing, given = said.expression.is_(None), said.expression.is_not(None)
        return joined(
            [joined([missing, present], is_all=True), joined([given, differs], is_all=True)],
            is_all=False,
        )


def _unfit(column: Column, value: Any) -> str | None:
    """Why no account's value could be compared with a constant: their types must be the same."""
    if type(value) is not column.value_type:
        return f"is {type(value).__name__}, not {column.value_type.__name__}"
    return misfit(column, value)


def _is_choice(column: Column, value: Any) -> bool:
    return not column.choices or value in column.choices


def _of_constant(test: CallerTest, said: Constant) -> bool:
    identity: Any = said.value
    for name in reversed(test.path):
        identity = {name: identity}
    try:
        return read_test(test, identity)
    except InvalidCaller as error:
        return refuse(str(error).rstrip("."))


# --- terms ---------------------------------------------------------------------------------------


def related_rows(entity: Any, relation: Relation) -> tuple[Any, Any]:
    """An alias of the related rows, and EXISTS of those that belong to the entity's row."""
    target = aliased(relation.target.model)
    attribute = getattr(entity, relation.name).of_type(target)
    related: Any = rows_alone(attribute.any() if relation.is_many else attribute.has())
    return target, related


def column_at(entity: Any, name: str) -> Any:
    return rows_alone(getattr(entity, name).expression)


def _some(entity: Any, way: Sequence[Relation], make: MakeTerm) -> Term:
    """Whether a row at the end of the way fulfils what is made."""
    if not way:
        return make(entity)
    target, related = related_rows(entity, way[0])
    term = _some(target, way[1:], make)
    if isinstance(term, bool):
        return related if term else False
    return related.where(term)  # type: ignore[no-any-return]  # an EXISTS


def joined(terms: Iterable[Term], *, is_all: bool) -> Term:
    found: list[ColumnElement[bool]] = []
    for term in terms:
        if not isinstance(term, bool):
            found.append(term)
        elif term is not is_all:
            return term
    if not found:
        return is_all
    return sa.and_(*found) if is_all else sa.or_(*found)


def _negated(term: Term) -> Term:
    """The opposite, which is True where the term is NULL."""
    if isinstance(term, bool):
        return not term
    return ~term if isinstance(term, sa.Exists) else term.is_not(sa.true())
