"""The rules of users."""

from __future__ import annotations

import sqlalchemy as sa

from licet.authz.flask import current_session
from services.open_event.models import Account, Event, EventRole, Membership
from services.open_event.resources.people import users

from .refusals import conflict


@users.before_delete
def keep_owner(account: Account) -> None:
    """Nobody is deleted while an event would be left without its owner."""
    statement = (
        sa.select(Event.id, Event.name)
        .join(Membership, Membership.event_id == Event.id)
        .where(Membership.account_id == account.id, Membership.role == EventRole.OWNER)
        .where(Event.deleted_at.is_(None))
        .order_by(Event.id)
    )
    owned = [f"{name} ({key})" for key, name in current_session().execute(statement)]
    if owned:
        raise conflict(
            f"This account owns events: {', '.join(owned)}. Transfer them first.",
            code="owns_events",
        )
