"""A worker: threads that claim actions and run them, and one that keeps their leases.

A thread that ends an action claims the next in the same write, until there is none. Whoever queues
one in this process tells the worker (`wake`); what nobody told of is found by a poll. Which thread
looks is decided in `licet.actions.durable.scouts`, and what it claims in
`licet.actions.durable.claims`. The keeper polls, renews leases, stores the last progress that was
told, and notices handlers that never return.

Concurrency: `wake`, `notice_cancel` and `stop` may be called from any thread.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Final

from licet.actions.durable.attempt import Attempt
from licet.actions.durable.claims import Claims
from licet.actions.durable.execution import Execution, Job
from licet.actions.durable.patience import PATIENCE_SECONDS, Patience
from licet.actions.durable.running import ActionStopped, Reason
from licet.actions.durable.scouts import Scouts, scouts_beside_a_writer, scouts_for
from licet.actions.durable.store.runs import Then
from licet.actions.lifecycle import give_back
from licet.errors import LeaseLost, StoreUnavailable

__all__ = ["Worker"]

log = logging.getLogger(__name__)
POLL_SECONDS: Final = 0.5
STOP_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 5.0  # how long a handler that lost its lease may take to notice
_MAX_ABANDONED: Final = 4  # times the number of threads


class Worker:
    """Runs the actions of some jobs.

    Args:
        jobs: what it may run.
        threads: how many actions at once.
        poll_seconds: how often it looks for work that nobody told it of.
        patience_seconds: how long what it must write waits for a database that is away.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        threads: int,
        poll_seconds: float = POLL_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.owner = f"{os.getpid()}-{uuid.uuid4().hex}"
        self._jobs = list(jobs)
        self._n_threads = threads
        self._poll_seconds = poll_seconds
        lock = threading.RLock()
        self._lock = lock
        self._ended = threading.Condition(lock)  # notified when all shall end, and as they do
        self._scouts = Scouts(lock)
        self._running: set[Attempt] = set()
        self.claims = Claims(jobs, self.owner, lock, self._ended)
        self._abandoned = 0
        self._stopping = False
        self._stopped = threading.Event()
        self._persist = Patience(patience_seconds, self._stopped)
        self._polling = True
        self._keeper: threading.Thread | None = None

    def start(self, *, polling: bool = True) -> None:
        """Begin, once; without `polling` only what is named (`run_named`) is run."""
        if self._keeper is not None:
            return
        self._keeper = threading.Thread(target=self._keep, name="licet-keeper", daemon=True)
        self._keeper.start()
        self._polling = polling
        for _ in range(self._n_threads if polling else 0):
            self._add_thread()

    def _add_thread(self) -> None:
        threading.Thread(target=self._work, name="licet-worker", daemon=True).start()

    def wake(self) -> None:
        """Have an action looked for that was just queued."""
        self._scouts.tell()

    def notice_cancel(self, action_id: str) -> None:
        """Have the handler of an action told at its next call, if it runs here."""
        with self._lock:
            found = [a for a in self._running if a.execution.held.action_id == action_id]
        for attempt in found:
            attempt.execution.control.stop(Reason.CANCELLED)

    @property
    def n_running(self) -> int:
        """How many actions it works on."""
        return len(self._running)

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping

    def wait_for_stop(self, limit_seconds: float) -> None:
        """Until it is told to stop, or the limit is over."""
        with self._lock:
            self._ended.wait_for(lambda: self._stopping, limit_seconds)

    # --- the threads that work

    def _work(self) -> None:
        while self._scouts.wait():
            if not self._work_until_idle():
                return  # given up on: another thread has taken this one's place

    def _work_until_idle(self) -> bool:
        """Whether this thread is still wanted."""
        while True:
            n_told = self._scouts.n_told
            execution = self._claim_safely()
            if execution is not None:
                last = self._run_on(execution)
                if last.is_last_of_thread:
                    self._scouts.retire()
                    self._scouts.tell()  # it counted as one who would look again
                    return False
                if last.leaves_it_to_others:
                    return True
                if not last.found_none:
                    continue
                n_told = last.n_told
            if self._scouts.retire(n_told):
                return True

    def _run_on(self, execution: Execution) -> Attempt:
        """Run an attempt, then what was claimed as it ended, and so on.

        Returns:
            The last of them.
        """
        n_wanted = 1  # threads that look
        is_replaced = False  # this one, by another thread
        while True:
            if not execution.job.runs.takes_turns:
                n_wanted = scouts_for(execution.held.waited)
            if n_wanted > 1:
                self._scouts.call(limit=n_wanted)
            attempt = Attempt(execution)
            attempt.is_last_of_thread = is_replaced
            execution.then = partial(self._claim_as_it_ends, attempt)
            self._scouts.begin_run()
            self._run(attempt)
            if attempt.leaves_it_to_others:
                self._scouts.tell()  # who looked meanwhile did not see the room that is free now
                return attempt
            job, following = attempt.reserved, execution.following
            if job is None or following is None:
                if not attempt.is_last_of_thread:
                    self._scouts.begin_look()
                if job is not None:
                    self.claims.free(job)
                    attempt.found_none = execution.has_asked and self.claims.knows_all_of(job)
                return attempt
            self.claims.note(job, following)
            n_wanted = attempt.n_wanted
            is_replaced = attempt.is_last_of_thread
            execution = Execution(job, following, self._persist)

    def _claim_as_it_ends(self, attempt: Attempt) -> Then | None:
        """What to claim in the write that ends an attempt.

        Room for it is reserved. `_run` frees what it ran; `_run_on` what was reserved in vain.
        """
        if attempt.is_last_of_thread:
            return None
        if attempt.execution.job.runs.takes_turns:
            attempt.n_wanted = scouts_beside_a_writer(attempt.seconds)
            if self._scouts.retire_if_too_many(attempt.n_wanted):
                attempt.leaves_it_to_others = True
                return None
        attempt.n_told = self._scouts.n_told
        attempt.reserved = job = self.claims.reserve_next()
        return None if job is None else self.claims.then(job)

    def _claim_safely(self) -> Execution | None:
        try:
            claim = self.claims.next()
            if claim is not None:
                return Execution(claim.job, claim.held, self._persist)
        except StoreUnavailable:
            log.warning("No work can be claimed: the database does not answer.")
        except Exception:
            log.exception("No work can be claimed.")
        return None

    def run_named(self, job: Job, action_id: str) -> None:
        """Run the action that a message named, if it is still to be run.

        Where the job has no room for it, the message is remembered, and whoever makes room runs
        one more action of the queue: it need not be sent again.

        Raises:
            StoreUnavailable: nothing can be claimed now.
        """
        if not self.claims.reserve_or_put_off(job):
            return
        claim = self.claims.named(job, action_id) or self.claims.instead(job)
        while claim is not None:
            self._run(Attempt(Execution(claim.job, claim.held, self._persist)))
            claim = self.claims.instead(job)

    def _run(self, attempt: Attempt) -> None:
        execution = attempt.execution
        with self._lock:
            self._running.add(attempt)
            if self._stopping:  # it was being claimed when the worker was told to stop
                execution.control.stop(Reason.SHUTDOWN)
        try:
            execution.run()
        except StoreUnavailable:
            log.error(  # noqa: TRY400 - its cause is told each time a write is tried
                "Action %s: the database stayed away; another attempt will be made.",
                execution.held.action_id,
            )
        except BaseException:
            log.exception("Action %s: the attempt broke off.", execution.held.action_id)
        finally:
            with self._lock:
                self._running.discard(attempt)
                if attempt.is_abandoned:
                    self._abandoned -= 1
                if not attempt.has_left_its_place:
                    self.claims.free(execution.job)

    # --- the keeper

    def _keep(self) -> None:
        next_round = time.monotonic() + self._tick_seconds()
        while not self._stopped.is_set():
            left = next_round - time.monotonic()
            if left <= 0:
                self._make_round()
                left = self._tick_seconds()
                next_round = time.monotonic() + left
            self._scouts.watch(left)

    def _make_round(self) -> None:
        with self._lock:
            present = list(self._running)
        for attempt in present:
            self._look_after(attempt)
        self._scouts.tell()  # of what nobody told of

    def _tick_seconds(self) -> float:
        shortest = min((job.action.lease_seconds for job in self._jobs), default=30.0)
        return min(self._poll_seconds, shortest / 6)

    def _look_after(self, attempt: Attempt) -> None:
        execution = attempt.execution
        if attempt.lost_at is not None:
            if time.monotonic() - attempt.lost_at >= GRACE_SECONDS:
                self._abandon(attempt)
            return
        try:
            if attempt.must_renew():
                attempt.renew()
            if execution.action is not None:
                execution.action.flush()
        except (LeaseLost, ActionStopped):
            # or it has just ended, and is not read any more
            execution.control.stop(Reason.LEASE_LOST)
            attempt.lost_at = time.monotonic()
        except StoreUnavailable:
            log.warning("Leases cannot be renewed: the database does not answer.")
        except Exception:
            log.exception("Action %s cannot be looked after.", execution.held.action_id)

    def _abandon(self, attempt: Attempt) -> None:
        """Let another thread do the work of one whose handler is told to stop, and does not."""
        job = attempt.execution.job
        with self._lock:
            if attempt not in self._running:
                return
            if self._abandoned >= self._n_threads * _MAX_ABANDONED:
                return
            self._running.discard(attempt)
            self._abandoned += 1
            attempt.is_abandoned = True
            if job.action.concurrency is None:  # else it is still at what only so many may
                attempt.has_left_its_place = True
                self.claims.free(job)
            needs_another = self._polling and not attempt.is_last_of_thread
            attempt.is_last_of_thread |= needs_another
        log.error(
            "Action %s is not this worker's any more, and its handler goes on: a thread is given "
            "up on. Handlers should call raise_if_cancelled now and then.",
            attempt.execution.held.action_id,
        )
        if needs_another:
            self._add_thread()

    # --- the end

    def stop(self, limit_seconds: float = STOP_SECONDS) -> None:
        """Claim nothing more, let running steps end, give back what is left after the limit."""
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
            self.claims.close()
            self._scouts.close()
            for attempt in self._running:
                attempt.execution.control.stop(Reason.SHUTDOWN)
            self._ended.notify_all()
            self._ended.wait_for(self._is_idle, timeout=limit_seconds)
            left = list(self._running)
        self._stopped.set()
        self._scouts.wake_keeper()
        for attempt in left:
            self._give_back(attempt.execution)

    def _is_idle(self) -> bool:
        """Whether nothing runs, nor is being claimed."""
        return not self._running and self.claims.is_empty

    def _give_back(self, execution: Execution) -> None:
        held, runs = execution.held, execution.job.runs
        try:
            runs.move(held, give_back(held.life, runs.clock()))
            log.warning("Action %s is given back unfinished.", held.action_id)
        except (LeaseLost, StoreUnavailable) as error:
            log.warning("Action %s could not be given back: %s", held.action_id, error)
        execution.control.stop(Reason.LEASE_LOST)
