"""What a plan is made of: a condition whose names are resolved and whose types are checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from licet.authz.policies._models.links import Link
from licet.authz.policies._models.shape import Column, Relation
from licet.authz.policies.conditions import Op

__all__ = [
    "FALSE",
    "TRUE",
    "AllOf",
    "AnyOf",
    "CallerLeaf",
    "Exists",
    "Leaf",
    "LinkLeaf",
    "Pair",
    "Place",
    "Plan",
    "PredicateLeaf",
    "Slot",
    "Test",
    "Truth",
    "slots_of",
]


class Test(Enum):
    """What a leaf asks; each is False where the attribute is missing, but for NE."""

    __test__ = False  # for pytest, which takes names like this one for its own

    EQ = Op.EQ
    NE = Op.NE  # only beside the caller: its value may be missing, too
    LT = Op.LT
    LE = Op.LE
    GT = Op.GT
    GE = Op.GE
    IN = Op.IN
    CONTAINS = Op.CONTAINS
    STARTSWITH = Op.STARTSWITH
    PRESENT = "is present"


@dataclass(frozen=True)
class Slot:
    """A value of the caller's or of the moment, by its place among those read for each check."""

    index: int
    is_moment: bool = False


@dataclass(frozen=True, eq=False)
class Truth:
    """Holds always or never."""

    holds: bool


@dataclass(frozen=True, eq=False)
class Leaf:
    """One attribute, reached through to-one relationships, beside one operand."""

    hops: tuple[Relation, ...]
    column: Column
    test: Test
    operand: Any
    is_negated: bool = False


@dataclass(frozen=True, eq=False)
class Place:
    """An attribute, reached through to-one relationships."""

    hops: tuple[Relation, ...]
    column: Column

    @property
    def may_be_missing(self) -> bool:
        """Whether there can be no value."""
        return self.column.is_nullable or bool(self.hops)


@dataclass(frozen=True, eq=False)
class Pair:
    """One attribute beside another."""

    left: Place
    test: Test
    right: Place
    is_negated: bool = False


@dataclass(frozen=True, eq=False)
class Exists:
    """Some object of a relationship fulfils the inner plan."""

    hops: tuple[Relation, ...]
    relation: Relation
    inner: Plan
    is_negated: bool = False


@dataclass(frozen=True, eq=False)
class CallerLeaf:
    """A test of the caller alone; its outcome is in a slot."""

    slot: Slot
    is_negated: bool = False


@dataclass(frozen=True, eq=False)
class PredicateLeaf:
    """A Python function of the object and the caller."""

    function: Callable[[Any, Any], bool]
    is_negated: bool = False


@dataclass(frozen=True, eq=False)
class LinkLeaf:
    """Rows of a table of its own link the object, or a related one, with the caller."""

    hops: tuple[Relation, ...]
    model: type[Any]
    link: Link
    slot: Slot
    is_negated: bool = False


@dataclass(frozen=True, eq=False)
class AllOf:
    """Every part holds."""

    parts: tuple[Plan, ...]


@dataclass(frozen=True, eq=False)
class AnyOf:
    """Some part holds."""

    parts: tuple[Plan, ...]


Plan = Truth | Leaf | Pair | Exists | CallerLeaf | PredicateLeaf | LinkLeaf | AllOf | AnyOf
TRUE: Final = Truth(holds=True)
FALSE: Final = Truth(holds=False)


def slots_of(plan: Plan) -> tuple[int, ...] | None:
    """The places of the caller's values that the plan asks for.

    None when it asks for a moment, for links or for a Python function: its answer may then differ
    for the same values.
    """
    match plan:
        case Leaf(operand=Slot(is_moment=True)) | LinkLeaf() | PredicateLeaf():
            return None
        case Leaf(operand=Slot()):
            return (plan.operand.index,)
        case CallerLeaf():
            return (plan.slot.index,)
        case Exists():
            return slots_of(plan.inner)
        case AllOf() | AnyOf():
            found = [slots_of(part) for part in plan.parts]
            if None in found:
                return None
            return tuple(sorted({index for part in found for index in part or ()}))
        case _:
            return ()
