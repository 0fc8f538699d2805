"""Putting a policy's criterion into somebody's SELECT, in the shape that an index can answer."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BooleanClauseList, _textual_label_reference

from licet.authz._sql import Term
from licet.authz.conditions import invalid

__all__ = ["restrict"]


def restrict(statement: sa.Select[Any], model: type[Any], term: Term) -> sa.Select[Any]:
    """The statement, with only rows that fulfil the term.

    An OR makes databases read the whole table in the order that is asked for. With a LIMIT each
    alternative alone can stop early, so a page is chosen from a union of limited alternatives.

    Raises:
        InvalidCondition: the statement does not select from the model, so the term would bind
            nothing.
    """
    _require_selected(statement, sa.inspect(model))
    if isinstance(term, bool):
        return statement if term else statement.where(sa.false())
    alternatives = _alternatives(term)
    size = _rows_to_choose_from(statement)
    if len(alternatives) < 2 or size is None or not _is_plain(statement, sa.inspect(model)):
        return statement.where(term)
    keys = [getattr(model, _key_name(model, column)) for column in sa.inspect(model).primary_key]
    names = [f"key_{index}" for index in range(len(keys))]
    labels = (key.label(name) for key, name in zip(keys, names, strict=True))
    narrow = statement.with_only_columns(*labels).offset(None).limit(size)
    # in a SELECT around each, because SQLite has no LIMIT inside of a UNION
    around: Any = sa.select(*map(sa.column, names))
    pages = (narrow.where(alternative).subquery() for alternative in alternatives)
    chosen = sa.union_all(*map(around.select_from, pages))
    key = keys[0] if len(keys) == 1 else sa.tuple_(*keys)
    return statement.where(key.in_(chosen))


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


def _alternatives(term: Any) -> list[Any]:
    if isinstance(term, BooleanClauseList) and term.operator is operators.or_:
        return list(term.clauses)
    return [term]


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
