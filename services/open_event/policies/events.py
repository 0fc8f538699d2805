"""Who may do what with events, and with the types and topics that they are sorted by."""

from __future__ import annotations

from typing import Any

from licet.authz import (
    ALL,
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Role,
    attr,
    everyone,
    registered,
)
from services.open_event.models import (
    OF_EVENT,
    Event,
    EventRole,
    EventState,
    EventSubTopic,
    EventTopic,
    EventType,
    Privacy,
)

from .roles import EVENT_ACCESS, GRANT_REVIEWER, member, staff, verified

CONTENT = (
    *("sessions", "speakers", "sponsors", "tracks", "session_types", "microlocations"),
    *("speakers_call", "custom_forms", "role_invites"),
)


def event_policy() -> Policy:
    organizer = Role("organizer of the event", member("memberships", *EVENT_ACCESS))
    helper = Role("other role in the event", member("memberships", *EventRole))
    published = (attr("state") == EventState.PUBLISHED).named("Only events in state published")
    public = (attr("privacy") == Privacy.PUBLIC).named("Only events that are not private")

    events = Policy(Event, name="events")
    events.allow(staff, ALL)
    events.allow(organizer, LIST | VIEW | UPDATE | DELETE | GRANT_REVIEWER)
    events.allow(helper, LIST | VIEW)
    events.allow(registered, CREATE, when=verified)
    events.allow(everyone, VIEW, when=published)
    events.allow(everyone, LIST, when=published & public)
    events.forbid(everyone, GRANT_REVIEWER, when=published, unless=[staff])
    events.hide("memberships", *OF_EVENT, "role_invites", unless=[staff, organizer])
    events.readonly("id", "identifier", "created_at", "deleted_at", "memberships", *OF_EVENT)
    events.readonly(*CONTENT)
    events.readonly("is_featured", unless=[staff])
    return events


def catalogue_policy(model: type[Any], name: str, *fields: str) -> Policy:
    """Of what staff keeps and everybody reads."""
    policy = Policy(model, name=name)
    policy.allow(staff, ALL)
    policy.allow(everyone, LIST | VIEW)
    policy.readonly("id", "slug", "events", *fields)
    return policy


events = event_policy()
event_types = catalogue_policy(EventType, "event-types")
event_topics = catalogue_policy(EventTopic, "event-topics", "event_sub_topics")
event_sub_topics = catalogue_policy(EventSubTopic, "event-sub-topics")
