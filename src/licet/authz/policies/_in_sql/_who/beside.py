"""A plan about rows and callers side by side, the callers being rows of the accounts' table.

A term is True only for accounts that fulfil it; a negation is of a term that is never NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn, TypeAlias

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlalchemy.sql import operators

from licet.authz.policies._caller import CallerValues, InvalidCaller, read_test
from licet.authz.policies._in_sql._functions import begins, code_points, position
from licet.authz.policies._in_sql._terms import Term, build, rows_alone, term_of
from licet.authz.policies._in_sql._who.accounts import Accounts, Constant, Members, Said, Scalar
from licet.authz.policies._models.shape import Column, Kind, Relation, misfit
from licet.authz.policies._plan import (
    AllOf,
    AnyOf,
    CallerLeaf,
    Exists,
    Leaf,
    Plan,
    PredicateLeaf,
    Slot,
    Test,
)
from licet.authz.policies.conditions import (
    CallerTest,
    Condition,
    IsNull,
    Op,
)
from licet.errors import UntranslatableCondition

__all__ = [
    "Asked",
    "MakeTerm",
    "Path",
    "Question",
    "column_at",
    "comparable",
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


class Asked(CallerValues):
    """Keeps what a plan asks of callers, instead of reading it."""

    def __init__(self) -> None:
        super().__init__()
        self.each: list[_Value | Condition] = []

    def add_value(self, path: Path, column: Column, *, is_collection: bool) -> int:
        self.each.append(_Value(path, is_collection))
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
    asked: list[_Value | Condition]

    def asks_caller(self, plan: Plan) -> bool:
        """Whether the answer depends on the caller."""
        match plan:
            case AllOf() | AnyOf():
                return any(map(self.asks_caller, plan.parts))
            case Exists():
                return self.asks_caller(plan.inner)
            case Leaf():
                return isinstance(plan.operand, Slot)
            case _:
                return isinstance(plan, CallerLeaf | PredicateLeaf)

    def within(self, plan: Plan, entity: Any) -> Term:
        """The term on an account's row and a row of the entity, side by side."""
        if not self.asks_caller(plan):
            return build(plan, entity).make(())
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
            case _:
                return _refuse("a Python function decides, which SQL cannot call")

    # --- the caller alone ------------------------------------------------------------------------

    def of_caller(self, leaf: CallerLeaf) -> Term:
        """The term of a test of the caller."""
        test = self.asked[leaf.slot.index]
        if isinstance(test, CallerTest):
            found = self._test(test)
        elif isinstance(test, IsNull):
            found = self._is_null(test)
        else:
            _refuse(f"the function {test} is asked of callers, which SQL cannot call")
        return _negated(found) if leaf.is_negated else found

    def _test(self, test: CallerTest) -> Term:
        said = self._said(test.path)
        if isinstance(said, Constant):
            return _of_constant(test, said)
        if isinstance(said, Members):
            return self._of_members(test, said)
        kept = test.operand
        if test.op is Op.IN:
            kept = frozenset(one for one in kept if misfit(said.column, one) is None)
        values = test.operand if test.op is Op.IN else (test.operand,)
        reasons = [misfit(said.column, value) for value in values]
        if said.column.refuses(test.op) or (values and all(reasons)):
            reason = next(filter(None, reasons), f"is {said.column.type_name}")
            _refuse(f"`{test}` {reason}")
        leaf = Leaf((), said.column, Test(test.op), kept)
        if test.op is Op.NE:
            leaf = replace(leaf, test=Test.EQ, is_negated=True)
        return term_of(leaf, said.expression)

    def _of_members(self, test: CallerTest, said: Members) -> Term:
        if test.op is not Op.CONTAINS or misfit(said.column, test.operand) is not None:
            _refuse(f"`{test}` is asked of a collection of {said.column.type_name}")
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
            _refuse(
                f"nothing is known of caller.{name} of {model} rows, of which register_accounts "
                f"knows {known}: say what it is with attributes={{{name!r}: …}}"
            )
        return self.accounts.said[path]

    # --- the caller beside an attribute ----------------------------------------------------------

    def said_of_value(self, leaf: Leaf) -> Said:
        """What account rows say of the value that the leaf compares with."""
        asked = self.asked[leaf.operand.index]
        if not isinstance(asked, _Value):
            raise TypeError(f"{asked} is no value.")
        said = self._said(asked.path)
        if not isinstance(said, Constant) and asked.is_collection is not isinstance(said, Members):
            kind = "a collection" if asked.is_collection else "one value"
            _refuse(f"caller.{'.'.join(asked.path)} is asked for as {kind}, and is none")
        return said

    def _leaf(self, leaf: Leaf, entity: Any) -> Term:
        """The term of the leaf without its negation."""
        said = self.said_of_value(leaf)
        match said:
            case Constant():
                return self._beside_constant(leaf, said, entity)
            case Members():
                return self._among(leaf, said, entity)
            case _:
                return self._beside(leaf, said, entity)

    def _beside_constant(self, leaf: Leaf, said: Constant, entity: Any) -> Term:
        if said.value is not None and (reason := misfit(leaf.column, said.value)) is not None:
            _refuse(f"what accounts have in common, {said.value!r}, {reason}")
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
            found: ColumnElement[bool] = _OPERATORS[leaf.test](left, right)
            return found

        return _some(entity, leaf.hops, fulfils)

    def _differs(self, leaf: Leaf, said: Scalar, entity: Any) -> Term:
        """Not equal, and not both of them missing."""
        equal = self._beside(replace(leaf, test=Test.EQ), said, entity)
        differs = _negated(equal)
        if not said.column.is_nullable:
            return differs
        is_there = replace(leaf, test=Test.PRESENT, operand=None, is_negated=False)
        present = build(is_there, entity).make(())
        missing, given = said.expression.is_(None), said.expression.is_not(None)
        return joined(
            [joined([missing, present], is_all=True), joined([given, differs], is_all=True)],
            is_all=False,
        )


