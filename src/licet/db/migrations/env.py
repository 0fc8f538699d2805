"""Alembic's entry for both branches: runs what `licet.db.branches.moves` says."""

from typing import Any

from alembic import context

attributes = context.config.attributes
connection = attributes["connection"]
context.configure(
    connection=connection,
    version_table=attributes["version_table"],
    render_as_batch=True,
    transactional_ddl=True,
    **attributes.get("options", {}),
)
if "autocommit_block" in attributes:
    running: Any = context.get_context()
    running.autocommit_block = attributes["autocommit_block"]
with context.begin_transaction():
    context.run_migrations()
    attributes.get("before_commit", lambda _connection: None)(connection)
