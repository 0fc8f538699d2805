"""The shape of a mapped class: which of its attributes and relationships conditions may use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import (
    ColumnProperty,
    Mapper,
    RelationshipDirection,
    RelationshipProperty,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BooleanClauseList
from sqlalchemy.types import TypeDecorator, TypeEngine

from licet.authz._places import invalid
from licet.authz.policies._models.shape import Column, Relation, Shape, Unsupported
from licet.authz.policies._models.types import column_of
from licet.errors.names import with_article
from licet.wire.text import is_storable

__all__ = [
    "can_hold",
    "is_equality",
    "key_names",
    "python_type",
    "shape_of",
]


_shapes: WeakKeyDictionary[type[Any], Shape] = WeakKeyDictionary()
sa.event.listen(Mapper, "after_configured", _shapes.clear)  # a later model may add backrefs
_DIALECT: Final = DefaultDialect()


def shape_of(model: type[Any]) -> Shape:
    """The shape of a mapped class.

    Raises:
        InvalidCondition: it is not mapped.
    """
    mapper = _mapper(model)
    mapper.registry.configure(cascade=True)  # all shapes are forgotten when there are new models
    shape = _shapes.get(model)
    if shape is None:
        shape = _shapes[model] = _shape(mapper)
    return shape


def _mapper(model: object) -> Mapper[Any]:
    try:
        mapper = sa.inspect(model)
    except NoInspectionAvailable:
        mapper = None
    if not isinstance(model, type) or not isinstance(mapper, Mapper):
        raise invalid(f"{model!r} is not a class that SQLAlchemy maps.")
    return mapper


def _shape(mapper: Mapper[Any]) -> Shape:
    columns: dict[str, Column] = {}
    relations: dict[str, Relation] = {}
    unsupported: dict[str, Unsupported] = {}
    for name, descriptor in mapper.all_orm_descriptors.items():
        prop = mapper.attrs.get(name)
        if isinstance(prop, RelationshipProperty):
            reason = _unsupported(prop)
            if reason is None:
                relations[name] = _relation(name, prop, mapper)
            else:
                unsupported[name] = Unsupported(name, reason)
        elif isinstance(prop, ColumnProperty):
            found = _column(name, prop)
            if isinstance(found, Column):
                columns[name] = found
            else:
                unsupported[name] = found
        else:
            kind = with_article(type(prop or descriptor).__name__)
            unsupported[name] = Unsupported(name, f"is {kind}, not a column or relationship")
    return Shape(mapper.class_, columns, relations, unsupported)


def _column(name: str, prop: ColumnProperty[Any]) -> Column | Unsupported:
    column = prop.columns[0]
    if not isinstance(column, sa.Column):
        return Unsupported(name, "is an expression, not a column")
    return column_of(name, column)


def _unsupported(prop: RelationshipProperty[Any]) -> str | None:
    """Why no condition may go by way of a relationship; None when it may."""
    if prop.mapper.single:
        return (
            "leads to a subclass without a table of its own, whose kind SQLAlchemy's EXISTS "
            "asks of the wrong row: relate it to the base class and compare its kind"
        )
    if prop.entity.is_aliased_class:
        return (
            f"leads to an alias of {prop.mapper.class_.__name__}, which no subquery can be "
            "related to: relate it to the class itself"
        )
    if prop.order_by and not prop.uselist:
        return (
            "leads to the first of several objects in an order, and SQL would ask them all: write "
            "any() on a relationship to many"
        )
    return None


_UNLISTED: Final = ("dynamic", "write_only", "noload")


def _relation(name: str, prop: RelationshipProperty[Any], mapper: Mapper[Any]) -> Relation:
    target = prop.mapper.class_
    return Relation(
        name,
        bool(prop.uselist),
        lambda: shape_of(target),
        _foreign_keys(prop, mapper),
        is_iterable=prop.collection_class in (None, list, set) and prop.lazy not in _UNLISTED,
        is_keyed=is_equality(prop.primaryjoin, prop.local_remote_pairs or ()),
        own_names=_own_names(prop, mapper),
    )


def is_equality(join: Any, pairs: Iterable[tuple[Any, Any]]) -> bool:
    """Whether a join says that each pair of columns is equal, and nothing else.

    Both sides must be the columns themselves: ``lower(a) = b`` pairs the same two columns.
    """
    wanted = {_pair(*columns) for columns in pairs}
    parts = _conjuncts(join)
    return bool(wanted) and len(parts) == len(wanted) and _equal_pairs(parts) == wanted


def _conjuncts(join: Any) -> list[Any]:
    is_and = isinstance(join, BooleanClauseList) and join.operator is operators.and_
    return list(join.clauses) if is_and else [join]


def _equal_pairs(parts: Iterable[Any]) -> set[frozenset[int]]:
    """The pairs that some part says to be equal; one of an expression is equal to no column's."""
    return {
        _pair(part.left, part.right)
        for part in parts
        if isinstance(part, sa.BinaryExpression) and part.operator is operators.eq
    }


