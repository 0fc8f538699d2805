"""Sessions and speakers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from licet.db.types import UTCDateTime

from .accounts import address_key
from .base import Base, SessionState, enum_type, utc_now
from .events import LONG

if TYPE_CHECKING:
    from .accounts import Account
    from .events import Event
    from .parts import Microlocation, SessionType, Track

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
        sa.Index("ix_session_microlocation", "microlocation_id", "starts_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    creator_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id"))
    track_id: Mapped[int | None] = mapped_column(sa.ForeignKey("track.id", ondelete="SET NULL"))
    session_type_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("session_type.id", ondelete="SET NULL")
    )
    microlocation_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("microlocation.id", ondelete="SET NULL")
    )
    title: Mapped[str] = mapped_column(sa.String(200))
    subtitle: Mapped[str | None] = mapped_column(sa.String(200))
    level: Mapped[str | None] = mapped_column(sa.String(50))
    short_abstract: Mapped[str | None] = mapped_column(LONG)
    long_abstract: Mapped[str | None] = mapped_column(LONG)
    comments: Mapped[str | None] = mapped_column(LONG)
    language: Mapped[str | None] = mapped_column(sa.String(50))
    starts_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    slides: Mapped[list[dict[str, str]] | None] = mapped_column(sa.JSON(none_as_null=True))
    slides_url: Mapped[str | None] = mapped_column(sa.String(500))
    video_url: Mapped[str | None] = mapped_column(sa.String(500))
    audio_url: Mapped[str | None] = mapped_column(sa.String(500))
    signup_url: Mapped[str | None] = mapped_column(sa.String(500))
    state: Mapped[SessionState] = mapped_column(enum_type(SessionState), default=SessionState.DRAFT)
    is_locked: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    is_mail_sent: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    average_rating: Mapped[float | None]
    complex_field_values: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    submitted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_modified_at: Mapped[datetime | None] = mapped_column(
        UTCDateTime, default=utc_now, onupdate=utc_now
    )
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    event: Mapped[Event] = relationship(back_populates="sessions")
    creator: Mapped[Account | None] = relationship()
    track: Mapped[Track | None] = relationship(back_populates="sessions")
    session_type: Mapped[SessionType | None] = relationship(back_populates="sessions")
    microlocation: Mapped[Microlocation | None] = relationship(back_populates="sessions")
    speakers: Mapped[list[Speaker]] = relationship(secondary=speaking, back_populates="sessions")


class Speaker(Base):
    """Who gives talks at one event."""

    __tablename__ = "speaker"
    __table_args__ = (
        sa.Index("ix_speaker_event", "event_id", "id"),
        sa.Index("ix_speaker_account", "account_id", "id"),
        sa.Index(
            "uq_speaker_email",
            "event_id",
            "email_key",
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    email: Mapped[str | None] = mapped_column(sa.String(255))
    email_key: Mapped[str | None] = mapped_column(sa.String(255))
    is_email_overridden: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    mobile: Mapped[str | None] = mapped_column(sa.String(50))
    address: Mapped[str | None] = mapped_column(sa.String(500))
    photo_url: Mapped[str | None] = mapped_column(sa.String(500))
    short_biography: Mapped[str | None] = mapped_column("biography", LONG)
    long_biography: Mapped[str | None] = mapped_column(LONG)
    speaking_experience: Mapped[str | None] = mapped_column(LONG)
    website: Mapped[str | None] = mapped_column(sa.String(500))
    twitter: Mapped[str | None] = mapped_column(sa.String(500))
    facebook: Mapped[str | None] = mapped_column(sa.String(500))
    github: Mapped[str | None] = mapped_column(sa.String(500))
    linkedin: Mapped[str | None] = mapped_column(sa.String(500))
    organisation: Mapped[str | None] = mapped_column(sa.String(200))
    position: Mapped[str | None] = mapped_column(sa.String(200))
    country: Mapped[str | None] = mapped_column(sa.String(100))
    city: Mapped[str | None] = mapped_column(sa.String(100))
    gender: Mapped[str | None] = mapped_column(sa.String(50))
    heard_from: Mapped[str | None] = mapped_column(sa.String(200))
    sponsorship_required: Mapped[str | None] = mapped_column(sa.String(500))
    order: Mapped[int] = mapped_column("sort_order", default=0, server_default="0")
    is_featured: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    complex_field_values: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    event: Mapped[Event] = relationship(back_populates="speakers")
    user: Mapped[Account | None] = relationship()
    sessions: Mapped[list[Session]] = relationship(secondary=speaking, back_populates="speakers")

    @validates("email")
    def _keep_key(self, _name: str, email: str | None) -> str | None:
        self.email_key = address_key(email)
        return email
