"""Durable actions in the database: claims, fences, and what the sweeper finds."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from tests.unit.actions.durables import START, Bench
from tests.unit.actions.making import ALICE, BOB, make_query

from licet.actions import lifecycle
from licet.actions.documents import ActionStatusValue
from licet.actions.durable.store import _statements as sql
from licet.actions.durable.store._rows import as_seen, life_params
from licet.actions.durable.store.providers import stored_providers
from licet.actions.durable.store.runs import LogLine, Move, Runs
from licet.actions.lifecycle import Ending, Phase
from licet.db.statement import Statement
from licet.errors import LeaseLost

LEASE = timedelta(seconds=30)
DONE = Ending(status=ActionStatusValue.SUCCEEDED, details={"n": 1})


@pytest.fixture
def bench(database):
    return Bench(database)


def finish(bench, held):
    bench.runs.move(held, lifecycle.end(held.life, bench.clock(), DONE))


class TestClaim:
    def test_who_claims_gets_everything_that_a_handler_needs(self, bench):
        """The lease, the request, and whose it is."""
        action_id = bench.submit(body={"n": 7}, label="seven")
        held = bench.claim()
        assert (held.action_id, held.creator_id, held.label) == (action_id, ALICE, "seven")
        assert held.body == '{"n":7}'
        assert held.life.lease_number == 1
        assert held.life.lease_until == held.life.due_at == START + LEASE
        assert held.life == lifecycle.claim(lifecycle.begin(START), START, LEASE)

    def test_the_longest_waiting_first(self, bench):
        """Actions are claimed in the order in which they came."""
        ids = []
        for _ in range(5):
            ids.append(bench.submit())
            bench.clock.advance(1)
        assert [bench.claim().action_id for _ in ids] == ids

    def test_not_before_its_time(self, bench):
        """What is to be tried again later is not claimed until then, nor by its id."""
        action_id = bench.submit()
        held = bench.claim()
        life = lifecycle.fail(held.life, START, DONE, retry_after=LEASE, max_attempts=2)
        bench.runs.move(held, life)
        assert bench.runs.claim("w", LEASE) is None
        assert bench.runs.claim_one("w", LEASE, action_id) is None
        bench.clock.advance(30)
        assert bench.claim().life.attempt == 2

    def test_by_its_id(self, bench):
        """A message names the action that it is about; the second one finds nothing."""
        bench.submit()
        action_id = bench.submit()
        assert bench.runs.claim_one("w", LEASE, action_id).action_id == action_id
        assert bench.runs.claim_one("w", LEASE, action_id) is None
        assert bench.runs.claim_one("w", LEASE, "unknown") is None

    def test_by_its_id_while_another_writes(self, postgresql_database):
        """It waits for what may leave the action as it is: a message comes once."""
        bench = Bench(postgresql_database)
        action_id = bench.submit()
        found = []

        def claim():
            found.append(bench.runs.claim_one("w", LEASE, action_id))

        thread = threading.Thread(target=claim)
        with bench.database.transaction() as transaction:
            seen = bench.runs.find(action_id)
            locked = Statement(sa.text("SELECT id FROM licet_action FOR UPDATE"))
            assert transaction.fetch_one(locked, {}) == (seen.key,)
            thread.start()
            thread.join(0.3)
            assert found == []
        thread.join(30)
        assert found[0].action_id == action_id

    def test_each_provider_has_its_own(self, bench):
        """Another provider's actions are not there."""
        action_id = bench.submit()
        other = Runs("other", lambda: bench.database, clock=bench.clock)
        assert other.claim("w", LEASE) is None
        assert other.claim_one("w", LEASE, action_id) is None
        assert other.find(action_id) is None

    def test_many_at_once(self, bench):
        """However many claim, each action is claimed once."""
        wanted = {bench.submit() for _ in range(60)}
        claimed: list[str] = []

        def work():
            while found := bench.runs.claim("w", LEASE):
                claimed.append(found.action_id)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(claimed) == len(wanted)
        assert set(claimed) == wanted


