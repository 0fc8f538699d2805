"""Processes that are killed at the worst moments: everything that was accepted ends, once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.acceptance.kill.conftest import Systems
from tests.acceptance.kill.system import System, wait_until

KINDS = ["sqlite-threads", "sqlite-celery", "postgresql-threads", "postgresql-celery"]
WORKER_POINTS = [
    "after the claim",
    "in a step",
    "before a step is stored",
    "between steps",
    "before the finish",
    "after the finish",
]
SWEEPER_POINTS = ["before the sweeper's change", "after the sweeper's change"]
LOSES_NONE = {"max_recoveries": 1}  # an action whose worker is lost fails
# What `make test` has time for: each point once.
FAST = {
    ("sqlite-threads", "after the claim"),
    ("postgresql-celery", "in a step"),
    ("postgresql-celery", "before a step is stored"),
    ("sqlite-threads", "between steps"),
    ("sqlite-threads", "before the finish"),
    ("postgresql-celery", "after the finish"),
    ("postgresql-celery", "before the sweeper's change"),
    ("sqlite-threads", "after the sweeper's change"),
    ("postgresql-celery", "after the insert"),
    ("postgresql-celery", "freeze"),
    ("postgresql-celery", "terminate"),
    ("postgresql-celery", "one at once"),
    ("postgresql-celery", "give back"),
}


def matrix(*points: str) -> pytest.MarkDecorator:
    """Every kind with every point; those that are not `FAST` for ``make kill`` alone."""
    cases = [
        pytest.param(
            kind,
            point,
            marks=() if (kind, point) in FAST else pytest.mark.full,
            id=f"{kind}-{point}",
        )
        for kind in KINDS
        for point in points
    ]
    return pytest.mark.parametrize(("kind", "point"), cases)


def assert_recovered(system: System, pid: int, at: float, slack_seconds: float) -> str:
    """How long the longest of the actions waited that a process held when it died."""
    longest = max(system.witness.recovery_seconds(pid, at), default=0.0)
    assert longest <= 2 * system.lease_seconds + slack_seconds
    return f"{longest:.2f} s of {2 * system.lease_seconds:g}"


@matrix(*WORKER_POINTS)
def test_a_worker_killed(
    systems: Systems, kind: str, point: str, count: Callable[..., None], slack_seconds: float
):
    """Another takes over within two leases, and runs no completed step again."""
    system = systems(kind)
    order = system.order(point)

    ids = system.submit(12, steps=3, seconds=0.02)
    pid, at = order.wait()

    counts = system.finish(ids)
    count(counts, recovery=assert_recovered(system, pid, at, slack_seconds))
    assert counts.unfinished <= 4  # one for each thread


@matrix(*SWEEPER_POINTS)
def test_a_sweeper_killed(systems: Systems, kind: str, point: str, count: Callable[..., None]):
    """The next one does what it left undone."""
    system = systems(kind)
    worker, sweeper = system.order("in a step"), system.order(point)

    ids = system.submit(6, steps=2)
    worker.wait()
    sweeper.wait()
    system.ensure()

    count(system.finish(ids))


@matrix("after the insert")
def test_a_server_killed(systems: Systems, kind: str, point: str, count: Callable[..., None]):
    """An action that nobody was told of runs, and its request is known when it is asked again."""
    system = systems(kind)
    order = system.order(point)

    ids = system.submit(6, threads=1, steps=1)
    order.wait()

    n_rows = len({line.action_id for line in system.witness.lines()} & set(ids))
    count(system.finish(ids))
    assert len(set(ids)) == 6
    assert n_rows <= 6


@matrix("freeze")
def test_a_worker_frozen_beyond_its_lease(
    systems: Systems, kind: str, point: str, count: Callable[..., None]
):
    """Awake again, it writes nothing of what others have taken over."""
    system = systems(kind)
    order = system.order("before a step is stored", signal.SIGSTOP)
    (action_id,) = system.submit(1, steps=2)
    pid, _ = order.wait()
    (frozen,) = [process for process in system.living("worker") if process.pid == pid]

    try:
        system.wait_ended([action_id])
        before = system.witness.query_steps(action_id)
    finally:
        frozen.send(signal.SIGCONT)
    wait_until(lambda: "is lost" in frozen.output, f"a zombie: {system.outputs()}")

    assert system.witness.query_steps(action_id) == before
    counts = system.finish([action_id, *system.submit(8, steps=1)])
    count(counts)
    assert (counts.claims, counts.executions) == (10, 11)


@matrix("freeze alone")
def test_a_worker_frozen_that_claims_again_what_it_lost(
    make_system: Callable[..., System], kind: str, point: str, count: Callable[..., None]
):
    """Its own old attempt is a zombie to it, like another worker's."""
    system = make_system(kind)
    system.ensure(workers=1)
    order = system.order("before a step is stored", signal.SIGSTOP)
    ids = system.submit(1, steps=2)
    order.wait()
    (worker,) = system.living("worker")

    wait_until(lambda: system.count_in("queued") == 1, "a lease that is taken back")
    worker.send(signal.SIGCONT)
    counts = system.finish(ids)

    count(counts)
    assert (counts.claims, counts.executions) == (2, 3)
    system.end()


