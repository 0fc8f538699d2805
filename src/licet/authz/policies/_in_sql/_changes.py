"""Putting a policy's criterion into a SELECT, or into an UPDATE or a DELETE, which is marked so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapper

from licet.authz._places import invalid
from licet.authz.policies._in_sql._entity import restricted_entity
from licet.authz.policies._in_sql._filter import restrict, with_conditions_apart
from licet.authz.policies._in_sql._terms import Term, as_where

__all__ = ["FILTERED", "filtered", "model_written"]

T = TypeVar("T")
FILTERED: Final = "licet_filtered"
_READING: Final = frozenset({"LIST", "VIEW", "CREATE"})


def filtered(statement: T, model: type[Any], verb: str, criterion: Callable[..., Term]) -> T:
    """The statement, of rows only that fulfil the criterion of its entity.

    Raises:
        InvalidCondition: it is about something else than the class.
    """
    given: Any = statement
    if isinstance(statement, sa.Update | sa.Delete):
        given = _restrict_change(statement, model, verb, criterion())
    else:
        entity = restricted_entity(statement, model)
        given = restrict(given, entity, criterion(entity))
    return given  # type: ignore[no-any-return]  # of the same type


def _restrict_change(statement: Any, model: type[Any], verb: str, term: Term) -> Any:
    """The UPDATE or DELETE, of rows only that fulfil the term.

    Raises:
        InvalidCondition: it writes another class, or the verb is none that changes rows.
    """
    if verb in _READING:
        raise invalid(
            f"An UPDATE or DELETE statement is restricted by a verb that changes rows, not by "
            f"{verb}: write filter(statement, identity, UPDATE)."
        )
    if model_written(statement) is not model and not _is_table_of(statement.table, model):
        raise invalid(
            f"The policy is about {model.__name__}, and the statement writes {statement.table}: "
            f"write update({model.__name__}) or delete({model.__name__})."
        )
    restricted = with_conditions_apart(statement).where(as_where(term))
    return restricted.execution_options(**{FILTERED: model})


def model_written(statement: Any) -> Any:
    """The class that an INSERT, UPDATE or DELETE of the ORM writes; None when it names a table."""
    entity = statement.table._annotations.get("parententity")
    return entity.class_ if isinstance(entity, Mapper) else None


def _is_table_of(table: Any, model: type[Any]) -> bool:
    """Whether all rows of the table are the model's."""
    mapper = sa.inspect(model)
    return mapper.inherits is None and table is mapper.local_table
