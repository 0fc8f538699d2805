"""The criterion of an ordered page: alone, or as a choice of keys that an index can answer.

An OR makes databases read the whole table in the order that is asked for. Each alternative alone
can stop at the page's end, so the page is chosen from a union of limited alternatives.

SQLite does not know how many rows are the caller's. To start from them is best when they are few,
and to walk all rows in order until the page is full when they are many. So it counts them first, no
further than `MANY_OWN_ROWS`. If they are so many, it looks whether the first rows in order fill the
page, no further than `FIRST_ROWS`, because the caller's own may all be at the end; else it starts
from the caller's. What is not needed has a LIMIT of 0, which SQLite sees before it begins.

What is chosen is written when the statement is compiled, from the parts that its cache key has.
Parameters must stay the same objects there, because another caller's values come by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, Grouping
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.visitors import iterate

__all__ = ["on_page"]

MANY_OWN_ROWS: Final = 1000  # to start from these takes as long as a walk for a page of 50
FIRST_ROWS: Final = 1000  # to walk these in vain takes less than to start from so many
MAX_LEVELS: Final = 15  # about four relationships; SQLite's parser keeps no more within a choice


class on_page(FunctionElement[bool]):  # noqa: N801 - SQL functions are lower case
    """Whether a row is on the page: ``on_page(criterion, the page's keys.scalar_subquery())``.

    The keys are those of the statement as it is without the criterion, in its order and limited.
    """

    inherit_cache = True
    type = sa.Boolean()

    def self_group(self, against: Any = None) -> Any:
        """Itself: it is written as a comparison, or as several that AND joins."""
        return self


@compiles(on_page)
def _page(element: on_page, compiler: SQLCompiler, **options: Any) -> str:
    term, keys = element.clauses
    branches = _alternatives(term)
    if len(branches) < 2:
        return _alone(term, compiler, **options)
    narrow = keys.element
    return compiler.process(_is_key_of(narrow, map(narrow.where, branches)), **options)


@compiles(on_page, "sqlite")
def _page_of_sqlite(element: on_page, compiler: SQLCompiler, **options: Any) -> str:
    term, keys = element.clauses
    narrow, own_rows = keys.element, list(_own_rows(term))
    if _levels(term) > MAX_LEVELS:
        return _alone(term, compiler, **options)
    if not (own_rows and all(map(_is_found_by_index, own_rows)) and _is_walked_by_index(narrow)):
        return _page(element, compiler, **options)
    none, many, first = map(_number, (0, MANY_OWN_ROWS, FIRST_ROWS))
    are_few = (_count(rows.limit(many)) < many for rows in own_rows)
    begin = _first_keys(narrow).limit(sa.case((sa.and_(*are_few), none), else_=first))
    walked = narrow.where(_is_key_of(narrow, [begin]), _by_exists(term)).cte()
    size = narrow._limit_clause
    is_short = _count(sa.select(walked)) < size
    rest = narrow.limit(sa.case((is_short, size), else_=none))
    pages = [sa.select(walked), *map(rest.where, _alternatives(term))]
    # the CTE stays within: sqlite3 takes an UPDATE that begins with WITH for no change of data
    return compiler.process(_is_key_of(narrow, pages, walked), **options)


def _alone(term: Any, compiler: SQLCompiler, **options: Any) -> str:
    """The criterion as it is; an OR in parentheses, for what AND joins it with."""
    return compiler.process(term.self_group(against=operators.and_), **options)


def _alternatives(term: Any) -> list[Any]:
    """The parts of an OR, or the one that there is.

    An OR that AND joins to denials is taken apart as well: each part with all of the denials.
    """
    term = _ungrouped(term)
    if not isinstance(term, BooleanClauseList):
        return [term]
    if term.operator is operators.or_:
        return list(term.clauses)
    grants, *denials = map(_ungrouped, term.clauses)
    if isinstance(grants, BooleanClauseList) and grants.operator is operators.or_:
        return [sa.and_(part, *denials) for part in grants.clauses]
    return [term]


def _ungrouped(term: Any) -> Any:
    """The same without parentheses, which it gets again where it needs them."""
    is_grouped = isinstance(term, Grouping) and isinstance(term.element, BooleanClauseList)
    return term.element if is_grouped else term


def _is_key_of(narrow: Any, pages: Iterable[Any], *ctes: Any) -> Any:
    """Whether a row's key is among those of the pages, which may refer to the CTEs."""
    keys = [label.element for label in narrow._raw_columns]
    key = keys[0] if len(keys) == 1 else sa.tuple_(*keys)
    # in a SELECT around each, because SQLite has no LIMIT inside of a UNION
    around: Any = sa.select(*(sa.column(label.name) for label in narrow._raw_columns))
    chosen = sa.union_all(*(around.select_from(page.subquery()) for page in pages))
    return key.in_(chosen.add_cte(*ctes, nest_here=True))


def _count(rows: Any) -> Any:
    return sa.select(sa.func.count()).select_from(rows.subquery()).scalar_subquery()


def _number(value: int) -> Any:
    return sa.literal_column(str(value), sa.Integer)


# --- many rows of the caller's -------------------------------------------------------------------


def _is_own(term: Any) -> bool:
    """Whether it is ``key IN (SELECT …)``, which starts from rows that are the caller's."""
    return (
        isinstance(term, BinaryExpression)
        and term.operator is operators.in_op
        and isinstance(getattr(term.right, "element", term.right), sa.Select)
    )


def _own_rows(term: Any) -> Iterator[Any]:
    """The SELECTs of the caller's rows; the innermost first, which are counted at once."""
    if isinstance(term, Grouping):
        yield from _own_rows(term.element)
    elif isinstance(term, BooleanClauseList):
        for part in term.clauses:
            yield from _own_rows(part)
    elif _is_own(term):
        rows = _selected(term)
        for part in rows._where_criteria:
            yield from _own_rows(part)
        yield rows


def _by_exists(term: Any) -> Any:
    """The same term, asked of one row at a time."""
    term = _ungrouped(term)
    if isinstance(term, BooleanClauseList):
        join: Any = sa.or_ if term.operator is operators.or_ else sa.and_
        return join(*map(_by_exists, term.clauses))
    if not _is_own(term):
        return term
    rows = _selected(term)
    (chosen,) = rows._raw_columns
    found = sa.select(_number(1)).select_from(*rows.get_final_froms()).where(chosen == term.left)
    others: list[Any] = []
    for one in rows._where_criteria:
        if _is_link(one):
            found = found.where(one)
        else:
            others.append(_by_exists(one))
    if others:  # in a CASE, or SQLite could take an index on the caller and read all that is theirs
        found = found.where(sa.case((sa.and_(*others), _number(1)), else_=_number(0)))
    return found.correlate_except(*rows.get_final_froms()).exists()


def _is_found_by_index(rows: Any) -> bool:
    """Whether an index leads from a row to those of the caller's that belong to it."""
    reached = [*rows._raw_columns, *(c.right for c in rows._where_criteria if _is_link(c))]
    columns = [column for one in reached for column in one.base_columns]
    return all(
        isinstance(column, sa.Column)
        and isinstance(column.table, sa.Table)
        and column in _leading_an_index(column.table)
        for column in columns
    )


def _is_link(term: Any) -> bool:
    return (
        isinstance(term, BinaryExpression)
        and term.operator is operators.eq
        and isinstance(term.right, sa.ColumnClause)
    )


def _levels(term: Any) -> int:
    return 1 + max(map(_levels, term.get_children()), default=0)


def _selected(term: Any) -> Any:
    return getattr(term.right, "element", term.right)


# --- the order -----------------------------------------------------------------------------------


def _first_keys(narrow: Any) -> Any:
    """The keys of the first rows in order, from where the statement's own conditions let it begin.

    Other conditions are left out: who knows how far away the first row is that fulfils them.
    """
    ordering = set(_ordering(narrow))
    begins = (one for one in narrow._where_criteria if set() < _read_by(one) <= ordering)
    return sa.select(*narrow._raw_columns).where(*begins).order_by(*narrow._order_by_clauses)


def _is_walked_by_index(narrow: Any) -> bool:
    """Whether the order is total, and of columns of the one table of which an index has the first.

    Without a total order the rows of one page, chosen so, and of the next, chosen otherwise, could
    be the same.
    """
    table, ordering = narrow._raw_columns[0].element.table, _ordering(narrow)
    if not isinstance(table, sa.Table):  # an alias, or a subquery
        return False
    if not set(table.primary_key) <= set(ordering) <= set(table.c):
        return False
    return ordering[0] in _leading_an_index(table)


def _leading_an_index(table: Any) -> set[Any]:
    """The columns that come first in an index, one of all rows.

    An index may begin with an expression or with text, and a table may have no primary key.
    """
    constraints = (c for c in table.constraints if isinstance(c, sa.UniqueConstraint))
    keys = [list(one.columns) for one in (table.primary_key, *constraints)]
    whole = (one for one in table.indexes if one.dialect_kwargs.get("sqlite_where") is None)
    keys.extend(list(index.expressions) for index in whole)
    first = (_without_direction(key[0]) for key in keys if key)
    return {column for column in first if isinstance(column, sa.Column)}


def _ordering(narrow: Any) -> list[Any]:
    """What it is ordered by, ascending or descending."""
    return [_without_direction(clause) for clause in narrow._order_by_clauses]


def _without_direction(clause: Any) -> Any:
    ways = (operators.asc_op, operators.desc_op)
    return clause.element if getattr(clause, "modifier", None) in ways else clause


def _read_by(condition: Any) -> set[Any]:
    """The columns, tables and pieces of text that a condition has."""
    read = (sa.ColumnClause, sa.FromClause, sa.TextClause)
    return {part for part in iterate(condition) if isinstance(part, read)}
