"""Engines for SQLite and PostgreSQL, and what is set on each new connection."""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from licet.errors import ConfigurationError

__all__ = ["BUSY_SECONDS", "file_of", "make_engine", "make_private", "parsed_url"]

log = logging.getLogger(__name__)
BUSY_SECONDS: Final = 10
CONNECT_SECONDS: Final = 5
STATEMENT_SECONDS: Final = 30


def parsed_url(url: str) -> URL:
    """The URL of a database.

    Raises:
        ConfigurationError: it is malformed.
    """
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:  # a port that is no number is the latter
        raise ConfigurationError(
            "LICET_DATABASE_URL is not a database URL: write for example "
            "sqlite:////var/lib/licet/licet.sqlite3 or postgresql+psycopg://user@host/name"
        ) from error


def make_engine(
    url: URL, *, setting: str = "LICET_DATABASE_URL", synchronous: str = "FULL"
) -> Engine:
    """An engine whose connections are in autocommit mode, with the settings that licet needs.

    Args:
        url: of the database.
        setting: which one says where a SQLite file is, for the error.
        synchronous: SQLite's pragma of that name; PostgreSQL has its own settings.

    Raises:
        ConfigurationError: the database is of no kind that is supported, its driver is not
            installed, or a SQLite file's folder cannot be made.
    """
    backend = url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            f"LICET_DATABASE_URL names {backend}: SQLite and PostgreSQL are supported."
        )
    try:
        return (
            _sqlite_engine(url, setting, synchronous)
            if backend == "sqlite"
            else _postgresql_engine(url)
        )
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"LICET_DATABASE_URL needs {url.drivername}, which is not installed: "
            "pip install 'licet[postgres]' and write postgresql+psycopg://…"
        ) from error


def _postgresql_engine(url: URL) -> Engine:
    engine = sa.create_engine(
        url,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "keepalives_idle": CONNECT_SECONDS,  # a network that is gone is noticed
            "keepalives_interval": CONNECT_SECONDS,
            "keepalives_count": 3,
            "tcp_user_timeout": STATEMENT_SECONDS * 1000,
        },
        paramstyle="format",  # by position: psycopg takes 15 µs longer for 22 names
        pool_size=10,
        max_overflow=-1,
        pool_reset_on_return=None,
    )
    sa.event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_postgresql(connection: Any, _record: object) -> None:
    connection.autocommit = True
    for setting in (
        f"statement_timeout = '{STATEMENT_SECONDS}s'",
        # A plan that is made while a table has ten rows is kept, and would read all of a million.
        "enable_seqscan = off",
    ):
        connection.execute(f"SET {setting}").close()


def _sqlite_engine(url: URL, setting: str, synchronous: str) -> Engine:
    file = file_of(url)
    if file is None:
        raise ConfigurationError(
            "LICET_DATABASE_URL names a SQLite database in memory, which no two threads can share "
            "safely: name a file, for example in a temporary folder."
        )
    _make_folder(file.parent, setting)
    engine = sa.create_engine(
        url,
        connect_args={
            "isolation_level": None,
            "timeout": BUSY_SECONDS,
            "check_same_thread": False,
        },
        max_overflow=-1,
        pool_reset_on_return=None,
    )
    if "mode=" not in str(url):  # of a URI, which may say that no file is to be made
        sa.event.listen(engine, "do_connect", lambda *_connection: make_private(file))
    sa.event.listen(engine, "connect", lambda new, _record: _prepare_sqlite(new, synchronous))
    return engine


def make_private(file: Path) -> None:
    """Make a file that is not there, for its owner alone; what SQLite puts beside it is as it is.

    A file that cannot be made is told when it is used.
    """
    with suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def file_of(url: URL) -> Path | None:
    """The file of a SQLite URL, also of one that holds a ``file:`` URI; None when in memory.

    Source: https://www.sqlite.org/uri.html
    """
    name = url.database or ":memory:"
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    is_in_memory = name in ("", ":memory:") or url.query.get("mode") == "memory"
    return None if is_in_memory else Path(name)


def _make_folder(folder: Path, setting: str) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {folder} of the SQLite database cannot be made ({error.strerror}): make "
            f"it, or set {setting} to a place that is writable."
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, synchronous: str) -> None:
    _switch_to_wal(connection)
    for pragma in (
        f"synchronous = {synchronous}",
        "foreign_keys = ON",
        "wal_autocheckpoint = 4000",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Turn the log on; SQLite does not wait for others itself when it is switched."""
    give_up_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= give_up_at:
                raise
            log.info("SQLite's log is being switched on by another process: trying again.")
            time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - jitter
        else:
            return
