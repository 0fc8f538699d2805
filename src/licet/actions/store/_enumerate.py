"""Enumeration without scanning: one short index range for each (role, principal, state).

Each range gives at most a page of newest keys, whatever number of actions lies behind it; the
ranges are then merged. Asking for one's own active actions is a single range.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from licet.actions.enumeration import EnumerationQuery
from licet.actions.store.tables import action, action_principal

__all__ = ["newest_ids"]

_RANGES_PER_STATEMENT: Final = 100  # SQLite takes at most 500 in one compound SELECT


def newest_ids(
    connection: Connection,
    provider: str,
    principals: frozenset[str],
    query: EnumerationQuery,
    before: int | None,
) -> list[int]:
    """The keys of the newest actions asked for, one more than the page holds, newest first."""
    found: set[int] = set()
    pending = _ranges(provider, principals, query, before)
    while ranges := list(islice(pending, _RANGES_PER_STATEMENT)):
        statement = sa.union(*ranges) if len(ranges) > 1 else ranges[0]
        found.update(connection.execute(statement).scalars())
    return sorted(found, reverse=True)[: query.limit + 1]


def _ranges(
    provider: str, principals: frozenset[str], query: EnumerationQuery, before: int | None
) -> Iterator[sa.Select[Any]]:
    parts = product(sorted(query.roles), sorted(principals), sorted(query.statuses))
    for role, principal, status in parts:
        if role == "creator_id":
            key, owner, state = action.c.id, action.c.creator_id, action.c.status
            conditions = [action.c.provider == provider]
        else:
            key, owner, state = (
                action_principal.c.action,
                action_principal.c.principal,
                action_principal.c.status,
            )
            conditions = [
                action_principal.c.provider == provider,
                action_principal.c.role == role,
            ]
        conditions += [owner == principal, state == status.value]
        if before is not None:
            conditions.append(key < before)
        newest = sa.select(key.label("key")).where(*conditions).order_by(key.desc())
        yield sa.select(newest.limit(query.limit + 1).subquery().c.key)
