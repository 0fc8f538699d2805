"""Putting a policy's criterion into somebody's SELECT, in the shape that an index can answer."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.elements import _textual_label_reference
from sqlalchemy.sql.visitors import iterate

from licet.authz._places import invalid
from licet.authz.policies._in_sql._page import on_page
from licet.authz.policies._in_sql._terms import Term

__all__ = ["restrict"]

_TUPLES_ONCE: Final = sa.__version__.startswith("2.0.")


def restrict(statement: sa.Select[Any], model: type[Any], term: Term) -> sa.Select[Any]:
    """The statement, with only rows that fulfil the term.

    A page, ordered and limited, is chosen by `on_page` so that an index can answer it.

    Raises:
        InvalidCondition: the statement does not select from the model, so the term would bind
            nothing.
    """
    _require_selected(statement, sa.inspect(model))
    if isinstance(term, bool):
        return statement if term else statement.where(sa.false())
    size = _rows_to_choose_from(statement)
    if size is None or not _is_plain(statement, sa.inspect(model)) or not _is_copied(statement):
        return statement.where(term)
    keys = [getattr(model, _key_name(model, column)) for column in sa.inspect(model).primary_key]
    labels = (key.label(f"key_{index}") for index, key in enumerate(keys))
    narrow = statement.with_only_columns(*labels).offset(None).limit(size)
    return statement.where(on_page(term, narrow.scalar_subquery()))


def _require_selected(statement: Any, mapper: Mapper[Any]) -> None:
    if not isinstance(statement, sa.Select):
        raise invalid(f"filter takes select({mapper.class_.__name__})…, not {statement!r}.")
    if not any(_is_of(column, mapper) for column in statement._raw_columns):
        tables = {part for source in statement.get_final_froms() for part in _joined(source)}
        if tables.isdisjoint(mapper.tables):
            raise invalid(
                f"The statement does not select from {mapper.class_.__name__} itself, so filter "
                "would let every row through: for an alias write "
                "statement.where(policy.criterion(identity, entity=alias))."
            )


def _joined(source: Any) -> list[Any]:
    if isinstance(source, sa.Join):
        return [*_joined(source.left), *_joined(source.right)]
    return [source]


def _is_of(column: Any, mapper: Mapper[Any]) -> bool:
    entity = column._annotations.get("parententity")
    return isinstance(entity, Mapper) and entity.isa(mapper)


def _is_plain(statement: Any, mapper: Mapper[Any]) -> bool:
    """Whether only the model and its columns are selected, and only expressions order them.

    A window function would count the page alone, and a label could not order the branches.
    """
    return all(
        isinstance(column, sa.FromClause | sa.Column)
        and column._annotations.get("parententity") is mapper
        for column in statement._raw_columns
    ) and not any(
        isinstance(clause, _textual_label_reference) for clause in statement._order_by_clauses
    )


def _is_copied(statement: Any) -> bool:
    """Whether SQLAlchemy can have the statement's parameters twice: 2.0 no lists of tuples."""
    return not _TUPLES_ONCE or not any(
        isinstance(part, sa.BindParameter) and part.expanding and part.type._is_tuple_type
        for part in iterate(statement)
    )


def _rows_to_choose_from(statement: Any) -> int | None:
    """How many rows of each alternative can be on the page; None when that cannot be said."""
    is_ordered_page = (
        statement._limit_clause is not None
        and statement._order_by_clauses
        and not statement._group_by_clauses
        and not statement._having_criteria
        and not statement._distinct
        and statement._for_update_arg is None
    )
    if not is_ordered_page:
        return None
    try:
        return int(statement._limit) + int(statement._offset or 0)
    except (sa.exc.CompileError, TypeError):  # a limit that is an expression
        return None


def _key_name(model: type[Any], column: sa.Column[Any]) -> str:
    return str(sa.inspect(model).get_property_by_column(column).key)
