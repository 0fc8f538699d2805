"""The database of an app, opened and migrated at first use."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from flask import Flask

from licet.db.engine import Database
from licet.db.migrate import current_revision, is_known, upgrade
from licet.errors import StoreUnavailable
from licet.errors.base import reason_of
from licet.settings import Settings
from licet.settings.state import app_state

__all__ = [
    "check_database_settings",
    "database_of",
    "database_place",
    "database_url",
    "make_database",
    "why_unavailable",
]

log = logging.getLogger(__name__)
_ENGINE: Final = "db.engine"
SQLITE_FILE: Final = "licet.sqlite3"


def database_of(app: Flask) -> Database:
    """The app's database, its licet tables up to date unless ``LICET_MIGRATE_AT_START`` is off."""
    return app_state(app).get_or_build("db", lambda _settings: _migrated(app))


def database_url(settings: Settings) -> str:
    """``LICET_DATABASE_URL``, or a SQLite file in the instance folder."""
    return settings.database_url or f"sqlite:///{settings.instance_path / SQLITE_FILE}"


def database_place(settings: Settings) -> str:
    """Where the database is, for people: its URL without user, password and options."""
    url = sa.make_url(database_url(settings))
    if url.get_backend_name() == "sqlite" and url.database:
        return str(Path(url.database).absolute())
    return str(sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database))


def why_unavailable(app: Flask, error: StoreUnavailable) -> str:
    """Which database failed, the driver's reason, and what to do, in one line for the operator."""
    settings = app_state(app).settings
    is_file = sa.make_url(database_url(settings)).get_backend_name() == "sqlite"
    failed = "cannot be used" if is_file else "does not answer"
    reason = f": {reason_of(error)}" if error.__cause__ else ""
    remedy = (
        "Make the file and its folder readable and writable for this user, or set "
        f"{_setting_of_place(settings)} to another place."
        if is_file
        else "Start it, or set LICET_DATABASE_URL to a database that this machine reaches."
    )
    return f"The database {database_place(settings)} {failed}{reason.rstrip('.')}. {remedy}"


def check_database_settings(app: Flask) -> None:
    """Refuse a ``LICET_DATABASE_URL`` that cannot work, without connecting to anything.

    Raises:
        ConfigurationError: it is malformed, or its driver is not installed.
    """
    app_state(app).get_or_build(_ENGINE, make_database)


def make_database(settings: Settings) -> Database:
    """The database that the settings name; nothing is connected or migrated yet.

    Raises:
        ConfigurationError: the setting is malformed, its driver is missing, or a SQLite file's
            folder cannot be made.
    """
    return Database(database_url(settings), setting=_setting_of_place(settings))


def _setting_of_place(settings: Settings) -> str:
    """Which setting says where the database is."""
    return "LICET_DATABASE_URL" if settings.database_url else "LICET_INSTANCE_PATH"


def _migrated(app: Flask) -> Database:
    state = app_state(app)
    database = state.get_or_build(_ENGINE, make_database)
    if state.settings.migrate_at_start:
        current = current_revision(database)
        if is_known(current):
            upgrade(database)
        else:  # a newer version was here, and shares the database while it is rolled out
            log.warning("The database is at revision %s, which is newer than this code.", current)
    return database
