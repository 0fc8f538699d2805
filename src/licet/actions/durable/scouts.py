"""Which of a worker's threads looks for work, and when another one is called.

Threads that have nothing to do sleep. A *scout* is a thread that looks for work, or that began to
run an action less than two milliseconds ago: it will look again in a moment, and so nobody else is
called for what is queued meanwhile. Threads that wake each other for trifles get half as much done.
When its action takes longer, the thread is no scout any more, and another goes in its place. So one
or two threads work off what takes no time, and a queue of long actions has all of them at work
within milliseconds. SQLite takes one writer at a time: there no more threads look than can run
their actions while one of them writes, and one that is too many leaves it to the others.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Final

__all__ = ["Scouts", "scouts_beside_a_writer", "scouts_for"]

SOON_SECONDS: Final = 0.002
LOOK_SECONDS: Final = 0.5  # a look that takes longer hangs: somebody else shall try
WRITE_SECONDS: Final = 0.0002  # what SQLite takes to end an action and claim the next
_WATCHES_ON: Final = 10  # so often nobody must be out before the keeper sleeps


def scouts_for(waited: timedelta) -> int:
    """How many are wanted when an action waited so long before it was claimed.

    Two do more than one, and a few more still where the database is far away.
    """
    seconds = waited.total_seconds()
    if seconds < 0.05:
        return 1
    return 2 if seconds < 0.5 else 4 if seconds < 5 else 16


def scouts_beside_a_writer(seconds: float) -> int:
    """How many are wanted where one writes at a time, and actions take so long before they end."""
    return 1 + min(15, int(seconds / WRITE_SECONDS))


class Scouts:
    """The threads of one worker that look for work.

    Args:
        lock: guards the worker's state.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._called = threading.Condition(lock)
        self._n_idle = 0
        self._n_called = 0  # and not awake yet
        self._is_wanted = False  # one was to be called when none was idle
        self._out: dict[int, float] = {}  # the scouts, and until when they count as such
        self._is_closed = False
        self.n_told = 0  # of how much work the worker was told
        self._watch = threading.Event()  # set when the keeper is to watch
        self._n_quiet = 0

    def tell(self) -> None:
        """There is work: have it looked for, by who will look in a moment or by another."""
        with self._lock:
            self.n_told += 1
            self.call(limit=1)

    def call(self, *, limit: int) -> None:
        """Have another thread look, if fewer than so many do."""
        with self._lock:
            self._drop_late()  # also while the keeper is busy
            if len(self._out) + self._n_called < limit:
                self._call()

    def _call(self) -> None:
        if self._n_idle <= self._n_called:
            self._is_wanted = True
        elif not self._is_closed:
            self._n_called += 1
            self._called.notify()

    def _drop_late(self) -> int:
        """Forget the scouts that take too long; how many they were."""
        now = time.monotonic()
        late = [thread for thread, until in self._out.items() if until <= now]
        for thread in late:
            del self._out[thread]
        return len(late)

    def _go_out(self, seconds: float) -> None:
        self._out[threading.get_ident()] = time.monotonic() + seconds
        if self._n_quiet >= _WATCHES_ON:
            self._n_quiet = 0
            self._watch.set()

    # --- for the threads that work

    def wait(self) -> bool:
        """Sleep until there is work to look for: then the caller is a scout.

        Returns:
            False when there will be none any more.
        """
        with self._lock:
            self._n_idle += 1
            while not (self._n_called or self._is_wanted or self._is_closed):
                self._called.wait()
            self._n_idle -= 1
            if self._is_closed:
                return False
            if self._is_wanted:
                self._is_wanted = False
            else:
                self._n_called -= 1
            self._go_out(LOOK_SECONDS)
            return True

    def begin_look(self) -> None:
        """The caller looks for work."""
        with self._lock:
            self._go_out(LOOK_SECONDS)

    def begin_run(self) -> None:
        """The caller runs an action."""
        with self._lock:
            self._go_out(SOON_SECONDS)

    def retire_if_too_many(self, wanted: int) -> bool:
        """Be a scout no more, if so many others are: of two who ask at once, one stays."""
        me = threading.get_ident()
        with self._lock:
            if len(self._out.keys() - {me}) >= wanted:
                self._drop_late()
            if len(self._out.keys() - {me}) < wanted:
                return False
            self._out.pop(me, None)
            return True

    def retire(self, n_told: int | None = None) -> bool:
        """Be a scout no more, unless the worker was told of more work since it was told of so much.

        Returns:
            Whether the caller is one no more.
        """
        with self._lock:
            if n_told is not None and self.n_told > n_told and not self._is_closed:
                return False
            self._out.pop(threading.get_ident(), None)
            if n_told is not None:
                self._is_wanted = False  # the caller has looked since
            return True

    # --- for the keeper

    def watch(self, seconds: float) -> None:
        """Send others in the place of scouts who take long, and wait: at most so long."""
        with self._lock:
            for _ in range(self._drop_late()):
                self._call()
            self._n_quiet = 0 if self._out or self._n_called else self._n_quiet + 1
            may_sleep = self._n_quiet >= _WATCHES_ON
        if self._watch.wait(seconds if may_sleep else min(seconds, SOON_SECONDS)):
            self._watch.clear()

    def wake_keeper(self) -> None:
        """Have `watch` return."""
        self._watch.set()

    def close(self) -> None:
        """Send every thread home that has nothing to do."""
        with self._lock:
            self._is_closed = True
            self._called.notify_all()
