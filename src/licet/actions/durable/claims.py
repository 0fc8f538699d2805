"""What a worker claims: whose turn it is, how many of each job at once, and from where to read on.

A claim takes the longest due action of a queue. PostgreSQL leaves an index entry behind for each
that was claimed, until the table is vacuumed, and a claim that begins at the head of the queue
walks over all of them: with a thousand claims a second, for a minute, that is most of what a claim
costs. So each reads on from where the one before stood, and one in half a second the whole queue,
for what came late: from hosts whose clocks are behind, or after a long wait for the database. Who
finds nothing is not content with less than the whole queue.

Concurrency: safe from the threads of a worker. Two that read on at once may both read the whole
queue, which costs time and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from licet.actions.durable.execution import Job
from licet.actions.durable.store.runs import THE_BEGINNING, Claimed, Then

__all__ = ["Claim", "Claims"]

WHOLE_SECONDS: Final = 0.5  # how often the whole queue is read
FRESH_SECONDS: Final = 0.02  # and by a thread that would sleep otherwise
OVERLAP: Final = timedelta(seconds=0.1)  # who submits at once is stored in any order


class Claim(NamedTuple):
    """An action that was claimed, and the job that it is of."""

    job: Job
    held: Claimed


class Claims:
    """The claims of one worker.

    Args:
        jobs: what it may claim.
        owner: the worker's name.
        lock: guards the worker's state.
        freed: of that lock; once closed, notified when room becomes free.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        owner: str,
        lock: threading.RLock,
        freed: threading.Condition,
    ) -> None:
        self._jobs = list(jobs)
        self._owner = owner
        self._lock = lock  # taken itself: ``with freed`` goes through two Python functions
        self._freed = freed
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

    def knows_all_of(self, job: Job) -> bool:
        """Whether nothing else need be read when nothing was found of this job just now."""
        is_whole = job.runs.takes_turns or not self._is_due(job, FRESH_SECONDS)
        return len(self._jobs) == 1 and is_whole

    def close(self) -> None:
        """Claim nothing more."""
        with self._lock:
            self._is_closed = True

    # --- room

    def reserve(self, job: Job) -> bool:
        """Take room for one more action of the job, if it may have one; to be freed again."""
        with self._lock:
            return self._take_room(job)

    def _take_room(self, job: Job) -> bool:
        provider, limit = job.action.provider, job.action.concurrency
        n_in_flight = self._in_flight.get(provider, 0)
        if self._is_closed or (limit is not None and n_in_flight >= limit):
            return False
        self._in_flight[provider] = n_in_flight + 1
        return True

    def reserve_or_put_off(self, job: Job) -> bool:
        """As `reserve`; where there is no room, whoever makes some is to claim one more."""
        with self._lock:  # at once, so that whoever makes room meanwhile knows of it
            has_room = self._take_room(job)
            self._put_off[job.provider] += not has_room
            return has_room

    def reserve_next(self) -> Job | None:
        """The next job in turn that has room for one more action, which is reserved."""
        with self._lock:
            for _ in range(len(self._jobs)):
                self._turn += 1
                job = self._jobs[self._turn % len(self._jobs)]
                if self._take_room(job):
                    return job
        return None

    def free(self, job: Job) -> None:
        """Give room back."""
        with self._lock:
            self._in_flight[job.provider] -= 1
            if self._is_closed:  # nobody waits before
                self._freed.notify_all()

    # --- claims: what they return has room of its own

    def next(self) -> Claim | None:
        """The next action of whichever job has room and one that is due.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        with self._lock:
            self._turn += 1
            first = self._turn % len(self._jobs) if self._jobs else 0
        for job in [*self._jobs[first:], *self._jobs[:first]]:
            if not self.reserve(job):
                continue
            held = None
            try:
                since = self._since(job, FRESH_SECONDS)
                held = job.runs.claim(self._owner, job.action.lease, since=since)
            finally:
                if held is None:
                    self.free(job)
            if held is not None:
                self.note(job, held)
                return Claim(job, held)
        return None

    def then(self, job: Job) -> Then:
        """How to claim the job's next in the transaction of another write; `note` it then."""
        since = self._since(job, WHOLE_SECONDS)
        return Then(job.runs, self._owner, job.action.lease, since)

    def named(self, job: Job, action_id: str) -> Claim | None:
        """The one that a message named, if it is still to be run; room is reserved already.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        held = None
        try:
            if not self._is_closed:
                held = job.runs.claim_one(self._owner, job.action.lease, action_id)
        finally:
            if held is None:
                self.free(job)
        return None if held is None else Claim(job, held)

    def instead(self, job: Job) -> Claim | None:
        """One instead of another that was put off.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        while True:
            with self._lock:
                n_put_off = self._put_off[job.provider]
                if not n_put_off or not self.reserve(job):
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

    def note(self, job: Job, held: Claimed) -> None:
        """Remember from where to read on."""
        if held.life.ready_at is not None:
            self._reached[job.provider] = held.life.ready_at

    def _since(self, job: Job, seconds: float) -> datetime:
        """From where to read now: the whole queue, if that was not done for so many seconds."""
        if job.runs.takes_turns:  # SQLite leaves nothing behind
            return THE_BEGINNING
        if self._is_due(job, seconds):
            self._whole_at[job.provider] = time.monotonic()
            return THE_BEGINNING
        return self._reached.get(job.provider, THE_BEGINNING) - OVERLAP

    def _is_due(self, job: Job, seconds: float) -> bool:
        last = self._whole_at.get(job.provider)
        return last is None or time.monotonic() - last >= seconds
