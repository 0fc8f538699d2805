"""Work that may not hold up an answer, nor tell by its time whether an account exists: mail.

One thread works while there is something to do. It is no daemon: a process that ends first sends
what waits. What a crash loses, a person can ask for again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from licet.errors import ServiceUnavailable

__all__ = ["Outbox"]

log = logging.getLogger(__name__)
_MAX_WAITING: Final = 1000


class Outbox:
    """Runs jobs one after the other, on a thread of its own.

    Args:
        when_answered: called with the function that starts the work, to call it once the present
            request is answered; at once when it is not given.
        max_waiting: how many jobs may wait.

    Concurrency: safe from many threads, and after a fork.
    """

    def __init__(
        self,
        *,
        when_answered: Callable[[Callable[[], None]], None] = lambda start: start(),
        max_waiting: int = _MAX_WAITING,
    ) -> None:
        self._when_answered = when_answered
        self._max_waiting = max_waiting
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    def submit(self, job: Callable[[], None]) -> None:
        """Have `job` run soon. What it raises is logged by its kind alone.

        Raises:
            ServiceUnavailable: too many are waiting.
        """
        with self._lock:
            if len(self._waiting) >= self._max_waiting:
                raise ServiceUnavailable("Too many mails are waiting to be sent. Try again later.")
            self._waiting.append(job)
        self._when_answered(self._start)

    def _start(self) -> None:
        with self._lock:
            if self._waiting and (self._worker is None or not self._worker.is_alive()):
                self._worker = threading.Thread(target=self._work, name="licet-outbox")
                self._worker.start()

    def wait(self, timeout_seconds: float) -> bool:
        """Whether everything that was submitted is done, at the latest after so long."""
        self._start()
        with self._lock:
            worker = self._worker
        if worker is not None:
            worker.join(timeout_seconds)
        return worker is None or not worker.is_alive()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._worker = None
                    return
                job = self._waiting.popleft()
            try:
                job()
            except Exception as error:  # noqa: BLE001 - whatever a job raises, the next one runs
                # Neither text nor traceback: they may hold an address.
                log.error("A job of the outbox failed: %s", type(error).__name__)  # noqa: TRY400 - as above
