"""Which row the id in a URL or a document means."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from licet.authz.policies._in_sql._terms import as_where
from licet.authz.policies._models.mapping import can_hold
from licet.rest.jsonapi.documents import as_id
from licet.rest.jsonapi.resource import Bound
from licet.rest.jsonapi.values import read_text

__all__ = ["id_of", "key_of", "only_id"]


def key_of(bound: Bound, text: str) -> Any:
    """The key that an id says; None when no row could have it."""
    try:
        key = read_text(bound.key.value_type, text)
    except ValueError:
        return None
    (column,) = sa.inspect(bound.model).primary_key
    return key if as_id(key) == text and can_hold(column.type, key) else None


def id_of(bound: Bound, text: str, session: Any, identity: Any) -> str:
    """The id that a text in a URL stands for: an id, or the other name that a row may have.

    A name that the caller does not see of a row stands for nothing, or it could be guessed.
    """
    name = bound.resource.also_by
    if name is None or key_of(bound, text) is not None:
        return text
    model, policy = bound.model, bound.policy
    if not can_hold(sa.inspect(model).columns[name].type, text):
        return text
    with policy.at(None):
        checks = [check for names, check in policy.shown.rules if name in names]
        terms = [check.criterion(identity) for check in checks]
    statement = sa.select(getattr(model, bound.key.name)).where(getattr(model, name) == text)
    found = session.scalar(statement.where(*map(as_where, terms)))
    return text if found is None else as_id(found)


def only_id(bound: Bound, session: Any) -> str:
    """The id of the one row that a model has."""
    key = getattr(bound.model, bound.key.name)
    return as_id(session.scalar(sa.select(key).order_by(key).limit(1)))