def _pair(one: Any, other: Any) -> frozenset[int]:
    # By hash, which is the same for a column and for what the ORM notes on it.
    return frozenset((hash(one), hash(other)))


def _foreign_keys(
    prop: RelationshipProperty[Any], mapper: Mapper[Any]
) -> tuple[tuple[str, str], ...]:
    """Own attributes and the related object's that must be equal, of a many-to-one.

    They are the pairs that a flush copies; the join may ask for more.
    """
    if prop.direction is not RelationshipDirection.MANYTOONE:
        return ()
    pairs = []
    for remote, local in prop.synchronize_pairs:
        try:
            own = mapper.get_property_by_column(local).key
            other = prop.mapper.get_property_by_column(remote).key
        except Exception:  # noqa: BLE001 - columns that are not mapped
            return ()
        pairs.append((own, other))
    return tuple(pairs)


def _own_names(prop: RelationshipProperty[Any], mapper: Mapper[Any]) -> tuple[str, ...]:
    """The own attributes that the join of a many-to-one reads."""
    if prop.direction is not RelationshipDirection.MANYTOONE:
        return ()
    props = mapper.column_attrs
    return tuple(one.key for one in props if not prop.local_columns.isdisjoint(one.columns))


def key_names(model: type[Any]) -> tuple[str, ...]:
    """The attributes that make the primary key of a mapped class."""
    mapper = sa.inspect(model)
    return tuple(str(mapper.get_property_by_column(one).key) for one in mapper.primary_key)


def can_hold(column_type: TypeEngine[Any], value: object) -> bool:
    """Whether a column of this type could hold the value: its type matches, and its range."""
    if value is None or (isinstance(value, str) and not is_storable(value)):
        return False
    if isinstance(column_type, TypeDecorator):
        return _is_taken(column_type, value)
    if isinstance(column_type, sa.Integer):
        limit = 2 ** _bits(column_type)
        return type(value) is int and -limit <= value < limit
    if isinstance(column_type, sa.Enum) and column_type.enum_class is None:
        return isinstance(value, str) and value in column_type.enums
    if isinstance(column_type, sa.Uuid) and not column_type.as_uuid:
        return isinstance(value, str) and _is_uuid(value)
    wanted = python_type(column_type)
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def python_type(column_type: TypeEngine[Any]) -> type[Any]:
    """What a column of this type gives; `object`, of a type that does not say."""
    try:
        return column_type.python_type
    except NotImplementedError:  # SQLAlchemy 2.0; 2.1 says object
        return object


def _is_taken(column_type: TypeDecorator[Any], value: Any) -> bool:
    """Whether an app's own type takes the value, and makes of it what its column can hold."""
    if type(column_type).process_bind_param is not TypeDecorator.process_bind_param:
        try:
            value = column_type.process_bind_param(value, _DIALECT)
        except Exception:  # noqa: BLE001 - whatever it says of a value that it does not know
            return False
    return can_hold(column_type.impl_instance, value)


def _bits(column_type: sa.Integer) -> int:
    if isinstance(column_type, sa.BigInteger):
        return 63
    return 15 if isinstance(column_type, sa.SmallInteger) else 31


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
