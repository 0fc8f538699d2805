"""The conference's tables."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from licet.db.types import UTCDateTime


class Base(DeclarativeBase):
    pass


class EventState(StrEnum):
    DRAFT = "draft"  # → PUBLISHED
    PUBLISHED = "published"  # → DRAFT


class SessionState(StrEnum):
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


def _state(enum: type[StrEnum]) -> sa.Enum:
    return sa.Enum(
        enum, native_enum=False, length=20, values_callable=lambda e: [m.value for m in e]
    )


class Account(Base):
    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(255), unique=True)
    email: Mapped[str] = mapped_column(sa.String(255), unique=True)
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_verified: Mapped[bool] = mapped_column(default=True)

    @property
    def principal(self) -> str:
        """As the embedded issuer's tokens name them."""
        return f"urn:licet:identity:{self.subject}"


class Event(Base):
    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    state: Mapped[EventState] = mapped_column(_state(EventState), default=EventState.DRAFT)
    starts_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    memberships: Mapped[list[Membership]] = relationship(
        back_populates="event", cascade="all, delete-orphan"
    )
    sessions: Mapped[list[Session]] = relationship(
        back_populates="event", cascade="all, delete-orphan"
    )
    speakers: Mapped[list[Speaker]] = relationship(
        back_populates="event", cascade="all, delete-orphan"
    )


class Membership(Base):
    """What an account is in an event."""

    __tablename__ = "membership"
    __table_args__ = (
        sa.UniqueConstraint("event_id", "account_id", name="uq_membership_event"),
        sa.Index("ix_membership_account", "account_id", "role", "event_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id", ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    role: Mapped[EventRole] = mapped_column(_state(EventRole))

    event: Mapped[Event] = relationship(back_populates="memberships")


speaking = sa.Table(
    "speaking",
    Base.metadata,
    sa.Column("session_id", sa.ForeignKey("session.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("speaker_id", sa.ForeignKey("speaker.id", ondelete="CASCADE"), primary_key=True),
    sa.Index("ix_speaking_speaker", "speaker_id", "session_id"),
)


class Session(Base):
    """A talk that somebody proposes."""

    __tablename__ = "session"
    __table_args__ = (
        sa.Index("ix_session_event", "event_id", "id"),
        sa.Index("ix_session_creator", "creator_id", "id"),
        sa.Index("ix_session_state", "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    creator_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id"))
    title: Mapped[str] = mapped_column(sa.String(200))
    state: Mapped[SessionState] = mapped_column(_state(SessionState), default=SessionState.DRAFT)

    event: Mapped[Event] = relationship(back_populates="sessions")
    speakers: Mapped[list[Speaker]] = relationship(secondary=speaking, back_populates="sessions")


class Speaker(Base):
    """Who gives talks at one event."""

    __tablename__ = "speaker"
    __table_args__ = (sa.Index("ix_speaker_event", "event_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    email: Mapped[str | None] = mapped_column(sa.String(255))
    mobile: Mapped[str | None] = mapped_column(sa.String(50))
    address: Mapped[str | None] = mapped_column(sa.String(500))
    biography: Mapped[str | None] = mapped_column(sa.Text)

    event: Mapped[Event] = relationship(back_populates="speakers")
    sessions: Mapped[list[Session]] = relationship(secondary=speaking, back_populates="speakers")
