"""Programs as users write them, with the default declaration, whose processes are killed.

Handlers that have sessions and executors of their own, that kill their process, that hang, and
programs that change while actions are under way.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from tests.acceptance.kill.conftest import Systems
from tests.acceptance.kill.system import System, wait_until
from tests.acceptance.kill.test_processes_killed import KINDS, WORKER_POINTS
from tests.counts import only_full

Make = Callable[..., System]
DATABASES = ["sqlite-threads", "postgresql-threads"]
SYSTEMS = [only_full("sqlite-threads"), only_full("postgresql-celery")]


def cases(ways: list[str], quick: set[tuple[str, str, str]]) -> pytest.MarkDecorator:
    """Every way with every point, each on another kind of system; not all for a quick run."""
    pairs = [(way, point) for way in ways for point in WORKER_POINTS]
    every = [(KINDS[n % len(KINDS)], way, point) for n, (way, point) in enumerate(pairs)]
    return pytest.mark.parametrize(
        ("kind", "way", "point"),
        [case if case in quick else only_full(*case, id="-".join(case)) for case in every],
    )


@cases(
    ["session", "executor", "parallel"],
    {
        ("sqlite-threads", "session", "before the finish"),
        ("postgresql-celery", "parallel", "between steps"),
    },
)
def test_a_worker_killed_under_a_handler_that_has_things_open(
    systems: Systems, kind: str, way: str, point: str, count: Callable[..., None]
):
    """Nothing is in the way of who takes over, and only the step under way runs again."""
    system = systems(kind)
    order = system.order(point)

    ids = system.submit(8, steps=3, seconds=0.02, way=way)
    order.wait()
    counts = system.finish(ids)

    count(counts, way=way)
    assert counts.unfinished <= 4 * (3 if way == "parallel" else 1)
    if way == "session":
        rows = system.witness.own_rows(ids)
        assert set(rows) == {(action_id, n) for action_id in ids for n in range(3)}
        # committed, and killed before the result was stored: once more for each that was killed
        assert sum(rows.values()) - len(rows) <= counts.unfinished


@pytest.mark.parametrize("kind", SYSTEMS)
def test_an_action_that_kills_its_worker_each_time(
    make_system: Make, kind: str, count: Callable[..., None]
):
    """It is ended after five workers; those beside it, which get on with their steps, are not."""
    system = make_system(kind)
    system.ensure(workers=1)
    deadly = system.accepted({"steps": 1, "deadly": True})
    others = system.submit(3, steps=40, seconds=0.1)

    def has_ended() -> bool:
        system.ensure(workers=1)
        return system.witness.n_in("ended", [deadly, *others]) == 4

    wait_until(has_ended, "ends of all", seconds=120)
    assert system.witness.details(deadly)["code"] == "WorkersLost"
    assert len([line for line in system.witness.lines() if line.action_id == deadly]) == 5
    count(system.finish(others))
    system.end()


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_new_version_beside_the_old_one(make_system: Make, kind: str, count: Callable[..., None]):
    """A rolling deploy with kills: each action ends with the steps of its own version."""
    system = make_system(kind)
    system.ensure(workers=1)
    old = system.submit(6, steps=3, seconds=0.05, gate="gate")
    wait_until(lambda: system.witness.begun(old), "old ones under way")
    system.settings |= {"KILL_VERSION": "2", "KILL_ORDER": "backwards"}
    restart(system, "serve", "sweep")
    system.start_worker()
    new = system.submit(6, steps=3, seconds=0.05)
    system.finish(new)
    (first, *_) = system.living("worker")
    first.send(signal.SIGKILL)
    first.wait()
    system.open_gate("gate")
    system.outlast(3)
    assert system.witness.n_in("ended", old) == 0  # no worker has their version
    del system.settings["KILL_VERSION"], system.settings["KILL_ORDER"]
    system.start_worker()

    count(system.finish(old))
    count(system.finish(new))
    assert orders_of(system, old) <= {(0, 1, 2)}
    assert orders_of(system, new) == {(2, 1, 0)}
    system.end()


@pytest.mark.parametrize("kind", [only_full(kind) for kind in DATABASES])
def test_a_new_version_that_keeps_the_old_handler(
    make_system: Make, kind: str, count: Callable[..., None]
):
    """No old worker is left, and none is needed."""
    system = make_system(kind)
    system.ensure(workers=1)
    old = system.submit(6, steps=3, seconds=0.05, gate="gate")
    wait_until(lambda: system.witness.begun(old), "old ones under way")
    system.settings |= {"KILL_VERSION": "2", "KILL_ORDER": "backwards", "KILL_KEEPS_OLD": "true"}
    restart(system, "serve", "sweep", "worker")
    system.open_gate("gate")
    new = system.submit(6, steps=3, seconds=0.05)

    count(system.finish([*old, *new]))
    assert orders_of(system, new) == {(2, 1, 0)}
    system.end()


@pytest.mark.parametrize("kind", ["sqlite-threads", only_full("postgresql-celery")])
def test_a_program_that_changes_and_does_not_say_so(make_system: Make, kind: str):
    """What was begun by the one is not gone on with by the other: it ends, and says why."""
    system = make_system(kind)
    system.ensure(workers=1)
    order = system.order("between steps")
    (action_id,) = system.submit(1, steps=3)
    order.wait()
    system.settings["KILL_ORDER"] = "backwards"
    system.ensure(workers=1)

    system.wait_ended([action_id])
    ran = [line.n for line in system.witness.lines() if line.action_id == action_id]
    details = system.witness.details(action_id)
    assert details["code"] == "StepMismatch"
    assert "'step-0'" in details["description"]
    assert "'step-2'" in details["description"]
    assert set(ran) == {0}  # nothing of the other program
    system.end()


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_handler_that_hangs(make_system: Make, kind: str, count: Callable[..., None]):
    """Cancelled or out of time, its action ends without it, and its worker works on."""
    system = make_system(kind, settings={"LICET_CANCEL_SECONDS": "1", "LICET_ATTEMPT_SECONDS": "2"})
    system.ensure(workers=1)
    first, second = (system.accepted({"hangs": True, "gate": "never"}) for _ in range(2))
    wait_until(lambda: system.witness.n_in("running", [first, second]) == 2, "two that hang")
    cancelled = system.client.post(f"{system.url}/work/{first}/cancel")
    assert cancelled.status_code == 200

    system.wait_ended([first, second])
    codes = {system.witness.details(action_id)["code"] for action_id in (first, second)}
    assert codes == {"Cancelled", "AttemptTimedOut"}
    count(system.finish(system.submit(12, steps=1)))
    system.end()


def restart(system: System, *roles: str) -> None:
    """Kill the processes of these roles, and begin them again with the present settings."""
    counts = {"worker": 0, "sweep": 0, "serve": 0}
    for role in roles:
        for process in system.living(role):
            process.kill_group()
            process.wait()
            counts[role] += 1
    system.ensure(
        workers=counts["worker"] or len(system.living("worker")),
        sweepers=counts["sweep"] or len(system.living("sweep")),
        servers=counts["serve"] or len(system.living("serve")),
    )


def orders_of(system: System, ids: list[str]) -> set[Any]:
    """In which orders the steps of these actions were completed."""
    ends: dict[str, list[int]] = {action_id: [] for action_id in ids}
    for line in system.witness.lines():
        if line.what == "end" and line.action_id in ends and line.n not in ends[line.action_id]:
            ends[line.action_id].append(line.n)
    return set(map(tuple, ends.values()))
