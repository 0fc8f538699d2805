"""The model or alias that a part of a statement is about, its columns, and its related rows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlalchemy.sql.annotation import _deep_deannotate

from licet.authz.policies._models.shape import Relation

__all__ = ["expression", "plain", "rows_alone", "target_of"]


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