class TestFence:
    """A worker whose lease another has taken can write nothing."""

    @pytest.fixture
    def zombie(self, bench):
        """What a worker holds that was thought lost, and another has claimed since."""
        action_id = bench.submit()
        held = bench.claim()
        lost = lifecycle.lose_lease(held.life, bench.clock(), max_recoveries=2)
        assert bench.runs.change(bench.runs.find(action_id), lost)
        bench.claim()
        return held

    @pytest.mark.parametrize(
        "write",
        [
            lambda bench, held: bench.runs.renew(held, LEASE),
            lambda bench, held: bench.runs.cancel_requested_by(held),
            lambda bench, held: bench.runs.progress(held, {"progress": 1}, "x"),
            lambda bench, held: bench.runs.add_log(held, LogLine(code="C", description="d")),
            lambda bench, held: bench.runs.add_step(held, "s", "1"),
            finish,
            lambda bench, held: bench.runs.move(
                held,
                lifecycle.give_back(held.life, bench.clock()),
                log=[LogLine(code="C", description="d")],
            ),
            lambda bench, held: bench.runs.pause(
                held,
                lifecycle.pause(held.life, bench.clock(), {}),
                step="p",
                line=LogLine(code="C", description="d"),
            ),
        ],
        ids=["renew", "ask", "progress", "log", "step", "finish", "give back", "pause"],
    )
    def test_nothing_is_written(self, bench, zombie, write):
        """Each write is refused, and leaves the row, the log and the steps as they were."""
        before = bench.runs.find(zombie.action_id)
        with pytest.raises(LeaseLost, match=zombie.action_id):
            write(bench, zombie)
        assert bench.runs.find(zombie.action_id) == before
        assert bench.runs.step_counts(zombie) == (0, 0)
        assert bench.log_codes(zombie.action_id) == []

    def test_what_has_ended_is_nobodys(self, bench):
        """The same lease cannot write once the action has ended."""
        bench.submit()
        held = bench.claim()
        finish(bench, held)
        with pytest.raises(LeaseLost):
            bench.runs.progress(held, {}, None)


class TestKeysThatComeAgain:
    """SQLite gives the key of a released row to the next one: who held the first holds nothing."""

    @pytest.fixture
    def stale(self, bench):
        """What a stalled worker believes to hold, and the action that has its key and lease now."""
        first = bench.submit(release_after="PT0S")
        held = bench.claim()
        seen = bench.runs.find(first)
        bench.runs.change(seen, lifecycle.exceed_deadline(seen.life, bench.clock()))
        assert bench.runs.release(bench.runs.find(first))
        second = bench.submit()
        assert bench.claim().life.lease_number == held.life.lease_number
        return held, bench.runs.find(second), seen

    def test_a_stalled_worker_writes_nothing(self, bench, stale):
        """Not into another's action, and it reads none of its steps."""
        held, other, _ = stale
        bench.runs.add_step(replace(held, key=other.key, action_id=other.action_id), "s", "1")
        for write in (
            lambda: bench.runs.renew(held, LEASE),
            lambda: bench.runs.progress(held, {"progress": 1}, "x"),
            lambda: bench.runs.add_log(held, LogLine(code="C", description="d")),
            lambda: bench.runs.add_step(held, "t", "1"),
            lambda: bench.runs.cancel_requested_by(held),
            lambda: finish(bench, held),
        ):
            with pytest.raises(LeaseLost):
                write()
        assert bench.runs.step_counts(held) == (0, 0)
        assert bench.runs.find(other.action_id) == other

    def test_nor_does_who_read_the_row_before(self, bench, stale):
        """A change of the first action is none of the second's."""
        _, other, seen = stale
        seen = replace(seen, key=other.key, version=other.version)
        assert not bench.runs.change(seen, lifecycle.cancel(seen.life, START, "bob"))
        assert not bench.runs.request_cancel(seen, "bob")
        assert not bench.runs.release(seen)
        assert bench.runs.find(other.action_id) == other


