"""Writing to a database that may be away for a while."""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from licet.errors import StoreUnavailable

__all__ = ["PATIENCE_SECONDS", "Patience"]

log = logging.getLogger(__name__)
R = TypeVar("R")
PATIENCE_SECONDS: Final = 120.0
_FIRST_WAIT_SECONDS: Final = 0.05
_LONGEST_WAIT_SECONDS: Final = 2.0


class Patience:
    """Calls functions that write, again while the database is away.

    Args:
        seconds: how long each waits at most.
        ended: when it is set, nothing is tried again but once.
        locked_seconds: how long for a SQLite file in which somebody else writes; None: as long.
    """

    def __init__(
        self, seconds: float, ended: threading.Event, *, locked_seconds: float | None = None
    ) -> None:
        self._seconds = seconds
        self._ended = ended
        self._locked_seconds = seconds if locked_seconds is None else locked_seconds

    def __call__(self, write: Callable[[], R]) -> R:
        """What the function returns.

        Raises:
            StoreUnavailable: the database stayed away.
        """
        try:
            return write()
        except StoreUnavailable:
            if self._ended.is_set():
                raise
        return self._try_again(write)

    def _try_again(self, write: Callable[[], R]) -> R:
        began = time.monotonic()
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            log.warning("The database does not answer: trying again.")
            # when it is to end, it tries once more at once
            self._ended.wait(wait_seconds * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            try:
                return write()
            except StoreUnavailable as error:
                limit_seconds = self._locked_seconds if _is_locked(error) else self._seconds
                if self._ended.is_set() or time.monotonic() - began >= limit_seconds:
                    raise
            wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)


def _is_locked(error: BaseException | None) -> bool:
    """Whether it comes of SQLite's ``database is locked``."""
    while error is not None:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF == sqlite3.SQLITE_BUSY:
            return True
        error = error.__cause__
    return False
