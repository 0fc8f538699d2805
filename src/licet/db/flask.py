"""The database of an app, opened and migrated at first use."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from flask import Flask

from licet.db.engine import Database
from licet.db.migrate import current_revision, head_revision, is_known, upgrade
from licet.errors import LicetError, SchemaUnusable, ServiceUnavailable, StoreUnavailable
from licet.errors.base import reason_of
from licet.settings import Settings
from licet.settings.state import app_state

__all__ = [
    "ENGINE",
    "check_database_settings",
    "database_of",
    "database_place",
    "database_url",
    "make_database",
    "told",
    "why_unavailable",
]

log = logging.getLogger(__name__)
ENGINE: Final = "db.engine"
_GENERAL: Final = StoreUnavailable.description
_FAILED: Final = 1
_WRONG_USAGE: Final = 2
_UNREACHABLE: Final = 4
SQLITE_FILE: Final = "licet.sqlite3"


def database_of(app: Flask) -> Database:
    """The app's database, its licet tables brought up to date if ``LICET_MIGRATE_AT_START`` is on.

    Raises:
        SchemaUnusable: they are not up to date, and it is off; asked again later, it looks again.
        StoreUnavailable: the database does not answer.
    """
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


def told(error: LicetError, app: Flask | None) -> tuple[str, int]:
    """What a command line tells of an error, and its exit code."""
    if isinstance(error, SchemaUnusable):
        return error.told, _FAILED
    if type(error) is StoreUnavailable and app is not None and error.description == _GENERAL:
        return why_unavailable(app, error), _UNREACHABLE
    if isinstance(error, ServiceUnavailable):
        return str(error.description), _UNREACHABLE
    return str(error), _WRONG_USAGE


def check_database_settings(app: Flask) -> None:
    """Refuse a ``LICET_DATABASE_URL`` that cannot work, without connecting to anything.

    Raises:
        ConfigurationError: it is malformed, or its driver is not installed.
    """
    app_state(app).get_or_build(ENGINE, make_database)


def make_database(settings: Settings) -> Database:
    """The database that the settings name; nothing is connected or migrated yet.

    Raises:
        ConfigurationError: the setting is malformed, its driver is missing, or a SQLite file's
            folder cannot be made.
    """
    return Database(
        database_url(settings),
        setting=_setting_of_place(settings),
        synchronous=settings.sqlite_synchronous,
    )


def _setting_of_place(settings: Settings) -> str:
    """Which setting says where the database is."""
    return "LICET_DATABASE_URL" if settings.database_url else "LICET_INSTANCE_PATH"


def _migrated(app: Flask) -> Database:
    state = app_state(app)
    database = state.get_or_build(ENGINE, make_database)
    current = current_revision(database)
    if current == head_revision():
        return database
    if not is_known(current):  # a newer version was here, and shares the database while rolled out
        log.warning("The database is at revision %s, which is newer than this code.", current)
    elif state.settings.migrate_at_start:
        upgrade(database)
    else:
        raise SchemaUnusable(
            told=f"The database {database_place(state.settings)} is at revision "
            f"{current or 'none'}, "
            f"and this code needs {head_revision()}: run `licet db upgrade`, or set "
            "LICET_MIGRATE_AT_START=true. (Its default is true for SQLite only, since several "
            "servers may share one of PostgreSQL.)"
        )
    return database
