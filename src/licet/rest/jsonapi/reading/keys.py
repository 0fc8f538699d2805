"""Which row the id in a URL or a document means."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from licet.authz.policies._models.mapping import can_hold
from licet.rest.jsonapi.documents import as_id
from licet.rest.jsonapi.resource import Bound
from licet.rest.jsonapi.values import read_text
from licet.wire.text import unstorable

__all__ = ["id_of", "key_of", "only_id"]


def key_of(bound: Bound, text: str) -> Any:
    """The key that an id says; None when no row could have it."""
    try:
        key = read_text(bound.key.value_type, text)
    except ValueError:
        return None
    (column,) = sa.inspect(bound.model).primary_key
    return key if as_id(key) == text and can_hold(column.type, key) else None


def id_of(bound: Bound, text: str, session: Any) -> str:
    """The id that a text in a URL stands for: an id, or the other name that a row may have."""
    name = bound.resource.also_by
    if name is None or key_of(bound, text) is not None or unstorable(text):
        return text
    statement = sa.select(getattr(bound.model, bound.key.name))
    found = session.scalar(statement.where(getattr(bound.model, name) == text))
    return text if found is None else as_id(found)


def only_id(bound: Bound, session: Any) -> str:
    """The id of the one row that a model has."""
    return as_id(session.scalar(sa.select(getattr(bound.model, bound.key.name)).limit(1)))
