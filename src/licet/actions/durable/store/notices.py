"""Word of queued actions between processes, where PostgreSQL passes it on.

Whoever queues an action that no thread of the same process is free for sends a notice; a worker
elsewhere that hears it looks at once. A notice that is lost costs nothing but time: workers look by
themselves, too. Poolers that share connections between transactions pass none on.
"""

from __future__ import annotations

import logging
import selectors
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import sqlalchemy as sa

from licet.db.engine import Database
from licet.db.statement import Statement
from licet.errors import StoreUnavailable

__all__ = ["Listener", "send_notice"]

log = logging.getLogger(__name__)
LOOK_SECONDS: Final = 1.0  # how often it looks whether it is to end
REST_SECONDS: Final = 5.0  # before it connects again
_CHANNEL: Final = "licet_action"
_NOTIFY: Final = Statement(
    sa.select(sa.func.pg_notify(_CHANNEL, sa.bindparam("p", type_=sa.String())))
)


def send_notice(database: Database, provider: str) -> None:
    """Tell workers of other processes that an action of a provider is queued; SQLite cannot."""
    if not database.is_sqlite:
        with suppress(StoreUnavailable):  # they will look by themselves
            database.fetch_one(_NOTIFY, {"p": provider})


class Listener:
    """A thread that hears of actions which other processes queue.

    Args:
        database: of PostgreSQL.
        heard: called, in that thread, when there is something to look for.
    """

    def __init__(self, database: Database, heard: Callable[[], None]) -> None:
        self._database = database
        self._heard = heard
        self._ended = threading.Event()

    def start(self) -> None:
        """Listen until `stop`, on a connection of its own."""
        threading.Thread(target=self._run, name="licet-listener", daemon=True).start()

    def stop(self) -> None:
        """End soon."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001 - of the pool, the driver or the system
                log.info("No notices of queued actions: %s", error)
            self._ended.wait(REST_SECONDS)

    def _listen(self) -> None:
        pooled = self._database.engine.raw_connection()
        try:
            connection: Any = pooled.driver_connection
            connection.execute(f"LISTEN {_CHANNEL}")
            self._heard()  # of what was queued before it listened
            with selectors.DefaultSelector() as selector:
                selector.register(connection.fileno(), selectors.EVENT_READ)
                while not self._ended.is_set():
                    if selector.select(LOOK_SECONDS) and _take_notices(connection.pgconn):
                        self._heard()
        finally:
            pooled.invalidate()  # nobody else is to have one that listens


def _take_notices(pgconn: Any) -> bool:
    """Whether there were any; raises when the server has closed the connection."""
    pgconn.consume_input()
    n_found = 0
    while pgconn.notifies() is not None:
        n_found += 1
    return n_found > 0
