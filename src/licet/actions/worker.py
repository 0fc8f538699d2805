"""A worker: threads that claim actions and run them, and one that keeps their leases.

A thread that has finished an action claims the next, until there is none. Whoever queues one in
this process wakes a thread for it (`wake`); what nobody told of is found by a poll, whose thread
has another poll made whenever it has claimed one, so that a full queue soon has every thread at
work, and an empty one costs one small query each poll. The keeper polls, renews leases, stores the
last progress that was told, and notices handlers that never return.

Concurrency: `wake`, `notice_cancel` and `stop` may be called from any thread.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from licet.actions.execution import Execution, Job
from licet.actions.lifecycle import give_back
from licet.actions.running import ActionStopped, Reason
from licet.actions.runs import Claimed
from licet.errors import LeaseLost, StoreUnavailable

__all__ = ["Worker"]

log = logging.getLogger(__name__)
R = TypeVar("R")
POLL_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 120.0  # how long a write waits for a database that is away
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
        self._patience_seconds = patience_seconds
        lock = threading.RLock()
        self._lock = threading.Condition(lock)  # notified when there may be work
        self._ended = threading.Condition(lock)  # when an action has ended, or all shall
        self._told = 0  # how many actions this worker was told of
        self._looked = 0  # and how many of them a thread has looked for
        self._must_poll = False
        self._running: dict[tuple[int, int], _Running] = {}
        self._in_flight: Counter[str] = Counter()
        self._put_off: Counter[str] = Counter()  # messages that there was no room for
        self._abandoned = 0
        self._stopping = False
        self._stopped = threading.Event()
        self._turn = 0
        self._polling = True
        self._keeper: threading.Thread | None = None

    def start(self, *, polling: bool = True) -> None:
        """Begin, once; without `polling` only what `run` is called for is run and looked after."""
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
        with self._lock:
            self._told += 1
            self._lock.notify()

    def _poll(self) -> None:
        """Have an idle thread look for work that nobody told of."""
        with self._lock:
            self._must_poll = True
            self._lock.notify()

    def notice_cancel(self, action_id: str) -> None:
        """Have the handler of an action told at its next call, if it runs here."""
        with self._lock:
            found = [r for r in self._running.values() if r.execution.held.action_id == action_id]
        for running in found:
            running.execution.control.stop(Reason.CANCELLED)

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
        polls = goes_on = False
        while not self._stopping:
            polls = self._wait_for_work(go_on=goes_on) or (polls and goes_on)
            told = self._told
            execution = self._claim_safely()
            if execution is None:
                goes_on = self._was_told_since(told)
                continue
            if polls:
                self._poll()
            if not self.run(execution):
                return  # given up on: another thread has taken this one's place
            goes_on = True

    def _was_told_since(self, told: int) -> bool:
        """Whether there is a reason to look again, after nothing was found.

        Who looks for what came meanwhile may have taken what this thread was to find instead.
        """
        with self._lock:
            if self._told > told:
                return True
            self._looked = told  # others have it
            return False

    def _wait_for_work(self, *, go_on: bool) -> bool:
        """Wait for a reason to look for work, unless this thread goes on anyway.

        Returns:
            Whether a poll is the reason, or another one.
        """
        with self._lock:
            while self._looked >= self._told and not (go_on or self._must_poll or self._stopping):
                self._lock.wait()
            polls, self._must_poll = self._must_poll, False
            self._looked = min(self._looked + 1, self._told)
            return polls

    def _claim_safely(self) -> Execution | None:
        try:
            return self._claim()
        except StoreUnavailable:
            log.warning("No work can be claimed: the database does not answer.")
            return None
        except Exception:
            log.exception("No work can be claimed.")
            return None

    def _claim(self) -> Execution | None:
        """The next action of whichever job has room, one after the other in turn."""
        if self._stopping:
            return None
        self._turn += 1
        for n in range(len(self._jobs)):
            job = self._jobs[(self._turn + n) % len(self._jobs)]
            if not self.reserve(job):
                continue
            claimed: list[Claimed] = []
            try:
                claimed = job.runs.claim(self.owner, job.action.lease)
            finally:
                if not claimed:
                    self._free(job)
            if claimed:
                return Execution(job, claimed[0], self._persist)
        return None

    def reserve(self, job: Job) -> bool:
        """Take room for one more action of the job, if it may have one; `run` frees it again."""
        with self._lock:
            limit = job.action.concurrency
            if limit is not None and self._in_flight[job.provider] >= limit:
                return False
            self._in_flight[job.provider] += 1
            return True

    def _free(self, job: Job) -> None:
        with self._lock:
            self._in_flight[job.provider] -= 1
            self._ended.notify_all()

    def claim_one(self, job: Job, action_id: str) -> Execution | None:
        """The attempt at one action that a message named, if it is still to be made.

        Room for it must have been reserved; it is free again when there is nothing to do.
        """
        held = None
        try:
            if not self._stopping:
                held = job.runs.claim_one(self.owner, job.action.lease, action_id)
        finally:
            if held is None:
                self._free(job)
        return None if held is None else Execution(job, held, self._persist)

    def run_named(self, job: Job, action_id: str) -> None:
        """Run the action that a message named, if it is still to be run.

        Where the job has no room for it, the message is remembered, and whoever makes room runs
        one more action of the queue: it need not be sent again.

        Raises:
            StoreUnavailable: nothing can be claimed now.
        """
        with self._lock:  # at once, so that whoever makes room meanwhile knows of it
            if not self.reserve(job):
                self._put_off[job.provider] += 1
                return
        execution = self.claim_one(job, action_id)
        while execution is not None:
            self.run(execution)
            execution = self._claim_put_off(job)

    def _claim_put_off(self, job: Job) -> Execution | None:
        """An attempt instead of one that there was no room for."""
        with self._lock:
            if not self._put_off[job.provider] or self._stopping:
                return None
        if not self.reserve(job):
            return None  # somebody else makes room
        held = None
        try:
            held = job.runs.claim_ready(self.owner, job.action.lease)
        finally:
            with self._lock:  # one that is not there is in other hands
                self._put_off[job.provider] = max(0, self._put_off[job.provider] - 1 if held else 0)
            if held is None:
                self._free(job)
        return None if held is None else Execution(job, held, self._persist)

    def run(self, execution: Execution) -> bool:
        """Run an attempt to its end.

        Returns:
            Whether this thread is still wanted.
        """
        running = _Running(execution)
        key = _key(execution)
        with self._lock:
            self._running[key] = running
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
                if self._running.get(key) is running:
                    del self._running[key]
                if running.is_abandoned:
                    self._abandoned -= 1
                if not running.has_left_its_place:
                    self._in_flight[execution.job.provider] -= 1
                self._ended.notify_all()
        return not running.is_abandoned

    def _persist(self, write: Callable[[], R]) -> R:
        """Call a function that writes, again while the database is away.

        Raises:
            StoreUnavailable: it stayed away longer than the worker's patience.
        """
        give_up_at = time.monotonic() + self._patience_seconds
        wait_seconds = 0.05
        while True:
            try:
                return write()
            except StoreUnavailable:
                if self._stopped.is_set() or time.monotonic() >= give_up_at:
                    raise
                log.warning("The database does not answer: trying again.")
            time.sleep(wait_seconds * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            wait_seconds = min(wait_seconds * 2, 2.0)

    # --- the keeper

    def _keep(self) -> None:
        while not self._stopped.wait(self._tick_seconds()):
            with self._lock:
                present = list(self._running.values())
            for running in present:
                self._look_after(running)
            if self._polling and len(present) < self._n_threads and not self._stopping:
                self._poll()

    def _tick_seconds(self) -> float:
        shortest = min((job.action.lease_seconds for job in self._jobs), default=30.0)
        return min(self._poll_seconds, shortest / 6)

    def _look_after(self, running: _Running) -> None:
        execution = running.execution
        if running.lost_at is not None:
            if time.monotonic() - running.lost_at >= GRACE_SECONDS:
                self._abandon(running)
            return
        try:
            if running.must_renew():
                execution.job.runs.renew(execution.held, execution.job.action.lease)
                running.renewed()
            if execution.action is not None:
                execution.action.flush()
        except (LeaseLost, ActionStopped):
            execution.control.stop(
                Reason.LEASE_LOST
            )  # or it has just ended, and is not read any more
            running.lost_at = time.monotonic()
        except StoreUnavailable:
            log.warning("Leases cannot be renewed: the database does not answer.")
        except Exception:
            log.exception("Action %s cannot be looked after.", execution.held.action_id)

    def _abandon(self, running: _Running) -> None:
        """Let another thread do the work of one whose handler is told to stop, and does not."""
        execution = running.execution
        with self._lock:
            if self._running.get(_key(execution)) is not running:
                return
            if self._abandoned >= self._n_threads * _MAX_ABANDONED:
                return
            del self._running[_key(execution)]
            self._abandoned += 1
            running.is_abandoned = True
            if (
                execution.job.action.concurrency is None
            ):  # else it is still at what only so many may
                running.has_left_its_place = True
                self._in_flight[execution.job.provider] -= 1
        log.error(
            "Action %s is not this worker's any more, and its handler goes on: a thread is given "
            "up on. Handlers should call raise_if_cancelled now and then.",
            execution.held.action_id,
        )
        if self._polling:
            self._add_thread()

    # --- the end

    def stop(self, limit_seconds: float = STOP_SECONDS) -> None:
        """Claim nothing more, let running steps end, give back what is left after the limit."""
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
            for running in self._running.values():
                running.execution.control.stop(Reason.SHUTDOWN)
            self._lock.notify_all()
            self._ended.notify_all()
            self._ended.wait_for(self._is_idle, timeout=limit_seconds)
            left = list(self._running.values())
        self._stopped.set()
        for running in left:
            self._give_back(running.execution)

    def _is_idle(self) -> bool:
        """Whether nothing runs, nor is being claimed."""
        return not self._running and not any(self._in_flight.values())

    def _give_back(self, execution: Execution) -> None:
        held, runs = execution.held, execution.job.runs
        try:
            runs.move(held, give_back(held.life, runs.clock()))
            log.warning("Action %s is given back unfinished.", held.action_id)
        except (LeaseLost, StoreUnavailable) as error:
            log.warning("Action %s could not be given back: %s", held.action_id, error)
        execution.control.stop(Reason.LEASE_LOST)


def _key(execution: Execution) -> tuple[int, int]:
    """An attempt: a worker may claim again what it lost while its handler goes on."""
    return execution.held.key, execution.held.life.lease_number


class _Running:
    """An attempt that is under way here, and when its lease was last renewed."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.is_abandoned = False
        self.has_left_its_place = False
        self.lost_at: float | None = None
        self._renewed_at = time.monotonic()

    def must_renew(self) -> bool:
        """Whether a third of the lease is over."""
        third = self.execution.job.action.lease_seconds / 3
        return time.monotonic() - self._renewed_at >= third

    def renewed(self) -> None:
        """Count from now."""
        self._renewed_at = time.monotonic()
