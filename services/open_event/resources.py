"""Events, sessions and speakers over JSON:API."""

from __future__ import annotations

from licet.authz.flask import current_caller
from licet.rest.jsonapi import Resource, ToMany, ToOne

from . import policies
from .models import Event, EventRole, Membership, Session, Speaker

events = Resource(
    Event,
    policies.events,
    name="event",
    attributes=["name", "state", "starts_at"],
    relationships={"sessions": ToMany(), "speakers": ToMany()},
)
sessions = Resource(
    Session,
    policies.sessions,
    name="session",
    attributes=["title", "state"],
    relationships={"event": ToOne(required=True), "speakers": ToMany()},
)
speakers = Resource(
    Speaker,
    policies.speakers,
    name="speaker",
    attributes=["name", "email", "mobile", "address", "biography"],
    relationships={"event": ToOne(required=True), "sessions": ToMany()},
)


@sessions.before_create
def keep_creator(session: Session) -> None:
    session.creator_id = current_caller().account_id


@events.before_create
def make_owner(event: Event) -> None:
    owner = current_caller().account_id
    event.memberships.append(Membership(account_id=owner, role=EventRole.OWNER))
