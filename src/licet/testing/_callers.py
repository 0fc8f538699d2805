"""Callers made up for a policy, from what its conditions ask of callers.

Each has a value that some row has, or that no row has, or None, or not even the attribute.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from licet.authz._clock import decision_moment
from licet.authz._moment import Now
from licet.authz.policies._models.links import Linked
from licet.authz.policies._models.paths import resolve_path
from licet.authz.policies._models.shape import Column, Kind, Relation, Shape
from licet.authz.policies.conditions import (
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
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import Verb

__all__ = ["MadeUpCaller", "made_up_callers"]

CALLERS: Final = 40
VALUES: Final = 4
_ABSENT: Final = object()
Path = tuple[str, ...]


class MadeUpCaller:
    """Has the attributes that were made up for it, and no others."""

    def __init__(self, values: dict[Path, Any]) -> None:
        self._values = values
        for path, value in values.items():
            _put(self.__dict__, path, value)

    def __repr__(self) -> str:
        told = (f"{'.'.join(path)}={value!r}" for path, value in self._values.items())
        return f"MadeUpCaller({', '.join(told)})"


def _put(attributes: dict[str, Any], path: Path, value: Any) -> None:
    for name in path[:-1]:
        inner = attributes.setdefault(name, {})
        if not isinstance(inner, dict):
            return  # the condition asks for an attribute of what it also compares
        attributes = inner
    attributes[path[-1]] = value


def made_up_callers(policy: Policy, session: Session) -> list[MadeUpCaller]:
    """At most forty callers, always the same: nobody, each value, and combinations by chance."""
    conditions = [policy.check(Verb(name)).condition for name in policy.verbs]
    conditions += [check.condition for _, check in policy.shown.rules]
    found: dict[Path, list[Any]] = {}
    for condition in conditions:
        for path, value in _Asked(session).values(condition, policy.shape):
            values = found.setdefault(path, [_ABSENT, None])
            if not any(type(value) is type(one) and value == one for one in values):
                values.append(value)
    return [
        MadeUpCaller({path: value for path, value in chosen.items() if value is not _ABSENT})
        for chosen in _choose(found)
    ]


def _choose(found: dict[Path, list[Any]]) -> list[dict[Path, Any]]:
    """Each value at least once if there is room, beside others by chance."""
    chance = random.Random(0)  # noqa: S311 - a choice of tests
    chosen: list[dict[Path, Any]] = [dict.fromkeys(found, _ABSENT)]

    def anything() -> dict[Path, Any]:
        return {path: chance.choice(values) for path, values in found.items()}

    chosen += [anything() | {path: value} for path, values in found.items() for value in values]
    if len(found) > 1:
        chosen += [anything() for _ in range(CALLERS)]
    return chosen[:CALLERS]


@dataclass(frozen=True)
class _Asked:
    """Finds what a condition compares with callers, and values for them."""

    session: Session

    def values(self, condition: Condition, shape: Shape) -> Iterator[tuple[Path, Any]]:  # noqa: C901 - one for each kind
        match condition:
            case Conjunction() | Disjunction():
                for part in condition.parts:
                    yield from self.values(part, shape)
            case Negation():
                yield from self.values(condition.inner, shape)
            case Quantifier():
                _, relation = resolve_path(condition, condition.path, shape)
                if not isinstance(relation, Relation):
                    raise TypeError(f"{condition} is not about a relationship.")
                yield from self.values(condition.inner, relation.target)
            case CallerTest():
                yield from ((condition.path, value) for value in _tested(condition))
            case IsNull(of_caller=True):
                yield condition.path, "something"
            case Linked():
                known = self.session.scalars(condition.link.known().limit(VALUES)).all()
                for one in (*known, "nobody has this"):
                    yield condition.caller_path, (one,) if condition.is_collection else one
            case Comparison(operand=CallerPath()):
                path = path_of(condition.operand)
                yield from ((path, value) for value in self._compared(condition, shape))

    def _compared(self, condition: Comparison, shape: Shape) -> list[Any]:
        hops, column = resolve_path(condition, condition.path, shape)
        if not isinstance(column, Column):
            raise TypeError(f"{condition} compares a relationship.")
        model = hops[-1].target.model if hops else shape.model
        attribute = getattr(model, column.name)
        known = sa.select(attribute).where(attribute.is_not(None)).distinct().limit(VALUES)
        values = [*map(_aware, self.session.scalars(known)), *_unknown(column)]
        if condition.op is Op.IN:
            return [(), *((value,) for value in values), tuple(values)]
        if condition.op in (Op.CONTAINS, Op.STARTSWITH):
            return [*values, *(value[:1] for value in values)]
        return values


def _aware(value: Any) -> Any:
    """A value as callers have it: a time without zone, which is kept in UTC, as one with it."""
    is_naive = isinstance(value, datetime) and value.tzinfo is None
    return value.replace(tzinfo=UTC) if is_naive else value


def _unknown(column: Column) -> list[Any]:
    """A value that hardly any row has."""
    if column.kind is Kind.INTEGER:
        return [-30_001]  # within the range of the smallest
    return ["nobody has this"] if column.kind is Kind.TEXT else []


def _tested(test: CallerTest) -> Iterable[Any]:
    """Values for which a test of the caller has either outcome."""
    if test.op is Op.IN:
        return list(test.operand)
    if isinstance(test.operand, Now):
        moment = test.operand.after(decision_moment())
        return [moment, moment - timedelta(days=1), moment + timedelta(days=1)]
    if test.op is Op.CONTAINS:
        return [(test.operand,), ()]
    if isinstance(test.operand, bool):
        return [not test.operand, test.operand]
    return [test.operand]
