"""Parts of one event: sponsors, tracks, session types, rooms, and its call for speakers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from licet.db.types import UTCDateTime

from .base import Base, Privacy, enum_type
from .events import LONG

if TYPE_CHECKING:
    from .events import Event
    from .program import Session

EVENT = "event.id"


class Sponsor(Base):
    __tablename__ = "sponsor"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey(EVENT, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    description: Mapped[str | None] = mapped_column(LONG)
    url: Mapped[str | None] = mapped_column(sa.String(500))
    level: Mapped[int | None]
    logo_url: Mapped[str | None] = mapped_column(sa.String(500))
    type: Mapped[str | None] = mapped_column(sa.String(100))

    event: Mapped[Event] = relationship(back_populates="sponsors")


class Track(Base):
    __tablename__ = "track"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey(EVENT, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    color: Mapped[str] = mapped_column(sa.String(20))
    description: Mapped[str | None] = mapped_column(LONG)
    position: Mapped[int] = mapped_column(default=0)

    event: Mapped[Event] = relationship(back_populates="tracks")
    sessions: Mapped[list[Session]] = relationship(back_populates="track")


class SessionType(Base):
    __tablename__ = "session_type"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey(EVENT, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    length: Mapped[str] = mapped_column(sa.String(5))  # "HH:MM"
    position: Mapped[int] = mapped_column(default=0)

    event: Mapped[Event] = relationship(back_populates="session_types")
    sessions: Mapped[list[Session]] = relationship(back_populates="session_type")


class Microlocation(Base):
    """A room, or another place where sessions are."""

    __tablename__ = "microlocation"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey(EVENT, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    floor: Mapped[int | None]
    room: Mapped[str | None] = mapped_column(sa.String(100))
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    position: Mapped[int] = mapped_column(default=0)

    event: Mapped[Event] = relationship(back_populates="microlocations")
    sessions: Mapped[list[Session]] = relationship(back_populates="microlocation")


class SpeakersCall(Base):
    """When sessions may be proposed; one for each event."""

    __tablename__ = "speakers_call"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey(EVENT, ondelete="CASCADE"), unique=True)
    announcement: Mapped[str | None] = mapped_column(LONG)
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    soft_ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    hash: Mapped[str | None] = mapped_column(sa.String(64))
    privacy: Mapped[Privacy] = mapped_column(enum_type(Privacy), default=Privacy.PUBLIC)

    event: Mapped[Event] = relationship(back_populates="speakers_call")
