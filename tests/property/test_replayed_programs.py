"""Generated programs of steps, pauses and parallel steps: broken off anywhere, and edited.

A program that is unchanged ends with the results of its own steps, wherever its workers were lost.
One that differs within what was stored ends with `StepMismatch`. Neither is ever given the result
of another step.
"""

import threading
from contextlib import suppress
from functools import partial

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.counts import count
from tests.unit.actions.durables import Bench, Died

from licet.db.engine import Database
from licet.db.migrate import upgrade
from licet.db.statement import Statement

EXAMPLES = count(quick=150, full=2000)
NAMES = st.sampled_from("ab")
ARGUMENTS = st.sampled_from([0, 1, "x", None, {"k": [1]}])


def one(name, argument):
    """Tells what it was called for, so that a result shows whose it is."""
    return ["one", name, argument]


def other(name, argument):
    return ["other", name, argument]


FORGET = Statement(sa.text("DELETE FROM licet_action"))


def fails(name, argument):
    raise KeyError(name, argument)


FUNCTIONS = {"one": one, "other": other, "fails": fails}
steps = st.tuples(st.sampled_from(["one", "other"]), NAMES, ARGUMENTS)
calls = st.one_of(
    st.tuples(st.just("step"), steps),
    st.tuples(st.just("pause"), NAMES),
    st.tuples(st.just("caught"), st.tuples(st.just("fails"), NAMES, ARGUMENTS)),
    st.tuples(st.just("parallel"), st.lists(steps, min_size=1, max_size=4)),
)
programs = st.lists(calls, min_size=2, max_size=8)
breaks = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=4)


def places(program):
    """What is asked for at each place; a step that raised and is made again keeps its place."""
    found = []
    for at, (kind, what) in enumerate(program):
        if kind == "caught" and at and program[at - 1] == program[at]:
            continue
        found += what if kind == "parallel" else [(kind, what)] if kind == "pause" else [what]
    return found


@st.composite
def edited(draw, program, at_most):
    """Another program: one call is swapped with the next, replaced, inserted or deleted."""
    at = draw(st.integers(0, min(at_most, len(program) - 1)))
    way = draw(st.sampled_from(["swap", "replace", "insert", "delete", "rename", "argue"]))
    after = list(program)
    kind, what = program[at]
    if way == "swap" and at + 1 < len(program):
        after[at : at + 2] = [program[at + 1], program[at]]
    elif way == "insert":
        after.insert(at, draw(calls))
    elif way == "delete":
        del after[at]
    elif way == "rename" and kind == "step":
        after[at] = (kind, (what[0], "renamed", what[2]))
    elif way == "argue" and kind == "step":
        after[at] = (kind, (what[0], what[1], "argued"))
    else:
        after[at] = draw(calls)
    return after


class Run:
    """Attempts at one action of a program."""

    def __init__(self, bench, n_threads):
        with bench.database.transaction() as transaction:
            transaction.execute(FORGET, {})
        self.bench = bench
        self.action_id = bench.submit()
        self.n_threads = n_threads
        self.wrong = []
        self.n_left = 0  # calls until the worker dies
        self.lock = threading.Lock()

    def attempt(self, program, *, dies_after=None, within=False):
        """One, whose worker dies after so many calls, within the next or before it."""
        self.n_left = -1 if dies_after is None else dies_after
        self.bench.run_or_die(lambda action, _: self.handler(action, program, within=within))
        if self.bench.life(self.action_id).phase == "paused":
            self.bench.resume(self.action_id)

    def handler(self, action, program, *, within):
        for kind, what in program:
            if not within and self.n_left == 0:
                raise Died
            if kind == "pause":
                action.pause(what, "for somebody")
            elif kind == "caught":
                with suppress(KeyError):
                    action.step(what[1], *self.called(what))
            elif kind == "step":
                self.compare([action.step(what[1], *self.called(what))], [what])
            else:
                found = [action.call(each[1], *self.called(each)) for each in what]
                self.compare(action.parallel(found, threads=self.n_threads), what)
        return {"ended": len(program)}

    def called(self, what):
        function, *arguments = what
        return partial(self.counted, FUNCTIONS[function]), *arguments

    def counted(self, function, *arguments):
        with self.lock:
            if self.n_left == 0:
                raise Died
            self.n_left -= 1
        return function(*arguments)

    def compare(self, results, asked):
        due = [list(each) for each in asked]
        self.wrong += [pair for pair in zip(results, due, strict=True) if pair[0] != pair[1]]

    def stored(self):
        """The places at which something is stored."""
        held = self.bench.runs.find(self.action_id)
        return [each.mark.place for each in self.bench.runs.step_marks(held, 1, 1000)]

    def end(self, program):
        """Attempt until it has ended; how."""
        for _ in range(30):
            if self.bench.life(self.action_id).phase == "ended":
                return self.bench.state(self.action_id)
            self.attempt(program)
        raise AssertionError("It does not end.")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('programs') / 'x.sqlite3'}")
    upgrade(database)
    yield database
    database.close()


shared = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)


@shared
@given(program=programs, broken=breaks, n_threads=st.integers(1, 3))
def test_an_unchanged_program_never_mismatches(store, program, broken, n_threads):
    """Wherever its workers were lost, it ends with the results of its own steps."""
    run = Run(Bench(store), n_threads)
    for dies_after, within in broken:
        if run.bench.life(run.action_id).phase == "queued":
            run.attempt(program, dies_after=dies_after, within=within)
    assert run.end(program) == f"ended SUCCEEDED {{'ended': {len(program)}}}"
    assert run.wrong == []


@shared
@given(data=st.data(), program=programs, broken=breaks, n_threads=st.integers(1, 3))
def test_an_edited_program_is_found(store, data, program, broken, n_threads):
    """One that differs at a stored place ends so, and none gets the result of another step."""
    run = Run(Bench(store), n_threads)
    for dies_after, within in broken[:2]:
        if run.bench.life(run.action_id).phase == "queued" and len(run.stored()) < len(program):
            run.attempt(program, dies_after=min(dies_after, 2), within=within)
    if run.bench.life(run.action_id).phase == "ended":
        return
    stored = run.stored()
    after = data.draw(edited(program, at_most=len(stored)))
    was, now = places(program), places(after)
    differs = any(at > len(now) or was[at - 1] != now[at - 1] for at in stored)
    how = run.end(after)
    event(f"differs within what is stored: {differs}, ended {how.split()[2]}")
    assert run.wrong == []
    if differs:
        assert how == "ended FAILED StepMismatch"
