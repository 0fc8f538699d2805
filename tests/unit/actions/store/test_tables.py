"""The tables in code and the tables that the migrations make are the same."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from licet.actions.store.tables import action, action_log, action_principal
from licet.db.engine import Database
from licet.db.migrate import VERSION_TABLE


def test_the_migrations_make_what_the_code_expects(database: Database):
    """After all migrations there is nothing left to change in the store's tables."""
    metadata = sa.MetaData()
    for table in (action, action_principal, action_log):
        table.to_metadata(metadata)
    options = {
        "version_table": VERSION_TABLE,
        "compare_type": True,
        "include_name": lambda name, kind, _parents: kind != "table" or name in metadata.tables,
    }
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("table", ["licet_action_principal", "licet_action_log"])
def test_what_belongs_to_an_action_goes_with_it(database: Database, table: str):
    """Principals and log lines are deleted by the database together with their action."""
    with database.read() as connection:
        [key] = sa.inspect(connection).get_foreign_keys(table)
    assert key["referred_table"] == "licet_action"
    assert key["options"]["ondelete"] == "CASCADE"


@pytest.mark.parametrize(
    "columns", [["action_id"], ["provider", "creator_id", "request_id"]], ids=str
)
def test_the_database_itself_keeps_actions_apart(database: Database, columns: list[str]):
    """Action ids and requests are unique by constraint, not by care."""
    with database.read() as connection:
        constraints = sa.inspect(connection).get_unique_constraints("licet_action")
    assert columns in [constraint["column_names"] for constraint in constraints]
