"""What events are sorted by, the names of roles, and the settings of the service."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from services.open_event.models import (
    EventRole,
    EventSubTopic,
    EventTopic,
    EventType,
    Role,
    Setting,
)

Catalogue = dict[str, Any]


def add_catalogue(session: Session) -> Catalogue:
    """Add it; types and topics by what they are for."""
    science = EventTopic(name="Science & Technology", slug="science-technology")
    health = EventTopic(name="Health & Wellness", slug="health-wellness")
    sub_topic = EventSubTopic(name="Medicine", slug="medicine", event_topic=science)
    conference = EventType(name="Conference", slug="conference")
    school = EventType(name="Camp, Treat & Retreat", slug="camp-treat-retreat")
    session.add_all([science, health, sub_topic, conference, school])
    session.add_all(Role(name=role, title_name=_title(role)) for role in EventRole)
    session.add(
        Setting(
            app_name="Open Event",
            tagline="Conferences of open science",
            support_url="https://example.org/support",
            web_app_url="https://example.org",
            email_from="events@example.org",
            smtp_host="smtp.example.org",
            smtp_port=587,
            smtp_username="events",
            smtp_password="not shown to anybody",
        )
    )
    session.flush()
    return {
        "topics": [science, science, health],
        "sub_topics": [sub_topic, None, None],
        "types": [conference, conference, school],
    }


def _title(role: EventRole) -> str:
    return role.value.replace("-", " ").capitalize()
