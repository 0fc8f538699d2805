"""Who has which role in an event, and which events an account has a role in; read only."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import relationship

from .accounts import Account, Membership
from .base import EventRole
from .events import Event

OF_EVENT = {
    "owner": EventRole.OWNER,
    "organizers": EventRole.ORGANIZER,
    "coorganizers": EventRole.COORGANIZER,
    "track_organizers": EventRole.TRACK_ORGANIZER,
    "moderators": EventRole.MODERATOR,
    "registrars": EventRole.REGISTRAR,
}
OF_ACCOUNT = {f"{role.value.replace('-', '_')}_events": role for role in EventRole}


def _has(role: EventRole, model: type[Any], own: Any, target: type[Any], other: Any) -> Any:
    """The relationship over the memberships of one role."""
    return relationship(
        target,
        secondary=Membership.__table__,
        primaryjoin=sa.and_(model.id == own, Membership.role == role),
        secondaryjoin=target.id == other,
        viewonly=True,
        uselist=not (model is Event and role is EventRole.OWNER),
        sync_backref=False,
    )


def add_roles() -> None:
    """Give the models their relationships."""
    of_event, of_account = Membership.event_id, Membership.account_id
    for name, role in OF_EVENT.items():
        Event.__mapper__.add_property(name, _has(role, Event, of_event, Account, of_account))
    for name, role in OF_ACCOUNT.items():
        Account.__mapper__.add_property(name, _has(role, Account, of_account, Event, of_event))


add_roles()
