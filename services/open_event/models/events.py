"""Events, and the types and topics that they are sorted by."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from licet.db.types import UTCDateTime

from .base import Base, EventState, Privacy, enum_type, utc_now

if TYPE_CHECKING:
    from .accounts import Membership, RoleInvite
    from .forms import CustomForm
    from .parts import Microlocation, SessionType, SpeakersCall, Sponsor, Track
    from .program import Session, Speaker

LONG = sa.String(20_000)


class EventType(Base):
    __tablename__ = "event_type"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    slug: Mapped[str] = mapped_column(sa.String(120), unique=True)

    events: Mapped[list[Event]] = relationship(back_populates="event_type")


class EventTopic(Base):
    __tablename__ = "event_topic"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    slug: Mapped[str] = mapped_column(sa.String(120), unique=True)
    system_image_url: Mapped[str | None] = mapped_column(sa.String(500))

    events: Mapped[list[Event]] = relationship(back_populates="event_topic")
    event_sub_topics: Mapped[list[EventSubTopic]] = relationship(back_populates="event_topic")


class EventSubTopic(Base):
    __tablename__ = "event_sub_topic"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_topic_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event_topic.id"))
    name: Mapped[str] = mapped_column(sa.String(100))
    slug: Mapped[str] = mapped_column(sa.String(120), unique=True)

    event_topic: Mapped[EventTopic | None] = relationship(back_populates="event_sub_topics")
    events: Mapped[list[Event]] = relationship(back_populates="event_sub_topic")


class Event(Base):
    """A conference. Nothing in the database requires what only the API asks for."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    identifier: Mapped[str | None] = mapped_column(sa.String(8), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    state: Mapped[EventState] = mapped_column(enum_type(EventState), default=EventState.DRAFT)
    privacy: Mapped[Privacy] = mapped_column(
        enum_type(Privacy), default=Privacy.PUBLIC, server_default=Privacy.PUBLIC.value
    )
    starts_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    timezone: Mapped[str | None] = mapped_column(sa.String(64))
    description: Mapped[str | None] = mapped_column(LONG)
    location_name: Mapped[str | None] = mapped_column(sa.String(200))
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    online: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    logo_url: Mapped[str | None] = mapped_column(sa.String(500))
    owner_name: Mapped[str | None] = mapped_column(sa.String(200))
    owner_description: Mapped[str | None] = mapped_column(LONG)
    is_sessions_speakers_enabled: Mapped[bool] = mapped_column(
        default=True, server_default=sa.true()
    )
    is_sponsors_enabled: Mapped[bool] = mapped_column(default=True, server_default=sa.true())
    is_featured: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    code_of_conduct: Mapped[str | None] = mapped_column(LONG)
    refund_policy: Mapped[str | None] = mapped_column(LONG)
    created_at: Mapped[datetime | None] = mapped_column(UTCDateTime, default=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    event_type_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event_type.id"))
    event_topic_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event_topic.id"), index=True)
    event_sub_topic_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event_sub_topic.id"))

    event_type: Mapped[EventType | None] = relationship(back_populates="events")
    event_topic: Mapped[EventTopic | None] = relationship(back_populates="events")
    event_sub_topic: Mapped[EventSubTopic | None] = relationship(back_populates="events")
    memberships: Mapped[list[Membership]] = relationship(
        back_populates="event", cascade="all, delete-orphan"
    )
    sessions: Mapped[list[Session]] = relationship(
        back_populates="event", cascade="all, delete-orphan"
    )
    speakers: Mapped[list[Speaker]] = relationship(
        back_populates="event", cascade="all, delete-orphan"
    )
    sponsors: Mapped[list[Sponsor]] = relationship(back_populates="event")
    tracks: Mapped[list[Track]] = relationship(back_populates="event")
    session_types: Mapped[list[SessionType]] = relationship(back_populates="event")
    microlocations: Mapped[list[Microlocation]] = relationship(back_populates="event")
    speakers_call: Mapped[SpeakersCall | None] = relationship(back_populates="event")
    custom_forms: Mapped[list[CustomForm]] = relationship(back_populates="event")
    role_invites: Mapped[list[RoleInvite]] = relationship(back_populates="event")


event_lock = sa.Table(
    "event_lock",
    Base.metadata,
    sa.Column("event_id", sa.ForeignKey("event.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("turns", sa.Integer, nullable=False, server_default="0"),
)
"""A row for each event: whoever updates it first is alone with the event until they commit."""
