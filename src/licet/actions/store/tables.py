"""The tables of the action store.

One row an action. What the runtime of durable actions adds to it (`phase` and what follows) says
nothing of an action that callbacks look after. `due_at` is when the sweeper must look at a row
next: when a queued action may be claimed, a lease ends, or what has ended is to be released. Those
who may monitor or manage it stand twice: in the row, to be read with it,
and in the principal table, whose index leads from a caller to their newest actions in one state
without touching any other.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from licet.db.tables import metadata
from licet.db.types import UTCDateTime

__all__ = ["HAS_DEADLINE", "action", "action_log", "action_principal", "action_step", "metadata"]

# Written in the same words in the index and in the query, which is how SQLite knows the two.
HAS_DEADLINE: Final = "deadline IS NOT NULL AND phase IN ('queued', 'running', 'paused')"

action: Final = sa.Table(
    "licet_action",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
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
    sa.Column("recoveries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("handler_version", sa.Integer, nullable=False, server_default="1"),
    sa.UniqueConstraint("action_id", name="uq_licet_action_action_id"),
    sa.UniqueConstraint("provider", "creator_id", "request_id", name="uq_licet_action_request"),
    sa.Index("ix_licet_action_creator", "provider", "creator_id", "status", "id"),
    sa.Index(
        "ix_licet_action_due",
        "provider",
        "phase",
        "due_at",
        "id",  # what is due equally long is claimed in this order, without sorting it
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    ),
    sa.Index(
        "ix_licet_action_deadline",
        "provider",
        "deadline",
        sqlite_where=sa.text(HAS_DEADLINE),
        postgresql_where=sa.text(HAS_DEADLINE),
    ),
)

action_principal: Final = sa.Table(
    "licet_action_principal",
    metadata,
    sa.Column(
        "action",
        sa.ForeignKey("licet_action.id", ondelete="CASCADE", name="fk_licet_action_principal"),
        primary_key=True,
    ),
    sa.Column("role", sa.String(16), primary_key=True),
    sa.Column("principal", sa.String(256), primary_key=True),
    sa.Column("provider", sa.String(128), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Index(
        "ix_licet_action_principal_enumerate", "provider", "principal", "role", "status", "action"
    ),
)

action_log: Final = sa.Table(
    "licet_action_log",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column(
        "action",
        sa.ForeignKey("licet_action.id", ondelete="CASCADE", name="fk_licet_action_log"),
        nullable=False,
    ),
    sa.Column("time", UTCDateTime, nullable=False),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("details", sa.Text),
    sa.Index("ix_licet_action_log_action", "action", "id"),
)

# The results of completed steps, and the pauses that were left behind. A step that an earlier licet
# stored has no place, and is found by its name alone; the result of one that raised is empty.
action_step: Final = sa.Table(
    "licet_action_step",
    metadata,
    sa.Column(
        "action",
        sa.ForeignKey("licet_action.id", ondelete="CASCADE", name="fk_licet_action_step"),
        primary_key=True,
    ),
    sa.Column("name", sa.String(256), primary_key=True),
    sa.Column("lease_number", sa.Integer, nullable=False),
    sa.Column("completed_at", UTCDateTime, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("place", sa.Integer),
    sa.Column("function", sa.String(256)),
    sa.Column("digest", sa.String(64)),
    sa.Column("size_bytes", sa.Integer),
    sa.Index("uq_licet_action_step_place", "action", "place", unique=True),
)
