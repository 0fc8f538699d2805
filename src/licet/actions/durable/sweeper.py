"""The sweeper: whatever nobody else will see to, it sees to.

It has actions dispatched that nobody was told of, takes leases back from workers that are not heard
of, ends what is past its deadline, and releases what was kept long enough. Every change is guarded
by the version of the row, so that any number of sweepers may run at once. Each minute it calls what
else the app has done from time to time.

A lease is taken back only after it was seen to have run out, and then to stay as it was for a third
of its length more by a clock that nobody sets. So neither a clock that jumps nor a database that
was away for a while costs an action an attempt while its worker lives.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from licet.actions import lifecycle
from licet.actions.durable.attempt import Job
from licet.actions.durable.store.runs import LogLine, Runs, StoredRun
from licet.actions.lifecycle import Life, Phase
from licet.errors import StoreUnavailable

__all__ = ["Sweeper", "Swept"]

log = logging.getLogger(__name__)
BATCH: Final = 200
MAX_BATCHES: Final = 50  # of a round
MAX_RUNNING: Final = 2000  # suspects of a round
MAX_SILENCE: Final = timedelta(minutes=5)
MAX_INTERVAL_SECONDS: Final = 5.0
OTHERS_SECONDS: Final = 60.0
VERSION_GONE: Final = timedelta(days=1)
VERSIONS_SECONDS: Final = 60.0  # how often it looks for versions that nobody has
Dispatch = Callable[[str, str], bool]
Suspects = dict[tuple[int, int, datetime | None], float]  # (row, lease, its end): since when


@dataclass(kw_only=True)
class Swept:
    """What one round did, in numbers of actions; and how many rows others had purged by it."""

    dispatched: int = 0
    reclaimed: int = 0
    exhausted: int = 0
    expired: int = 0
    released: int = 0
    gone: int = 0
    purged: int = 0

    @property
    def tells_of_trouble(self) -> bool:
        """Whether anything was done that is not done every day."""
        return any((self.reclaimed, self.exhausted, self.expired, self.gone, self.purged))

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def __add__(self, other: Swept) -> Swept:
        return Swept(**{name: count + vars(other)[name] for name, count in vars(self).items()})

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in vars(self).items())


class Sweeper:
    """Looks after the actions of some jobs, and releases those of every provider.

    Args:
        jobs: whose actions it looks after.
        dispatch: tells a worker of an action (provider, action_id); False when it could not.
        dispatches: whether queued actions need it: workers that poll find them by themselves.
        stored: gives a `Runs` for every provider that has stored actions.
        version_gone: how long an action waits for a worker that has its version.
        others: what else the app has done from time to time (`licet.db.on_sweep`), by name.
        monotonic: seconds of a clock that is never set.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        dispatch: Dispatch,
        dispatches: bool,
        stored: Callable[[], Iterable[Runs]],
        version_gone: timedelta = VERSION_GONE,
        others: Callable[[], Mapping[str, Callable[[], int]]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = list(jobs)
        self._dispatch = dispatch
        self._dispatches = dispatches
        self._stored = stored
        self._others = others
        self._others_at = monotonic()  # when they are called next
        self._monotonic = monotonic
        self._gone = _GoneVersions(version_gone, monotonic)
        self._suspects: Suspects = {}
        self._doubt_seconds = 0.0  # until the present suspects are seen to be lost
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def interval_seconds(self) -> float:
        """How long it rests between two rounds: a sixth of the shortest lease, at most 5 s."""
        shortest = min((job.action.lease_seconds for job in self._jobs), default=30.0)
        return min(shortest / 6, MAX_INTERVAL_SECONDS)

    def start(self) -> None:
        """Sweep in a thread of its own, until `stop`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="licet-sweeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the round that is under way."""
        self._stop.set()

    def run(self) -> None:
        """Sweep, rest, and so on, until `stop`."""
        while not self._stop.wait(self.interval_seconds):
            try:
                swept = self.sweep()
                if swept.tells_of_trouble:
                    log.info("Swept: %s", swept)
            except StoreUnavailable:
                log.warning("Nothing can be swept: the database does not answer.")
            except Exception:
                log.exception("A round of the sweeper broke off.")

    def sweep_once(self) -> Swept:
        """One round, and where a lease has run out a second one, in which it is taken back.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        self._others_at = self._monotonic()
        self._gone.decide_at_once()
        swept = self.sweep()
        if self._suspects:
            self._stop.wait(self._doubt_seconds)
            swept += self.sweep()
        return swept

    def sweep(self) -> Swept:
        """One round.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        swept = Swept()
        seen: Suspects = {}
        suspects, self._suspects = self._suspects, {}  # a round that breaks off has seen nothing
        self._doubt_seconds = 0.0
        for job in self._jobs:
            try:
                self._sweep_job(job, swept, suspects, seen)
            except StoreUnavailable:
                raise
            except Exception:  # a bug in one provider's actions is not the end of the others'
                log.exception("The actions of %s cannot be swept.", job.provider)
        self._suspects = seen
        for runs in self._stored():
            swept.released += _in_batches(partial(runs.due, Phase.ENDED), runs.release)
        if self._monotonic() >= self._others_at:
            self._others_at = self._monotonic() + OTHERS_SECONDS
            swept.purged += sum(_round_of(name, fn) for name, fn in self._others().items())
        return swept

    def _sweep_job(self, job: Job, swept: Swept, suspects: Suspects, seen: Suspects) -> None:
        swept.gone += self._gone.end_actions(job)
        swept.expired += _in_batches(job.runs.past_deadline, partial(self._expire, job))
        for run in job.runs.due(Phase.RUNNING, limit=MAX_RUNNING):
            self._sweep_running(job, run, swept, suspects, seen)
        if self._dispatches:
            swept.dispatched += _in_batches(
                partial(job.runs.due, Phase.QUEUED), partial(self._dispatch_again, job)
            )

    def _sweep_running(
        self, job: Job, run: StoredRun, swept: Swept, suspects: Suspects, seen: Suspects
    ) -> None:
        life, now = run.life, job.runs.clock()
        suspect = (run.key, life.lease_number, life.lease_until)
        first_seen = suspects.get(suspect)
        doubt_seconds = job.action.lease_seconds / 3
        if first_seen is None or self._monotonic() - first_seen < doubt_seconds:
            self._doubt_seconds = max(self._doubt_seconds, doubt_seconds)
            seen[suspect] = self._monotonic() if first_seen is None else first_seen
            return
        most = job.action.max_recoveries
        after = lifecycle.lose_lease(
            life,
            now,
            max_recoveries=most,
            has_progressed=job.runs.has_progressed(run),
            apart=job.action.lease * life.recoveries * random.random(),  # noqa: S311 - no secret
        )
        attempt = f"in attempt {life.attempt}, {after.recoveries} of {most} without a step"
        line = LogLine(code="WORKER_LOST", description=f"A worker was lost {attempt}")
        if job.runs.change(run, after, log=[line]):
            log.warning("Action %s: the worker was lost %s", run.action_id, attempt)
            if after.phase is Phase.QUEUED:
                swept.reclaimed += 1
                self._dispatch(job.provider, run.action_id)
            else:
                swept.exhausted += 1

    def _dispatch_again(self, job: Job, run: StoredRun) -> bool:
        """Tell a worker of a queued action, and look at it again later, each time twice as late.

        So a queue that is long, and not lost, is not told of over and over; one that is lost is
        told of within five minutes.
        """
        if not self._dispatch(job.provider, run.action_id):
            return False
        now = job.runs.clock()
        waited = now - (run.life.ready_at or now)
        return job.runs.postpone(run, now + max(job.action.lease, min(waited, MAX_SILENCE)))

    def _expire(self, job: Job, run: StoredRun) -> bool:
        ended: Life = lifecycle.exceed_deadline(run.life, job.runs.clock())
        return job.runs.change(run, ended)


class _GoneVersions:
    """Ends actions for which no worker has the handler's version any more.

    A worker that has it claims what is due, so that nothing waits for long while none of the
    version runs. That is seen twice, as a worker is between two actions now and then.
    """

    def __init__(self, patience: timedelta, monotonic: Callable[[], float]) -> None:
        self._patience = patience
        self._monotonic = monotonic
        self._seconds = min(VERSIONS_SECONDS, patience.total_seconds() / 2)  # from look to look
        self._looked_at: dict[str, float] = {}
        self._seen: set[tuple[str, int]] = set()
        self._decides_at_once = False

    def decide_at_once(self) -> None:
        """For a process that looks no second time."""
        self._decides_at_once = True

    def end_actions(self, job: Job) -> int:
        """How many actions of the job were ended."""
        now, provider = self._monotonic(), job.provider
        if now - self._looked_at.get(provider, float("-inf")) < self._seconds:
            return 0
        self._looked_at[provider] = now
        before = job.runs.clock() - self._patience
        found = {(provider, version) for version in job.runs.gone_versions(before)}
        decided = found if self._decides_at_once else found & self._seen
        self._seen = {each for each in self._seen if each[0] != provider} | found
        return sum(self._end(job, version, before) for _, version in sorted(decided))

    def _end(self, job: Job, version: int, before: datetime) -> int:
        def end(run: StoredRun) -> bool:
            return job.runs.change(run, lifecycle.lose_version(run.life, job.runs.clock(), version))

        n_ended = _in_batches(partial(job.runs.of_gone_version, version, before), end)
        log.error(
            "%d actions of %s ended with VersionGone: no worker has version %d.",
            n_ended,
            job.provider,
            version,
        )
        return n_ended


def _round_of(name: str, fn: Callable[[], int]) -> int:
    """What a function of the app's says that it did; nothing when it fails."""
    try:
        return fn()
    except StoreUnavailable:
        log.warning("The sweep %s waits: the database does not answer.", name)
    except Exception:  # which is not the end of the others
        log.exception("The sweep %s broke off.", name)
    return 0


def _in_batches(
    read: Callable[..., Sequence[StoredRun]], change: Callable[[StoredRun], bool]
) -> int:
    """How many of what is read, batch after batch, were changed; until nothing more comes of it."""
    total = 0
    for _ in range(MAX_BATCHES):
        batch = read(limit=BATCH)
        n_changed = sum(map(change, batch))
        total += n_changed
        if len(batch) < BATCH or not n_changed:
            break
    return total
