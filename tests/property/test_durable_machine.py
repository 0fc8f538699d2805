"""Durable actions beside a plain model: after any sequence of events both say the same.

Two workers, a sweeper, and people who submit, cancel and resume act on one store; the clock moves
by jumps. The model is written without the code's own state machine.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.counts import count
from tests.unit.actions.durables import Bench
from tests.unit.actions.making import BOB, make_request

from licet.actions import lifecycle
from licet.actions.documents import ActionStatusValue
from licet.actions.durable.store.providers import stored_providers
from licet.actions.durable.store.runs import Claimed, LogLine, Move, Runs
from licet.actions.durable.sweeper import Sweeper
from licet.actions.lifecycle import Ending
from licet.db.engine import Database
from licet.db.migrate import upgrade
from licet.errors import ActionConflict, LeaseLost

LEASE = 30
ATTEMPTS = 2
RECOVERIES = 2
DONE = Ending(status=ActionStatusValue.SUCCEEDED, details={"n": 1})
BROKEN = Ending(status=ActionStatusValue.FAILED, details={"code": "X", "description": "x"})
workers = st.sampled_from(["ann", "ben"])


@dataclass
class Model:
    """One action as it should be."""

    state: str = "queued"
    attempt: int = 1
    recoveries: int = 0
    has_progressed: bool = False  # under the present lease
    ready_at: float = 0.0
    lease_until: float = 0.0
    deadline: float | None = None
    cancelled: bool = False
    holder: int = 0  # counts claims
    steps: set[str] = field(default_factory=set)
    ended_at: float = 0.0


class DurableMachine(RuleBasedStateMachine):
    """`model` maps ids to what each should be; `held` is what each worker believes to hold."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.model: dict[str, Model] = {}
        self.held: dict[str, Claimed | None] = {"ann": None, "ben": None}
        self.n_requests = 0

    @initialize()
    def begin(self):
        with self.database.read() as connection:
            connection.exec_driver_sql("DELETE FROM licet_action")
        self.bench = Bench(self.database)
        self.sweeper = Sweeper(
            [self.bench.job(lease_seconds=LEASE, max_recoveries=RECOVERIES)],
            dispatch=lambda *_: True,
            dispatches=False,
            stored=lambda: [
                Runs(name, lambda: self.database, clock=self.bench.clock)
                for name in stored_providers(self.database)
            ],
            monotonic=self.bench.clock.monotonic,
        )

    @property
    def now(self) -> float:
        return self.bench.clock.monotonic()

    # --- people

    @rule(deadline=st.none() | st.integers(1, 200), release_after=st.sampled_from([None, 10]))
    def submit(self, deadline, release_after):
        self.n_requests += 1
        fields = {}
        if deadline is not None:
            fields["deadline"] = (self.bench.clock() + timedelta(seconds=deadline)).isoformat()
        if release_after is not None:
            fields["release_after"] = f"PT{release_after}S"
        action_id = self.bench.submit(make_request(str(self.n_requests), **fields))
        self.model[action_id] = Model(
            ready_at=self.now, deadline=None if deadline is None else self.now + deadline
        )

    @rule(data=st.data())
    @precondition(lambda self: self.model)
    def cancel(self, data):
        action_id = data.draw(st.sampled_from(list(self.model)))
        run, model = self.bench.runs.find(action_id), self.model[action_id]
        after = lifecycle.cancel(run.life, self.bench.clock(), BOB)
        if after.phase == "running":
            self.bench.runs.request_cancel(run, BOB)
            model.cancelled = True
        elif after != run.life:
            assert self.bench.runs.change(run, after)
            self.end(model, "FAILED Cancelled")

    @rule(data=st.data())
    @precondition(lambda self: self.model)
    def resume(self, data):
        action_id = data.draw(st.sampled_from(list(self.model)))
        run, model = self.bench.runs.find(action_id), self.model[action_id]
        if model.state.startswith("ended"):
            with pytest.raises(ActionConflict):
                lifecycle.resume(run.life, self.bench.clock())
            return
        after = lifecycle.resume(run.life, self.bench.clock())
        if model.state == "paused":
            assert self.bench.runs.change(run, after)
            model.state, model.ready_at = "queued", self.now
        else:
            assert after == run.life

    # --- workers

    @rule(who=workers)
    def claim(self, who):
        held = self.bench.runs.claim(who, timedelta(seconds=LEASE))
        due = [m for m in self.model.values() if m.state == "queued" and m.ready_at <= self.now]
        assert (held is None) == (not due)
        if held is not None:
            assert self.model[held.action_id].ready_at == min(m.ready_at for m in due)
            self.hold(who, held)

    def hold(self, who, held):
        model = self.model[held.action_id]
        assert model.state == "queued"
        assert model.ready_at <= self.now
        model.state, model.holder = "running", model.holder + 1
        model.has_progressed = False
        model.lease_until = self.now + LEASE
        assert (held.life.lease_number, held.life.attempt) == (model.holder, model.attempt)
        found = {name for name in "abp" if self.bench.runs.step_without_place(held, name)}
        assert found == model.steps
        assert self.bench.runs.step_counts(held) == (0, len(model.steps))
        self.held[who] = held

    def is_holder(self, who) -> bool:
        held = self.held[who]
        model = self.model.get(held.action_id)
        return (
            model is not None
            and model.state == "running"
            and model.holder == held.life.lease_number
        )

    def attempt_write(self, who, write) -> bool:
        """Whether the write was let through: exactly when the worker still holds its action."""
        try:
            write(self.held[who])
        except LeaseLost:
            assert not self.is_holder(who)
            return False
        assert self.is_holder(who)
        return True

    def let_go(self, who, life) -> Model | None:
        """The model of what was let go of, if that was written."""
        held = self.held[who]
        if self.is_said_already(held, life):
            self.bench.runs.move(held, life)  # is no error, and changes nothing
            self.held[who] = None
            return None
        written = self.attempt_write(who, lambda held: self.bench.runs.move(held, life))
        self.held[who] = None
        return self.model[held.action_id] if written else None

    def is_said_already(self, held, life) -> bool:
        """The sweeper has just ended it by its deadline, as the worker is about to."""
        run = self.bench.runs.find(held.action_id)
        return (
            run is not None
            and run.life.phase == "ended"
            and (run.life.lease_number, run.life.details, run.life.completion_time)
            == (held.life.lease_number, life.details, life.completion_time)
        )

    @rule(who=workers, name=st.sampled_from("ab"))
    @precondition(lambda self: any(self.held.values()))
    def step(self, who, name):
        if self.held[who] and name in self.held_steps(who):
            return  # a worker knows the steps of earlier attempts, and stores none again
        if self.held[who] and self.attempt_write(
            who, lambda held: self.bench.runs.add_step(held, name, "1")
        ):
            model = self.model[self.held[who].action_id]
            model.steps.add(name)
            model.has_progressed = True

    def held_steps(self, who) -> set[str]:
        model = self.model.get(self.held[who].action_id)
        return set() if model is None else model.steps

    @rule(who=workers)
    @precondition(lambda self: any(self.held.values()))
    def renew(self, who):
        if self.held[who] and self.attempt_write(
            who, lambda held: self.bench.runs.renew(held, timedelta(seconds=LEASE))
        ):
            self.model[self.held[who].action_id].lease_until = self.now + LEASE

    @rule(who=workers)
    @precondition(lambda self: any(self.held.values()))
    def finish(self, who):
        held = self.held[who]
        if held is None:
            return
        model = self.let_go(who, lifecycle.end(held.life, self.bench.clock(), DONE))
        if model is not None:
            late = model.deadline is not None and self.now > model.deadline
            self.end(model, "FAILED DeadlineExceeded" if late else "SUCCEEDED {'n': 1}")

    @rule(who=workers, wait=st.sampled_from([None, 0, 20]))
    @precondition(lambda self: any(self.held.values()))
    def fail(self, who, wait):
        held = self.held[who]
        if held is None:
            return
        life = lifecycle.fail(
            held.life,
            self.bench.clock(),
            BROKEN,
            retry_after=None if wait is None else timedelta(seconds=wait),
            max_attempts=ATTEMPTS,
        )
        model = self.let_go(who, life)
        if model is not None:
            if wait is None or model.attempt == ATTEMPTS:
                late = model.deadline is not None and self.now > model.deadline
                self.end(model, "FAILED DeadlineExceeded" if late else "FAILED X")
            elif held.life.cancel_requested_by:  # it was cancelled in an earlier attempt
                self.end(model, "FAILED Cancelled")
            else:
                model.state, model.attempt = "queued", model.attempt + 1
                model.ready_at = self.now + wait

    @rule(who=workers)
    @precondition(lambda self: any(self.held.values()))
    def give_back(self, who):
        held = self.held[who]
        if held is None:
            return
        model = self.let_go(who, lifecycle.give_back(held.life, self.bench.clock()))
        if model is not None:
            model.state, model.ready_at = "queued", self.now

    @rule()
    @precondition(lambda self: all(self.held.values()))
    def finish_together(self):
        """In one commit, each fenced for itself."""
        ends = {
            who: lifecycle.end(held.life, self.bench.clock(), DONE)
            for who, held in self.held.items()
        }
        if any(self.is_said_already(self.held[who], life) for who, life in ends.items()):
            return
        expected = {who for who in ends if not self.is_holder(who)}
        lost = self.bench.runs.move_all(
            [Move(self.bench.runs, self.held[who], life) for who, life in ends.items()]
        )
        assert [m.held for m in lost] == [self.held[who] for who in ends if who in expected]
        for who in set(ends) - expected:
            model = self.model[self.held[who].action_id]
            late = model.deadline is not None and self.now > model.deadline
            self.end(model, "FAILED DeadlineExceeded" if late else "SUCCEEDED {'n': 1}")
        self.held = dict.fromkeys(self.held)

    @rule(who=workers)
    @precondition(lambda self: any(self.held.values()))
    def pause(self, who):
        held = self.held[who]
        if held is None:
            return
        life = lifecycle.pause(held.life, self.bench.clock(), {"code": "P", "description": "p"})
        line = LogLine(code="PAUSED", description="d")
        was_written: list[bool] = []
        if self.attempt_write_unless_cancelled(who, life, line, was_written):
            model = self.model[held.action_id]
            assert was_written == [not model.cancelled]
            if not model.cancelled:
                model.state = "paused"
                model.steps.add("p")
        if was_written == [True] or not self.is_holder(who):
            self.held[who] = None

    def attempt_write_unless_cancelled(self, who, life, line, was_written) -> bool:
        holds = self.is_holder(who)
        try:
            was_written.append(self.bench.runs.pause(self.held[who], life, step="p", line=line))
        except LeaseLost:
            assert not holds
            return False
        assert holds
        return True

    @rule(who=workers)
    def die(self, who):
        self.held[who] = None

    # --- time

    @rule(seconds=st.sampled_from([1, 5, 11, 31]))
    def time_passes(self, seconds):
        self.bench.clock.advance(seconds)

    @rule()
    def sweep(self):
        before = {action_id: model.state for action_id, model in self.model.items()}
        suspected = dict(self.sweeper._suspects)
        self.sweeper.sweep()
        for action_id, model in list(self.model.items()):
            self.sweep_one(action_id, model, before[action_id], suspected)

    def sweep_one(self, action_id, model, before, suspected) -> None:
        if before.startswith("ended"):
            run = self.bench.runs.find(action_id)
            if run is None:
                assert self.now >= model.ended_at + 10
                del self.model[action_id]
            return
        if model.deadline is not None and model.deadline <= self.now:
            self.end(model, "FAILED DeadlineExceeded")
        elif before == "running" and model.lease_until <= self.now:
            key = self.bench.runs.find(action_id).key
            since = [at for (k, n, _), at in suspected.items() if (k, n) == (key, model.holder)]
            if since and self.now - since[0] >= LEASE / 3:
                self.lose(action_id, model)

    def lose(self, action_id, model) -> None:
        if self.bench.life(action_id).phase == "running":
            return  # it was renewed since it was suspected, and is suspected anew
        if not model.cancelled:
            model.recoveries = 0 if model.has_progressed else model.recoveries + 1
        if model.cancelled:
            self.end(model, "FAILED Cancelled")
        elif model.recoveries == RECOVERIES:
            self.end(model, "FAILED WorkersLost")
        else:
            model.state, model.ready_at = "queued", self.now

    def end(self, model, how) -> None:
        model.state, model.ended_at = f"ended {how}", self.now

    # --- what must always hold

    @invariant()
    def the_store_is_as_the_model_says(self):
        for action_id, model in self.model.items():
            run = self.bench.runs.find(action_id)
            assert run is not None
            life = run.life
            if model.state.startswith("ended"):
                assert self.bench.state(action_id) == model.state
            else:
                assert life.phase == model.state
                assert life.attempt == model.attempt
            status = self.bench.store.get(action_id).status
            shown = {"paused": "INACTIVE"}.get(life.phase.value, life.status.value)
            assert status == life.status == shown


def test_every_sequence_of_events(database_url):
    """On each kind of database."""
    database = Database(database_url)
    upgrade(database)
    run_state_machine_as_test(
        lambda: DurableMachine(database),
        settings=settings(
            max_examples=count(quick=30, full=1_000), stateful_step_count=40, deadline=None
        ),
    )
    database.close()
