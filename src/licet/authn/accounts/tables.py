"""The tables of local accounts. Moments are whole seconds since 1970, as in the tokens.

Whatever opens a door (refresh tokens, cookies, the secrets of mails) is kept as its SHA-256 only.
An address that was not confirmed has no account: it waits in `sign_up`.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from licet.db.tables import metadata

__all__ = [
    "account",
    "metadata",
    "refresh_token",
    "reset",
    "revocation",
    "serial",
    "session",
    "sign_up",
    "throttle",
]

account: Final = sa.Table(
    "licet_account",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("email", sa.String(254), nullable=False),
    sa.Column("email_key", sa.String(254), nullable=False),
    sa.Column("password_hash", sa.String(256), nullable=False),
    sa.Column("is_admin", sa.Boolean, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("blocked_at", sa.BigInteger),
    sa.UniqueConstraint("email_key", name="uq_licet_account_email_key"),
)

session: Final = sa.Table(
    "licet_session",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column(
        "account",
        sa.ForeignKey("licet_account.id", ondelete="CASCADE", name="fk_licet_session_account"),
        nullable=False,
    ),
    sa.Column("cookie_hash", sa.String(64)),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("cookie_hash", name="uq_licet_session_cookie_hash"),
    sa.Index("ix_licet_session_account", "account", "created_at"),
    sa.Index("ix_licet_session_expires_at", "expires_at"),
)

refresh_token: Final = sa.Table(
    "licet_refresh_token",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column(
        "session",
        sa.ForeignKey("licet_session.id", ondelete="CASCADE", name="fk_licet_refresh_token"),
        nullable=False,
    ),
    sa.Column("used_at", sa.BigInteger),
    sa.Index("ix_licet_refresh_token_session", "session"),
)

sign_up: Final = sa.Table(
    "licet_sign_up",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("email", sa.String(254), nullable=False),
    sa.Column("email_key", sa.String(254), nullable=False),
    sa.Column("password_hash", sa.String(256), nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Index("ix_licet_sign_up_email_key", "email_key"),
    sa.Index("ix_licet_sign_up_expires_at", "expires_at"),
)

reset: Final = sa.Table(
    "licet_reset",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column(
        "account",
        sa.ForeignKey("licet_account.id", ondelete="CASCADE", name="fk_licet_reset_account"),
        nullable=False,
    ),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Index("ix_licet_reset_account", "account"),
    sa.Index("ix_licet_reset_expires_at", "expires_at"),
)

throttle: Final = sa.Table(
    "licet_throttle",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Index("ix_licet_throttle_expires_at", "expires_at"),
)

# No foreign keys: marks outlive what they are about.
revocation: Final = sa.Table(
    "licet_revocation",
    metadata,
    sa.Column("serial", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("account", sa.String(36), nullable=False),
    sa.Column("session", sa.String(36), nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Index("ix_licet_revocation_expires_at", "expires_at"),
)

serial: Final = sa.Table(
    "licet_serial",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
