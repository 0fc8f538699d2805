"""The parts of an event."""

from __future__ import annotations

from licet.authz import CREATE, DELETE, UPDATE, VIEW
from licet.rest.jsonapi import Resource, ToMany, ToOne
from services.open_event import policies
from services.open_event.models import (
    CustomForm,
    Microlocation,
    SessionType,
    SpeakersCall,
    Sponsor,
    Track,
)

IN_EVENT = ToOne(required=True, parameter="event_id")

sponsors = Resource(
    Sponsor,
    policies.sponsors,
    name="sponsor",
    attributes=["name", "description", "url", "level", "logo_url", "type"],
    relationships={"event": IN_EVENT},
)
tracks = Resource(
    Track,
    policies.tracks,
    name="track",
    attributes=["name", "color", "description", "position"],
    relationships={"event": IN_EVENT, "sessions": ToMany()},
    samples={"color": "#1e90ff"},
)
session_types = Resource(
    SessionType,
    policies.session_types,
    name="session-type",
    attributes=["name", "length", "position"],
    relationships={"event": IN_EVENT, "sessions": ToMany()},
    samples={"length": "00:45"},
)
microlocations = Resource(
    Microlocation,
    policies.microlocations,
    name="microlocation",
    attributes=["name", "floor", "room", "latitude", "longitude", "position"],
    relationships={"event": IN_EVENT, "sessions": ToMany()},
)
speakers_calls = Resource(
    SpeakersCall,
    policies.speakers_calls,
    name="speakers-call",
    attributes=["announcement", "starts_at", "soft_ends_at", "ends_at", "privacy"],
    relationships={"event": IN_EVENT},
    verbs=VIEW | CREATE | UPDATE | DELETE,
    samples={
        "starts_at": "2029-10-01T00:00:00Z",
        "soft_ends_at": "2029-11-15T00:00:00Z",
        "ends_at": "2029-11-30T00:00:00Z",
    },
)
custom_forms = Resource(
    CustomForm,
    policies.custom_forms,
    name="custom-form",
    attributes=[
        *("field_identifier", "form", "type", "name", "description", "is_required"),
        *("is_included", "is_fixed", "is_public", "is_complex", "position", "min", "max"),
        *("main_language", "translations", "options"),
    ],
    relationships={"event": IN_EVENT},
    samples={"is_fixed": False, "translations": [], "options": None},
)
