"""Grants: a role on one object, given to somebody for a time.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from licet.db.types import UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    table = "licet_grant"
    op.create_table(
        table,
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("grantee", sa.String(255), nullable=False),
        sa.Column("role", sa.String(64), nullable=False),
        sa.Column("object_type", sa.String(128), nullable=False),
        sa.Column("object_id", sa.String(255), nullable=False),
        sa.Column("giver", sa.String(255), nullable=False),
        sa.Column("given_at", UTCDateTime, nullable=False),
        sa.Column("expires_at", UTCDateTime),
        sa.Column("revoked_at", UTCDateTime),
        sa.Column("reason", sa.Text),
    )
    op.create_index("ix_licet_grant_object", table, ["object_type", "object_id", "role"])
    op.create_index("ix_licet_grant_grantee", table, ["grantee", "object_type", "role"])


def downgrade() -> None:
    """Drop licet_grant, with all grants: nobody has by one what they had."""
    op.drop_table("licet_grant")
