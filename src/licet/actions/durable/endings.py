"""Writes what becomes of attempts, many in one commit.

The threads of a worker hand over what their attempts return, and go on. Whatever has gathered while
one group was written is the next group. What a worker gives back as it stops is written likewise.

Concurrency: `put` may be called from any thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from licet.actions.durable.attempt import Attempt
from licet.actions.durable.running import Reason
from licet.actions.durable.store.patience import Patience
from licet.actions.durable.store.runs import Move
from licet.errors import LeaseLost, StoreUnavailable

__all__ = ["Endings"]

log = logging.getLogger(__name__)
MAX_GROUP: Final = 500


class _Ending(NamedTuple):
    attempt: Attempt
    move: Move


class Endings:
    """The thread that writes the ends of a worker's attempts.

    Args:
        persist: calls a function that writes, again and again while the database is away.
        written: called with each attempt when its end is written, or will not be.
    """

    def __init__(self, persist: Patience, written: Callable[[Attempt], None]) -> None:
        self._persist = persist
        self._written = written
        self._changed = threading.Condition()
        self._waiting: list[_Ending] = []
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="licet-endings", daemon=True)

    def start(self) -> None:
        """Begin, once."""
        self._thread.start()

    def put(self, attempt: Attempt, move: Move) -> None:
        """Have the end of an attempt written soon."""
        with self._changed:
            self._waiting.append(_Ending(attempt, move))
            self._changed.notify()

    def close(self) -> None:
        """End the thread when everything is written that it was given."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _work(self) -> None:
        while self._write_next():
            pass

    def _write_next(self) -> bool:
        """Whether there was something to write, or will be: it waits without holding the last."""
        with self._changed:
            while not (self._waiting or self._is_closed):
                self._changed.wait()
            group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
        for _, of_one_database in groupby(group, lambda e: id(e.move.runs.database)):
            self.write(of_one_database)
        return bool(group)

    def write(self, endings: Iterable[tuple[Attempt, Move]]) -> None:
        """Write the ends of some attempts, of one database, in one commit; one by one if it fails.

        Nothing is raised: what cannot be written is logged, and its action is run again elsewhere.
        """
        found = [_Ending(*ending) for ending in endings]
        try:
            lost = self._persist(lambda: found[0].move.runs.move_all([e.move for e in found]))
            for move in lost:
                log.warning("%s", LeaseLost(move.held.action_id))
        except StoreUnavailable:
            for ending in found:
                log.error(  # noqa: TRY400 - its cause is told each time a write is tried
                    "Action %s: the database stayed away; another attempt will be made.",
                    ending.move.held.action_id,
                )
        except Exception:
            if len(found) > 1:
                for ending in found:
                    self.write([ending])
                return
            log.exception("Action %s: the attempt broke off.", found[0].move.held.action_id)
        for ending in found:
            self._written(ending.attempt)

    def give_back(self, attempts: Sequence[Attempt]) -> None:
        """Queue the actions of handlers that go on for other workers; it is tried once.

        Nothing is raised: of what cannot be given back, the lease runs out.
        """
        moves = [attempt.stopped_by(Reason.SHUTDOWN, None) for attempt in attempts]
        for _, of_one_database in groupby(moves, lambda move: id(move.runs.database)):
            _give_back(list(of_one_database))


def _give_back(moves: Sequence[Move]) -> None:
    """In one commit: a database that does not answer is waited for once."""
    why: dict[int, Exception] = {}
    try:
        for move in moves[0].runs.move_all(moves):
            why[move.held.key] = LeaseLost(move.held.action_id)
    except Exception as error:  # noqa: BLE001 - the worker stops, whatever it is
        why = {move.held.key: error for move in moves}
    for move in moves:
        if move.held.key in why:
            log.warning(
                "Action %s could not be given back: %r", move.held.action_id, why[move.held.key]
            )
        else:
            log.warning("Action %s is given back unfinished.", move.held.action_id)
