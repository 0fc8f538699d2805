"""Conditions: what must hold of an object and its caller, said once.

A condition is only data. `licet.authz.policies.policy` makes three things of it that always agree:
a decision about an object in memory, a predicate in SQL, and an explanation.

Every comparison is two-valued. With missing data (NULL, no related object, no such attribute of
the caller) ``==``, the orders, ``in_``, ``contains`` and ``startswith`` are False, and so is ``!=``
when both sides are missing; ``~`` inverts that. ``any`` over nothing is False, ``all`` is True.

    published = (attr("event.state") == "published").named("of published events")
    own = attr("sessions").any(attr("creator_id") == caller.account_id)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NoReturn

from licet.authz._moment import Now, declared_in_utc
from licet.authz._places import declared_at, invalid
from licet.errors.names import knows_its_options

__all__ = [
    "NEVER",
    "Always",
    "AttributePath",
    "CallerCheck",
    "CallerPath",
    "CallerTest",
    "Comparison",
    "Condition",
    "Conjunction",
    "Disjunction",
    "IsNull",
    "Negation",
    "Op",
    "Predicate",
    "Quantifier",
    "attr",
    "caller",
    "predicate",
]

_IN_PLACE_OF_BOOL: Final = "write & | ~ with parentheses around each comparison, not and/or/not"


class Op(Enum):
    """How an attribute is compared; the value is how it is printed."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    IN = "in"
    CONTAINS = "contains"
    STARTSWITH = "starts with"


_FLIPPED: Final = {Op.LT: Op.GT, Op.GT: Op.LT, Op.LE: Op.GE, Op.GE: Op.LE}


@dataclass(frozen=True, eq=False)
class Condition:
    """What can be combined with ``&``, ``|`` and ``~`` and given a name for the matrix."""

    declared: str
    footnote: str | None

    def __and__(self, other: object) -> Condition:
        return Conjunction(declared_at(), None, (*_flat(self, Conjunction), _condition(other)))

    def __or__(self, other: object) -> Condition:
        return Disjunction(declared_at(), None, (*_flat(self, Disjunction), _condition(other)))

    def __invert__(self) -> Condition:
        return Negation(declared_at(), None, self)

    def __bool__(self) -> NoReturn:
        raise invalid(f"A condition has no truth value of its own: {_IN_PLACE_OF_BOOL}.")

    def named(self, footnote: str) -> Condition:
        """The same condition, with the words that the access matrix prints for it."""
        if not isinstance(footnote, str) or not footnote.strip():
            raise invalid(f"A condition cannot be named {footnote!r}: give some words.")
        return replace(self, footnote=footnote)


@dataclass(frozen=True, eq=False)
class Always(Condition):
    """Holds of everything, or of nothing."""

    holds: bool = True

    def __str__(self) -> str:
        return "always" if self.holds else "never"


@dataclass(frozen=True, eq=False)
class Comparison(Condition):
    """An attribute of the object beside a constant, `now`, the caller's, or another of its own."""

    path: tuple[str, ...]
    op: Op
    operand: Any
    naive_as_utc: bool = False

    def __str__(self) -> str:
        return f"{'.'.join(self.path)} {self.op.value} {_shown(self.operand)}"


@dataclass(frozen=True, eq=False)
class CallerTest(Condition):
    """An attribute of the caller beside a constant or `now`."""

    path: tuple[str, ...]
    op: Op
    operand: Any

    def __str__(self) -> str:
        return f"caller.{'.'.join(self.path)} {self.op.value} {_shown(self.operand)}"


@dataclass(frozen=True, eq=False)
class CallerCheck(Condition):
    """A Python function of the identity; its outcome is a constant for each caller."""

    function: Callable[[Any], bool]

    def __str__(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function))


@dataclass(frozen=True, eq=False)
class IsNull(Condition):
    """An attribute or a related object is missing; of the caller when `of_caller`."""

    path: tuple[str, ...]
    of_caller: bool = False

    def __str__(self) -> str:
        return f"{'caller.' if self.of_caller else ''}{'.'.join(self.path)} is null"


@dataclass(frozen=True, eq=False)
class Quantifier(Condition):
    """A condition on the related objects: at least one fulfils it, or every one does."""

    path: tuple[str, ...]
    inner: Condition
    is_all: bool

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}.{'all' if self.is_all else 'any'}({self.inner})"


