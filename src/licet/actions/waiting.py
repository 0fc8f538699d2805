"""``Prefer: wait=N``: hold an answer until the action has changed its state, or N seconds.

Source: RFC 7240, sections 2, 3 and 4.3; spec, section 4.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from werkzeug.http import parse_list_header

from licet.actions.documents import ActionStatus

__all__ = ["MAX_WAIT_SECONDS", "WaitingRoom", "preferred_wait_seconds", "wait_for_change"]

MAX_WAIT_SECONDS: Final = 30
_FIRST_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 0.5
_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(;.*)?", re.ASCII | re.IGNORECASE)


def preferred_wait_seconds(header: str | None) -> int:
    """The seconds that a ``Prefer`` header asks for, at most 30; 0 without a wait that is sound.

    Of several, the first counts (RFC 7240, section 2).
    """
    if not header:
        return 0
    for preference in parse_list_header(header):
        found = _WAIT.fullmatch(preference)
        if found is not None:
            return min(int(found[1]), MAX_WAIT_SECONDS)
    return 0


class WaitingRoom:
    """How many requests of a process may wait at once, so that others find a thread.

    Args:
        seats: the number.
    """

    def __init__(self, seats: int) -> None:
        self._seats = threading.BoundedSemaphore(seats) if seats else None

    @contextmanager
    def seat(self) -> Iterator[bool]:
        """Whether there is one; it is free again afterwards."""
        taken = self._seats is not None and self._seats.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken and self._seats is not None:
                self._seats.release()


def wait_for_change(
    read: Callable[[], ActionStatus | None],
    before: ActionStatus,
    seconds: float,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> ActionStatus | None:
    """The action once its state is another than `before`'s, or as it is after `seconds`.

    An action that has ended is not waited for. None when it is gone.
    """
    found: ActionStatus | None = before
    give_up_at = monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while found is not None and found.status == before.status and not found.is_complete():
        left = give_up_at - monotonic()
        if left <= 0:
            return found
        sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        found = read()
    return found
