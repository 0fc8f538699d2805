"""The sweeper: what it takes back, ends, releases and tells of again."""

import logging
import threading
import time
from datetime import timedelta

import pytest
from tests.unit.actions.durables import START, Bench
from tests.unit.actions.making import BOB, make_request, make_status

from licet.actions import lifecycle
from licet.actions.documents import ActionStatusValue
from licet.actions.durable.steps.recorded import Mark
from licet.actions.durable.store.providers import stored_providers
from licet.actions.durable.store.runs import Runs
from licet.actions.durable.sweeper import Sweeper, Swept
from licet.actions.lifecycle import Ending
from licet.actions.store.actions import ActionStore
from licet.errors import StoreUnavailable

DONE = Ending(status=ActionStatusValue.SUCCEEDED, details={})


@pytest.fixture
def bench(database):
    return Bench(database)


def make_sweeper(
    bench, dispatch=lambda _provider, _action_id: True, *, dispatches=False, **options
):
    return Sweeper(
        [bench.job(lease_seconds=30, **options)],
        dispatch=dispatch,
        dispatches=dispatches,
        stored=lambda: [
            Runs(name, lambda: bench.database, clock=bench.clock)
            for name in stored_providers(bench.database)
        ],
        monotonic=bench.clock.monotonic,
    )


def sweep_twice(bench, sweeper) -> Swept:
    """Two rounds, a third of a lease apart."""
    sweeper.sweep()
    bench.clock.advance(10)
    return sweeper.sweep()


class TestGoneVersions:
    """Actions for whose version of the handler there is no worker any more."""

    def test_it_ends(self, bench):
        """What waited for so long fails, and says for which version; others wait on."""
        sweeper = make_sweeper(bench, version=3, versions={1: lambda _action, _body: {}})
        gone, mine, old = (bench.submit(handler_version=version) for version in (2, 3, 1))
        assert not sweeper.sweep()
        bench.clock.advance(86_400)
        late = bench.submit(handler_version=2)
        assert not sweeper.sweep()
        bench.clock.advance(60)
        assert sweeper.sweep() == Swept(gone=1)
        assert bench.state(gone) == "ended FAILED VersionGone"
        assert "version 2" in bench.life(gone).details["description"]
        assert {bench.life(each).phase for each in (mine, old, late)} == {"queued"}

    def test_not_while_one_runs(self, bench):
        """A worker of that version is there, and the queue is just long."""
        sweeper = make_sweeper(bench, version=2)
        waiting = [bench.submit() for _ in range(2)]
        bench.clock.advance(86_400)
        held = bench.claim()
        for _ in range(3):
            bench.runs.renew(held, timedelta(days=1))
            assert not sweeper.sweep()
            bench.clock.advance(60)
        assert bench.life(waiting[1]).phase == "queued"


