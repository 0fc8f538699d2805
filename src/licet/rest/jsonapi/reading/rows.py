"""The rows of one statement, as a caller sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from licet.authz.policies._in_sql._terms import Term
from licet.authz.policies.fields import Fields
from licet.rest.jsonapi.query import Query
from licet.rest.jsonapi.resource import Bound
from licet.rest.jsonapi.where import Order, cursor_of

__all__ = ["Layout", "Listed", "Prepared", "Row", "listed", "masks_of"]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the values of the rows of one statement stand.

    Args:
        places: of the attributes, by name.
        links: of the keys that to-one links lead to, by name.
        order: of the sort keys.
        version: of the version; None where the rows have none.
        masks: of the outcomes of masks that differ with the row.
    """

    places: dict[str, int]
    links: dict[str, int]
    order: slice
    version: int | None
    masks: slice


@dataclass(eq=False, slots=True)
class Row:
    """One object, as the caller sees it: its values, and the keys that its links lead to."""

    bound: Bound
    values: Sequence[Any]  # the key is the first
    layout: Layout
    visible: frozenset[str]
    one: dict[str, Any]
    many: dict[str, list[Any]]

    @property
    def key(self) -> Any:
        """Its primary key."""
        return self.values[0]

    @property
    def version(self) -> Any:
        """Its version; None of a model without."""
        place = self.layout.version
        return None if place is None else self.values[place]

    @property
    def place(self) -> tuple[Any, ...]:
        """Its values of the order's keys."""
        return tuple(self.values[self.layout.order])


@dataclass(frozen=True, eq=False)
class Prepared:
    """A statement of what some caller sees of rows, and how each row is read."""

    bound: Bound
    statement: sa.Select[Any]
    layout: Layout
    visible_of: Callable[[tuple[Any, ...]], frozenset[str]]


@dataclass(frozen=True)
class Listed:
    """One page of a list, how many rows there are in all, and the cursors around it."""

    rows: list[Row]
    count: int
    after: str | None  # the cursor for what follows; None at the end
    before: str | None


def masks_of(shown: Fields, terms: list[Term]) -> Callable[[tuple[Any, ...]], frozenset[str]]:
    """A function of a row's masks, as they were selected, that gives its visible fields."""
    known: dict[tuple[Any, ...], frozenset[str]] = {}

    def visible(selected: tuple[Any, ...]) -> frozenset[str]:
        found = known.get(selected)
        if found is None:
            values = iter(selected)
            outcomes = [one if isinstance(one, bool) else bool(next(values)) for one in terms]
            found = known[selected] = shown.free_given(outcomes)
        return found

    return visible


def listed(rows: list[Row], count: int, query: Query, orders: Sequence[Order]) -> Listed:
    """The page, without the row that only tells whether there are more; no orders, no cursors."""
    page = query.page
    if not page.is_by_cursor:
        has_more, has_less = page.offset + len(rows) < count, page.offset > 0
    elif page.before is None:
        has_more, has_less = len(rows) > page.size, bool(page.after)
        rows = rows[: page.size]
    else:
        has_more, has_less = bool(page.before), len(rows) > page.size
        rows = rows[: page.size][::-1]
    return Listed(
        rows,
        count,
        after=cursor_of(orders, rows[-1].place) if orders and rows and has_more else None,
        before=cursor_of(orders, rows[0].place) if orders and rows and has_less else None,
    )
