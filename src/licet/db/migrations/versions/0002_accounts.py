"""Local accounts: their sessions and refresh tokens, what waits for a mail, and withdrawals.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the eight tables."""
    _make_accounts()
    _make_sessions()
    _make_secrets()
    _make_counters()


def _make_accounts() -> None:
    op.create_table(
        "licet_account",
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


def _make_sessions() -> None:
    op.create_table(
        "licet_session",
        sa.Column("id", sa.String(36), primary_key=True),
        _owner("account", "licet_account.id", "fk_licet_session_account"),
        sa.Column("cookie_hash", sa.String(64)),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("cookie_hash", name="uq_licet_session_cookie_hash"),
    )
    op.create_index("ix_licet_session_account", "licet_session", ["account", "created_at"])
    op.create_index("ix_licet_session_expires_at", "licet_session", ["expires_at"])
    op.create_table(
        "licet_refresh_token",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        _owner("session", "licet_session.id", "fk_licet_refresh_token"),
        sa.Column("used_at", sa.BigInteger),
    )
    op.create_index("ix_licet_refresh_token_session", "licet_refresh_token", ["session"])


def _make_secrets() -> None:
    op.create_table(
        "licet_sign_up",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", sa.String(254), nullable=False),
        sa.Column("password_hash", sa.String(256), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_licet_sign_up_email_key", "licet_sign_up", ["email_key"])
    op.create_index("ix_licet_sign_up_expires_at", "licet_sign_up", ["expires_at"])
    op.create_table(
        "licet_reset",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        _owner("account", "licet_account.id", "fk_licet_reset_account"),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_licet_reset_account", "licet_reset", ["account"])
    op.create_index("ix_licet_reset_expires_at", "licet_reset", ["expires_at"])


def _make_counters() -> None:
    op.create_table(
        "licet_throttle",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_licet_throttle_expires_at", "licet_throttle", ["expires_at"])
    op.create_table(
        "licet_revocation",
        sa.Column("serial", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("account", sa.String(36), nullable=False),
        sa.Column("session", sa.String(36), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_licet_revocation_expires_at", "licet_revocation", ["expires_at"])
    op.create_table(
        "licet_serial",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )


def _owner(name: str, whose: str, key: str) -> "sa.Column[str]":
    return sa.Column(
        name,
        sa.String(36),
        sa.ForeignKey(whose, ondelete="CASCADE", name=key),
        nullable=False,
    )


def downgrade() -> None:
    """Lose licet_account, licet_session, licet_refresh_token, licet_sign_up, licet_reset,
    licet_throttle, licet_revocation and licet_serial: all accounts.
    """  # noqa: D205 - what is lost is named before anything else
    for table in (
        "serial",
        "revocation",
        "throttle",
        "reset",
        "sign_up",
        "refresh_token",
        "session",
        "account",
    ):
        op.drop_table(f"licet_{table}")
