"""Putting a policy's criterion into somebody's SELECT, in the shape that an index can answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import (
    BooleanClauseList,
    ClauseList,
    Grouping,
    _textual_label_reference,
)
from sqlalchemy.sql.visitors import iterate

from licet.authz.policies._in_sql._page import on_page
from licet.authz.policies._in_sql._terms import Term

__all__ = ["apart", "restrict", "with_conditions_apart"]

T = TypeVar("T")

_TUPLES_ONCE: Final = sa.__version__.startswith("2.0.")


def restrict(statement: sa.Select[Any], entity: Any, term: Term) -> sa.Select[Any]:
    """The statement, with only rows of the entity that fulfil the term.

    A page ends its order with the primary key, so that no row is on two pages and none is lost. A
    page that is ordered and limited is chosen by `on_page`, so that an index can answer it.
    """
    size = _rows_to_choose_from(statement)
    keys = _keys(entity)
    if _is_page(statement, entity) and _keeps_keys(statement, entity, keys):
        statement = _in_total_order(statement, keys)
    if term is True:
        return statement
    statement = with_conditions_apart(statement)
    if term is False:
        return statement.where(sa.false())
    if size is None or not _is_plain(statement, entity) or not _is_copied(statement):
        return statement.where(term)
    labels = (key.label(f"key_{index}") for index, key in enumerate(keys))
    narrow = statement.with_only_columns(*labels).offset(None).limit(size)
    return statement.where(on_page(term, narrow.scalar_subquery()))


def with_conditions_apart(statement: T) -> T:
    """The statement, with each condition that has SQL text in parentheses.

    SQLAlchemy writes text as it is: an OR in it would begin an alternative to all that follows.
    """
    given: Any = statement
    found = tuple(map(apart, given._where_criteria))
    if not any(isinstance(one, Grouping) for one in found):
        return statement
    changed = given._generate()
    changed._where_criteria = found
    return changed  # type: ignore[no-any-return]  # of the same type


def apart(condition: Any) -> Any:
    """The condition, in parentheses when it has SQL text."""
    return Grouping(condition) if _has_text(condition) else condition


def _has_text(part: Any) -> bool:
    """Whether SQL text is somewhere in a condition; of the usual parts without a walk."""
    if isinstance(part, sa.BindParameter | sa.Column):
        return False
    if isinstance(part, sa.BinaryExpression):
        return _has_text(part.left) or _has_text(part.right)
    if isinstance(part, BooleanClauseList):
        return any(map(_has_text, part.clauses))
    return isinstance(part, sa.ClauseElement) and any(map(_is_text, iterate(part)))


def _keys(entity: Any) -> list[Any]:
    mapper = sa.inspect(entity).mapper
    return [getattr(entity, mapper.get_property_by_column(one).key) for one in mapper.primary_key]


def _is_of(column: Any, entity: Any) -> bool:
    """Whether it is the entity or a column of it, as it is."""
    found = column._annotations.get("parententity")
    return isinstance(column, sa.FromClause | sa.Column) and found is sa.inspect(entity)


def _is_plain(statement: Any, entity: Any) -> bool:
    """Whether only the entity and its columns are selected, and only expressions order them.

    A window function would count the page alone, and a label, or text such as the number of a
    column, could not order the branches.
    """
    return all(_is_of(column, entity) for column in statement._raw_columns) and not any(
        isinstance(part, _textual_label_reference) or _is_text(part)
        for clause in statement._order_by_clauses
        for part in iterate(clause)
    )


def _is_text(part: Any) -> bool:
    is_literal = isinstance(part, sa.ColumnClause) and part.is_literal
    return is_literal or isinstance(part, sa.TextClause)


def _is_copied(statement: Any) -> bool:
    """Whether SQLAlchemy can have the statement's parameters twice: 2.0 no lists of tuples."""
    return not _TUPLES_ONCE or not any(
        isinstance(part, sa.BindParameter) and part.expanding and part.type._is_tuple_type
        for part in iterate(statement)
    )


def _is_page(statement: Any, entity: Any) -> bool:
    """Whether it selects some of the rows in an order, or from a place on."""
    is_cut = statement._limit_clause is not None or statement._fetch_clause is not None
    is_part = (is_cut and statement._order_by_clauses) or statement._offset_clause is not None
    return is_part and any(_is_within(column, entity) for column in statement._raw_columns)


def _is_within(column: Any, entity: Any) -> bool:
    """Whether it is the entity, a column of it, or of one of its subclasses."""
    if _is_of(column, entity):
        return True
    found, wanted = column._annotations.get("parententity"), sa.inspect(entity)
    is_class = isinstance(found, Mapper) and isinstance(wanted, Mapper) and found.isa(wanted)
    return is_class and isinstance(column, sa.FromClause | sa.Column)


def _keeps_keys(statement: Any, entity: Any, keys: list[Any]) -> bool:
    """Whether each row of the result is of one key, by which it can be ordered.

    A database orders groups, and what is distinct, only by what they are made of.
    """
    made_of = []
    if statement._group_by_clauses or statement._having_criteria:
        made_of.append(statement._group_by_clauses)
    if statement._distinct and not statement._distinct_on:
        made_of.append(statement._raw_columns)
    return all(_has_keys(columns, entity, keys) for columns in made_of)


def _has_keys(columns: Iterable[Any], entity: Any, keys: list[Any]) -> bool:
    parts = list(itertools.chain.from_iterable(map(_parts, columns)))
    is_whole = any(isinstance(part, sa.FromClause) and _is_of(part, entity) for part in parts)
    return is_whole or {key.expression for key in keys} <= set(parts)


def _parts(clause: Any) -> Iterable[Any]:
    """The clause, or the columns of an entity that is grouped by."""
    return clause.clauses if type(clause) is ClauseList else (clause,)


def _has_rows_of_its_own(statement: Any) -> bool:
    """Whether each row of the result is one of the tables, and not a group."""
    return not (statement._group_by_clauses or statement._having_criteria or statement._distinct)


def _in_total_order(statement: Any, keys: list[Any]) -> Any:
    """The statement, ordered by the primary key last, in the direction of what comes before."""
    ordering = statement._order_by_clauses
    known = {_ordered(clause)[0] for clause in ordering}
    missing = [key for key in keys if key.expression not in known]
    is_descending = bool(ordering) and _ordered(ordering[-1])[1]
    return statement.order_by(*(key.desc() if is_descending else key for key in missing))


def _ordered(clause: Any) -> tuple[Any, bool]:
    """What a clause of ORDER BY orders by, and whether it descends."""
    is_descending = False
    while isinstance(clause, sa.UnaryExpression) and clause.modifier in _MODIFIERS:
        is_descending = is_descending or clause.modifier is operators.desc_op
        clause = clause.element
    return clause, is_descending


_MODIFIERS = frozenset(
    {
        operators.asc_op,
        operators.desc_op,
        operators.nulls_first_op,
        operators.nulls_last_op,
    }
)


def _rows_to_choose_from(statement: Any) -> int | None:
    """How many rows of each alternative can be on the page; None when that cannot be said."""
    is_ordered_page = (
        statement._limit_clause is not None
        and statement._order_by_clauses
        and _has_rows_of_its_own(statement)
        and statement._for_update_arg is None
    )
    if not is_ordered_page:
        return None
    try:
        limit, offset = int(statement._limit), int(statement._offset or 0)
        return limit + offset if min(limit, offset) >= 0 else None  # SQLite takes -1 for all
    except (sa.exc.CompileError, TypeError):  # a limit that is an expression
        return None
