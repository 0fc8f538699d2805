"""The rules of users and of their roles in events."""

from __future__ import annotations

import sqlalchemy as sa

from licet.authz.flask import current_session
from services.open_event.models import Account, Event, EventRole, Membership
from services.open_event.resources.people import memberships, users

from .refusals import Denied, conflict, is_changed


@users.before_delete
def keep_owner(account: Account) -> None:
    """Nobody is deleted while an event, in the trash or not, would be left without its owner."""
    statement = (
        sa.select(Event.id, Event.name)
        .join(Membership, Membership.event_id == Event.id)
        .where(Membership.account_id == account.id, Membership.role == EventRole.OWNER)
        .order_by(Event.id)
    )
    owned = [f"{name} ({key})" for key, name in current_session().execute(statement)]
    if owned:
        raise conflict(
            f"This account owns events: {', '.join(owned)}. Transfer them first.",
            code="owns_events",
        )


@memberships.before_update
def keep_one_owner(membership: Membership) -> None:
    """An event is handed over by an invitation, which the new owner accepts."""
    if is_changed(membership, "role") and membership.role is EventRole.OWNER:
        raise Denied("Invite the new owner: an event is handed over by an invitation.")