class TestManyAtOnce:
    """A worker claims as many as it has threads, and writes in one commit what has ended."""

    def ended(self, bench, held, *lines):
        return Move(bench.runs, held, lifecycle.end(held.life, bench.clock(), DONE), lines)

    def test_those_that_are_due_longest(self, bench):
        """No more than asked for, in their order, each with a lease of its own."""
        ids = []
        for _ in range(5):
            ids.append(bench.submit())
            bench.clock.advance(1)
        held = bench.runs.claim_many("w", LEASE, 3)
        assert [one.action_id for one in held] == ids[:3]
        assert {one.life.lease_number for one in held} == {1}
        assert [bench.life(i).phase for i in ids] == ["running"] * 3 + ["queued"] * 2
        assert len(bench.runs.claim_many("w", LEASE, 3)) == 2
        assert bench.runs.claim_many("w", LEASE, 3) == []

    def test_each_end_is_fenced_for_itself(self, bench):
        """Whose lease is lost is told so; the others are written, with their lines and roles."""
        ids = [bench.submit(), bench.submit(), bench.submit(monitor_by=[BOB]), bench.submit()]
        held = {one.action_id: one for one in bench.runs.claim_many("w", LEASE, 4)}
        seen = bench.runs.find(ids[1])
        assert bench.runs.change(seen, lifecycle.exceed_deadline(seen.life, bench.clock()))
        line = LogLine(code="C", description="d")
        moves = [self.ended(bench, held[i], *([line] if i == ids[3] else [])) for i in ids]
        lost = bench.runs.move_all(moves)
        assert [move.held.action_id for move in lost] == [ids[1]]
        done = "ended SUCCEEDED {'n': 1}"
        assert [bench.state(i) for i in ids] == [done, "ended FAILED DeadlineExceeded", done, done]
        assert (bench.log_codes(ids[0]), bench.log_codes(ids[3])) == ([], ["C"])
        query = make_query("monitor_by", statuses=frozenset({ActionStatusValue.SUCCEEDED}))
        assert [s.action_id for s in bench.store.enumerate(frozenset({BOB}), query).actions] == [
            ids[2]
        ]
        assert bench.runs.move_all([moves[0], moves[3]]) == []  # after an answer was lost

    def test_of_several_providers(self, bench, database):
        """Workers serve several."""
        other = Bench(database, "other")
        first, second = bench.submit(), other.submit()
        moves = [self.ended(bench, bench.claim()), self.ended(other, other.claim())]
        assert bench.runs.move_all(moves) == []
        assert (bench.life(first).phase, other.life(second).phase) == ("ended", "ended")


class TestWhatIsWrittenTwice:
    """A write whose answer was lost is made again."""

    def test_the_end(self, bench):
        """The second finds the first, which was its own."""
        action_id = bench.submit()
        held = bench.claim()
        life = lifecycle.end(held.life, bench.clock(), DONE)
        bench.runs.move(held, life)
        bench.runs.move(held, life)
        assert bench.state(action_id) == "ended SUCCEEDED {'n': 1}"

    def test_another_end_at_the_same_moment_is_not_its_own(self, bench):
        """The sweeper ended it by its deadline, in the very microsecond."""
        bench.submit()
        held = bench.claim()
        seen = bench.runs.find(held.action_id)
        assert bench.runs.change(seen, lifecycle.exceed_deadline(seen.life, bench.clock()))
        with pytest.raises(LeaseLost):
            finish(bench, held)

    def test_a_step(self, bench):
        """There is one, with the same result."""
        bench.submit()
        held = bench.claim()
        bench.runs.add_step(held, "s", "1")
        bench.runs.add_step(held, "s", "1")
        assert bench.runs.step_without_place(held, "s") == "1"

    def test_a_pause(self, bench):
        """It waits once."""
        action_id = bench.submit()
        held = bench.claim()
        life = lifecycle.pause(held.life, bench.clock(), {})
        line = LogLine(code="PAUSED", description="d")
        assert bench.runs.pause(held, life, step="p", line=line)
        assert bench.runs.pause(held, life, step="p", line=line)
        assert bench.log_codes(action_id) == ["PAUSED"]


