"""Parts of statements that are the same for every caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import aliased

from licet.authz.policies._check import Check
from licet.errors import InvalidRequest
from licet.rest.jsonapi.errors import in_query
from licet.rest.jsonapi.mapping import pairs_of
from licet.rest.jsonapi.query import Query
from licet.rest.jsonapi.resource import Bound, Link
from licet.rest.lookup import refusal_of

__all__ = ["belongs", "key_masks", "select_of", "shown_of", "values_are_told"]


def key_masks(link: Link) -> list[Check]:
    """What must hold of a related row for the caller to see the foreign key that links it."""
    rules = link.target.policy.shown.rules if link.is_by_key else ()
    return [check for names, check in rules if not names.isdisjoint(link.far)]


def shown_of(bound: Bound, query: Query) -> tuple[list[str], list[str]]:
    """The attributes that the answer may have: columns of the class, and others."""
    shown = [one for name, one in bound.attributes.items() if query.shows(bound, name)]
    columns = [one.name for one in shown if one.is_column]
    return columns, [one.name for one in shown if not one.is_column]


def select_of(bound: Bound, query: Query) -> Any:
    """The keys and the columns of all rows, of which a policy can find a page by an index."""
    names = (bound.key.name, *shown_of(bound, query)[0])
    return bound.kept.get(names, lambda: sa.select(*(getattr(bound.model, name) for name in names)))


def belongs(bound: Bound, link: Link, key: Any) -> ColumnElement[bool]:
    """Whether a row is one that the link of the object with the key leads to."""
    model = link.target.model
    prop = sa.inspect(bound.model).relationships[link.name]
    pairs = pairs_of(prop)
    if len(pairs) == 1 and pairs[0][0] == bound.key.name:
        is_child: ColumnElement[bool] = getattr(model, pairs[0][1]) == key
        return is_child
    target = aliased(model)
    target_key = getattr(target, link.target.key.name)
    found = (
        sa.select(target_key)
        .select_from(bound.model)
        .join(getattr(bound.model, link.name).of_type(target))
        .where(getattr(bound.model, bound.key.name) == key)
        .correlate(None)
    )
    is_one: ColumnElement[bool] = getattr(model, link.target.key.name).in_(found)
    return is_one


@contextmanager
def values_are_told(query: Query) -> Iterator[None]:
    """Refuse a list that is asked for with what a type of the app's own does not take.

    Raises:
        Refused: 400.
    """
    try:
        yield
    except (StatementError, OverflowError) as error:
        if not isinstance(refusal_of(error), InvalidRequest):
            raise
        name = "page" if query.where is None else "filter"
        raise in_query(name, f"{name} has a value that no row could have.") from error
