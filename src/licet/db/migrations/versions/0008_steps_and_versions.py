"""What a step was, which version of the handler an action is for, and how many workers it lost.

Columns have defaults or are empty, so that code of the revision before goes on while this one is
rolled out: a step that it stores has no place, and is found by its name.

Revision ID: 0008
Revises: 0007
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def of_actions() -> list[sa.Column[Any]]:
    """New columns of an action, made anew at each call: a column belongs to one table."""
    return [
        sa.Column("recoveries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("handler_version", sa.Integer, nullable=False, server_default="1"),
    ]


def of_steps() -> list[sa.Column[Any]]:
    """New columns of a step."""
    return [
        sa.Column("place", sa.Integer),
        sa.Column("function", sa.String(256)),
        sa.Column("digest", sa.String(64)),
        sa.Column("size_bytes", sa.Integer),
    ]


def upgrade() -> None:
    """Add them."""
    for column in of_actions():
        op.add_column("licet_action", column)
    for column in of_steps():
        op.add_column("licet_action_step", column)
    op.create_index(
        "uq_licet_action_step_place", "licet_action_step", ["action", "place"], unique=True
    )


def downgrade() -> None:
    """Lose of licet_action: recoveries and handler_version, and of licet_action_step: place,
    function, digest and size_bytes. Steps are then found by their names alone.
    """  # noqa: D205 - what is lost is named before anything else
    op.drop_index("uq_licet_action_step_place", "licet_action_step")
    for column in reversed(of_steps()):
        op.drop_column("licet_action_step", column.name)
    for column in reversed(of_actions()):
        op.drop_column("licet_action", column.name)