class TestLostWorkers:
    def test_an_attempt_follows(self, bench):
        """An action whose lease ran out is queued again, a worker is told, and its log says so."""
        told = []
        sweeper = make_sweeper(bench, lambda *which: told.append(which) or True)
        action_id = bench.submit()
        bench.claim()
        bench.clock.advance(30)
        assert sweep_twice(bench, sweeper) == Swept(reclaimed=1)
        life = bench.claim().life
        assert (life.attempt, life.recoveries) == (1, 1)
        assert told == [("unit", action_id)]
        assert bench.log_codes(action_id) == ["WORKER_LOST"]

    def test_until_none_is_left(self, bench):
        """The last worker that may be lost is the end, however many attempts are left."""
        sweeper = make_sweeper(bench, max_recoveries=1, max_attempts=9)
        action_id = bench.submit()
        bench.claim()
        bench.clock.advance(30)
        assert sweep_twice(bench, sweeper) == Swept(exhausted=1)
        assert bench.state(action_id) == "ended FAILED WorkersLost"

    def test_the_default_survives_four(self, bench):
        """A worker that is lost is no failure of the action: a plain declaration goes on."""
        sweeper = make_sweeper(bench)
        action_id = bench.submit()
        for n_lost in range(1, 6):
            assert bench.claim().life.attempt == 1
            bench.clock.advance(30)
            sweep_twice(bench, sweeper)
            life = bench.life(action_id)
            assert life.recoveries == n_lost
            assert life.phase == ("ended" if n_lost == 5 else "queued")
            bench.clock.advance(30 * n_lost)  # it waits for a part of this
        assert bench.state(action_id) == "ended FAILED WorkersLost"

    def test_one_that_completes_steps_loses_any_number(self, bench):
        """It gets on: that its process dies is the fault of something beside it."""
        sweeper = make_sweeper(bench)
        action_id = bench.submit()
        for n_lost in range(12):
            held = bench.claim()
            bench.runs.add_step(held, f"step #{n_lost}", "1", Mark(n_lost + 1, "f", "d"))
            bench.clock.advance(30)
            sweep_twice(bench, sweeper)
            assert (bench.life(action_id).phase, bench.life(action_id).recoveries) == ("queued", 0)

    def test_one_that_was_cancelled_ends(self, bench):
        """Its worker was to stop anyway."""
        sweeper = make_sweeper(bench)
        action_id = bench.submit()
        bench.claim()
        bench.runs.request_cancel(bench.runs.find(action_id), BOB)
        bench.clock.advance(30)
        sweep_twice(bench, sweeper)
        assert bench.state(action_id) == "ended FAILED Cancelled"

    def test_a_worker_that_is_heard_of_keeps_it(self, bench):
        """One that renews its lease after it ran out loses nothing: the database was away."""
        sweeper = make_sweeper(bench)
        action_id = bench.submit()
        held = bench.claim()
        bench.clock.advance(300)
        assert not sweeper.sweep()
        bench.runs.renew(held, timedelta(seconds=30))
        bench.clock.advance(10)
        assert not sweeper.sweep()
        assert bench.life(action_id).phase == "running"

    def test_a_clock_that_jumps_costs_nothing(self, bench):
        """A lease counts as lost by a clock that nobody sets."""
        sweeper = make_sweeper(bench)
        sweeper._monotonic = lambda: 5.0
        action_id = bench.submit()
        bench.claim()
        for _ in range(5):
            bench.clock.advance(3600)
            assert not sweeper.sweep()
        assert bench.life(action_id).phase == "running"

    def test_suspicions_are_forgotten(self, bench):
        """What is no longer suspect takes no memory."""
        sweeper = make_sweeper(bench)
        bench.submit()
        held = bench.claim()
        bench.clock.advance(30)
        sweeper.sweep()
        assert len(sweeper._suspects) == 1
        bench.runs.move(held, lifecycle.end(held.life, bench.clock(), DONE))
        sweeper.sweep()
        assert sweeper._suspects == {}

    def test_two_sweepers(self, bench):
        """One of them takes it back; the other's guard does not hold."""
        sweepers = [make_sweeper(bench) for _ in range(2)]
        bench.submit()
        bench.claim()
        bench.clock.advance(30)
        for sweeper in sweepers:
            sweeper.sweep()
        bench.clock.advance(10)
        assert [sweeper.sweep().reclaimed for sweeper in sweepers] == [1, 0]

    def test_somebody_was_quicker(self, bench, monkeypatch):
        """What changed between the reading and the writing is left alone."""
        sweeper = make_sweeper(bench)
        bench.submit()
        bench.claim()
        bench.clock.advance(30)
        sweeper.sweep()
        bench.clock.advance(10)
        monkeypatch.setattr(bench.runs, "change", lambda *_args, **_options: False)
        assert not sweeper.sweep()


class TestDeadlines:
    @pytest.mark.parametrize("phase", ["queued", "running", "paused"])
    def test_they_end_what_has_not_ended(self, bench, phase):
        """Wherever it stands."""
        deadline = START + timedelta(hours=1)
        action_id = bench.submit(deadline=deadline.isoformat())
        if phase != "queued":
            bench.claim(7200)
        if phase == "paused":
            seen = bench.runs.find(action_id)
            bench.runs.change(seen, lifecycle.pause(seen.life, START, {}))
        assert bench.life(action_id).phase == phase
        sweeper = make_sweeper(bench)
        assert not sweeper.sweep()
        bench.clock.advance(3600)
        assert sweeper.sweep() == Swept(expired=1)
        assert bench.state(action_id) == "ended FAILED DeadlineExceeded"


class TestRelease:
    def test_what_was_kept_long_enough(self, bench):
        """It is gone, its request_id with it."""
        action_id = bench.submit(release_after="PT1H")
        held = bench.claim()
        bench.runs.move(held, lifecycle.end(held.life, bench.clock(), DONE))
        sweeper = make_sweeper(bench)
        assert not sweeper.sweep()
        bench.clock.advance(3600)
        assert sweeper.sweep() == Swept(released=1)
        assert bench.runs.find(action_id) is None

    def test_of_every_provider(self, bench):
        """Also of those whose actions are run by callbacks, and that this app does not know."""
        other = ActionStore("other", lambda: bench.database, clock=bench.clock)
        done = make_status("SUCCEEDED", release_after="PT1H")
        going = make_status("ACTIVE", release_after="PT1H")
        other.submit(make_request("1"), done)
        other.submit(make_request("2"), going)
        bench.clock.advance(3600)
        assert make_sweeper(bench).sweep() == Swept(released=1)
        assert other.get(done.action_id) is None
        assert other.get(going.action_id) is not None


