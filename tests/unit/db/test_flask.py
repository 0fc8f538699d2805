"""The database of an app."""

import stat

import pytest

from licet.db import current_revision, database_of, head_revision
from licet.errors import ConfigurationError


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
    app.config["LICET_DATABASE_URL"] = database_url
    database = opened()
    assert database.url.render_as_string(hide_password=False) == database_url
    assert current_revision(database) == head_revision()


def test_migrating_at_start_can_be_switched_off(app, opened):
    """Then the database stays as it is."""
    app.config["LICET_MIGRATE_AT_START"] = "off"
    assert current_revision(opened()) is None


def test_an_unusable_setting_is_told(app):
    """A URL that is none names the setting."""
    app.config["LICET_DATABASE_URL"] = "no url"
    with pytest.raises(ConfigurationError, match="LICET_DATABASE_URL"):
        database_of(app)
