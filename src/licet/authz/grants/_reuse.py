"""Grants end with their object: the next one with its key has none of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from licet.authz.grants._links import key_text, object_type, unfit_key
from licet.authz.grants.tables import grant
from licet.authz.policies.policy import Policy
from licet.authz.writes._family import AT_REGISTRATION, BY_SERVICE

__all__ = ["end_grants_with_objects"]


def end_grants_with_objects(policies: Iterable[Policy]) -> None:
    """Take grants back when their object is deleted, or another is stored with its key."""
    for policy in policies:
        is_granted = any(name.startswith("GRANT_") for name in policy.verbs)
        if is_granted and unfit_key(policy.model) is None:
            for name in ("after_insert", "after_delete"):
                if not event.contains(policy.model, name, _end_grants):
                    event.listen(policy.model, name, _end_grants, propagate=True)


def _end_grants(mapper: Any, connection: Any, target: Any) -> None:
    key = key_text(mapper.primary_key_from_instance(target)[0])
    ended = (
        sa.update(grant)
        .where(grant.c.object_type == object_type(mapper.class_))
        .where(grant.c.object_id == key)
        .where(grant.c.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
    )
    connection.execute(ended, execution_options={BY_SERVICE: True})


AT_REGISTRATION.append(end_grants_with_objects)
