"""Sessions and speakers."""

from __future__ import annotations

from licet.authz import UPDATE
from licet.rest.jsonapi import Resource, ToMany, ToOne
from services.open_event import policies
from services.open_event.models import Session, Speaker

PROFILES = ("website", "twitter", "facebook", "github", "linkedin")
IN_EVENT = ToOne(required=True, parameter="event_id")

sessions = Resource(
    Session,
    policies.sessions,
    name="session",
    attributes=[
        *("title", "subtitle", "level", "short_abstract", "long_abstract", "comments"),
        *("language", "starts_at", "ends_at", "slides", "slides_url", "video_url", "audio_url"),
        *("signup_url", "state", "is_locked", "is_mail_sent", "average_rating"),
        *("complex_field_values", "submitted_at", "last_modified_at"),
    ],
    relationships={
        "event": IN_EVENT,
        "track": ToOne(),
        "session_type": ToOne(),
        "microlocation": ToOne(),
        "speakers": ToMany(),
        "creator": ToOne(),
    },
    soft_delete="deleted_at",
    samples={
        "ends_at": "2030-01-31T12:45:00Z",
        "slides": [{"name": "Slides", "link": "https://example.org/slides"}],
        "complex_field_values": {},
    },
)
speakers = Resource(
    Speaker,
    policies.speakers,
    name="speaker",
    attributes=[
        *("name", "email", "is_email_overridden", "mobile", "address", "photo_url"),
        *("short_biography", "long_biography", "speaking_experience", "website", "twitter"),
        *("facebook", "github", "linkedin", "organisation", "position", "country", "city"),
        *("gender", "heard_from", "sponsorship_required", "order", "is_featured"),
        "complex_field_values",
    ],
    relationships={
        "event": IN_EVENT,
        "sessions": ToMany(verb=UPDATE, parameter="session_id"),
        "user": ToOne(),
    },
    soft_delete="deleted_at",
    samples={
        **{name: f"https://example.org/{name}" for name in PROFILES},
        "complex_field_values": {},
    },
)
