"""The rules of users and of their roles in events, and of who leaves the service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from licet.authz.flask import current_session
from licet.errors import AccountInUse
from services.open_event.models import Account, Event, EventRole, Membership
from services.open_event.resources.people import memberships, users

from .refusals import Denied, conflict, is_changed

ABOUT_THEM = (
    *("first_name", "last_name", "details", "avatar_url", "facebook_url", "twitter_url"),
    *("instagram_url", "github_url"),
)


@users.before_delete
def keep_owner(account: Account) -> None:
    """Nobody is deleted while an event, in the trash or not, would be left without its owner."""
    if owned := owned_events(current_session(), account.id):
        raise conflict(_needed_for(owned), code="owns_events")


def owned_events(session: Session, account_id: int) -> list[str]:
    """The events of which an account is the owner, in the trash or not: name and id."""
    statement = (
        sa.select(Event.id, Event.name)
        .join(Membership, Membership.event_id == Event.id)
        .where(Membership.account_id == account_id, Membership.role == EventRole.OWNER)
        .order_by(Event.id)
    )
    return [f"{name} ({key})" for key, name in session.execute(statement)]


def _needed_for(owned: list[str]) -> str:
    way_out = "invite another owner to each (POST /role-invites with the role-name owner)"
    return f"This account owns events: {', '.join(owned)}. Transfer them first: {way_out}."


def leave_service(new_session: Callable[[], Session], subject: str) -> None:
    """Forget who somebody is that deletes their own account; what they proposed stays.

    The address is free for another account. The subject stays, so that a token which another
    process takes for some seconds more makes no new user.

    Raises:
        AccountInUse: they own events.
    """
    with new_session() as session:
        account = session.scalar(sa.select(Account).where(Account.subject == subject))
        if account is None:
            return
        if owned := owned_events(session, account.id):
            raise AccountInUse(_needed_for(owned))
        session.execute(sa.delete(Membership).where(Membership.account_id == account.id))
        account.email = f"deleted-{account.id}"
        account.is_admin = account.is_super_admin = account.is_verified = False
        for name in ABOUT_THEM:
            setattr(account, name, None)
        account.deleted_at = datetime.now(UTC)
        session.commit()


@memberships.before_update
def keep_one_owner(membership: Membership) -> None:
    """An event is handed over by an invitation, which the new owner accepts."""
    if is_changed(membership, "role") and membership.role is EventRole.OWNER:
        raise Denied("Invite the new owner: an event is handed over by an invitation.")
