"""Why a condition holds or not: every part of it, with its outcome.

This reads the condition as it was declared, not its plan, and asks an `ObjectReader` for all that
it needs. It is the slow and careful way to decide: for people, of drafts, and of what an object was
before it was changed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from licet.authz._moment import Now, in_utc
from licet.authz.policies._in_sql._membership import Membership, is_linked
from licet.authz.policies._models.callers import (
    CallerValues,
    fitting,
    moment_beside,
    read_caller,
    read_collection,
    read_predicate,
    read_test,
    require_fit,
)
from licet.authz.policies._models.denials import NotForbidden
from licet.authz.policies._models.links import Linked
from licet.authz.policies._models.nodes import (
    Exists,
)
from licet.authz.policies._models.paths import resolve_path
from licet.authz.policies._models.remembered import memory_of
from licet.authz.policies._models.shape import Column, ObjectReader, Relation, Shape
from licet.authz.policies._plan import LINKED_CALLER, make_plan
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

__all__ = [
    "ALLOWED",
    "Decision",
    "Explanation",
    "denied_before",
    "explain",
    "first_failure",
]


_SECRET: Final = re.compile(
    "pass|secret|token|key|mail|phone|mobile|address|birth|hash", re.IGNORECASE
)
_SHOWN_ROWS: Final = 3
_MANY: Final = 20  # so many related objects are loaded to explain what was asked about them
_REDACTED: Final = "•••"


class _More:
    def __repr__(self) -> str:
        return f"more than {_MANY}"


_MORE: Final = _More()


class Explanation(NamedTuple):
    """One part of a condition: whether it holds, what was found, and its own parts.

    What was found is shown shortened, and not at all where the name says that it is private.
    """

    condition: Condition | str
    holds: bool
    found: tuple[str, Any] | None = None
    parts: tuple[Explanation, ...] = ()
    beside: tuple[str, Any] | None = None  # the moment or the other attribute

    @property
    def text(self) -> str:
        """What this part says, in the words of its name if it has one."""
        if isinstance(self.condition, str):
            return self.condition
        return self.condition.footnote or str(self.condition)

    def lines(self, depth: int = 0) -> Iterator[str]:
        """The tree as indented text."""
        found = "" if self.found is None else f"   (found {self._found})"
        yield f"{'  ' * depth}{'✓' if self.holds else '✗'} {self.text}{found}"
        for part in self.parts:
            yield from part.lines(depth + 1)

    @property
    def _found(self) -> str:
        shown = (_shown(*one) for one in (self.found, self.beside) if one is not None)
        return " beside ".join(shown)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:  # that of a tuple would show what was found as it is
        return f"<Explanation {next(self.lines())}>"


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
    """The first part at the bottom of the tree because of which the whole does not hold.

    Of several alternatives the one counts that came nearest: some part of it holds. Where a line
    of `Policy.forbid` holds, that line is the reason.
    """
    if isinstance(explanation.condition, NotForbidden):
        return f"forbidden to {explanation.condition.inner.footnote}"
    failed = [part for part in explanation.parts if not part.holds]
    if not failed:
        return explanation.text
    nearest = (part for part in failed if any(inner.holds for inner in part.parts))
    return first_failure(next(nearest, failed[0]))


@dataclass(frozen=True)
class _Explainer:
    identity: Any
    reader: ObjectReader

    def explain(self, condition: Condition, owner: Any, shape: Shape) -> Explanation:  # noqa: C901, PLR0911 - one for each kind
        match condition:
            case Comparison():
                return self._compared(condition, owner, shape)
            case Conjunction():
                return self._joined(condition, condition.parts, owner, shape, until=False)
            case Disjunction():
                return self._joined(condition, condition.parts, owner, shape, until=True)
            case CallerTest() | CallerCheck() | IsNull(of_caller=True):
                return Explanation(condition, read_test(condition, self.identity))
            case Quantifier():
                return self._quantified(condition, owner, shape)
            case Negation():
                inner = self.explain(condition.inner, owner, shape)
                return Explanation(condition, not inner.holds, None, (inner,))
            case IsNull():
                value, last = self._at(condition, condition.path, owner, shape, is_compared=False)
                return Explanation(condition, value is None, (last.name, value))
            case Always():
                return Explanation(condition, condition.holds)
            case Linked():
                return self._linked(condition, owner, shape)
            case Predicate():
                holds = read_predicate(condition.function, owner, self.identity)
                return Explanation(condition, holds)
            case _:
                raise TypeError(f"{condition!r} is no kind of condition.")

    def _joined(
        self,
        condition: Condition,
        parts: Iterable[Condition],
        owner: Any,
        shape: Shape,
        *,
        until: bool,
    ) -> Explanation:
        """The parts up to the first whose outcome is `until`, which decides about the whole.

        What a decision does not read is not read here: it may be fit for other callers only.
        """
        read = []
        for one in parts:
            part = self.explain(one, owner, shape)
            read.append(part)
            if part.holds is until:
                shown = (part,) if until else tuple(read)
                return Explanation(condition, until, None, shown)
        return Explanation(condition, not until, None, tuple(read))

    def _at(
        self,
        condition: Condition,
        path: tuple[str, ...],
        owner: Any,
        shape: Shape,
        *,
        is_compared: bool = True,
    ) -> tuple[Any, Column | Relation]:
        """The value or related object at a path; None where an object on the way is missing.

        A value that is not compared need not fit, if its being there is all that matters.
        """
        hops, last = resolve_path(condition, path, shape)
        for hop in hops:
            owner = None if owner is None else self.reader.one(owner, hop)
        if owner is None:
            return None, last
        if isinstance(last, Relation):
            return (owner if last.is_many else self.reader.one(owner, last)), last
        value = self.reader.value(owner, last)
        is_read = is_compared or last.is_inspected
        return (fitting(value, last, owner) if is_read else value), last

    def _quantified(self, condition: Quantifier, owner: Any, shape: Shape) -> Explanation:
        holder, relation = self._at(condition, condition.path, owner, shape)
        if not isinstance(relation, Relation):
            raise TypeError(f"{condition} is not about a relationship.")
        if holder is None:
            return self._among(condition, (), relation)
        if self.reader.session_to_ask(holder, relation) is None:
            return self._among(condition, self.reader.many(holder, relation), relation)
        first = self.reader.some(holder, relation, _MANY + 1)
        if len(first) <= _MANY:
            return self._among(condition, first, relation)
        return self._asked(condition, holder, relation, first)

    def _asked(
        self, condition: Quantifier, holder: Any, relation: Relation, first: Sequence[Any]
    ) -> Explanation:
        """The same of a collection that is too large to be read for an explanation."""
        inner = condition.inner
        wanted = Negation(inner.declared, None, inner) if condition.is_all else inner
        caller_values = CallerValues()
        plan = make_plan(wanted, relation.target, caller_values, naive_as_utc=True)  # as it was
        values = caller_values.read(self.identity) or ()
        found = Membership(Exists((), relation, plan), self.reader).asked(holder, values)
        if found is None:  # a Python function is part of it
            return self._among(condition, self.reader.many(holder, relation), relation)
        parts = [self.explain(inner, row, relation.target) for row in first[:_SHOWN_ROWS]]
        shown = tuple(part for part in parts if not found or part.holds is not condition.is_all)
        return Explanation(condition, found is not condition.is_all, (relation.name, _MORE), shown)

    def _among(self, condition: Quantifier, rows: Iterable[Any], relation: Relation) -> Explanation:
        """Whether some of these objects fulfils what is asked, or all do."""
        shown: list[Explanation] = []
        n_read = 0
        for row in rows:
            part = self.explain(condition.inner, row, relation.target)
            n_read += 1
            if part.holds is not condition.is_all:
                found = (relation.name, n_read)
                return Explanation(condition, not condition.is_all, found, (part,))
            if n_read <= _SHOWN_ROWS:
                shown.append(part)
        return Explanation(condition, condition.is_all, (relation.name, n_read), tuple(shown))

    def _linked(self, condition: Linked, owner: Any, shape: Shape) -> Explanation:
        if condition.path:
            owner, _ = self._at(condition, condition.path, owner, shape)
        read = read_collection if condition.is_collection else read_scalar
        value = read(condition.caller_path, LINKED_CALLER, self.identity)
        holds = owner is not None and is_linked(owner, condition.link, value)
        return Explanation(condition, holds)

    def _compared(self, condition: Comparison, owner: Any, shape: Shape) -> Explanation:
        value, column = self._at(condition, condition.path, owner, shape)
        operand = condition.operand
        if isinstance(operand, CallerPath) and isinstance(column, Column):
            operand = self._of_caller(condition, column)
        elif isinstance(operand, AttributePath | Now) and isinstance(column, Column):
            return self._beside(condition, owner, shape, column, value)
        holds = _compares(condition.op, value, operand)
        return Explanation(condition, holds, (column.name, value))

    def _beside(
        self, condition: Comparison, owner: Any, shape: Shape, column: Column, value: Any
    ) -> Explanation:
        """The value beside another attribute's or the moment, which is told as well."""
        if isinstance(condition.operand, Now):
            name, other = "now", moment_beside(condition.operand, column)
        else:
            other, last = self._at(condition, path_of(condition.operand), owner, shape)
            name = last.name
        holds = _compares(condition.op, value, other)
        return Explanation(condition, holds, (column.name, value), beside=(name, other))

    def _of_caller(self, condition: Comparison, column: Column) -> Any:
        path = path_of(condition.operand)
        if condition.op is Op.IN:
            return read_collection(path, column, self.identity)
        return read_scalar(path, column, self.identity)


