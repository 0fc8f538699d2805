"""One process at a time migrates a database; the others wait.

On PostgreSQL the lock is an advisory one, held by a transaction of its own: it survives what the
migration commits, and goes when the process dies. It is asked for again and again instead of waited
for, because ``CREATE INDEX CONCURRENTLY`` waits for every statement that is under way, one that
waits for this lock included.

On SQLite it is a lock on the folder of the file, which leaves nothing behind.
"""

from __future__ import annotations

import fcntl
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from licet.db.branches.branch import Branch
from licet.errors import SchemaUnusable, StoreUnavailable

__all__ = ["LOCK_ID", "NEVER_ENDED", "WAIT_SECONDS", "migration_lock"]

log = logging.getLogger(__name__)
LOCK_ID: Final = 0x6C69636574  # "licet", of both branches
NEVER_ENDED: Final = """
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""  # for the transaction that it is run in; the second one is known since PostgreSQL 17
WAIT_SECONDS: Final = 600
_TURN: Final = threading.RLock()  # what Alembic works on is global to the process


@contextmanager
def migration_lock(branch: Branch, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock for the block.

    Raises:
        SchemaUnusable: another process has had it for longer than `wait_seconds`.
        StoreUnavailable: the database does not answer.
    """
    with _TURN:
        if branch.is_sqlite:
            with _folder_lock(branch, wait_seconds):
                yield
        else:
            with _advisory_lock(branch, wait_seconds):
                yield


@contextmanager
def _folder_lock(branch: Branch, wait_seconds: float) -> Iterator[None]:
    try:
        folder = os.open(branch.real_file.parent, os.O_RDONLY)
    except OSError as error:
        raise StoreUnavailable from error

    def taken() -> bool:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a network's file system without such locks: SQLite's own must do
            return True
        return True

    try:
        _wait_for(taken, branch, wait_seconds)
        yield
    finally:
        os.close(folder)


@contextmanager
def _advisory_lock(branch: Branch, wait_seconds: float) -> Iterator[None]:
    engine = branch.engine or sa.create_engine(branch.url, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:

            def taken() -> bool:
                asked = sa.select(sa.func.pg_try_advisory_xact_lock(LOCK_ID))
                if connection.scalar(asked):
                    return True
                connection.rollback()
                return False

            _wait_for(taken, branch, wait_seconds)
            connection.execute(sa.text(NEVER_ENDED))
            yield
    except DBAPIError as error:
        raise StoreUnavailable from error
    finally:
        if branch.engine is None:
            engine.dispose()


def _wait_for(taken: Callable[[], bool], branch: Branch, wait_seconds: float) -> None:
    give_up_at = time.monotonic() + wait_seconds
    is_told = False
    while not taken():
        if time.monotonic() >= give_up_at:
            raise SchemaUnusable(
                told=f"Another process has been migrating {branch.place} for {wait_seconds:.0f} "
                "s: wait "
                "until it has ended, or end it; its migration is then undone."
            )
        if not is_told:
            log.warning("Another process migrates %s: waiting for it.", branch.place)
            is_told = True
        time.sleep(random.uniform(0.05, 0.15))  # noqa: S311 - jitter
