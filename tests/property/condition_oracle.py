"""What a condition means, said in the plainest way, on rows that are plain dictionaries.

It reads the condition as declared and knows nothing of SQLAlchemy, plans or generated code; but
that JSON's null has a name there.

Source: "Semantics" of the specification of policies.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from tests.property.condition_models import LINKS

from licet.authz._moment import Now
from licet.authz.policies.conditions import (
    Always,
    AttributePath,
    CallerPath,
    CallerTest,
    Comparison,
    Condition,
    Conjunction,
    Disjunction,
    IsNull,
    Negation,
    Op,
    Quantifier,
    path_of,
)

__all__ = ["World", "holds", "is_denied"]

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """The rows of every table, and the moment at which they are asked about."""

    tables: dict[str, list[Row]]
    kinds: dict[str, dict[str, str]] = field(repr=False)
    moment: datetime

    def related(self, table: str, row: Row, name: str) -> list[Row]:
        """The rows that a relationship leads to."""
        link = LINKS[table][name]
        if link.through is None:
            return self._matching(link.target, row, link.pairs)
        to_own, to_other = link.pairs
        return [
            found
            for between in self._matching(link.through, row, (to_own,))
            for found in self._matching(link.target, between, (to_other,))
        ]

    def _matching(self, table: str, row: Row, pairs: tuple[tuple[str, str], ...]) -> list[Row]:
        return [
            other
            for other in self.tables[table]
            if all(row[own] is not None and row[own] == other[its] for own, its in pairs)
        ]


def holds(condition: Condition, world: World, table: str, row: Row, identity: Any) -> bool:  # noqa: C901, PLR0911 - one for each kind
    """Whether the condition is fulfilled by a row for a caller; denied callers aside."""
    match condition:
        case Always():
            return condition.holds
        case Conjunction():
            return all(holds(part, world, table, row, identity) for part in condition.parts)
        case Disjunction():
            return any(holds(part, world, table, row, identity) for part in condition.parts)
        case Negation():
            return not holds(condition.inner, world, table, row, identity)
        case IsNull(of_caller=True):
            return _asked(identity, condition.path) is None
        case IsNull():
            *_, last = _walk(world, table, row, condition.path)
            return last is None or last is sa.JSON.NULL
        case CallerTest():
            operand = _at(world, condition.operand)
            return _test(condition.op, _asked(identity, condition.path), operand)
        case Quantifier():
            return _quantified(condition, world, table, row, identity)
        case Comparison():
            operand = condition.operand
            if isinstance(operand, CallerPath):
                operand = _asked(identity, path_of(operand))
            elif isinstance(operand, AttributePath):
                _, operand = _walk(world, table, row, path_of(operand))
            _, value = _walk(world, table, row, condition.path)
            operand = _at(world, operand)
            if isinstance(condition.operand, Now) and not isinstance(value, datetime):
                operand = operand.date()
            return _test(condition.op, value, operand)
    raise NotImplementedError(type(condition))


def _at(world: World, operand: Any) -> Any:
    return world.moment + operand.offset if isinstance(operand, Now) else operand


def _quantified(condition: Quantifier, world: World, table: str, row: Row, identity: Any) -> bool:
    *way, name = condition.path
    owner: Row | None = row
    for step in way:
        (owner,) = world.related(table, owner, step) or (None,)
        if owner is None:
            return condition.is_all  # nothing is related
        table = LINKS[table][step].target
    target = LINKS[table][name].target
    found = [
        holds(condition.inner, world, target, related, identity)
        for related in world.related(table, owner, name)
    ]
    return all(found) if condition.is_all else any(found)


def _walk(world: World, table: str, row: Row, path: tuple[str, ...]) -> tuple[str, Any]:
    """The value or related row at the end of a path; None where something is missing."""
    found: Any = row
    for name in path:
        if name not in LINKS[table]:
            return table, found[name]
        related = world.related(table, found, name)
        table = LINKS[table][name].target
        if not related:
            return table, None
        (found,) = related
    return table, found


def _test(op: Op, value: Any, operand: Any) -> bool:
    if op is Op.NE:
        return _key(value) != _key(operand)
    if value is None or operand is None:
        return False
    if op is Op.IN:
        return any(one is not None and _key(one) == _key(value) for one in operand)
    if op is Op.CONTAINS and not isinstance(value, str):
        return any(one is not None and _key(one) == _key(operand) for one in value)
    return {
        Op.EQ: lambda: _key(value) == _key(operand),
        Op.LT: lambda: _key(value) < _key(operand),
        Op.LE: lambda: _key(value) <= _key(operand),
        Op.GT: lambda: _key(value) > _key(operand),
        Op.GE: lambda: _key(value) >= _key(operand),
        Op.CONTAINS: lambda: operand in value,
        Op.STARTSWITH: lambda: value[: len(operand)] == operand,
    }[op]()


def _key(value: Any) -> Any:
    """What is compared: text by code points, moments by where they are on the one time line."""
    if isinstance(value, enum.Enum):
        return (type(value), value.name)
    if isinstance(value, str):
        return [ord(character) for character in value]
    if isinstance(value, datetime):
        since = value.replace(tzinfo=None, fold=0) - datetime.min  # noqa: DTZ901 - only a distance
        return (since - value.utcoffset()) // timedelta(microseconds=1)
    return value


def _asked(identity: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if isinstance(identity, dict):
            identity = identity.get(name)
        else:
            identity = vars(identity).get(name) if identity is not None else None
    return identity


# --- callers with an attribute of a wrong type ---------------------------------------------------

_TYPES = {
    "integer": int,
    "text": str,
    "flag": bool,
    "uuid": UUID,
    "day": date,
    "moment": datetime,
    "choice one": str,
    "choice two": str,
}


def is_denied(condition: Condition, world: World, table: str, identity: Any) -> bool:  # noqa: PLR0911 - as above
    """Whether something that the condition asks of the caller is of a wrong type."""
    if isinstance(getattr(condition, "operand", None), Now) and _is_beyond(world, condition):
        return True
    match condition:
        case Conjunction() | Disjunction():
            return any(is_denied(part, world, table, identity) for part in condition.parts)
        case Negation():
            return is_denied(condition.inner, world, table, identity)
        case Quantifier():
            target = _table_at(table, condition.path)
            return is_denied(condition.inner, world, target, identity)
        case CallerTest():
            return _is_unfit_for_test(condition, world, _asked(identity, condition.path))
        case Comparison(operand=CallerPath()):
            kind = world.kinds[_table_at(table, condition.path[:-1])][condition.path[-1]]
            value = _asked(identity, path_of(condition.operand))
            if condition.op is not Op.IN:
                return value is not None and not _fits(kind, value)
            if value is None:
                return False
            if not isinstance(value, list | tuple | set | frozenset):
                return True
            return any(one is not None and not _fits(kind, one) for one in value)
    return False


def _is_beyond(world: World, condition: Any) -> bool:
    """Whether the moment has no place; nobody asks for it beside what the caller has not."""
    try:
        _at(world, condition.operand)
    except OverflowError:
        return True
    return False


def _table_at(table: str, path: tuple[str, ...]) -> str:
    for name in path:
        table = LINKS[table][name].target
    return table


def _fits(kind: str, value: Any) -> bool:
    if kind.startswith("enum "):
        return type(value).__name__ == kind.removeprefix("enum ")
    if kind == "number":
        is_number = type(value) is int or (type(value) is Decimal and value.is_finite())
        return is_number and -(10**301) < value < 10**301
    if type(value) is not _TYPES[kind]:
        return False
    if kind == "text":
        return "\0" not in value and not any("\ud800" <= one <= "\udfff" for one in value)
    return kind != "moment" or _is_within_range(value)


def _is_within_range(moment: datetime) -> bool:
    if moment.tzinfo is None:
        return False
    last = datetime.max.replace(tzinfo=UTC)
    return 0 <= _key(moment) <= _key(last)


def _is_unfit_for_test(test: CallerTest, world: World, value: Any) -> bool:
    if value is None:
        return False
    operands = test.operand if test.op is Op.IN else [_at(world, test.operand)]
    values = [value]
    if test.op is Op.CONTAINS and not isinstance(value, str):
        if not isinstance(value, list | tuple | set | frozenset):
            return True
        values = [one for one in value if one is not None]
    types = {type(one) for one in operands}
    return bool(types) and any(
        type(one) not in types
        or (isinstance(one, datetime) and not _is_within_range(one))
        or (isinstance(one, Decimal) and not one.is_finite())
        for one in values
    )
