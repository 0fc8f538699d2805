"""Events, and what they are sorted by."""

from __future__ import annotations

from licet.rest.jsonapi import Resource, ToMany, ToOne
from services.open_event import policies
from services.open_event.models import OF_EVENT, Event, EventSubTopic, EventTopic, EventType

events = Resource(
    Event,
    policies.events,
    name="event",
    attributes=[
        *("name", "identifier", "starts_at", "ends_at", "timezone", "description"),
        *("location_name", "latitude", "longitude", "online", "logo_url"),
        *("owner_name", "owner_description", "is_sessions_speakers_enabled"),
        *("is_sponsors_enabled", "is_featured", "privacy", "state"),
        *("code_of_conduct", "refund_policy", "created_at"),
    ],
    relationships={
        "event_type": ToOne(),
        "event_topic": ToOne(),
        "event_sub_topic": ToOne(),
        "tracks": ToMany(),
        "session_types": ToMany(),
        "microlocations": ToMany(),
        "speakers_call": ToOne(),
        "sessions": ToMany(),
        "speakers": ToMany(),
        "sponsors": ToMany(),
        "custom_forms": ToMany(),
        "role_invites": ToMany(),
        **{name: ToOne() if name == "owner" else ToMany() for name in OF_EVENT},
    },
    soft_delete="deleted_at",
    also_by="identifier",
    samples={
        "ends_at": "2030-02-02T12:00:00Z",
        "timezone": "Europe/Berlin",
        "state": "published",
    },
)
event_types = Resource(
    EventType,
    policies.event_types,
    name="event-type",
    attributes=["name", "slug"],
    relationships={"events": ToMany()},
)
event_topics = Resource(
    EventTopic,
    policies.event_topics,
    name="event-topic",
    attributes=["name", "slug", "system_image_url"],
    relationships={"events": ToMany(), "event_sub_topics": ToMany()},
)
event_sub_topics = Resource(
    EventSubTopic,
    policies.event_sub_topics,
    name="event-sub-topic",
    attributes=["name", "slug"],
    relationships={"event_topic": ToOne(), "events": ToMany()},
)
