"""What a worker claims: whose turn it is, how many of each job at once, and from where to read on.

A claim takes the actions of a queue that are due longest. PostgreSQL leaves an index entry behind
for each that was claimed, until the table is vacuumed, and a claim that begins at the head of the
queue walks over all of them: with a thousand claims a second, for a minute, that is most of what a
claim costs. So each reads on from where the one before stood, and one in half a second the whole
queue, for what came late: from hosts whose clocks are behind, or after a long wait for the
database. One that finds fewer than it could take reads the whole queue at once.

Concurrency: safe from any thread.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from licet.actions.durable.attempt import Job
from licet.actions.durable.store.runs import THE_BEGINNING, Claimed

__all__ = ["Claim", "Claims"]

WHOLE_SECONDS: Final = 0.5  # how often the whole queue is read
FRESH_SECONDS: Final = 0.02  # how long nothing new is expected in it by who found too few
OVERLAP: Final = timedelta(seconds=0.1)  # who submits at once is stored in any order


class Claim(NamedTuple):
    """An action that was claimed, and the job that it is of. It has room until that is freed."""

    job: Job
    held: Claimed


class Claims:
    """The claims of one worker.

    Args:
        jobs: what it may claim.
        owner: the worker's name.
    """

    def __init__(self, jobs: Sequence[Job], owner: str) -> None:
        self._jobs = list(jobs)
        self._owner = owner
        self._lock = threading.Lock()
        self._in_flight: Counter[str] = Counter()
        self._put_off: Counter[str] = Counter()  # messages that there was no room for
        self._turn = 0
        self._is_closed = False
        self._reached: dict[str, datetime] = {}
        self._whole_at: dict[str, float] = {}  # when the whole queue was read last

    @property
    def is_empty(self) -> bool:
        """Whether nothing that was claimed is left, nor is being claimed."""
        return not any(self._in_flight.values())

    def close(self) -> None:
        """Claim nothing more."""
        with self._lock:
            self._is_closed = True

    def free(self, job: Job) -> None:
        """Give room for one action back."""
        self._give_back(job, 1)

    def _take_room(self, job: Job, count: int) -> int:
        """Room for at most so many more actions of the job; how many there is room for."""
        with self._lock:
            return self._room(job, count)

    def _room(self, job: Job, count: int) -> int:
        limit = job.action.concurrency
        if self._is_closed:
            count = 0
        elif limit is not None:
            count = min(count, limit - self._in_flight[job.provider])
        self._in_flight[job.provider] += count
        return count

    def _give_back(self, job: Job, count: int) -> None:
        with self._lock:
            self._in_flight[job.provider] -= count

    # --- of the queues

    def take(self, count: int) -> list[Claim]:
        """At most so many actions that are due, of whichever jobs have room.

        Each time another job is the first to be asked.

        Raises:
            StoreUnavailable: the database does not answer, and nothing was claimed.
        """
        found: list[Claim] = []
        self._turn += 1
        first = self._turn % len(self._jobs) if self._jobs else 0
        for job in [*self._jobs[first:], *self._jobs[:first]]:
            if len(found) < count:
                try:
                    found += self._take_of(job, count - len(found))
                except Exception:
                    if not found:
                        raise
                    break  # what was claimed is to be run; the rest is asked for again
        return found

    def _take_of(self, job: Job, count: int) -> list[Claim]:
        room = self._take_room(job, count)
        if room <= 0:
            return []
        held: list[Claimed] = []
        try:
            is_whole = job.runs.takes_turns or self._is_due(job, WHOLE_SECONDS)
            held += self._read(job, room, is_whole=is_whole)
            if len(held) < room and not is_whole and self._is_due(job, FRESH_SECONDS):
                held += self._read(job, room - len(held), is_whole=True)
        finally:
            self._give_back(job, room - len(held))
        return [Claim(job, one) for one in held]

    def _read(self, job: Job, count: int, *, is_whole: bool) -> list[Claimed]:
        """What is claimed of the whole queue, or from where the last claim stood."""
        since = THE_BEGINNING
        if not is_whole:
            since = self._reached.get(job.provider, THE_BEGINNING) - OVERLAP
        elif not job.runs.takes_turns:  # SQLite leaves nothing behind
            self._whole_at[job.provider] = time.monotonic()
        held = job.runs.claim_many(self._owner, job.action.lease, count, since=since)
        if held and held[-1].life.ready_at is not None:
            self._reached[job.provider] = held[-1].life.ready_at
        return held

    def _is_due(self, job: Job, seconds: float) -> bool:
        last = self._whole_at.get(job.provider)
        return last is None or time.monotonic() - last >= seconds

    # --- of messages

    def named(self, job: Job, action_id: str) -> Claim | None:
        """The action that a message named, if it is still to be run.

        Where there is no room for it, the message is remembered, and whoever makes room is to claim
        one more (`instead`).

        Raises:
            StoreUnavailable: the database does not answer.
        """
        with self._lock:  # at once, so that whoever makes room meanwhile knows of it
            has_room = self._room(job, 1) > 0
            self._put_off[job.provider] += not (has_room or self._is_closed)
        if not has_room:
            return None
        held = None
        try:
            held = job.runs.claim_one(self._owner, job.action.lease, action_id)
        finally:
            if held is None:
                self.free(job)
        return self.instead(job) if held is None else Claim(job, held)

    def instead(self, job: Job) -> Claim | None:
        """One instead of another that there was no room for.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        while True:
            with self._lock:
                n_put_off = self._put_off[job.provider]
                if not n_put_off or self._room(job, 1) <= 0:
                    return None  # or somebody else makes room
            try:
                held = job.runs.claim_ready(self._owner, job.action.lease)
            except BaseException:
                self.free(job)
                raise
            with self._lock:
                # none found: all that had been put off until then is in other hands
                done = n_put_off if held is None else 1
                self._put_off[job.provider] = max(0, self._put_off[job.provider] - done)
            if held is not None:
                return Claim(job, held)
            self.free(job)