@matrix("long step")
def test_a_step_longer_than_its_lease(
    systems: Systems, kind: str, point: str, count: Callable[..., None]
):
    """Heartbeats keep it: one claim, one execution."""
    system = systems(kind)

    counts = system.finish(system.submit(4, steps=1, seconds=3 * system.lease_seconds))

    count(counts)
    assert (counts.claims, counts.executions) == (4, 4)


@matrix("terminate")
def test_a_worker_told_to_stop(systems: Systems, kind: str, point: str, count: Callable[..., None]):
    """SIGTERM: the steps under way end and are kept, the actions go on elsewhere."""
    system = systems(kind)
    ids = system.submit(8, steps=2, gate=f"gate-{kind}-terminate")
    wait_until(lambda: len(system.witness.begun(ids)) == 8, "steps under way")
    first, second = system.living("worker")

    first.send(signal.SIGTERM)
    wait_until(lambda: system.is_stopping(first), "a worker that stops")
    system.open_gate(f"gate-{kind}-terminate")

    assert first.wait() == 0, system.outputs()
    counts = system.finish(ids)
    count(counts, attempts=system.witness.attempts(ids))
    assert counts.unfinished == 0
    assert system.witness.attempts(ids) == 1
    assert second.is_alive


@matrix("give back")
def test_a_worker_whose_steps_do_not_end(
    make_system: Callable[..., System], kind: str, point: str, count: Callable[..., None]
):
    """SIGTERM: after LICET_STOP_SECONDS it gives back what it holds, and no attempt is lost."""
    system = make_system(
        kind, lease_seconds=20.0, options=LOSES_NONE, settings={"LICET_STOP_SECONDS": "1"}
    )
    system.ensure(workers=1)
    ids = system.submit(4, steps=2, gate="gate")
    wait_until(lambda: len(system.witness.begun(ids)) == 4, "steps under way")
    (worker,) = system.living("worker")

    worker.send(signal.SIGTERM)
    assert worker.wait() == 0, system.outputs()
    system.open_gate("gate")
    system.ensure(workers=1)

    count(system.finish(ids, seconds=15), attempts=system.witness.attempts(ids))
    system.end()


@matrix("rolling")
def test_workers_replaced_under_load(
    make_system: Callable[..., System], kind: str, point: str, count: Callable[..., None]
):
    """SIGTERM while short actions come and go: with one attempt each, none of them fails."""
    system = make_system(kind, lease_seconds=5.0, options=LOSES_NONE)
    system.ensure(workers=1)
    ids: list[str] = []
    for _ in range(3):
        with ThreadPoolExecutor(1) as pool:
            n_ended = system.count_in("ended")
            submitting = pool.submit(system.submit, 60, steps=1)
            (old,) = system.living("worker")
            system.start_worker()
            wait_until(lambda n=n_ended: system.count_in("ended") > n + 10, "some ends")
            wait_until(lambda pid=old.pid: system.witness.has_claimed(pid), "claims of the old one")
            old.send(signal.SIGTERM)
            assert old.wait() == 0, system.outputs()
            ids += submitting.result()

    count(system.finish(ids, seconds=30), attempts=system.witness.attempts(ids))
    system.end()


@matrix("one at once")
def test_concurrency_is_kept(systems: Systems, kind: str, point: str, count: Callable[..., None]):
    """A worker of four threads runs one action at once of a provider that wants that."""
    system = systems(kind)

    ids = system.submit(12, provider="single", steps=1, seconds=0.02)
    counts = system.finish(ids)

    assert system.witness.most_at_once(ids) == 1
    count(counts)