@dataclass(frozen=True, eq=False)
class Predicate(Condition):
    """A Python function of (object, identity), for which SQL has no word."""

    function: Callable[[Any, Any], bool]

    def __str__(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function))


@dataclass(frozen=True, eq=False)
class Conjunction(Condition):
    """All of several conditions."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return "(" + " and ".join(map(str, self.parts)) + ")"


@dataclass(frozen=True, eq=False)
class Disjunction(Condition):
    """At least one of several conditions."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return "(" + " or ".join(map(str, self.parts)) + ")"


@dataclass(frozen=True, eq=False)
class Negation(Condition):
    """The opposite of a condition."""

    inner: Condition

    def __str__(self) -> str:
        return f"not {self.inner}"


NEVER: Final = Always("licet", None, holds=False)


class _Path:
    """A path that can be compared; `attr` and `caller` start one."""

    _path: tuple[str, ...]
    _start = ""
    __hash__ = object.__hash__

    def __str__(self) -> str:
        return self._start + ".".join(self._path)

    def _compare(self, op: Op, operand: object) -> Condition:
        raise NotImplementedError  # pragma: no cover - both kinds of paths have their own

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # builds a condition
        return self._compare(Op.EQ, other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # builds a condition
        return self._compare(Op.NE, other)

    def __lt__(self, other: object) -> Condition:
        return self._compare(Op.LT, other)

    def __le__(self, other: object) -> Condition:
        return self._compare(Op.LE, other)

    def __gt__(self, other: object) -> Condition:
        return self._compare(Op.GT, other)

    def __ge__(self, other: object) -> Condition:
        return self._compare(Op.GE, other)

    def __bool__(self) -> NoReturn:
        raise invalid(f"A path has no truth value: {_IN_PLACE_OF_BOOL}.")

    def __iter__(self) -> NoReturn:
        raise invalid("A path is not a collection: write path.any(…) or path.in_(…).")

    def __contains__(self, _item: object) -> NoReturn:
        raise invalid("`in` decides at once: write path.in_(…) or path.contains(…).")

    def is_true(self) -> Condition:
        """The value is True: ``== True`` in words that no linter minds."""
        return self._compare(Op.EQ, True)  # noqa: FBT003 - the value

    def in_(self, values: Iterable[Any] | CallerPath) -> Condition:
        """The value is one of `values`, constants or a collection that the caller has."""
        if not isinstance(values, CallerPath):
            if isinstance(values, str | bytes) or not isinstance(values, Iterable):
                raise invalid(f"in_ takes a collection of values, not {values!r}.")
            values = frozenset(map(_constant, values))
            if any(isinstance(one, Decimal) for one in values):  # or 0 is none of Decimals
                values = frozenset(Decimal(one) if type(one) is int else one for one in values)
            if any(isinstance(value, Now | _Path) for value in values):
                raise invalid("in_ takes constants: compare with now() or attr(…) by == and |.")
        return self._compare(Op.IN, values)

    def not_in(self, values: Iterable[Any] | CallerPath) -> Condition:
        """The opposite of `in_`: True also where the value is missing."""
        return ~self.in_(values)

    def contains(self, part: object) -> Condition:
        """The text has `part` in it; of the caller's collections, the member `part`."""
        return self._compare(Op.CONTAINS, part)

    def startswith(self, part: object) -> Condition:
        """The text begins with `part`."""
        return self._compare(Op.STARTSWITH, part)


def path_of(path: _Path) -> tuple[str, ...]:
    """The names along a path."""
    return path._path  # noqa: SLF001 - a public name would hide the caller's attribute of that name


class AttributePath(_Path):
    """A path from the object through its to-one relationships to an attribute or relationship."""

    def __init__(self, path: tuple[str, ...], *, naive_as_utc: bool = False) -> None:
        self._path = path
        self.is_utc = naive_as_utc

    def compare(self, op: Op, operand: object) -> Condition:
        """The comparison of the attribute with a value or with another attribute."""
        is_utc = self.is_utc
        if isinstance(operand, AttributePath):
            if op in (Op.CONTAINS, Op.STARTSWITH):
                raise invalid(
                    f"{op.value!r} takes a text or caller.…, not another attribute, {operand}: "
                    "attributes are compared by == != < <= > >=."
                )
            is_utc = is_utc or operand.is_utc
        return Comparison(declared_at(), None, self._path, op, _constant(operand), is_utc)

    _compare = compare

    def is_null(self) -> Condition:
        """There is no value, or no related object."""
        return IsNull(declared_at(), None, self._path)

    def any(self, condition: Condition) -> Condition:
        """At least one of the related objects fulfils `condition`, whose paths start at it."""
        return Quantifier(declared_at(), None, self._path, _condition(condition), is_all=False)

    def all(self, condition: Condition) -> Condition:
        """Every related object fulfils `condition`; also when there is none."""
        return Quantifier(declared_at(), None, self._path, _condition(condition), is_all=True)


class CallerPath(_Path):
    """An attribute of the caller, and of what that is: ``caller.claims.department``."""

    _start = "caller."

    def __init__(self, path: tuple[str, ...]) -> None:
        self._path = path

    def __getattr__(self, name: str) -> CallerPath:
        if name.startswith("_"):
            raise AttributeError(name)
        return CallerPath((*self._path, name))

    def _compare(self, op: Op, operand: object) -> Condition:
        if isinstance(operand, AttributePath):
            if op in (Op.IN, Op.CONTAINS, Op.STARTSWITH):
                raise invalid("Write attr(…).in_(caller.…), the attribute first.")
            return operand.compare(_FLIPPED.get(op, op), self)
        if isinstance(operand, CallerPath):
            raise invalid("Two attributes of the caller cannot be compared: use a role.")
        if operand is None or (op is Op.IN and None in operand):  # type: ignore[operator]  # a frozenset
            raise invalid("A comparison with None is never True: write is_null().")
        if op is Op.STARTSWITH and not isinstance(operand, str):
            raise invalid(f"startswith takes a text, not {operand!r}.")
        return CallerTest(declared_at(), None, self._path, op, _constant(operand))

    def is_null(self) -> Condition:
        """The caller has no such attribute, or it is None."""
        return IsNull(declared_at(), None, self._path, of_caller=True)


class _Caller:
    def __getattr__(self, name: str) -> CallerPath:
        if name.startswith("_"):
            raise AttributeError(name)
        return CallerPath((name,))


caller: Final = _Caller()
"""Who asks: ``caller.account_id`` is the attribute of that name of the identity, or its key."""


@knows_its_options
def attr(path: str, *, naive_as_utc: bool = False) -> AttributePath:
    """The object's attribute or relationship at a dotted path: ``attr("event.state")``.

    With `naive_as_utc` a DateTime without time zone is compared as a moment in UTC.
    """
    if not isinstance(path, str) or not all(part.isidentifier() for part in path.split(".")):
        raise invalid(f"attr takes a dotted path such as 'event.state', not {path!r}.")
    return AttributePath(tuple(path.split(".")), naive_as_utc=naive_as_utc)


@knows_its_options
def predicate(function: Callable[[Any, Any], bool], footnote: str | None = None) -> Condition:
    """A Python function of (object, identity) as a condition, for checks of single objects only."""
    if not callable(function) or isinstance(function, type):
        raise invalid(f"predicate takes a function of (object, identity): {function!r}.")
    return Predicate(declared_at(), footnote, function)


def _constant(value: Any) -> Any:
    if isinstance(value, Decimal) and not value.is_finite():
        raise invalid(f"{value!r} is no finite number, which nothing is compared with.")
    return declared_in_utc(value)


def _flat(condition: Condition, kind: type[Conjunction | Disjunction]) -> tuple[Condition, ...]:
    if isinstance(condition, kind) and condition.footnote is None:
        return condition.parts
    return (condition,)


def _condition(value: object) -> Condition:
    if not isinstance(value, Condition):
        raise invalid(
            f"{value!r} is not a condition: make one with attr(…) or caller.…, and put "
            "parentheses around each comparison."
        )
    return value


def _shown(operand: object) -> str:
    if isinstance(operand, _Path):
        return str(operand)
    if isinstance(operand, frozenset):
        return "{" + ", ".join(sorted(map(_shown, operand))) + "}"
    return repr(operand.name) if isinstance(operand, Enum) else repr(operand)
