"""SQLAlchemy models of a schema, and its rows in a database."""

from __future__ import annotations

from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    aliased,
    column_property,
    foreign,
    mapped_column,
    registry,
    relationship,
    remote,
    synonym,
)
from tests.property.schemas.spec import CLASS, Association, Column, Entity, Relation, Rows, Schema

__all__ = ["OTHER_NAMES", "Mapped"]

OTHER_NAMES = ("again", "computed", "shown", "proxied")
"""Attributes of every base class that conditions may not use, as SQL and Python could differ."""

_TYPES: dict[str, Any] = {"int": sa.Integer, "text": sa.Text, "bool": sa.Boolean}


class Mapped:
    """A schema as classes and tables of their own."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.registry = registry()
        self.classes: dict[str, type[Any]] = {}
        self.between: dict[str, sa.Table] = {}
        for association in schema.associations:
            self.between[association.name] = self._table_of(association)
        for entity in schema.entities:
            self.classes[entity.name] = self._class(entity)
        self.registry.configure()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.registry.dispose()

    def of(self, entity: Entity) -> type[Any]:
        """The class of an entity."""
        return self.classes[entity.name]

    # --- classes ---------------------------------------------------------------------------------

    def _class(self, entity: Entity) -> type[Any]:
        members: dict[str, Any] = {"__init__": _init}
        if not entity.is_single:
            members["__tablename__"] = entity.name.lower()
        has_children = any(one.parent is entity for one in self.schema.entities)
        if entity.parent is None and has_children:
            members["kind_of_class"] = mapped_column(sa.Text, nullable=False)
            members["__mapper_args__"] = {
                "polymorphic_on": "kind_of_class",
                "polymorphic_identity": entity.name,
            }
        elif entity.parent is not None:
            members["__mapper_args__"] = {"polymorphic_identity": entity.name}
            if not entity.is_single:
                members |= {one.name: _inherited(one, entity) for one in entity.key}
                members["__table_args__"] = (_to_parent(entity),)
        members |= {one.name: _column(one, entity) for one in entity.columns}
        if entity.parent is None:
            members |= self._other_names(entity)
        for relation in self.schema.relations:
            if relation.owner is entity:
                members[relation.name] = self._relationship(relation)
        base = object if entity.parent is None else self.of(entity.parent)
        made = type(entity.name, (base,), members)
        return self.registry.mapped(made)

    def _other_names(self, entity: Entity) -> dict[str, Any]:
        plain = entity.key[0].name
        to_one = [one for one in self.schema.relations_of(entity) if not one.is_many]
        found: dict[str, Any] = {
            "again": synonym(plain),
            "computed": column_property(sa.literal_column("1")),
            "shown": hybrid_property(lambda self: getattr(self, plain)),
        }
        if to_one:
            found["proxied"] = association_proxy(to_one[0].name, to_one[0].target.key[0].name)
        return found

    def _relationship(self, relation: Relation) -> Any:
        of, detail = self.of, relation.detail
        own, target = relation.owner, relation.target

        def by_key(owner: Any, other: Any) -> Any:
            pairs = zip(detail["from"], target.key, strict=True)
            return sa.and_(
                *(foreign(getattr(owner, a)) == remote(getattr(other, b.name)) for a, b in pairs)
            )

        def reversed_key(owner: Any, other: Any) -> Any:
            pairs = zip(own.key, detail["from"], strict=True)
            return sa.and_(
                *(getattr(owner, a.name) == remote(foreign(getattr(other, b))) for a, b in pairs)
            )

        match relation.kind:
            case "key":
                return relationship(
                    lambda: of(target),
                    primaryjoin=lambda: by_key(of(own), of(target)),
                    back_populates=detail.get("back"),
                    uselist=False,
                )
            case "reverse":
                return relationship(
                    lambda: of(target),
                    primaryjoin=lambda: reversed_key(of(own), of(target)),
                    back_populates=detail.get("back"),
                    uselist=relation.is_many,
                )
            case "association":
                return self._by_association(relation, detail["association"], detail["is_left"])
            case "expression":
                return relationship(
                    lambda: of(target),
                    primaryjoin=lambda: (
                        _changed(foreign(getattr(of(own), detail["from"])))
                        == remote(getattr(of(target), target.key[0].name))
                    ),
                    viewonly=True,
                    uselist=False,
                )
            case "criterion":
                join = reversed_key if relation.is_many else by_key
                return relationship(
                    lambda: of(target),
                    primaryjoin=lambda: sa.and_(
                        join(of(own), of(target)),
                        remote(getattr(of(target), detail["flag"])).is_(True),
                    ),
                    viewonly=True,
                    uselist=relation.is_many,
                )
        return self._to_alias(relation, by_key)

    def _to_alias(self, relation: Relation, by_key: Any) -> Any:
        aliases: list[Any] = []

        def alias() -> Any:
            if not aliases:
                aliases.append(aliased(self.of(relation.target)))
            return aliases[0]

        return relationship(
            alias,
            primaryjoin=lambda: by_key(self.of(relation.owner), alias()),
            viewonly=True,
            uselist=False,
        )

    def _by_association(self, relation: Relation, between: Association, is_left: bool) -> Any:
        table = self.between[between.name]
        own, target = relation.owner, relation.target
        near, far = ("left", "right") if is_left else ("right", "left")

        def join(entity: Entity, side: str) -> Any:
            cls = self.of(entity)
            return sa.and_(
                *(
                    getattr(cls, column.name) == table.c[f"{side}_{column.name}"]
                    for column in entity.key
                )
            )

        return relationship(
            lambda: self.of(target),
            secondary=table,
            primaryjoin=lambda: join(own, near),
            secondaryjoin=lambda: join(target, far),
            foreign_keys=list(table.columns),
            viewonly=True,
        )

    def _table_of(self, association: Association) -> sa.Table:
        sides = (("left", association.left), ("right", association.right))
        columns = [
            sa.Column(f"{side}_{one.name}", _TYPES[one.kind], primary_key=association.has_key)
            for side, entity in sides
            for one in entity.key
        ]
        return sa.Table(association.name, self.registry.metadata, *columns)

    # --- rows ------------------------------------------------------------------------------------

    def store(self, rows: Rows, connection: sa.Connection) -> None:
        """Make the tables, and put the rows into them."""
        self.registry.metadata.create_all(connection)
        for entity in self.schema.entities:
            if entity.is_single:
                continue
            table: Any = self.of(entity).__table__
            mine = list(rows.of(entity))
            values = [self._values(entity, row, table) for row in mine]
            if values:
                connection.execute(sa.insert(table), values)
        for name, pairs in rows.pairs.items():
            columns = [column.name for column in self.between[name].columns]
            if pairs:
                values = [dict(zip(columns, (*a, *b), strict=True)) for a, b in pairs]
                connection.execute(sa.insert(self.between[name]), values)

    def _values(self, entity: Entity, row: Any, table: Any) -> dict[str, Any]:
        """The values of one row in the table of one class, by the columns' own names."""
        of_row = self.schema.entity(row[CLASS])
        names = {one.stored_as: one.name for one in of_row.all_columns}
        stored = [column.name for column in table.columns]
        found = {name: row.get(names[name]) for name in stored if name in names}
        if entity.parent is None and "kind_of_class" in stored:
            found["kind_of_class"] = row[CLASS]
        return dict.fromkeys(stored) | found  # each row of one INSERT has the same columns


def _init(self: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(self, name, value)


def _changed(column: Any) -> Any:
    """The expression of a join by expression."""
    return column + 1 if isinstance(column.type, sa.Integer) else sa.func.lower(column)


def _column(column: Column, entity: Entity) -> Any:
    is_nullable = (column.is_nullable or entity.is_single) and not column.is_key
    return mapped_column(
        column.stored_as,
        _TYPES[column.kind],
        primary_key=column.is_key,
        nullable=is_nullable,
        autoincrement=False,
    )


def _inherited(column: Column, entity: Entity) -> Any:
    return mapped_column(column.stored_as, _TYPES[column.kind], primary_key=True)


def _to_parent(entity: Entity) -> sa.ForeignKeyConstraint:
    names = [column.stored_as for column in entity.key]
    above = entity.parent
    while above is not None and above.is_single:
        above = above.parent
    assert above is not None
    return sa.ForeignKeyConstraint(names, [f"{above.name.lower()}.{name}" for name in names])
