"""Connections that migrations and checks run on.

They are plain ones: without the statement timeout of licet's own, and on SQLite without foreign
keys. A batch operation makes a table anew and drops the old one; with foreign keys on, SQLite would
delete the rows of every table that refers to it.

Source: https://www.sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from licet.db._connecting import BUSY_SECONDS, file_of, make_private
from licet.db.branches.branch import Branch
from licet.db.branches.moves.failures import failure
from licet.errors import SchemaUnusable

__all__ = ["connected", "limit_waiting"]

_LOCK_TIMEOUT: Final = (
    "SELECT set_config('lock_timeout', :limit, true) WHERE current_setting('lock_timeout') = '0'"
)


@contextmanager
def connected(branch: Branch, *, writes: bool) -> Iterator[Connection]:
    """A connection that is in no transaction; SQLAlchemy begins one at its first use.

    Args:
        branch: whose database it is.
        writes: whether a transaction of SQLite's is to take the write lock as it begins. Without,
            a file that is missing is not made.

    Raises:
        StoreUnavailable: the database does not answer.
        SchemaUnusable: it refuses what was done; the text says what, and what to do.
    """
    if not writes and branch.is_sqlite and not branch.file.is_file():
        raise SchemaUnusable(
            told=f"There is no database at {branch.place}: `licet db upgrade` makes it, or set "
            "LICET_DATABASE_URL to the one that is meant."
        )
    engine = branch.engine or _plain_engine(branch.url, writes=writes)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise failure(branch, error) from error
    finally:
        if branch.engine is None:
            engine.dispose()


def limit_waiting(connection: Connection) -> None:
    """Have a migration on PostgreSQL give up a lock that it has waited for.

    While it waits, everybody else waits behind it. A ``lock_timeout`` that is set already stays;
    an ``autocommit_block`` has none, since an index that is built concurrently waits for others.
    """
    if connection.dialect.name == "sqlite":
        return

    def begin(on: Connection) -> None:
        if on.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            on.execute(sa.text(_LOCK_TIMEOUT), {"limit": f"{BUSY_SECONDS}s"})

    sa.event.listen(connection, "begin", begin)


def _plain_engine(url: sa.URL, *, writes: bool) -> Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, poolclass=sa.NullPool)
    arguments = {"timeout": BUSY_SECONDS, "isolation_level": None}
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=arguments)
    how = "BEGIN IMMEDIATE" if writes else "BEGIN"
    file = file_of(url)
    if writes and file is not None and "mode=" not in str(url):
        make_private(file)

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(how)

    def prepare(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys = OFF").close()

    sa.event.listen(engine, "begin", begin)
    sa.event.listen(engine, "connect", prepare)
    return engine