class TestLease:
    def test_it_lasts_from_now(self, bench):
        """A renewal counts from when it is made, also after the lease ran out."""
        action_id = bench.submit()
        held = bench.claim()
        bench.clock.advance(100)
        bench.runs.renew(held, LEASE)
        life = bench.life(action_id)
        assert life.lease_until == life.due_at == bench.clock() + LEASE

    def test_who_renews_it_cannot_be_thought_lost_any_more(self, bench):
        """A sweeper that read the row before changes nothing."""
        action_id = bench.submit()
        held = bench.claim()
        bench.clock.advance(100)
        seen = bench.runs.find(action_id)
        bench.runs.renew(held, LEASE)
        lost = lifecycle.lose_lease(seen.life, bench.clock(), max_recoveries=2)
        assert not bench.runs.change(seen, lost)

    def test_an_end_leaves_no_lease(self, bench):
        """Nobody holds what has ended."""
        action_id = bench.submit()
        finish(bench, bench.claim())
        assert bench.life(action_id).lease_until is None


class TestChange:
    def test_only_what_was_seen(self, bench):
        """A row that has changed since it was read is left alone."""
        action_id = bench.submit()
        seen = bench.runs.find(action_id)
        bench.claim()
        assert not bench.runs.change(seen, lifecycle.cancel(seen.life, START, "bob"))
        assert not bench.runs.request_cancel(seen, "bob")
        assert not bench.runs.postpone(seen, START + LEASE)
        assert not bench.runs.release(seen)
        assert bench.life(action_id).phase is Phase.RUNNING

    def test_a_request_to_cancel_reaches_the_worker(self, bench):
        """Who asked is in the row; the worker goes on and can end it."""
        action_id = bench.submit()
        held = bench.claim()
        assert bench.runs.cancel_requested_by(held) is None
        assert bench.runs.request_cancel(bench.runs.find(action_id), BOB)
        assert bench.runs.cancel_requested_by(held) == BOB
        assert not bench.runs.request_cancel(bench.runs.find(action_id), ALICE)
        finish(bench, held)
        assert bench.state(action_id) == "ended SUCCEEDED {'n': 1}"

    def test_a_request_to_cancel_that_the_worker_did_not_see(self, bench):
        """It was queued again by then: it is due at once, so that who claims it ends it."""
        action_id = bench.submit()
        held = bench.claim()
        assert bench.runs.request_cancel(bench.runs.find(action_id), BOB)
        due = START + timedelta(hours=1)
        life = lifecycle.give_back(held.life, due)._replace(attempt=2)
        bench.runs.move(held, life, log=[LogLine(code="EXCEPTION", description="d")])
        assert bench.life(action_id).phase is Phase.QUEUED
        bench.clock.advance(1)
        bench.run(lambda *_: pytest.fail("called"))
        assert bench.state(action_id) == "ended FAILED Cancelled"

    def test_a_pause_comes_after_a_request_to_cancel(self, bench):
        """It is not paused, and no step is left behind."""
        action_id = bench.submit()
        held = bench.claim()
        bench.runs.request_cancel(bench.runs.find(action_id), BOB)
        life = lifecycle.pause(held.life, bench.clock(), {})
        line = LogLine(code="PAUSED", description="d")
        assert not bench.runs.pause(held, life, step="p", line=line)
        assert bench.runs.step_counts(held) == (0, 0)
        assert bench.life(action_id).phase is Phase.RUNNING


class TestPrincipals:
    """Who may monitor or manage an action finds it under its present state."""

    @pytest.mark.parametrize("role", ["monitor_by", "manage_by"])
    def test_a_change_of_state_is_found(self, bench, role):
        """By a worker's write, and by anybody else's."""
        action_id = bench.submit(**{role: [BOB]})

        def found() -> list[str]:
            page = bench.store.enumerate(frozenset({BOB}), make_query(role))
            return [status.status.value for status in page.actions]

        assert found() == ["ACTIVE"]
        held = bench.claim()
        pause = lifecycle.pause(held.life, START, {})
        bench.runs.pause(held, pause, step="p", line=LogLine(code="C", description="d"))
        assert found() == ["INACTIVE"]
        seen = bench.runs.find(action_id)
        assert bench.runs.change(seen, lifecycle.resume(seen.life, START))
        assert not bench.runs.change(seen, lifecycle.resume(seen.life, START))
        assert found() == ["ACTIVE"]
        finish(bench, bench.claim())
        assert found() == ["SUCCEEDED"]


