"""The base of all models, the enumerations of the service, and their column type."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


class EventState(StrEnum):
    DRAFT = "draft"  # → PUBLISHED
    PUBLISHED = "published"  # → DRAFT


class Privacy(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"  # no list has it, a direct link does


class SessionState(StrEnum):
    """The states of a session; `rules.states` has the transitions of organizers and speakers."""

    DRAFT = "draft"
    PENDING = "pending"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELED = "canceled"
    WITHDRAWN = "withdrawn"


class EventRole(StrEnum):
    """Ranks in an event; the first three have event access, the others are siblings below."""

    OWNER = "owner"
    ORGANIZER = "organizer"
    COORGANIZER = "coorganizer"
    TRACK_ORGANIZER = "track-organizer"
    MODERATOR = "moderator"
    REGISTRAR = "registrar"


class InviteStatus(StrEnum):
    PENDING = "pending"  # → ACCEPTED, DECLINED
    ACCEPTED = "accepted"
    DECLINED = "declined"


class FieldType(StrEnum):
    """The types of the fields of custom forms."""

    TEXT = "text"
    CHECKBOX = "checkbox"
    SELECT = "select"
    FILE = "file"
    IMAGE = "image"
    EMAIL = "email"
    NUMBER = "number"
    PARAGRAPH = "paragraph"
    RICHTEXTLINK = "richtextlink"
    BOOLEAN = "boolean"
    YEAR = "year"


def enum_type(enum: type[StrEnum]) -> sa.Enum:
    """A column type that stores the members' values as text."""
    return sa.Enum(
        enum, native_enum=False, length=20, values_callable=lambda e: [m.value for m in e]
    )


def utc_now() -> datetime:
    return datetime.now(UTC)
