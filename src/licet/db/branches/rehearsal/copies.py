"""A copy of a database to rehearse on, which goes at the end."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from licet.db.branches.branch import Branch
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.copy import backup
from licet.db.branches.rehearsal.leftovers import (
    PREFIX,
    being_made,
    in_use,
    own_folder,
    remove_stale_databases,
)
from licet.errors import SchemaUnusable

__all__ = ["copied", "libpq_environment", "said_by"]

log = logging.getLogger(__name__)
_SOURCE: Final = "SELECT datname, oid::bigint FROM pg_database WHERE datname = current_database()"
_OLDER: Final = re.compile(r"server version: ([\d.]+).*?; \w+ version: ([\d.]+)")
_IN_USE: Final = "55006"
_INSUFFICIENT_PRIVILEGE: Final = "42501"


# Source: https://www.postgresql.org/docs/current/libpq-envars.html
_VARIABLES: Final = {
    name: f"PG{name.replace('_', '').upper()}"
    for name in (
        "channel_binding", "connect_timeout", "gssencmode", "gsslib", "hostaddr", "krbsrvname",
        "options", "passfile", "require_auth", "service", "sslcert", "sslcertmode", "sslcrl",
        "sslcrldir", "sslkey", "sslmode", "sslnegotiation", "sslrootcert", "sslsni",
        "target_session_attrs",
    )
} | {"requirepeer": "PGREQUIREPEER"}  # fmt: skip


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
        with own_folder() as folder:
            copy = folder / branch.file.name
            backup(branch.file, copy)
            yield branch.at(branch.url.set(database=str(copy), query={}))
    else:
        with _copied_database(branch) as at:
            yield at


@contextmanager
def _copied_database(branch: Branch) -> Iterator[Branch]:
    if branch.engine is not None:  # its idle connections would be in the way
        branch.engine.dispose()
    with connected(branch.at(branch.url), writes=False) as connection:
        source, oid = connection.execute(sa.text(_SOURCE)).one()
    family = f"{PREFIX}{oid}_"  # copies of one database, which are all made from beside it
    copy = branch.at(branch.url.set(database=f"{family}{uuid.uuid4().hex[:12]}"))
    try:
        with ExitStack() as session:
            with _telling(branch), _beside(branch) as connection:
                remove_stale_databases(connection, family)
                with being_made(connection):
                    _copy_database(branch, connection, source, copy)
                    session.enter_context(in_use(copy))
            yield copy
    finally:
        _drop(branch, str(copy.url.database))


@contextmanager
def _telling(branch: Branch) -> Iterator[None]:
    """Have the driver's errors say that no copy can be made, and why."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE:
            raise SchemaUnusable(
                told=f"The role {branch.url.username or ''} may not make a database to rehearse "
                "on: ALTER ROLE … CREATEDB, or rehearse with a role that may."
            ) from error
        raise SchemaUnusable(
            told=f"{branch.place} cannot be copied: {str(error.orig).partition(chr(10))[0]}."
        ) from error


@contextmanager
def _beside(branch: Branch) -> Iterator[Connection]:
    """A connection to another database of the server, as CREATE DATABASE … TEMPLATE wants."""
    other = "template1" if branch.url.database == "postgres" else "postgres"
    engine = sa.create_engine(
        branch.url.set(database=other), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        yield connection


def _copy_database(branch: Branch, connection: Connection, source: str, copy: Branch) -> None:
    name, quoted = copy.url.database, f'"{source.replace(chr(34), chr(34) * 2)}"'
    try:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE {quoted}')
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _IN_USE:
            raise
        _copy_by_dump(branch, connection, copy)


def _copy_by_dump(branch: Branch, connection: Connection, copy: Branch) -> None:
    """For a database that others are connected to, of which the server makes no copy by itself."""
    if shutil.which("pg_dump") is None or shutil.which("psql") is None:
        raise SchemaUnusable(
            told=f"{branch.place} is in use, so that the server makes no copy of it by itself, and "
            "pg_dump is not installed here: end the other connections, install PostgreSQL's client "
            "programs, or rehearse on a copy: `licet db rehearse URL`."
        )
    connection.exec_driver_sql(f'CREATE DATABASE "{copy.url.database}" TEMPLATE template0')
    with own_folder() as folder:
        dump = folder / "dump.sql"
        _run(branch, branch.url, "pg_dump", "--no-owner", "--no-acl", f"--file={dump}")
        _run(branch, copy.url, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", f"--file={dump}")


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
        said = said_by(program, done.stderr)
        raise SchemaUnusable(told=f"{program} failed on {branch.place}: {said}.")


def said_by(program: str, stderr: str) -> str:
    """Why a program of PostgreSQL's failed, without a full stop at the end."""
    remedy = "install PostgreSQL's client programs of that version or a newer one"
    if versions := _OLDER.search(stderr):
        server, own = versions.groups()
        return f"{program} is of version {own}, and the server of version {server}: {remedy}"
    if "unsupported version" in stderr:
        return f"the file is of a newer pg_dump than this {program}: {remedy}"
    first, *others = (stderr.strip() or "no reason given").splitlines()
    said = re.sub(r"^psql:.*?:\d+: (?=[A-Z]+: )", "", first.rstrip("."))  # a file that is gone
    detail = [one.removeprefix("DETAIL:").strip() for one in others[:1] if "DETAIL:" in one]
    return f"{said} ({detail[0].rstrip('.')})" if detail else said


def libpq_environment(url: sa.URL) -> dict[str, str]:
    """What tells PostgreSQL's programs of a database, with no password among the arguments."""
    query = {
        key: value if isinstance(value, str) else ",".join(value)
        for key, value in url.query.items()
    }
    found = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port) if url.port else query.get("port"),
        "PGUSER": url.username or query.get("user"),
        "PGPASSWORD": query.get("password") if url.password is None else str(url.password),
        "PGDATABASE": url.database or query.get("dbname"),
        **{_VARIABLES[key]: value for key, value in query.items() if key in _VARIABLES},
    }
    return {name: value for name, value in found.items() if value}


def _drop(branch: Branch, name: str) -> None:
    try:
        with _beside(branch) as connection:
            connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    except DBAPIError:
        log.warning("The copy %s could not be dropped: drop it by hand.", name, exc_info=True)
