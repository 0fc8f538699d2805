"""Sign-in at foreign providers: what is on its way, and the sessions that come of it.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables, unless the database is of a licet whose revision 0003 made them."""
    if sa.inspect(op.get_bind()).has_table("licet_sign_in"):
        return
    op.create_table(
        "licet_sign_in",
        sa.Column("key_hash", sa.String(64), primary_key=True),
        sa.Column("next_path", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_licet_sign_in_expires_at", "licet_sign_in", ["expires_at"])
    op.create_table(
        "licet_foreign_session",
        sa.Column("cookie_hash", sa.String(64), primary_key=True),
        sa.Column("principal", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("claims", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    table = "licet_foreign_session"
    op.create_index(f"ix_{table}_principal", table, ["principal", "created_at"])
    op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])


def downgrade() -> None:
    """Lose licet_foreign_session and licet_sign_in: people who signed in there are signed out."""
    op.drop_table("licet_foreign_session")
    op.drop_table("licet_sign_in")
