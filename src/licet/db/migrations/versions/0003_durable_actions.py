"""Durable actions: what the runtime keeps of an action, and its steps.

Columns are added with defaults, so that code of the revision before goes on while this one is
rolled out.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from licet.db.types import UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def added() -> list[sa.Column[Any]]:
    """New columns of an action, made anew at each call: a column belongs to one table."""
    return [
        sa.Column("phase", sa.String(8), nullable=False, server_default="outside"),
        sa.Column("due_at", UTCDateTime),
        sa.Column("ready_at", UTCDateTime),
        sa.Column("body", sa.Text),
        sa.Column("caller", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
        sa.Column("lease_number", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_owner", sa.String(64)),
        sa.Column("lease_until", UTCDateTime),
        sa.Column("cancel_requested_at", UTCDateTime),
        sa.Column("cancel_requested_by", sa.String(256)),
    ]


def upgrade() -> None:
    """Add them; what ended before is released when its time has come."""
    for column in added():
        op.add_column("licet_action", column)
    op.execute(
        "UPDATE licet_action SET phase = 'ended', due_at = release_at"
        " WHERE status IN ('SUCCEEDED', 'FAILED')"
    )
    op.create_index(
        "ix_licet_action_due",
        "licet_action",
        ["provider", "phase", "due_at", "id"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    having_deadline = sa.text("deadline IS NOT NULL AND phase IN ('queued', 'running', 'paused')")
    op.create_index(
        "ix_licet_action_deadline",
        "licet_action",
        ["provider", "deadline"],
        sqlite_where=having_deadline,
        postgresql_where=having_deadline,
    )
    op.create_table(
        "licet_action_step",
        sa.Column(
            "action",
            BIG_KEY,
            sa.ForeignKey("licet_action.id", ondelete="CASCADE", name="fk_licet_action_step"),
            primary_key=True,
        ),
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("lease_number", sa.Integer, nullable=False),
        sa.Column("completed_at", UTCDateTime, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Lose licet_action_step, and of licet_action: phase, due_at, ready_at, body, caller, attempt,
    lease_number, lease_owner, lease_until, cancel_requested_at and cancel_requested_by.
    """  # noqa: D205 - what is lost is named before anything else
    op.drop_table("licet_action_step")
    op.drop_index("ix_licet_action_deadline", "licet_action")
    op.drop_index("ix_licet_action_due", "licet_action")
    for column in reversed(added()):
        op.drop_column("licet_action", column.name)
