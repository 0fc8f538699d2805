"""Why a condition holds or not: every part of it, with its outcome.

This reads the condition as it was declared, not its plan, and asks an `ObjectReader` for all that
it needs. It is the slow and careful way to decide: for people, of drafts, and of what an object was
before it was changed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from licet.authz._plan import resolve_path
from licet.authz._shape import Column, ObjectReader, Relation, Shape, misfit
from licet.authz.binding import InvalidCaller, read_caller, read_collection, read_test, require_fit
from licet.authz.conditions import (
    Always,
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

__all__ = ["Explanation", "explain", "first_failure"]

_SECRET: Final = re.compile(
    "pass|secret|token|key|mail|phone|mobile|address|birth|hash", re.IGNORECASE
)
_REDACTED: Final = "•••"


@dataclass(frozen=True)
class Explanation:
    """One part of a condition: what it says, whether it holds, what was found, and its own parts.

    Values are shortened, and left out where the name says that they are private.
    """

    text: str
    holds: bool
    found: str | None = None
    parts: tuple[Explanation, ...] = ()

    def lines(self, depth: int = 0) -> Iterator[str]:
        """The tree as indented text."""
        found = "" if self.found is None else f"   (found {self.found})"
        yield f"{'  ' * depth}{'✓' if self.holds else '✗'} {self.text}{found}"
        for part in self.parts:
            yield from part.lines(depth + 1)

    def __str__(self) -> str:
        return "\n".join(self.lines())


def explain(
    condition: Condition, owner: Any, identity: Any, shape: Shape, reader: ObjectReader
) -> Explanation:
    """Every part of `condition` on the object `owner`.

    Raises:
        InvalidCaller: an attribute of the caller is of a wrong type.
        UnloadedObject: a related object cannot be known.
    """
    return _Explainer(identity, reader).explain(condition, owner, shape)


def first_failure(explanation: Explanation) -> str:
    """The first part at the bottom of the tree because of which the whole does not hold."""
    for part in explanation.parts:
        if not part.holds:
            return first_failure(part)
    return explanation.text


@dataclass(frozen=True)
class _Explainer:
    identity: Any
    reader: ObjectReader

    def explain(self, condition: Condition, owner: Any, shape: Shape) -> Explanation:
        text = condition.footnote or str(condition)
        match condition:
            case Always():
                return Explanation(text, condition.holds)
            case Negation():
                inner = self.explain(condition.inner, owner, shape)
                return Explanation(text, not inner.holds, parts=(inner,))
            case Conjunction() | Disjunction():
                parts = tuple(self.explain(part, owner, shape) for part in condition.parts)
                joined = all if isinstance(condition, Conjunction) else any
                return Explanation(text, joined(part.holds for part in parts), parts=parts)
            case Predicate():
                return Explanation(text, bool(condition.function(owner, self.identity)))
            case CallerTest() | CallerCheck() | IsNull(of_caller=True):
                return Explanation(text, read_test(condition, self.identity))
            case Quantifier():
                return self._quantified(condition, text, owner, shape)
            case IsNull():
                value, name = self._at(condition, condition.path, owner, shape)
                return Explanation(text, value is None, _shown(name, value))
            case Comparison():
                return self._compared(condition, text, owner, shape)
            case _:
                raise TypeError(f"{condition!r} is no kind of condition.")

    def _at(
        self, condition: Condition, path: tuple[str, ...], owner: Any, shape: Shape
    ) -> tuple[Any, str]:
        """The value or related object at a path; None where an object on the way is missing."""
        hops, last = resolve_path(condition, path, shape)
        for hop in hops:
            owner = None if owner is None else self.reader.one(owner, hop)
        if owner is None:
            return None, last.name
        if isinstance(last, Relation):
            return self.reader.one(owner, last), last.name
        return self._value(owner, last), last.name

    def _value(self, owner: Any, column: Column) -> Any:
        value = self.reader.value(owner, column)
        if value is not None and (reason := misfit(column, value)) is not None:
            raise InvalidCaller(f"{type(owner).__name__}.{column.name} {reason}.")
        return value

    def _quantified(
        self, condition: Quantifier, text: str, owner: Any, shape: Shape
    ) -> Explanation:
        hops, relation = resolve_path(condition, condition.path, shape)
        for hop in hops:
            owner = None if owner is None else self.reader.one(owner, hop)
        if not isinstance(relation, Relation):
            raise TypeError(f"{condition} is not about a relationship.")
        rows = () if owner is None else self.reader.many(owner, relation)
        parts = tuple(self.explain(condition.inner, row, relation.target) for row in rows)
        joined = all if condition.is_all else any
        return Explanation(
            text, joined(part.holds for part in parts), f"{len(parts)} related", parts[:10]
        )

    def _compared(self, condition: Comparison, text: str, owner: Any, shape: Shape) -> Explanation:
        _, column = resolve_path(condition, condition.path, shape)
        value, name = self._at(condition, condition.path, owner, shape)
        operand = condition.operand
        if isinstance(operand, CallerPath) and isinstance(column, Column):
            path = path_of(operand)
            if condition.op is Op.IN:
                operand = read_collection(path, column, self.identity)
            else:
                operand = read_caller(self.identity, path)
                if operand is not None:
                    require_fit(path, column, operand)
        return Explanation(text, _compares(condition.op, value, operand), _shown(name, value))


def _compares(op: Op, value: Any, operand: Any) -> bool:
    """Two-valued: see `licet.authz.conditions`."""
    if op is Op.NE:
        return bool(value != operand)
    return value is not None and operand is not None and bool(_COMPARE[op](value, operand))


_COMPARE: Final[Mapping[Op, Callable[[Any, Any], Any]]] = {
    Op.EQ: operator.eq,
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
    Op.IN: lambda value, many: value in many,
    Op.CONTAINS: operator.contains,
    Op.STARTSWITH: str.startswith,
}


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "nothing"
    if _SECRET.search(name):
        return _REDACTED
    if isinstance(value, str) and len(value) > 40:
        return repr(value[:37] + "…")
    if hasattr(value, "_sa_instance_state"):
        return type(value).__name__
    return repr(value)
