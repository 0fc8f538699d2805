"""Idempotency-Keys: the first answer to a request, for those that repeat it.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    table = "licet_idempotency_key"
    op.create_table(
        table,
        sa.Column("key_hash", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
        sa.Column("answer", sa.Text),
    )
    op.create_index("ix_licet_idempotency_key_taken_at", table, ["taken_at"])


def downgrade() -> None:
    """Drop licet_idempotency_key: a request that is repeated then is done a second time."""
    op.drop_table("licet_idempotency_key")
