"""What a model's attributes and relationships are, as far as conditions need to know.

`licet.authz.policies._models.mapping` finds the shape of a mapped class, and
`licet.authz.policies._models.types` how the type of a column compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, auto
from functools import cached_property
from typing import Any, Final, Protocol
from uuid import UUID

from licet.authz._moment import in_utc
from licet.authz.policies.conditions import Op
from licet.errors.names import with_article
from licet.wire.text import unstorable

__all__ = [
    "Column",
    "Kind",
    "ObjectReader",
    "Relation",
    "Shape",
    "Unsupported",
    "Zone",
    "misfit",
    "misplaced",
    "too_many",
]

INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1
NUMBER_DIGITS: Final = 300  # on either side of the point; a double has 308
MOST_NUMBERS: Final = 10_000  # in one list; SQLite gets two parameters for each


class Kind(Enum):
    """The types that can be compared, and the others."""

    INTEGER = int
    TEXT = str
    BOOLEAN = bool
    UUID = UUID
    DATE = date
    MOMENT = datetime  # aware; kept as UTC
    NUMBER = Decimal  # of a precision that a double has, too
    ENUM = Enum
    OTHER = object  # may only be asked whether it is null


class Zone(Enum):
    """What a column of moments says of their time zone."""

    UTC = auto()  # that it is UTC, on every database
    KEPT = auto()  # that it is in the value, but on SQLite, which keeps none
    NONE = auto()  # nothing: only who declared the condition knows that it is UTC


_ORDERED: Final = frozenset({Op.LT, Op.LE, Op.GT, Op.GE})
_TEXTUAL: Final = frozenset({Op.CONTAINS, Op.STARTSWITH})


@dataclass(frozen=True, eq=False)
class Column:
    """A mapped attribute that is one column."""

    name: str
    kind: Kind
    is_nullable: bool
    enum_class: type[Enum] | None = None
    choices: tuple[str, ...] = ()  # of an enum of plain texts
    zone: Zone = Zone.UTC
    digits: tuple[int, int] = (0, 0)  # precision and scale of a NUMBER
    is_json: bool = False  # and null where either SQL or JSON says so
    storage: object = None  # columns with an equal one compare with each other in SQL
    incomparable: str = ""  # why an OTHER is one
    never_null: str = ""  # why even its being null cannot be asked

    def refusal(self, op: Op) -> str | None:
        """Why the type has no such comparison that is the same everywhere; None when it has."""
        if op in _TEXTUAL:
            is_refused = self.kind is not Kind.TEXT
        else:
            is_refused = op in _ORDERED and self.kind in (Kind.BOOLEAN, Kind.ENUM)
        if not is_refused:
            return None
        because = (
            ": PostgreSQL orders an enum as it was declared, SQLite by its text. Write in_(…) with "
            "the members that are meant"
        )
        is_enum = op in _ORDERED and self.kind is Kind.ENUM
        return (
            f"is {self.type_name}, which has no {op.value!r} that is the same on every database"
            f"{because if is_enum else ''}"
        )

    @cached_property
    def value_type(self) -> type[Any]:
        """The Python type that its values have, exactly."""
        return str if self.choices else self.enum_class or self.kind.value

    @cached_property
    def is_inspected(self) -> bool:
        """Whether an object's value is to be looked at before it is compared or found missing."""
        return self.kind in (Kind.NUMBER, Kind.OTHER)

    @cached_property
    def is_converted(self) -> bool:
        """Whether it takes more than its type to know that an object's value can be compared."""
        return self.is_inspected or bool(self.choices) or self.zone is not Zone.UTC

    @property
    def type_name(self) -> str:
        """The Python type that its values have, for messages."""
        if self.choices:
            return f"one of {', '.join(map(repr, self.choices))}"
        names = {Kind.MOMENT: "an aware datetime", Kind.NUMBER: "Decimal or int"}
        return names.get(self.kind, self.value_type.__name__)


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
    if column.kind is Kind.NUMBER:
        return _unfit_number(value)
    if type(value) is not column.value_type:
        return f"is {type(value).__name__}, not {column.type_name}"
    if isinstance(value, datetime):
        return misplaced(value)
    if isinstance(value, str) and column.kind is Kind.TEXT:
        reason = unstorable(value)
        return reason and f"holds {with_article(reason)}"
    return None


def _unfit_number(value: object) -> str | None:
    if type(value) is int:
        number = Decimal(value)
    elif type(value) is Decimal:
        number = value
    else:
        instead = ": write Decimal('0.1') for 0.1" if isinstance(value, float) else ""
        return f"is {type(value).__name__}, not Decimal or int{instead}"
    if not number.is_finite():
        return "is not a finite number"
    exponent = number.as_tuple().exponent
    if number.adjusted() > NUMBER_DIGITS or int(exponent) < -NUMBER_DIGITS:
        return f"has more than {NUMBER_DIGITS} digits on one side of the point"
    return None


def too_many(column: Column, values: Sized) -> str | None:
    """Why the column cannot be compared with so many values, or None when it can."""
    if column.kind is not Kind.NUMBER or len(values) <= MOST_NUMBERS:
        return None
    return f"is a list of {len(values):,} numbers, of which there can be {MOST_NUMBERS:,}"


def misplaced(moment: datetime) -> str | None:
    """Why a moment has no place on the time line, or None when it has."""
    if moment.utcoffset() is None:
        return "is a datetime without time zone"
    try:
        in_utc(moment)
    except OverflowError:
        return "is outside of the years 1 to 9999 in UTC"
    return None
