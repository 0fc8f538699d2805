"""The model or alias that a part of a statement is about, its columns, and its related rows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import RelationshipProperty, aliased
from sqlalchemy.sql.annotation import _deep_deannotate

from licet.authz.policies._models.mapping import is_equality
from licet.authz.policies._models.shape import Relation

__all__ = ["column_of", "expression", "plain", "rows_alone", "target_of", "through_secondary"]


def target_of(relation: Relation) -> Any:
    """An alias of what a relationship leads to."""
    return aliased(relation.target.model)


def rows_alone(clause: Any) -> Any:
    """The clause as SQL about tables, which the ORM does not add anything to.

    A session's `with_loader_criteria` would otherwise decide which related rows count.
    """
    return _deep_deannotate(clause)


def expression(entity: Any, name: str) -> Any:
    """The attribute's column, plain when it is that of an alias."""
    attribute = getattr(entity, name)
    found = plain(entity, attribute.property.columns[0])
    return attribute.expression if found is None else found


def plain(entity: Any, column: Any) -> Any:
    """The column of an alias without what the ORM notes on it, which only costs time."""
    inspected = sa.inspect(entity)
    if not inspected.is_aliased_class:
        return None
    return inspected.selectable.corresponding_column(column)


def column_of(entity: Any, column: Any) -> Any:
    """The attribute of a class or an alias that is this column of a table; None if none is."""
    mapper = sa.inspect(entity).mapper
    prop = mapper.get_property_by_column(column) if column in mapper.columns.values() else None
    return None if prop is None else getattr(entity, prop.key).expression


def through_secondary(
    owner: Any, target: Any, prop: RelationshipProperty[Any]
) -> tuple[Any, sa.Select[Any]] | None:
    """The owner's key, and a SELECT of the keys that a table between leads to the target from.

    None when that is not one plain equality a side.
    """
    pairs = prop.secondary_synchronize_pairs or []
    if len(pairs) != 1 or prop.secondary is None or not is_equality(prop.secondaryjoin, pairs):
        return None
    ((own, to_own),), ((other, to_other),) = prop.synchronize_pairs, pairs
    own_key, other_key = column_of(owner, own), plain(target, other)
    if own_key is None or other_key is None:
        return None
    between = prop.secondary.alias()
    chosen, other_side = between.c[str(to_own.key)], between.c[str(to_other.key)]
    selected = sa.select(chosen).where(other_side == other_key)
    return own_key, selected.where(chosen.is_not(None)) if to_own.nullable else selected
