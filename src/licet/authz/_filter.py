"""Putting a policy's criterion into somebody's SELECT, in the shape that an index can answer."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BooleanClauseList

from licet.authz._sql import Term

__all__ = ["restrict"]


def restrict(statement: sa.Select[Any], model: type[Any], term: Term) -> sa.Select[Any]:
    """The statement, with only rows that fulfil the term.

    An OR makes databases read the whole table in the order that is asked for. With a LIMIT each
    alternative alone can stop early, so a page is chosen from a union of limited alternatives.
    """
    if isinstance(term, bool):
        return statement if term else statement.where(sa.false())
    alternatives = _alternatives(term)
    size = _rows_to_choose_from(statement)
    if len(alternatives) < 2 or size is None:
        return statement.where(term)
    keys = [getattr(model, _key_name(model, column)) for column in sa.inspect(model).primary_key]
    narrow = statement.with_only_columns(*keys).offset(None).limit(size)
    pages = (narrow.where(alternative).subquery() for alternative in alternatives)
    chosen = sa.union_all(*(sa.select(*page.c) for page in pages))
    key = keys[0] if len(keys) == 1 else sa.tuple_(*keys)
    return statement.where(key.in_(chosen))


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
