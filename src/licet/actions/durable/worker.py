"""A worker: one thread that claims actions, threads that run them, one that writes their ends.

The *producer* claims, in one statement, as many actions as there are threads without one, never
more: a claim is the beginning of an attempt. The *threads* run attempts. What an attempt returns is
written by `licet.actions.durable.endings`, together with whatever else has ended meanwhile. The
*keeper* wakes the producer now and then for what nobody told of, renews leases, stores the last
progress that was told, and gives up on handlers that were told to stop and do not.

docs/reference/worker.md has a drawing.

Concurrency: `wake`, `notice_cancel` and `stop` may be called from any thread.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Collection, Sequence
from queue import SimpleQueue
from typing import Final

from licet.actions.durable.attempt import Attempt, Job
from licet.actions.durable.care import GRACE_SECONDS, Care
from licet.actions.durable.claims import Claim, Claims
from licet.actions.durable.endings import Endings
from licet.actions.durable.running import Reason
from licet.actions.durable.store.notices import Listener
from licet.actions.durable.store.patience import PATIENCE_SECONDS, Patience
from licet.actions.durable.store.runs import Move
from licet.db.engine import Database
from licet.errors import StoreUnavailable

__all__ = ["Worker"]

log = logging.getLogger(__name__)
POLL_SECONDS: Final = 0.5
STOP_SECONDS: Final = 10.0
LAST_SECONDS: Final = 1.5  # for ends that are being written when the time to stop is over
GATHER_SECONDS: Final = 0.002
LOCKED_SECONDS: Final = 5.0  # how long a handler waits for a SQLite file that is locked
_MAX_GIVEN_UP: Final = 4  # times the number of threads


class Worker:
    """Runs the actions of some jobs.

    Args:
        jobs: what it may run.
        threads: how many actions at once.
        poll_seconds: how often it looks for work that nobody told it of.
        patience_seconds: how long what it must write waits for a database that is away.
        grace_seconds: how long a handler may go on that was told to stop; then its action ends
            without it.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        threads: int,
        poll_seconds: float = POLL_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.owner = f"{os.getpid()}-{uuid.uuid4().hex}"
        self.claims = Claims(jobs, self.owner)
        self._jobs = list(jobs)
        self._n_threads = threads
        self._poll_seconds = poll_seconds
        self._changed = threading.Condition()  # of what follows
        self._n_free = 0  # threads without an attempt
        self._is_told = True  # of work that nobody has looked for yet
        self._may_be_more = True  # in the queue than the last claim found
        self._looked_at = float("-inf")
        self._is_claiming = False
        self._present: set[Attempt] = set()  # until their ends are written
        self._n_given_up = 0
        self._n_missing = threads  # that are still to be started
        self._stopping = False
        self._is_over = threading.Event()  # set when `stop` has done all of it
        self._handed: SimpleQueue[Attempt | None] = SimpleQueue()
        self._stopped = threading.Event()
        self._persist = Patience(patience_seconds, self._stopped)
        self._persist_within = Patience(
            patience_seconds, self._stopped, locked_seconds=min(patience_seconds, LOCKED_SECONDS)
        )
        self._care = Care(self._give_up, grace_seconds=grace_seconds)
        self._endings = Endings(self._persist, self._forget)
        self._is_polling = True
        self._keeper: threading.Thread | None = None
        self._listeners: list[Listener] = []

    def start(self, *, polling: bool = True) -> None:
        """Begin, once; without `polling` only what is named (`run_named`) is run."""
        if self._keeper is not None:
            return
        self._is_polling = polling
        self._endings.start()
        if polling:
            self._add_threads()
            _thread("licet-producer", self._produce)
            self._listeners = [Listener(db, self.wake) for db in self._postgresql()]
            for listener in self._listeners:
                listener.start()
        self._keeper = _thread("licet-keeper", self._keep)

    def _postgresql(self) -> list[Database]:
        """The databases of its jobs that pass notices on."""
        found = {id(job.runs.database): job.runs.database for job in self._jobs}
        return [database for database in found.values() if not database.is_sqlite]

    def _add_threads(self) -> None:
        """Start those that are missing; the keeper tries again where the system has none now."""
        while self._n_missing:
            try:
                _thread("licet-worker", self._work)
            except RuntimeError as error:
                log.warning("%d threads of a worker are missing: %s", self._n_missing, error)
                return
            with self._changed:
                self._n_missing -= 1
                self._n_free += 1
                self._changed.notify_all()

    def wake(self) -> None:
        """Have an action looked for that was just queued."""
        if not self._is_told:  # who has not looked yet will find it
            with self._changed:
                self._is_told = True
                self._changed.notify_all()

    def notice_cancel(self, action_id: str) -> None:
        """Have the handler of an action told at its next call, if it runs here."""
        for attempt in self._attempts():
            if attempt.held.action_id == action_id:
                attempt.control.stop(Reason.CANCELLED)

    def _attempts(self) -> list[Attempt]:
        with self._changed:
            return list(self._present)

    @property
    def n_running(self) -> int:
        """How many actions it works on, those included whose ends are being written."""
        return len(self._present)

    @property
    def is_busy(self) -> bool:
        """Whether no thread of it is free for what is queued."""
        return self._n_free <= 0

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping

    def wait_for_stop(self, limit_seconds: float) -> None:
        """Until it is told to stop, or the limit is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, limit_seconds)

    # --- the producer

    def _produce(self) -> None:
        self._relax()
        while True:
            with self._changed:
                while not (self._stopping or (self._is_told and self._n_free)):
                    self._changed.wait()
                if not self._may_be_more:  # what comes one by one is gathered for a moment
                    left = self._looked_at + GATHER_SECONDS - time.monotonic()
                    self._changed.wait_for(lambda: self._stopping, max(0.0, left))
                if self._stopping:
                    return
                count = self._n_free
                self._is_told = False
                self._looked_at = time.monotonic()
                self._is_claiming = True
            self._hand_out(count)

    def _hand_out(self, count: int) -> None:
        """Claim as many as there are threads without one, and give them to these."""
        attempts = [self._begin(claim) for claim in self._claim_safely(count)]
        with self._changed:
            self._is_claiming = False
            self._may_be_more = len(attempts) == count
            self._is_told |= self._may_be_more
            self._n_free -= len(attempts)
            if self._stopping:
                self._changed.notify_all()
        for attempt in attempts:
            self._handed.put(attempt)

    def _relax(self) -> None:
        """A claim or a renewal that a power cut undoes is made again: it need not be waited for."""
        for job in self._jobs:
            job.runs.database.relax()

    def _claim_safely(self, count: int) -> list[Claim]:
        try:
            return self.claims.take(count)
        except StoreUnavailable:
            log.warning("No work can be claimed: the database does not answer.")
        except Exception:
            log.exception("No work can be claimed.")
        return []

    def _begin(self, claim: Claim) -> Attempt:
        attempt = Attempt(claim.job, claim.held, self._persist, self._persist_within)
        with self._changed:
            self._present.add(attempt)
            if self._stopping:  # it was being claimed when the worker was told to stop
                attempt.control.stop(Reason.SHUTDOWN)
        return attempt

    # --- the threads that run attempts

    def _work(self) -> None:
        while self._work_on_next():
            pass

    def _work_on_next(self) -> bool:
        """Whether this thread is to go on: it waits without holding the last attempt."""
        attempt = self._handed.get()
        if attempt is None:
            return False
        move = self._run(attempt)
        if move is not None:
            self._endings.put(attempt, move)
        return self._leave(attempt)

    def run_named(self, job: Job, action_id: str) -> bool:
        """Run the action that a message named, if it is still to be run.

        Where the job has no room for it, the message is remembered, and whoever makes room runs
        one more action of the queue: it need not be sent again.

        Returns:
            Whether anything was run.

        Raises:
            StoreUnavailable: nothing can be claimed now.
        """
        claim = self.claims.named(job, action_id)
        has_run = claim is not None
        while claim is not None:
            attempt = self._begin(claim)
            move = self._run(attempt)
            if move is not None:
                self._endings.write([(attempt, move)])
            self._leave(attempt)
            claim = self.claims.instead(job)
        return has_run

    def _run(self, attempt: Attempt) -> Move | None:
        """What is to be written; if nothing is, or no longer by this thread, it is forgotten."""
        move = None
        try:
            move = attempt.run()
        except StoreUnavailable:
            log.error(  # noqa: TRY400 - its cause is told each time a write is tried
                "Action %s: the database stayed away; another attempt will be made.",
                attempt.held.action_id,
            )
        except BaseException:
            log.exception("Action %s: the attempt broke off.", attempt.held.action_id)
        if attempt.finish() and move is not None:
            return move
        if not attempt.is_given_up:
            self._forget(attempt)
        return None

    def _leave(self, attempt: Attempt) -> bool:
        """Whether the calling thread may take another attempt, after this one."""
        with self._changed:
            if attempt.is_given_up:
                self._n_given_up -= 1
                if attempt.job.action.concurrency is not None:
                    self.claims.free(attempt.job)
                return False
            self.claims.free(attempt.job)
            self._n_free += 1
            if attempt.job.action.concurrency is not None:
                self._is_told = True  # there was no room for more until now
            if self._is_told:
                self._changed.notify_all()
            return True

    def _forget(self, attempt: Attempt) -> None:
        """The attempt is over, and so is what had to be written of it."""
        with self._changed:
            self._present.discard(attempt)
            if self._stopping:
                self._changed.notify_all()

    # --- the keeper

    def _keep(self) -> None:
        self._relax()
        while not self._stopped.wait(self._tick_seconds()):
            self._make_round()

    def _make_round(self) -> None:
        for attempt in self._attempts():
            self._care.look_after(attempt)
        if self._is_polling:
            self._add_threads()
        self.wake()  # for what nobody told of

    def _tick_seconds(self) -> float:
        shortest = min((job.action.lease_seconds for job in self._jobs), default=30.0)
        return min(self._poll_seconds, shortest / 6)

    def _give_up(self, attempt: Attempt, reason: Reason) -> None:
        """End an attempt whose handler was told to stop and does not; another thread works on.

        Raises:
            LeaseLost: the action is somebody else's now, or has ended.
            StoreUnavailable: the database does not answer.
        """
        if self._n_given_up >= self._n_threads * _MAX_GIVEN_UP:
            return
        move = None
        if reason is not Reason.LEASE_LOST:
            asked_by = attempt.job.runs.cancel_requested_by(attempt.held)
            move = attempt.stopped_by(reason, asked_by)
        with self._changed:
            if attempt.is_given_up or attempt not in self._present:
                return
            if not attempt.finish():
                return
            self._n_given_up += 1
            attempt.is_given_up = True
            if attempt.job.action.concurrency is None:  # else it is still at what only so many may
                self.claims.free(attempt.job)
        log.error(
            "Action %s was told to stop (%s), and its handler goes on: a thread is given up on. "
            "Handlers should call raise_if_cancelled now and then.",
            attempt.held.action_id,
            reason.value,
        )
        attempt.control.stop(Reason.LEASE_LOST)  # the handler can write nothing more
        if move is None:
            self._forget(attempt)
        else:
            self._endings.put(attempt, move)
        if self._is_polling:
            self._n_missing += 1
            self._add_threads()

    # --- the end

    def stop(self, limit_seconds: float = STOP_SECONDS) -> None:
        """Claim nothing more, let running steps end, give back what is left after the limit.

        What was claimed or ended by then is given back or written before it returns, if the
        database is quick enough. A second call returns when the first is done.
        """
        with self._changed:
            is_first, self._stopping = not self._stopping, True
        if not is_first:
            self._is_over.wait()
            return
        try:
            self._stop(limit_seconds)
        finally:
            self._is_over.set()

    def _stop(self, limit_seconds: float) -> None:
        with self._changed:
            self.claims.close()
            for attempt in self._present:
                attempt.control.stop(Reason.SHUTDOWN)
            self._changed.notify_all()
            self._changed.wait_for(self._is_idle, timeout=limit_seconds)
            left = {attempt for attempt in self._present if attempt.finish()}
        self._stopped.set()
        for listener in self._listeners:
            listener.stop()
        self._endings.give_back(list(left))
        for attempt in left:
            attempt.control.stop(Reason.LEASE_LOST)
        with self._changed:
            self._changed.wait_for(lambda: self._is_idle(but=left), timeout=LAST_SECONDS)
        self._endings.close()
        for _ in range(self._n_threads):
            self._handed.put(None)

    def _is_idle(self, *, but: Collection[Attempt] = ()) -> bool:
        """Whether nothing else runs, nor is being claimed, nor written."""
        return not self._is_claiming and self._present.issubset(but)


def _thread(name: str, target: object) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread
