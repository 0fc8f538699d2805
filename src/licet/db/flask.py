"""The database of an app, opened and migrated at first use."""

from __future__ import annotations

from typing import Final

from flask import Flask

from licet._state import app_state
from licet.db.engine import Database
from licet.db.migrate import upgrade
from licet.settings import Settings

__all__ = ["database_of", "database_url"]

SQLITE_FILE: Final = "licet.sqlite3"


def database_of(app: Flask) -> Database:
    """The app's database, its licet tables up to date unless ``LICET_MIGRATE_AT_START`` is off."""
    return app_state(app).get_or_build("db", _open)


def database_url(settings: Settings) -> str:
    """``LICET_DATABASE_URL``, or a SQLite file in the instance folder."""
    return settings.database_url or f"sqlite:///{settings.instance_path / SQLITE_FILE}"


def _open(settings: Settings) -> Database:
    database = Database(database_url(settings))
    if settings.migrate_at_start:
        upgrade(database)
    return database
