"""What is asked of the database after a cut, and how the work goes on."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from tests.acceptance.power_cut.program import Run, make_app
from tests.acceptance.power_cut.replayer import Record, claims

from licet.actions import durable_runtime
from licet.actions.durable.runtime import Runtime
from licet.actions.durable.sweeper import Sweeper

LEASE_SECONDS = 30.0
SECONDS = 60
LONG_AGO = "2000-01-01 00:00:00.000000"
RUN_OUT = "UPDATE licet_action SET lease_until = :then, due_at = :then WHERE phase = 'running'"
TABLES = "SELECT 1 FROM sqlite_master WHERE name = 'licet_action'"
STEPS = (
    "SELECT action_id, name FROM licet_action_step"
    " JOIN licet_action ON licet_action.id = licet_action_step.action"
)
UNFINISHED = "SELECT action_id, phase FROM licet_action WHERE phase != 'ended'"
FAILED = "SELECT action_id, details FROM licet_action WHERE status != 'SUCCEEDED'"


@dataclass
class Claimed:
    """What was claimed before a cut: ids, and steps by id and number."""

    accepted: set[str]
    ended: set[str]
    steps: set[tuple[str, int]]

    @classmethod
    def before(cls, records: Sequence[Record], cut: int) -> Claimed:
        """Everything that stands in the record before the cut."""
        claimed = cls(set(), set(), set())
        for kind, action_id, *more in claims(records, cut):
            if kind == "step":
                claimed.steps.add((action_id, int(more[0])))
            else:
                (claimed.accepted if kind == "accepted" else claimed.ended).add(action_id)
        return claimed


def broken_claims(run: Run, claimed: Claimed) -> list[str]:
    """What is not as it was claimed, in the database after a cut; an empty list is good."""
    with closing(sqlite3.connect(run.database)) as connection:
        damage = connection.execute("PRAGMA integrity_check").fetchall()
        if damage != [("ok",)]:
            return [f"the file is damaged: {damage}"]
        if not connection.execute(TABLES).fetchall():
            return [f"accepted, and lost: {action_id}" for action_id in claimed.accepted]
        rows = connection.execute("SELECT action_id, phase, status FROM licet_action").fetchall()
        stored = connection.execute(STEPS).fetchall()
    steps = {(action_id, name.split()[0]) for action_id, name in stored}  # behind it a number
    found = {action_id: (phase, status) for action_id, phase, status in rows}
    broken = [f"accepted, and lost: {action_id}" for action_id in claimed.accepted - found.keys()]
    broken += [
        f"ended, and now {found.get(action_id)}: {action_id}"
        for action_id in claimed.ended
        if found.get(action_id) != ("ended", "SUCCEEDED")
    ]
    broken += [
        f"returned, and lost: step {n} of {action_id}"
        for action_id, n in claimed.steps
        if (action_id, f"step-{n}") not in steps
    ]
    return broken


def go_on(run: Run) -> Counter[tuple[str, int]]:
    """Have a worker do what is left after the cut; fails unless every action succeeds.

    Returns:
        How often each step was carried out, by the action's id and the step's number.
    """
    carried_out: Counter[tuple[str, int]] = Counter()

    def do_step(action_id: str, n: int) -> None:
        carried_out[action_id, n] += 1

    runtime = durable_runtime(make_app(run, lambda _text: None, do_step))
    database = runtime.database()
    _let_leases_run_out(run, runtime)
    worker = runtime.make_worker(8)
    worker.start()
    try:
        _wait_until_all_succeeded(run)
    finally:
        worker.stop(5)
        database.close()
    return carried_out


def _let_leases_run_out(run: Run, runtime: Runtime) -> None:
    """What the worker of before held is taken back, as a sweeper does it after a while."""
    with closing(sqlite3.connect(run.database, isolation_level=None)) as connection:
        connection.execute(RUN_OUT, {"then": LONG_AGO})
    times = [0.0]
    sweeper = Sweeper(
        runtime.jobs,
        dispatch=lambda *_: True,
        dispatches=False,
        stored=lambda: (),
        monotonic=lambda: times[-1],
    )
    sweeper.sweep()
    times.append(LEASE_SECONDS)  # it doubts a third of a lease long
    sweeper.sweep()


def _wait_until_all_succeeded(run: Run) -> None:
    give_up_at = time.monotonic() + SECONDS
    with closing(sqlite3.connect(run.database, isolation_level=None)) as connection:
        while left := connection.execute(UNFINISHED).fetchall():
            assert time.monotonic() < give_up_at, f"not run to their end: {left}"
            time.sleep(0.01)
        assert connection.execute(FAILED).fetchall() == []
