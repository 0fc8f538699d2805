"""The database of an app."""

import stat

import pytest
import sqlalchemy as sa

from licet.db import Database, current_revision, database_of, head_revision, upgrade
from licet.db.flask import make_database
from licet.db.statement import Statement
from licet.errors import ConfigurationError, SchemaUnusable
from licet.settings.state import app_state


@pytest.fixture
def opened(app):
    """A function that opens the app's database; it is closed at the end."""
    found = []

    def open_database():
        found.append(database_of(app))
        return found[-1]

    yield open_database
    for database in found:
        database.close()


def test_the_default_is_a_file_in_the_instance_folder(opened, tmp_path):
    """Without any setting there is a migrated SQLite file, in a folder of the owner's alone."""
    database = opened()
    folder = tmp_path / "instance"
    assert (folder / "licet.sqlite3").exists()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert current_revision(database) == head_revision()


def test_an_app_has_one_database(opened):
    """However often it is asked for, an app's database is the same."""
    assert opened() is opened()


def test_the_setting_names_another(app, opened, database_url):
    """``LICET_DATABASE_URL`` decides, of either kind."""
    app.config.update(LICET_DATABASE_URL=database_url, LICET_MIGRATE_AT_START=True)
    database = opened()
    assert database.url.render_as_string(hide_password=False) == database_url
    assert current_revision(database) == head_revision()


def test_migrating_at_start_can_be_switched_off(app, opened):
    """Then the database stays as it is, and the error says what to do."""
    app.config["LICET_MIGRATE_AT_START"] = "off"
    with pytest.raises(SchemaUnusable, match=r"at revision none, .* needs \d+: run `licet db up"):
        opened()
    assert database_is_empty(app)


def test_postgresql_is_not_migrated_at_start(app, opened, postgresql_schema_url):
    """Many servers may share it, so that somebody says when; they then go on without a restart."""
    app.config["LICET_DATABASE_URL"] = postgresql_schema_url
    with pytest.raises(SchemaUnusable, match="LICET_MIGRATE_AT_START=true"):
        opened()
    by_hand = Database(postgresql_schema_url)
    upgrade(by_hand)
    by_hand.close()
    assert current_revision(opened()) == head_revision()


def test_a_database_ahead_of_the_code_is_served_with_a_warning(app, opened, sqlite_path, caplog):
    """Newer code has migrated it while it is rolled out: older code goes on."""
    ahead = Database(f"sqlite:///{sqlite_path}")
    with ahead.transaction() as transaction:
        transaction.execute(
            Statement(sa.text("UPDATE licet_alembic_version SET version_num='9'")), {}
        )
    ahead.close()
    app.config["LICET_DATABASE_URL"] = f"sqlite:///{sqlite_path}"
    opened()
    assert "The database is at revision 9, which is newer than this code." in caplog.text


def database_is_empty(app):
    """Whether the app's database has no table."""
    database = make_database(app_state(app).settings)
    with database.read() as connection:
        found = sa.inspect(connection).get_table_names()
    database.close()
    return found == []


def test_an_unusable_setting_is_told(app):
    """A URL that is none names the setting."""
    app.config["LICET_DATABASE_URL"] = "no url"
    with pytest.raises(ConfigurationError, match="LICET_DATABASE_URL"):
        database_of(app)


@pytest.mark.parametrize(("level", "number"), [(None, 2), ("FULL", 2), ("EXTRA", 3), ("NORMAL", 1)])
def test_every_connection_waits_for_the_disk_as_the_setting_says(app, opened, level, number):
    """That of a thread, and those of queries; commits are waited for when nobody says."""
    if level is not None:
        app.config.update(LICET_SQLITE_SYNCHRONOUS=level)
    database = opened()
    asked = Statement(lambda _dialect: sa.text("PRAGMA synchronous"))
    with database.read() as connection:
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar_one() == number
    assert database.fetch_one(asked, {}) == (number,)
