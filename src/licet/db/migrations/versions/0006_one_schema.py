"""One schema for every database, whichever licet made it.

Revisions were edited before the first release, so that databases at one revision are not all alike:

- 0001 had other types for moments on SQLite;
- 0003 had an index on the actions that are due without their ids;
- one 0003 was about sign-in at foreign providers, which is 0004 now, and left out durable actions.

Revision ID: 0006
Revises: 0005
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from licet.db.types import UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change what differs from the revisions as they are now, and nothing where nothing does."""
    columns = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("licet_action")}
    if "phase" not in columns:
        running: Any = op.get_context()
        running.script.get_revision("0003").module.upgrade()
    if op.get_bind().dialect.name == "sqlite":
        _make_moments_texts()
    _complete_index()


def _make_moments_texts() -> None:
    for table in ("licet_action", "licet_action_log"):
        found = sa.inspect(op.get_bind()).get_columns(table)
        old = [one["name"] for one in found if isinstance(one["type"], sa.DateTime)]
        if not old:
            continue
        with op.batch_alter_table(table) as batch:
            for name in old:
                batch.alter_column(name, type_=UTCDateTime)


def _complete_index() -> None:
    name, columns = "ix_licet_action_due", ["provider", "phase", "due_at", "id"]
    for found in sa.inspect(op.get_bind()).get_indexes("licet_action"):
        if found["name"] == name and found["column_names"] != columns:
            op.drop_index(name, "licet_action")
            where = sa.text("due_at IS NOT NULL")
            op.create_index(
                name, "licet_action", columns, sqlite_where=where, postgresql_where=where
            )


def downgrade() -> None:
    """Change nothing: what was made alike fits the revision before as well."""