class TestDue:
    def test_each_phase_has_its_own_time(self, bench):
        """Queued: at once; running: when the lease ends; ended: when it is to be released."""
        action_id = bench.submit(release_after="PT1H")

        def due(phase) -> bool:
            return [run.action_id for run in bench.runs.due(phase, limit=9)] == [action_id]

        assert due(Phase.QUEUED)
        held = bench.claim()
        assert not due(Phase.RUNNING)
        bench.clock.advance(30)
        assert due(Phase.RUNNING)
        finish(bench, held)
        assert not due(Phase.ENDED)
        bench.clock.advance(3600)
        assert due(Phase.ENDED)
        assert bench.runs.release(bench.runs.find(action_id))
        assert bench.runs.find(action_id) is None

    def test_what_is_released_leaves_nothing(self, bench):
        """Its log, its steps and its principals go with it."""
        action_id = bench.submit(monitor_by=[BOB])
        held = bench.claim()
        bench.runs.add_step(held, "s", "1")
        bench.runs.add_log(held, LogLine(code="C", description="d", details={"n": 1}))
        finish(bench, held)
        bench.runs.release(bench.runs.find(action_id))
        with bench.database.read() as connection:
            for table in ("step", "log", "principal"):
                count = f"SELECT count(*) FROM licet_action_{table}"
                assert connection.exec_driver_sql(count).scalar() == 0

    def test_past_their_deadline(self, bench):
        """Those that have not ended, and no others."""
        deadline = START + timedelta(hours=1)
        ids = [bench.submit(deadline=deadline.isoformat()) for _ in range(3)]
        bench.submit()
        finish(bench, bench.claim())
        bench.claim()
        assert bench.runs.past_deadline(limit=9) == []
        bench.clock.advance(3601)
        found = {run.action_id for run in bench.runs.past_deadline(limit=9)}
        assert len(found) == 2
        assert found < set(ids)

    def test_a_queued_one_is_put_off(self, bench):
        """It is not due until then, and can be claimed by its id all the same."""
        action_id = bench.submit()
        assert bench.runs.postpone(bench.runs.find(action_id), START + LEASE)
        assert bench.runs.due(Phase.QUEUED, limit=9) == []
        assert bench.runs.claim_one("w", LEASE, action_id) is not None


def test_every_provider_that_has_stored_something(database):
    """Their names, each once."""
    for name in ("b", "a", "b", "c"):
        Bench(database, name).submit()
    assert list(stored_providers(database)) == ["a", "b", "c"]


def test_ids_that_no_database_takes(bench):
    """They name nothing."""
    assert bench.runs.find("\x00") is None


class TestFences:
    """A lease that is being taken back while its worker writes."""

    @pytest.mark.parametrize("write", ["a step", "a line"])
    def test_what_is_written_meanwhile_is_refused(self, bench, write):
        """The write waits for the other's transaction, and then holds no lease any more."""
        bench.submit()
        held, errors = bench.claim(), []

        def add():
            try:
                if write == "a step":
                    bench.runs.add_step(held, "step #1", "1")
                else:
                    bench.runs.add_log(held, LogLine(code="LINE", description="line"))
            except LeaseLost as error:
                errors.append(error)

        thread = threading.Thread(target=add)
        with bench.database.transaction() as transaction:
            found = bench.runs.find(held.action_id)
            after = lifecycle.lose_lease(found.life, bench.clock(), max_recoveries=2)
            params = life_params(after) | as_seen(found)
            assert transaction.execute(sql.MOVE_UNCHANGED, params) == 1
            thread.start()
            thread.join(0.3)
        thread.join()
        assert len(errors) == 1
        assert bench.runs.step_counts(held) == (0, 0)
        assert bench.log_codes(held.action_id) == []

    @pytest.mark.parametrize("action_id", ["", "\0", "\ud800"])
    def test_what_is_no_id_claims_nothing(self, bench, action_id):
        """A message may hold anything."""
        bench.submit()
        assert bench.runs.claim_one("w", LEASE, action_id) is None
        assert bench.claim()
