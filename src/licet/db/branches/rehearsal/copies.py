"""A copy of a database to rehearse on, which goes at the end."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from licet.db.branches.branch import Branch
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.copy import backup
from licet.errors import SchemaUnusable

__all__ = ["copied"]

log = logging.getLogger(__name__)
PREFIX: Final = "licet_rehearsal_"
_IN_USE: Final = "55006"
_INSUFFICIENT_PRIVILEGE: Final = "42501"


@contextmanager
def copied(branch: Branch) -> Iterator[Branch]:
    """The branch on a copy of its database.

    Raises:
        SchemaUnusable: no copy can be made; the text says why.
        StoreUnavailable: the database does not answer.
    """
    if branch.is_sqlite:
        with connected(branch, writes=False):  # which tells of a file that is missing
            pass
        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            copy = Path(folder) / branch.file.name
            backup(branch.file, copy)
            yield branch.at(branch.url.set(database=str(copy), query={}))
    else:
        name = f"{PREFIX}{uuid.uuid4().hex[:12]}"
        try:
            _copy_database(branch, name)
            yield branch.at(branch.url.set(database=name))
        finally:
            _drop(branch, name)


@contextmanager
def _beside(branch: Branch) -> Iterator[Connection]:
    """A connection to another database of the server, as CREATE DATABASE … TEMPLATE wants."""
    other = "template1" if branch.url.database == "postgres" else "postgres"
    engine = sa.create_engine(
        branch.url.set(database=other), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        yield connection


def _copy_database(branch: Branch, name: str) -> None:
    if branch.engine is not None:  # its idle connections would be in the way
        branch.engine.dispose()
    with connected(branch.at(branch.url), writes=False) as connection:
        source = str(connection.scalar(sa.select(sa.func.current_database())))
    quoted = f'"{source.replace(chr(34), chr(34) * 2)}"'
    try:
        with _beside(branch) as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE {quoted}')
            return
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state == _INSUFFICIENT_PRIVILEGE:
            raise SchemaUnusable(
                told=f"The role {branch.url.username or ''} may not make a database to rehearse "
                "on: "
                "ALTER ROLE … CREATEDB, or rehearse with a role that may."
            ) from error
        if state != _IN_USE:
            raise SchemaUnusable(
                told=f"{branch.place} cannot be copied: {str(error.orig).partition(chr(10))[0]}."
            ) from error
    _copy_by_dump(branch, name)


def _copy_by_dump(branch: Branch, name: str) -> None:
    """For a database that others are connected to, of which the server makes no copy by itself."""
    if shutil.which("pg_dump") is None or shutil.which("psql") is None:
        raise SchemaUnusable(
            told=f"{branch.place} is in use, so that the server makes no copy of it by itself, and "
            "pg_dump is not installed here: end the other connections, install PostgreSQL's client "
            "programs, or rehearse on a copy: `licet db rehearse URL`."
        )
    with _beside(branch) as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        dump = Path(folder) / "dump.sql"
        _run(branch, branch.url, "pg_dump", "--no-owner", "--no-acl", f"--file={dump}")
        copy = branch.url.set(database=name)
        _run(branch, copy, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", f"--file={dump}")


def _run(branch: Branch, url: sa.URL, program: str, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - a program of PostgreSQL's, no shell
        [program, *arguments],
        env=os.environ | libpq_environment(url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or "no reason given").splitlines()[0]
        raise SchemaUnusable(told=f"{program} failed on {branch.place}: {said}.")


def libpq_environment(url: sa.URL) -> dict[str, str]:
    """What tells PostgreSQL's programs of a database, with no password among the arguments."""
    names = {"options": "PGOPTIONS", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
    query = {key: value for key, value in url.query.items() if isinstance(value, str)}
    found = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port) if url.port else query.get("port"),
        "PGUSER": url.username,
        "PGPASSWORD": None if url.password is None else str(url.password),
        "PGDATABASE": url.database,
        **{names[key]: value for key, value in query.items() if key in names},
    }
    return {name: value for name, value in found.items() if value}


def _drop(branch: Branch, name: str) -> None:
    try:
        with _beside(branch) as connection:
            connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    except DBAPIError:
        log.warning("The copy %s could not be dropped: drop it by hand.", name, exc_info=True)