class TestDispatch:
    def test_again_and_each_time_later(self, bench):
        """A message may be lost; a queue that is only long is told of every five minutes."""
        told = []
        sweeper = make_sweeper(
            bench, lambda _provider, action_id: told.append(action_id) or True, dispatches=True
        )
        action_id = bench.submit()
        rounds = []
        for second in range(0, 1000, 5):
            if sweeper.sweep().dispatched:
                rounds.append(second)
            bench.clock.advance(5)
        assert rounds == [0, 30, 60, 120, 240, 480, 780]
        assert told == [action_id] * 7

    def test_a_broker_that_is_away(self, bench):
        """Nothing is put off: it is told of in the next round."""
        answers = iter([False, True])
        sweeper = make_sweeper(bench, lambda *_: next(answers), dispatches=True)
        bench.submit()
        assert [sweeper.sweep().dispatched for _ in range(3)] == [0, 1, 0]

    def test_workers_that_look_themselves_need_not_be_told(self, bench):
        """Where workers poll, the queue is theirs."""
        bench.submit()
        assert not make_sweeper(bench, lambda *_: pytest.fail("told")).sweep()


class TestTroubles:
    def test_one_providers_bug_is_not_the_others(self, bench, monkeypatch, caplog):
        """The rest of the round is made, and the log says what went wrong."""
        other = Bench(bench.database, "other")
        other.clock = bench.clock
        deadline = (START + timedelta(hours=1)).isoformat()
        action_id = other.submit(deadline=deadline)
        sweeper = make_sweeper(bench)
        sweeper._jobs.append(other.job())
        other.runs.clock = bench.clock
        bench.clock.advance(3601)
        monkeypatch.setattr(bench.runs, "past_deadline", lambda **_: 1 / 0)
        assert sweeper.sweep() == Swept(expired=1)
        assert other.state(action_id) == "ended FAILED DeadlineExceeded"
        assert "The actions of unit cannot be swept" in caplog.text

    def test_a_database_that_is_away_ends_the_round(self, bench, monkeypatch):
        """There is nothing to be done."""

        def away(**_options):
            raise StoreUnavailable

        monkeypatch.setattr(bench.runs, "past_deadline", away)
        with pytest.raises(StoreUnavailable):
            make_sweeper(bench).sweep()


class TestThread:
    def test_rounds_go_on(self, bench, monkeypatch, caplog):
        """Neither a database that is away nor a bug ends the sweeper; `stop` does."""
        caplog.set_level(logging.INFO)
        sweeper = make_sweeper(bench)
        monkeypatch.setattr(Sweeper, "interval_seconds", 0.001)
        enough = threading.Event()
        rounds = iter([StoreUnavailable(), ValueError("bug"), Swept(released=1), Swept(expired=1)])

        def sweep():
            found = next(rounds, None)
            if found is None:
                enough.set()
                return Swept()
            if isinstance(found, Exception):
                raise found
            return found

        sweeper.sweep = sweep
        sweeper.start()
        sweeper.start()
        assert enough.wait(10)
        sweeper.stop()
        sweeper._thread.join(10)
        assert not sweeper._thread.is_alive()
        assert "the database does not answer" in caplog.text
        assert "ValueError: bug" in caplog.text
        assert "0 reclaimed, 0 exhausted, 1 expired" in caplog.text

    @pytest.mark.parametrize(("lease", "interval"), [(1.2, 0.2), (30, 5.0), (3600, 5.0)])
    def test_how_often(self, bench, lease, interval):
        """Six times a lease, and at least every 5 s."""
        sweeper = Sweeper(
            [bench.job(lease_seconds=lease)],
            dispatch=lambda *_: True,
            dispatches=False,
            stored=list,
        )
        assert sweeper.interval_seconds == pytest.approx(interval)


class TestOnce:
    def test_a_lost_lease_is_taken_back(self, bench):
        """The one round waits, and looks again."""
        bench.submit()
        bench.claim(lease_seconds=0.3)
        bench.clock.advance(0.3)
        sweeper = Sweeper(
            [bench.job(lease_seconds=0.3)],
            dispatch=lambda *_: True,
            dispatches=False,
            stored=list,
        )
        assert sweeper.sweep_once() == Swept(reclaimed=1)

    def test_a_round_without_suspects_does_not_wait(self, bench):
        """Nor does it do anything twice."""
        bench.submit()
        bench.claim()
        sweeper = make_sweeper(bench)
        began = time.monotonic()
        assert not sweeper.sweep_once()
        assert time.monotonic() - began < 5
