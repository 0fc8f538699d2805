"""Migrations, up and down."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from tests.processes import in_processes, meet

import licet.actions.store.tables
import licet.authn.accounts.tables
import licet.authn.sign_in.tables
import licet.authz.grants.tables
import licet.rest.store.tables
from licet.db import Database, current_revision, head_revision, upgrade
from licet.db.migrate import VERSION_TABLE, alembic_config, downgrade
from licet.db.statement import Statement
from licet.db.tables import metadata
from licet.errors import ConfigurationError, StoreUnavailable

SUBJECTS = (
    licet.actions.store.tables,
    licet.authn.accounts.tables,
    licet.authn.sign_in.tables,
    licet.authz.grants.tables,
)  # whose tables are in `metadata`


@pytest.fixture
def database(database_url):
    """An empty database."""
    found = Database(database_url)
    yield found
    found.close()


def tables(database):
    """The names of a database's tables."""
    with database.read() as connection:
        return set(sa.inspect(connection).get_table_names())


def differences(database):
    """What alembic would change to make the schema that of the code."""
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _parents: (kind, name) != ("table", VERSION_TABLE),
    }
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, metadata)


def test_an_empty_database_has_no_revision(database):
    """Before the first migration there is no revision, and asking changes nothing."""
    assert current_revision(database) is None
    assert tables(database) == set()


def test_up_down_and_up_again(database):
    """Each way leaves the revision and the tables that it says."""
    upgrade(database)
    assert current_revision(database) == head_revision()
    assert tables(database) == {*metadata.tables, VERSION_TABLE}
    downgrade(database)
    assert current_revision(database) is None
    assert tables(database) == {VERSION_TABLE}
    upgrade(database)
    assert current_revision(database) == head_revision()
    assert differences(database) == []


def test_the_migrated_schema_is_that_of_the_code(database):
    """Migrations and table definitions say the same."""
    upgrade(database)
    assert differences(database) == []


def constraints(database):
    """What the comparison does not look at: keys, their columns and what deleting does."""
    with database.read() as connection:
        inspector = sa.inspect(connection)
        return {
            name: (
                inspector.get_pk_constraint(name)["constrained_columns"],
                {key["name"]: key["options"] for key in inspector.get_foreign_keys(name)},
            )
            for name in metadata.tables
        }


def test_the_migrated_keys_are_those_of_the_code(database):
    """Primary keys and what becomes of children agree as well."""
    upgrade(database)
    migrated = constraints(database)
    downgrade(database)
    metadata.create_all(database.engine)
    assert constraints(database) == migrated


def test_a_second_upgrade_loads_no_alembic(database, monkeypatch):
    """A database that is up to date costs one SELECT."""
    upgrade(database)
    monkeypatch.setitem(sys.modules, "alembic", None)
    upgrade(database)
    assert current_revision(database) == head_revision()


def test_a_named_revision_can_be_asked_for(database):
    """Migrating to a revision by its name is as good as to the head."""
    upgrade(database, "0001")
    assert current_revision(database) == "0001"


def test_the_head_is_the_newest_script():
    """The revision that the code expects is the last of the scripts, and there is one line."""
    scripts = ScriptDirectory.from_config(alembic_config())
    assert scripts.get_heads() == [head_revision()]
    assert len(scripts.get_bases()) == 1


def test_threads_that_start_at_once_migrate_once(database):
    """Threads take turns, and all find the tables."""
    barrier = Barrier(4)

    def start(_number):
        barrier.wait()
        upgrade(database)
        return current_revision(database)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == [head_revision()] * 4


def migrate(url):
    """The revision that an empty database has after this process has migrated it."""
    database = Database(url)
    meet()
    upgrade(database)
    found = current_revision(database)
    database.close()
    return found


def test_processes_that_start_at_once_migrate_once(database_url):
    """So do processes."""
    assert in_processes(migrate, *[(database_url,)] * 3) == [head_revision()] * 3


def test_a_failed_migration_leaves_nothing(database):
    """When a table stands in the way, none is made and no revision is recorded."""
    with database.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE licet_action_log (x INTEGER)"))
    with pytest.raises(StoreUnavailable):
        upgrade(database)
    assert tables(database) == {"licet_action_log"}
    assert current_revision(database) is None


def test_an_unknown_revision_is_not_migrated(database):
    """A database that a newer version migrated is left alone, and both revisions are told."""
    upgrade(database)
    with database.transaction() as transaction:
        transaction.execute(
            Statement(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")), {}
        )
    with pytest.raises(
        ConfigurationError, match=rf"revision 9999, .* none after {head_revision()}"
    ):
        upgrade(database)


def test_a_database_that_does_not_answer_has_no_known_revision(tmp_path):
    """An outage is told as such, and not taken for an empty database."""
    database = Database(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    for ask in (current_revision, upgrade, downgrade):
        with pytest.raises(StoreUnavailable):
            ask(database)


def test_a_broken_version_table_is_not_taken_for_none(database):
    """A version table that cannot be read is an error, not a reason to migrate anew."""
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE {VERSION_TABLE} (other INTEGER)"))
    with pytest.raises(StoreUnavailable):
        current_revision(database)


def test_a_file_that_is_no_database_is_told(tmp_path):
    """Garbage in the database's place is neither migrated nor overwritten."""
    path = tmp_path / "garbage"
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreUnavailable):
        upgrade(Database(f"sqlite:///{path}"))
    assert path.read_bytes() == b"garbage" * 1000


def test_several_databases_at_once_in_one_process(tmp_path):
    """What Alembic works on is global to the process: they take turns."""
    databases = [Database(f"sqlite:///{tmp_path / str(n)}.sqlite3") for n in range(6)]
    ready = Barrier(len(databases))

    def migrate(database):
        ready.wait()
        upgrade(database)
        return current_revision(database)

    with ThreadPoolExecutor(len(databases)) as pool:
        assert list(pool.map(migrate, databases)) == [head_revision()] * len(databases)
    for database in databases:
        database.close()
