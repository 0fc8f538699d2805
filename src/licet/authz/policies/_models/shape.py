"""What a model's attributes and relationships are, as far as conditions need to know.

The allow-list of types is here: a comparison may use a type only when Python, SQLite and PostgreSQL
agree about it to the last bit. `licet.authz.policies._models.mapping` finds the shape of a mapped
class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import cached_property
from typing import Any, Final, Protocol
from uuid import UUID

from licet.authz.policies.conditions import Op, in_utc
from licet.errors.names import with_article
from licet.wire.text import unstorable

__all__ = [
    "Column",
    "Kind",
    "ObjectReader",
    "Relation",
    "Shape",
    "Unsupported",
    "misfit",
    "misplaced",
]

INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1


class Kind(Enum):
    """The types that can be compared."""

    INTEGER = int
    TEXT = str
    BOOLEAN = bool
    UUID = UUID
    DATE = date
    MOMENT = datetime  # aware; kept as UTC
    ENUM = Enum


_ORDERED: Final = frozenset({Op.LT, Op.LE, Op.GT, Op.GE})
_TEXTUAL: Final = frozenset({Op.CONTAINS, Op.STARTSWITH})
_UNORDERED_KINDS: Final = frozenset({Kind.BOOLEAN, Kind.ENUM})


@dataclass(frozen=True, eq=False)
class Column:
    """A mapped attribute that is one column."""

    name: str
    kind: Kind
    is_nullable: bool
    enum_class: type[Enum] | None = None

    def refuses(self, op: Op) -> bool:
        """Whether the type has no such comparison that is the same everywhere."""
        if op in _TEXTUAL:
            return self.kind is not Kind.TEXT
        return op in _ORDERED and self.kind in _UNORDERED_KINDS

    @property
    def value_type(self) -> type[Any]:
        """The Python type that its values have, exactly."""
        return self.enum_class or self.kind.value

    @property
    def type_name(self) -> str:
        """The Python type that its values have, for messages."""
        return "an aware datetime" if self.kind is Kind.MOMENT else self.value_type.__name__


@dataclass(frozen=True, eq=False)
class Unsupported:
    """An attribute that no condition may use, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Relation:
    """A mapped relationship; `foreign_keys` pairs own attributes with the related object's."""

    name: str
    is_many: bool
    find_target: Callable[[], Shape]
    foreign_keys: tuple[tuple[str, str], ...] = ()
    is_iterable: bool = True  # the loaded collection yields its objects when it is iterated
    is_keyed: bool = True  # equal foreign keys are all that relates the two
    own_names: tuple[str, ...] = ()  # of a many-to-one: own attributes that its join reads

    @property
    def is_asked_by_join(self) -> bool:
        """Whether it leads to one object that only the database finds, by the join itself."""
        return bool(self.own_names) and not self.is_keyed

    @cached_property
    def target(self) -> Shape:
        """The shape of the related objects."""
        return self.find_target()


@dataclass(frozen=True, eq=False)
class Shape:
    """A mapped class: what it is called and what it has."""

    model: type[Any]
    columns: Mapping[str, Column]
    relations: Mapping[str, Relation]
    unsupported: Mapping[str, Unsupported]

    @property
    def name(self) -> str:
        """The class's own name."""
        return self.model.__name__

    @property
    def known(self) -> str:
        """The names of all that conditions may use, for messages."""
        return ", ".join(sorted([*self.columns, *self.relations]))


class ObjectReader(Protocol):
    """How the attributes of an object are had when they do not lie ready in its ``__dict__``."""

    def value(self, owner: Any, column: Column) -> Any:
        """The attribute's value, loaded when it has to be."""

    def one(self, owner: Any, relation: Relation) -> Any:
        """The related object, or None when there is none."""

    def session_to_ask(self, owner: Any, relation: Relation) -> Any:
        """The session whose database is asked about a collection; None where objects are read."""

    def some(self, owner: Any, relation: Relation, limit: int) -> Sequence[Any]:
        """So many of the related objects that the database has."""

    def many(self, owner: Any, relation: Relation) -> Iterable[Any]:
        """The related objects."""


def misfit(column: Column, value: object) -> str | None:
    """Why `value` cannot be compared with the column, or None when it can.

    Types must match exactly: a bool is no int, a datetime no date, a string no UUID.
    """
    if type(value) is not column.value_type:
        return f"is {type(value).__name__}, not {column.type_name}"
    if isinstance(value, datetime):
        return misplaced(value)
    if isinstance(value, str) and column.kind is Kind.TEXT:
        reason = unstorable(value)
        return reason and f"holds {with_article(reason)}"
    return None


def misplaced(moment: datetime) -> str | None:
    """Why a moment has no place on the time line, or None when it has."""
    if moment.utcoffset() is None:
        return "is a datetime without time zone"
    try:
        in_utc(moment)
    except OverflowError:
        return "is outside of the years 1 to 9999 in UTC"
    return None