def read_scalar(path: tuple[str, ...], column: Column, identity: Any) -> Any:
    """The caller's value as it is compared with the column; None when they have none.

    Raises:
        InvalidCaller: it cannot be compared with the column.
    """
    value = read_caller(identity, path)
    if value is not None:
        require_fit(path, column, value)
    return in_utc(value)


def _compares(op: Op, value: Any, operand: Any) -> bool:
    """Two-valued: see `licet.authz.policies.conditions`."""
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


@dataclass(frozen=True)
class Decision:
    """Whether the caller may do it; true in a boolean context when they may.

    `visible` and `reason` of a denial are worked out, by `explain` and `may_view`, when they are
    asked for: do so before the object changes again.
    """

    allowed: bool
    explain: Callable[[], Explanation] | None = None
    may_view: Callable[[], bool] | None = None

    def __bool__(self) -> bool:
        return self.allowed

    @cached_property
    def visible(self) -> bool:
        """Whether the caller may know that the object exists: 403 when they do, else 404."""
        return self.may_view is None or self.may_view()

    @cached_property
    def explanation(self) -> Explanation | None:
        """Every part of what was asked, with its outcome; None when it was allowed."""
        return None if self.explain is None else self.explain()

    @property
    def reason(self) -> str:
        """The first part because of which it was denied; for the log, never for the caller."""
        return "allowed" if self.explanation is None else first_failure(self.explanation)


ALLOWED: Final = Decision(allowed=True)


def denied_before(policy: Any, identity: Any, verb: Any, owner: Any) -> Decision | None:
    """The denial of a caller who might not do it before flushes changed the object."""
    memory = memory_of(owner)
    if memory is None or memory.was_allowed(policy, verb, owner, identity) is not False:
        return None
    why = Explanation(f"{policy.name} {verb} before the transaction changed it", holds=False)
    return Decision(
        allowed=False,
        explain=lambda: why,
        may_view=lambda: memory.was_visible(policy, owner, identity),
    )
