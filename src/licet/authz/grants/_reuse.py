"""Grants end with their object: the next one with its key has none of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from licet.authz.grants._links import object_type, stored_key_text, unfit_key
from licet.authz.grants.tables import grant
from licet.authz.policies.policy import Policy
from licet.authz.writes._family import AT_REGISTRATION, BY_SERVICE

__all__ = ["end_grants_with_objects"]


def end_grants_with_objects(policies: Iterable[Policy]) -> None:
    """Take grants back when their object is deleted, or another gets its key."""
    listeners = {
        "after_insert": _end_grants,
        "after_update": _end_moved,
        "after_delete": _end_grants,
    }
    for policy in policies:
        is_granted = any(name.startswith("GRANT_") for name in policy.verbs)
        if is_granted and unfit_key(policy.model) is None:
            for name, function in listeners.items():
                if not event.contains(policy.model, name, function):
                    event.listen(policy.model, name, function, propagate=True)


def _end_grants(mapper: Any, connection: Any, target: Any) -> None:
    _end(mapper, connection, {_text(mapper, target)})


def _end_moved(mapper: Any, connection: Any, target: Any) -> None:
    """Of an object with another primary key: those on either key."""
    identity, now = sa.inspect(target).identity, _text(mapper, target)
    former = now if identity is None else stored_key_text(mapper.class_, identity[0])
    if former != now:
        _end(mapper, connection, {former, now})


def _text(mapper: Any, target: Any) -> str:
    return stored_key_text(mapper.class_, mapper.primary_key_from_instance(target)[0])


def _end(mapper: Any, connection: Any, keys: set[str]) -> None:
    ended = (
        sa.update(grant)
        .where(grant.c.object_type == object_type(mapper.class_))
        .where(grant.c.object_id.in_(sorted(keys)))
        .where(grant.c.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
    )
    connection.execute(ended, execution_options={BY_SERVICE: True})


AT_REGISTRATION.append(end_grants_with_objects)
