"""Copies that a rehearsal left behind because it was killed, removed by the next one.

A copy of a PostgreSQL database has a session of its rehearsal's on it, and the folder of a copied
file is locked. The server, or the system, ends both when the process dies: a copy with neither
belongs to nobody. Sessions and locks last as long as a transaction: a pooler may give what stands
between two of them to somebody else.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from licet.db.branches.branch import Branch
from licet.db.branches.moves.lock import LOCK_ID, NEVER_ENDED

__all__ = ["PREFIX", "being_made", "in_use", "own_folder", "remove_stale_databases"]

log = logging.getLogger(__name__)
PREFIX: Final = "licet_rehearsal_"
_MAKING: Final = (
    LOCK_ID + 1
)  # shared by those that make a copy, and nobody's while some are removed
_STALE: Final = """
    SELECT d.datname FROM pg_database d
    WHERE starts_with(d.datname, :prefix)
      AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid
                      AND a.backend_type = 'client backend')
"""


def remove_stale_databases(connection: Connection, prefix: str) -> None:
    """Drop the copies whose names begin with `prefix` and that no rehearsal is at.

    `connection` commits each statement, and is to the database in which those that make such copies
    call `being_made`. While one does, nothing is dropped: its copy has no session yet.
    """
    with _transaction(connection.engine) as other:
        if not other.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_MAKING))):
            return
        for name in list(connection.scalars(sa.text(_STALE), {"prefix": prefix})):
            try:
                # Without FORCE: it fails if somebody has connected meanwhile.
                connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}"')
                log.warning("Dropped %s, which a rehearsal that was killed has left.", name)
            except DBAPIError as error:
                reason = str(error.orig).partition("\n")[0]
                log.warning("The copy %s is left, and cannot be dropped: %s", name, reason)


@contextmanager
def _transaction(engine: sa.Engine) -> Iterator[Connection]:
    """A connection in a transaction that the server does not end by itself."""
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        connection.execute(sa.text(NEVER_ENDED))
        yield connection


@contextmanager
def being_made(connection: Connection) -> Iterator[None]:
    """Have no other process take a copy that is made in the block for one that was left."""
    with _transaction(connection.engine) as other:
        other.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_MAKING)))
        yield


@contextmanager
def in_use(copy: Branch) -> Iterator[None]:
    """Keep a session on a copy, which says that a rehearsal is at it."""
    with _transaction(sa.create_engine(copy.url, poolclass=sa.NullPool)):
        yield


@contextmanager
def own_folder() -> Iterator[Path]:
    """A locked temporary folder that goes at the end, or with the next call after a kill."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _remove_if_free(left)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(held, fcntl.LOCK_EX)
        if folder.is_dir():  # else another rehearsal took it for one that was left
            break
        os.close(held)
    try:
        within = folder / "copy"  # migrations lock the folder of their file themselves
        within.mkdir()
        yield within
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _remove_if_free(folder: Path) -> None:
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # another user's, or no folder
        return
    try:
        if os.fstat(held).st_uid == os.geteuid():
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            log.warning("Removed %s, which a rehearsal that was killed has left.", folder)
    except BlockingIOError:
        return
    finally:
        os.close(held)