def _of_constant(test: CallerTest, said: Constant) -> bool:
    identity: Any = said.value
    for name in reversed(test.path):
        identity = {name: identity}
    try:
        return read_test(test, identity)
    except InvalidCaller as error:
        return _refuse(str(error).rstrip("."))


def comparable(column: Column, attribute: Any, said: Scalar, test: Test) -> tuple[Any, Any]:
    """The attribute and the account's value, in forms that compare as they do in Python.

    Raises:
        UntranslatableCondition: they are of different types.
    """
    kinds = [(one.kind, one.enum_class) for one in (column, said.column)]
    if kinds[0] != kinds[1] or not _are_stored_alike(column, attribute, said.expression):
        _refuse(
            f"{column.name}, {column.type_name}, is compared with {said.column.name} of accounts, "
            f"{said.column.type_name}, which is another type"
        )
    if column.kind is Kind.TEXT and test in _ORDERS:
        return code_points(attribute), code_points(said.expression)
    return attribute, said.expression


def _are_stored_alike(column: Column, attribute: Any, other: Any) -> bool:
    one, two = attribute.type, other.type
    if column.kind is Kind.ENUM:
        is_native = (bool(one.native_enum), bool(two.native_enum))
        same_type = one.name == two.name if all(is_native) else not any(is_native)
        return list(one.enums) == list(two.enums) and same_type
    return column.kind is not Kind.UUID or one.native_uuid == two.native_uuid


_ORDERS: Final = frozenset({Test.LT, Test.LE, Test.GT, Test.GE})
_OPERATORS: Final[Mapping[Test, Callable[[Any, Any], Any]]] = {
    Test.EQ: operators.eq,
    Test.LT: operators.lt,
    Test.LE: operators.le,
    Test.GT: operators.gt,
    Test.GE: operators.ge,
    Test.CONTAINS: lambda text, part: position(text, part) > 0,
    Test.STARTSWITH: begins,
}


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


def _refuse(reason: str) -> NoReturn:
    raise UntranslatableCondition(f"Who may do it cannot be asked of the database: {reason}.")
