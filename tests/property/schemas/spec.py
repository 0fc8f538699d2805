"""Schemas as plain data: entities, columns, relationships, and what relates two rows.

Nothing here knows SQLAlchemy or licet. `tests.property.schemas.mapped` makes models of a schema;
`tests.property.schemas.oracle` answers questions about its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CLASS", "Association", "Column", "Entity", "Relation", "Row", "Rows", "Schema"]

Row = dict[str, Any]  # attribute → value, and CLASS → the entity's name
CLASS = "__class__"


@dataclass(frozen=True, eq=False)
class Column:
    """One column; `name` is the attribute's, `stored_as` the column's own."""

    name: str
    kind: str  # "int", "text" or "bool"
    is_nullable: bool = True
    is_key: bool = False
    refers_to: tuple[str, str] | None = None  # entity and attribute
    is_unique: bool = False
    has_synonym: bool = False

    @property
    def stored_as(self) -> str:
        """The column's name in its table, which differs from the attribute's."""
        return f"c_{self.name}"


@dataclass(eq=False)
class Entity:
    """A class; with a parent, one that inherits by a table of its own or by the parent's."""

    name: str
    columns: list[Column]
    parent: Entity | None = None
    is_single: bool = False

    @property
    def base(self) -> Entity:
        """The class at the top."""
        return self if self.parent is None else self.parent.base

    @property
    def key(self) -> list[Column]:
        """The columns of the primary key."""
        return [column for column in self.base.columns if column.is_key]

    @property
    def all_columns(self) -> list[Column]:
        """Its own and those that it inherits."""
        return [*(self.parent.all_columns if self.parent else []), *self.columns]

    def is_a(self, other: Entity) -> bool:
        """Whether its objects are also the other's."""
        return self is other or (self.parent is not None and self.parent.is_a(other))


@dataclass(frozen=True, eq=False)
class Relation:
    """A relationship; `joins` says of two rows whether it leads from the first to the second.

    `kind` is how it is mapped: "key", "reverse", "association", "expression", "criterion" or
    "alias"; `detail` what `mapped` needs for that.
    """

    name: str
    owner: Entity
    target: Entity
    is_many: bool
    kind: str
    joins: Callable[[Row, Row, Rows], bool]
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Association:
    """A table between two entities, with a primary key or without."""

    name: str
    left: Entity
    right: Entity
    has_key: bool


@dataclass(eq=False)
class Schema:
    """All of it."""

    entities: list[Entity]
    relations: list[Relation]
    associations: list[Association]

    def relations_of(self, entity: Entity) -> list[Relation]:
        """Its own and those that it inherits."""
        return [one for one in self.relations if entity.is_a(one.owner)]

    def entity(self, name: str) -> Entity:
        """The one of that name."""
        return next(one for one in self.entities if one.name == name)


@dataclass(eq=False)
class Rows:
    """What the database has: rows of each base entity, and pairs of keys of each association."""

    schema: Schema
    of_base: dict[str, list[Row]] = field(default_factory=dict)
    pairs: dict[str, list[tuple[tuple[Any, ...], tuple[Any, ...]]]] = field(default_factory=dict)

    def of(self, entity: Entity) -> Iterator[Row]:
        """The rows that are objects of the entity."""
        for row in self.of_base[entity.base.name]:
            if self.schema.entity(row[CLASS]).is_a(entity):
                yield row

    def related(self, row: Row, relation: Relation) -> list[Row]:
        """The rows that a relationship leads to."""
        return [other for other in self.of(relation.target) if relation.joins(row, other, self)]


def key_of(row: Row, entity: Entity) -> tuple[Any, ...]:
    """The row's primary key."""
    return tuple(row[column.name] for column in entity.key)
