"""Actions, the principals that may monitor or manage them, and their logs.

Revision ID: 0001
Revises: none
"""

import sqlalchemy as sa
from alembic import op

from licet.db.types import UTCDateTime

revision = "0001"
down_revision = None
branch_labels = ("licet",)
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "licet_action",
        sa.Column("id", BIG_KEY, primary_key=True),
        sa.Column("action_id", sa.String(128), nullable=False),
        sa.Column("provider", sa.String(128), nullable=False),
        sa.Column("creator_id", sa.String(256), nullable=False),
        sa.Column("request_id", sa.String(512), nullable=False),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("display_status", sa.String(64)),
        sa.Column("label", sa.String(64)),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("monitor_by", sa.Text, nullable=False),
        sa.Column("manage_by", sa.Text, nullable=False),
        sa.Column("start_time", sa.String(40), nullable=False),
        sa.Column("completion_time", sa.String(40)),
        sa.Column("release_after", sa.String(64)),
        sa.Column("deadline", UTCDateTime),
        sa.Column("release_at", UTCDateTime),
        sa.Column("version", sa.Integer, nullable=False),
        sa.UniqueConstraint("action_id", name="uq_licet_action_action_id"),
        sa.UniqueConstraint("provider", "creator_id", "request_id", name="uq_licet_action_request"),
    )
    op.create_index(
        "ix_licet_action_creator", "licet_action", ["provider", "creator_id", "status", "id"]
    )
    op.create_table(
        "licet_action_principal",
        sa.Column(
            "action",
            BIG_KEY,
            sa.ForeignKey("licet_action.id", ondelete="CASCADE", name="fk_licet_action_principal"),
            primary_key=True,
        ),
        sa.Column("role", sa.String(16), primary_key=True),
        sa.Column("principal", sa.String(256), primary_key=True),
        sa.Column("provider", sa.String(128), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
    )
    op.create_index(
        "ix_licet_action_principal_enumerate",
        "licet_action_principal",
        ["provider", "principal", "role", "status", "action"],
    )
    op.create_table(
        "licet_action_log",
        sa.Column("id", BIG_KEY, primary_key=True),
        sa.Column(
            "action",
            BIG_KEY,
            sa.ForeignKey("licet_action.id", ondelete="CASCADE", name="fk_licet_action_log"),
            nullable=False,
        ),
        sa.Column("time", UTCDateTime, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("details", sa.Text),
    )
    op.create_index("ix_licet_action_log_action", "licet_action_log", ["action", "id"])


def downgrade() -> None:
    """Lose licet_action, licet_action_principal and licet_action_log: all actions."""
    op.drop_table("licet_action_log")
    op.drop_table("licet_action_principal")
    op.drop_table("licet_action")
