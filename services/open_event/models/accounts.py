"""People: accounts, their roles in events, and invitations to such roles."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship, validates

from licet.db.types import UTCDateTime

from .base import Base, EventRole, InviteStatus, enum_type, utc_now

if TYPE_CHECKING:
    from .events import Event

OF_STATUS = f"status = '{InviteStatus.PENDING}' AND role_name = '{EventRole.OWNER}'"


def address_key(address: str | None) -> str | None:
    """What the spellings of one address have in common."""
    return None if address is None else address.strip().lower()


class Account(Base):
    """A person who is registered with the service; JSON:API calls them user."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(255), unique=True)
    email: Mapped[str] = mapped_column(sa.String(255), unique=True)
    email_key: Mapped[str | None] = mapped_column(sa.String(255), unique=True)
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_super_admin: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    is_verified: Mapped[bool] = mapped_column(default=True)
    first_name: Mapped[str | None] = mapped_column(sa.String(100))
    last_name: Mapped[str | None] = mapped_column(sa.String(100))
    details: Mapped[str | None] = mapped_column(sa.String(2000))
    avatar_url: Mapped[str | None] = mapped_column(sa.String(500))
    facebook_url: Mapped[str | None] = mapped_column(sa.String(500))
    twitter_url: Mapped[str | None] = mapped_column(sa.String(500))
    instagram_url: Mapped[str | None] = mapped_column(sa.String(500))
    github_url: Mapped[str | None] = mapped_column(sa.String(500))
    created_at: Mapped[datetime | None] = mapped_column(UTCDateTime, default=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    memberships: Mapped[list[Membership]] = relationship(back_populates="user")

    @property
    def principal(self) -> str:
        """As the embedded issuer's tokens name them."""
        return f"urn:licet:identity:{self.subject}"

    @validates("email")
    def _keep_key(self, _name: str, email: str) -> str:
        self.email_key = address_key(email)
        return email


class Profile(Base):
    """The names that somebody signed up with, until their address is confirmed."""

    __tablename__ = "profile"

    email_key: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    names: Mapped[dict[str, str]] = mapped_column(sa.JSON)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Membership(Base):
    """A role that an account has in an event."""

    __tablename__ = "membership"
    __table_args__ = (
        sa.UniqueConstraint("event_id", "account_id", "role", name="uq_membership_event"),
        sa.Index("ix_membership_account", "account_id", "role", "event_id"),
        sa.Index(
            "uq_membership_owner",
            "event_id",
            unique=True,
            sqlite_where=sa.text(f"role = '{EventRole.OWNER}'"),
            postgresql_where=sa.text(f"role = '{EventRole.OWNER}'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id", ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    role: Mapped[EventRole] = mapped_column(enum_type(EventRole))

    event: Mapped[Event] = relationship(back_populates="memberships")
    user: Mapped[Account] = relationship(back_populates="memberships")


class Role(Base):
    """The name of a rank, for clients that ask for it by its id."""

    __tablename__ = "role"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[EventRole] = mapped_column(enum_type(EventRole), unique=True)
    title_name: Mapped[str] = mapped_column(sa.String(50))


class RoleInvite(Base):
    """An invitation to a role; its token is in the mail alone, and its digest here."""

    __tablename__ = "role_invite"
    __table_args__ = (
        sa.Index("ix_role_invite_email", "email_key"),
        sa.Index(
            "uq_role_invite_owner",
            "event_id",
            unique=True,
            sqlite_where=sa.text(OF_STATUS),
            postgresql_where=sa.text(OF_STATUS),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id", ondelete="CASCADE"))
    role_id: Mapped[int | None] = mapped_column(sa.ForeignKey("role.id"))
    email: Mapped[str] = mapped_column(sa.String(254))
    email_key: Mapped[str] = mapped_column(sa.String(254))
    role_name: Mapped[EventRole] = mapped_column(enum_type(EventRole))
    status: Mapped[InviteStatus] = mapped_column(
        enum_type(InviteStatus), default=InviteStatus.PENDING
    )
    token_hash: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime | None] = mapped_column(UTCDateTime, default=utc_now)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    event: Mapped[Event] = relationship(back_populates="role_invites")
    role: Mapped[Role | None] = relationship()
    invitee: Mapped[Account | None] = relationship(
        primaryjoin=lambda: foreign(RoleInvite.email_key) == Account.email_key, viewonly=True
    )

    @validates("email")
    def _keep_key(self, _name: str, email: str) -> str:
        self.email_key = address_key(email) or ""
        return email
