"""Alembic's entry: runs the migrations on the connection that licet.db.migrate hands over."""

from alembic import context

from licet.db.migrate import VERSION_TABLE

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=False,
)
context.run_migrations()
