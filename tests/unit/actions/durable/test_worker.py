"""A worker: its threads, its keeper, and how it stops."""

import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable

import pytest
from tests.unit.actions.durables import Bench
from tests.unit.actions.making import BOB

from licet.actions import lifecycle
from licet.actions.durable import scouts as scouts_module
from licet.actions.durable import worker as worker_module
from licet.actions.durable.running import ActionStopped, Reason
from licet.actions.durable.store.runs import Runs
from licet.actions.durable.worker import Worker
from licet.errors import StoreUnavailable

LONG = 20.0


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.005)


def away(*_args, **_options):
    raise StoreUnavailable


class RealTime(Bench):
    """As `Bench`, by the clock on the wall."""

    def __init__(self, database, provider="unit"):
        super().__init__(database, provider)
        self.runs = Runs(provider, lambda: database)
        self.clock = self.runs.clock
        self.workers: list[Worker] = []

    def start(self, *jobs, threads=2, poll_seconds=0.02, **options) -> Worker:
        worker = Worker(jobs, threads=threads, poll_seconds=poll_seconds, **options)
        self.workers.append(worker)
        worker.start()
        return worker

    def phase(self, action_id) -> str:
        return self.life(action_id).phase.value


@pytest.fixture
def bench(sqlite_database):
    found = RealTime(sqlite_database)
    yield found
    for worker in found.workers:
        worker.stop(0)


def counting(n_running: list[int]):
    """A handler that notes how many of it run at once."""
    lock, now = threading.Lock(), [0]

    def handler(action, _body):
        with lock:
            now[0] += 1
            n_running.append(now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1

    return handler


def count_claims(bench, monkeypatch) -> list[None]:
    """A list that is as long as claims were made."""
    claims: list[None] = []
    claim = bench.runs.claim

    def counted(*args, **options):
        claims.append(None)
        return claim(*args, **options)

    monkeypatch.setattr(bench.runs, "claim", counted)
    return claims


class TestWork:
    def test_everything_that_is_queued(self, bench):
        """Before the worker began, and after it was woken."""
        ids = [bench.submit() for _ in range(20)]
        worker = bench.start(bench.job())
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))
        ids = [bench.submit() for _ in range(5)]
        worker.wake()
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))

    @pytest.mark.parametrize("how", ["it ends", "it fails", "it waits", "its lease is lost"])
    def test_an_attempt_that_is_over_is_forgotten_at_once(self, bench, how):
        """None is in a cycle of references, which only the collector would find."""
        attempts: list[weakref.ref] = []

        def handler(action, _body):
            attempts.append(weakref.ref(action))
            if how == "it fails":
                raise ValueError
            if how == "it waits":
                action.pause("Consent", "needed")
            if how == "its lease is lost":
                action._control.stop(Reason.LEASE_LOST)
                action.raise_if_cancelled()

        for _ in range(5):
            bench.submit()
        logging.disable()  # pytest keeps what is logged, and so an error's frames
        gc.disable()
        try:
            bench.start(bench.job(handler))
            wait_until(lambda: len(attempts) == 5 and not any(found() for found in attempts))
        finally:
            gc.enable()
            logging.disable(logging.NOTSET)

    def test_what_nobody_told_it_of(self, bench):
        """It looks by itself."""
        bench.start(bench.job())
        action_id = bench.submit()
        wait_until(lambda: bench.phase(action_id) == "ended")

    def test_each_that_it_is_told_of_is_looked_for_by_one_thread(self, bench, monkeypatch):
        """Which claims it, and as it ends, finds no more."""
        monkeypatch.setattr(scouts_module, "SOON_SECONDS", LONG)  # on a busy machine all is slow
        claims = count_claims(bench, monkeypatch)
        worker = bench.start(bench.job(lease_seconds=6 * LONG), threads=4, poll_seconds=LONG)
        for n in range(1, 6):
            action_id = bench.submit()
            worker.wake()
            wait_until(lambda found=action_id: bench.phase(found) == "ended")
            assert n <= len(claims) <= 2 * n

    def test_two_threads_that_find_each_others(self, bench, monkeypatch):
        """Who finds nothing looks again when the worker was told of more meanwhile."""
        worker = bench.start(bench.job(lease_seconds=6 * LONG), threads=1, poll_seconds=LONG)
        claim, left = bench.runs.claim, []

        def too_late(*args, **options):
            if left:
                return claim(*args, **options)
            left.append(bench.submit())
            worker.wake()  # and another thread takes the first
            return None

        monkeypatch.setattr(bench.runs, "claim", too_late)
        worker.wake()
        wait_until(lambda: left and bench.phase(left[0]) == "ended")

    def test_a_queue_that_it_was_not_told_of_has_every_thread_at_work(self, bench):
        """One poll is enough for that."""
        together = threading.Barrier(4)
        ids = [bench.submit() for _ in range(8)]

        def handler(_action, _body):
            together.wait(LONG)

        job = bench.job(handler, lease_seconds=6 * LONG)
        bench.start(job, threads=4, poll_seconds=LONG)._make_round()
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))

    def test_two_that_end_at_once_on_sqlite(self, bench, monkeypatch):
        """One of them goes on, and one only: they would wait for each other at every write."""
        monkeypatch.setattr(scouts_module, "SOON_SECONDS", LONG)
        monkeypatch.setattr(scouts_module, "WRITE_SECONDS", LONG)
        threads: list[int] = []
        both, n_at_once = threading.Barrier(2), 2

        def handler(_action, body):
            threads.append(threading.get_ident())
            if body["n"] < n_at_once:
                both.wait(LONG)

        for n in range(60):
            bench.submit(body={"n": n})
        worker = bench.start(
            bench.job(handler, lease_seconds=6 * LONG), threads=2, poll_seconds=LONG
        )
        wait_until(lambda: worker._scouts._n_idle == 2)
        worker._scouts.call(limit=2)
        worker._scouts.call(limit=2)
        wait_until(lambda: len(threads) == 60)
        assert len(set(threads[:n_at_once])) == n_at_once
        assert len(set(threads[n_at_once:])) == 1

    def test_a_second_thread_on_postgresql(self, postgresql_database, monkeypatch):
        """It is called where actions wait; many can write at once there."""
        monkeypatch.setattr(scouts_module, "SOON_SECONDS", LONG)
        bench = RealTime(postgresql_database)
        threads: set[int] = set()

        def handler(_action, _body):
            threads.add(threading.get_ident())
            time.sleep(0.002)

        ids = [bench.submit() for _ in range(40)]
        time.sleep(0.06)
        worker = bench.start(
            bench.job(handler, lease_seconds=6 * LONG), threads=4, poll_seconds=LONG
        )
        try:
            worker.wake()
            wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))
        finally:
            worker.stop(LONG)
        assert len(threads) > 1

    def test_room_for_one_on_sqlite(self, bench, monkeypatch):
        """Who leaves the looking to others has them look once more when there is room."""
        ids = [bench.submit() for _ in range(2)]
        job = bench.job(lease_seconds=6 * LONG, concurrency=1)
        worker = bench.start(job, threads=2, poll_seconds=6 * LONG)
        stays = worker._scouts.retire_if_too_many
        left: list[bool] = []

        def leaves(wanted):
            if left:
                return stays(wanted)
            left.append(worker._scouts.retire())  # and so did another, who found no room
            return True

        monkeypatch.setattr(worker._scouts, "retire_if_too_many", leaves)
        worker.wake()
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))

    def test_who_is_given_up_on_as_an_action_ends(self, bench, monkeypatch):
        """It runs what it claimed in that same write, and then ends: another does the rest."""
        ids = [bench.submit() for _ in range(5)]
        work, threads, ran_by = Worker._work, [], {}

        def counted(worker):
            threads.append("begun")
            work(worker)
            threads.append("ended")

        monkeypatch.setattr(Worker, "_work", counted)
        # it counts as a scout till the end
        monkeypatch.setattr(scouts_module, "SOON_SECONDS", LONG)
        worker = bench.start(
            bench.job(
                lambda action, _body: ran_by.update({action.action_id: threading.get_ident()}),
                lease_seconds=12 * LONG,  # the keeper makes no round before a sixth of it
            ),
            threads=1,
            poll_seconds=12 * LONG,
        )
        move = bench.runs.move

        def slowly(held, *args, **options):
            following = move(held, *args, **options)
            if held.action_id in ids[:2]:  # the second time, there is another already
                (attempt,) = worker._running
                worker._abandon(attempt)
            return following

        monkeypatch.setattr(bench.runs, "move", slowly)
        worker.wake()
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))
        wait_until(lambda: worker.claims.is_empty)
        wait_until(lambda: "ended" in threads)
        assert sorted(threads) == ["begun", "begun", "ended"]
        first, second, *others = (ran_by[i] for i in ids)
        assert first == second
        assert first not in others

    def test_who_is_about_to_look_is_counted(self, bench, monkeypatch):
        """Also when its action took long: for what is queued meanwhile nobody else is called."""
        monkeypatch.setattr(scouts_module, "SOON_SECONDS", 0.0)
        other = RealTime(bench.database, "other")  # so that to find nothing here is not enough
        claim, n_looking, began = bench.runs.claim, [], threading.Event()

        def counted(*args, **options):
            if began.is_set():
                worker._scouts._drop_late()
                n_looking.append(len(worker._scouts._out))
            return claim(*args, **options)

        monkeypatch.setattr(bench.runs, "claim", counted)
        worker = bench.start(
            bench.job(lambda _action, _body: began.set(), lease_seconds=6 * LONG),
            other.job(lease_seconds=6 * LONG),
            threads=1,
            poll_seconds=6 * LONG,
        )
        bench.submit()
        worker.wake()
        wait_until(lambda: n_looking)
        assert n_looking[0] == 1

    def test_short_waits_on_sqlite_are_waited_for_together(self, bench, monkeypatch):
        """By as many threads as can wait while one writes; the keeper need not call them."""
        monkeypatch.setattr(scouts_module, "SOON_SECONDS", LONG)
        threads: set[int] = set()

        def handler(_action, _body):
            threads.add(threading.get_ident())
            time.sleep(0.01)

        ids = [bench.submit() for _ in range(100)]
        worker = bench.start(
            bench.job(handler, lease_seconds=6 * LONG), threads=4, poll_seconds=LONG
        )
        worker.wake()
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))
        assert len(threads) > 1

    def test_as_many_at_once_as_it_has_threads(self, bench):
        """And no more."""
        n_running: list[int] = []
        ids = [bench.submit() for _ in range(12)]
        bench.start(bench.job(counting(n_running)), threads=4)
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))
        assert 2 <= max(n_running) <= 4

    def test_a_job_may_have_fewer(self, bench):
        """The rest of the threads is for other jobs."""
        other = RealTime(bench.database, "other")
        n_running: list[int] = []
        ids = [bench.submit() for _ in range(6)]
        others = [other.submit() for _ in range(6)]
        bench.start(bench.job(counting(n_running), concurrency=1), other.job(), threads=4)
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))
        wait_until(lambda: all(other.phase(i) == "ended" for i in others))
        assert max(n_running) == 1

    def test_starting_twice(self, bench):
        """It begins once."""
        worker = bench.start(bench.job())
        keeper = worker._keeper
        worker.start()
        assert worker._keeper is keeper

    def test_one_that_a_message_names(self, bench):
        """Without polling, it runs what it is told to, and keeps its lease."""
        job = bench.job(lambda action, _body: {"n": 1})
        worker = Worker([job], threads=2)
        bench.workers.append(worker)
        worker.start(polling=False)
        action_id = bench.submit()
        worker.run_named(job, action_id)
        worker.run_named(job, action_id)
        assert bench.state(action_id) == "ended SUCCEEDED {'n': 1}"
        worker.stop(0)
        worker.run_named(job, action_id := bench.submit())
        assert bench.phase(action_id) == "queued"
        assert worker.claims.is_empty

    def test_troubles_with_a_claim(self, bench, monkeypatch, caplog):
        """Neither a database that is away nor a bug ends a thread."""
        troubles = iter([StoreUnavailable(), ValueError("bug")])
        claim = bench.runs.claim

        def troubled(*args, **options):
            for trouble in troubles:
                raise trouble
            return claim(*args, **options)

        monkeypatch.setattr(bench.runs, "claim", troubled)
        bench.start(bench.job(), threads=1)
        action_id = bench.submit()
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert "the database does not answer" in caplog.text
        assert "ValueError: bug" in caplog.text

    def test_who_lost_a_lease_has_not_looked(self, bench):
        """Nothing was claimed with the end that was refused: the thread looks again."""
        first, second = bench.submit(), []

        def handler(action, _body):
            if action.action_id != first:
                return
            second.append(bench.submit())
            seen = bench.runs.find(first)
            assert bench.runs.change(seen, lifecycle.exceed_deadline(seen.life, bench.clock()))

        worker = bench.start(
            bench.job(handler, lease_seconds=6 * LONG), threads=1, poll_seconds=LONG
        )
        worker.wake()
        began = time.monotonic()
        wait_until(lambda: second and bench.phase(second[0]) == "ended")
        assert time.monotonic() - began < LONG / 2

    def test_an_answer_that_was_lost_claims_nothing_again(self, bench, monkeypatch):
        """Whatever was claimed with it is in nobody's hands: one attempt is lost, not two."""
        move, thens = bench.runs.move, []

        def lost(held, life, *, log=(), then=None):
            thens.append(then is not None)
            move(held, life, log=log)
            if len(thens) == 1:
                raise StoreUnavailable

        monkeypatch.setattr(bench.runs, "move", lost)
        action_id = bench.submit()
        bench.start(bench.job(), threads=1, poll_seconds=LONG).wake()
        wait_until(lambda: bench.phase(action_id) == "ended" and len(thens) == 2)
        assert thens == [True, False]


class TestKeeper:
    def test_a_lease_is_renewed(self, bench):
        """An action may take longer than its lease."""
        action_id = bench.submit()
        ended = threading.Event()
        bench.start(bench.job(lambda _action, _body: ended.wait(LONG) and None, lease_seconds=0.2))
        wait_until(lambda: bench.phase(action_id) == "running")
        first = bench.life(action_id).lease_until
        wait_until(lambda: bench.life(action_id).lease_until > first)
        ended.set()
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert bench.life(action_id).attempt == 1

    def test_the_last_progress_is_stored(self, bench):
        """Also when the handler says nothing more."""
        action_id = bench.submit()
        ended = threading.Event()

        def handler(action, _body):
            action.progress(0.1)
            action.progress(0.2, "at work")
            ended.wait(LONG)

        bench.start(bench.job(handler))
        wait_until(lambda: bench.store.get(action_id).display_status == "at work")
        ended.set()

    def test_a_cancel_in_the_same_process(self, bench):
        """The handler hears at its next call."""
        action_id = bench.submit()

        def handler(action, _body):
            while True:
                action.raise_if_cancelled()
                time.sleep(0.005)

        worker = bench.start(bench.job(handler))
        wait_until(lambda: worker.n_running == 1)
        assert bench.runs.request_cancel(bench.runs.find(action_id), BOB)
        worker.notice_cancel("another")
        worker.notice_cancel(action_id)
        wait_until(lambda: bench.phase(action_id) == "ended")

    def test_a_handler_that_never_returns(self, bench, monkeypatch, caplog):
        """When its action is not the worker's any more, another thread does its work."""
        monkeypatch.setattr(worker_module, "GRACE_SECONDS", 0.05)
        ended = threading.Event()
        stuck = bench.submit(body={"wait": True})

        def handler(_action, body):
            if body.get("wait"):
                ended.wait(LONG)

        worker = bench.start(bench.job(handler, lease_seconds=0.2), threads=1)
        wait_until(lambda: worker.n_running == 1)
        seen = bench.runs.find(stuck)
        wait_until(
            lambda: bench.runs.change(
                bench.runs.find(stuck), lifecycle.exceed_deadline(seen.life, bench.clock())
            )
        )
        action_id = bench.submit()
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert "a thread is given up on" in caplog.text
        assert bench.state(stuck) == "ended FAILED DeadlineExceeded"
        ended.set()
        wait_until(lambda: worker._abandoned == 0)

    def test_there_is_a_limit_to_that(self, bench, monkeypatch):
        """Threads are not given up on without end."""
        monkeypatch.setattr(worker_module, "GRACE_SECONDS", 0.0)
        monkeypatch.setattr(worker_module, "_MAX_ABANDONED", 0)
        ended = threading.Event()
        stuck = bench.submit()
        worker = bench.start(
            bench.job(lambda _action, _body: ended.wait(LONG) and None, lease_seconds=0.1),
            threads=1,
        )
        wait_until(lambda: worker.n_running == 1)
        seen = bench.runs.find(stuck)
        assert bench.runs.change(seen, lifecycle.exceed_deadline(seen.life, bench.clock()))
        (running,) = worker._running
        wait_until(lambda: running.lost_at is not None)
        worker._look_after(running)
        assert worker.n_running == 1
        ended.set()
        wait_until(lambda: worker.n_running == 0)
        worker._abandon(running)
        assert worker._abandoned == 0

    def test_troubles_with_a_renewal(self, bench, monkeypatch, caplog):
        """A database that is away, or a bug: it tries again at its next round."""
        troubles = iter([StoreUnavailable(), ValueError("bug")])
        renew = bench.runs.renew

        def troubled(*args):
            for trouble in troubles:
                raise trouble
            renew(*args)
            ended.set()

        ended = threading.Event()
        monkeypatch.setattr(bench.runs, "renew", troubled)
        action_id = bench.submit()
        bench.start(bench.job(lambda _action, _body: ended.wait(LONG) and None, lease_seconds=0.2))
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert "Leases cannot be renewed" in caplog.text
        assert "ValueError: bug" in caplog.text


class TestDatabaseAway:
    def test_what_must_be_written_is_written_later(self, bench, monkeypatch, caplog):
        """The result waits for the database; the handler is not called again."""
        troubles = iter([StoreUnavailable()] * 3)
        move, calls = bench.runs.move, []

        def troubled(*args, **options):
            for trouble in troubles:
                raise trouble
            move(*args, **options)

        monkeypatch.setattr(bench.runs, "move", troubled)
        action_id = bench.submit()
        bench.start(bench.job(lambda _action, _body: calls.append(1)))
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert (calls, caplog.text.count("trying again")) == ([1], 3)

    def test_until_its_patience_ends(self, bench, monkeypatch, caplog):
        """Then the lease runs out, and another attempt is made."""
        monkeypatch.setattr(
            bench.runs, "move", lambda *_, **__: (_ for _ in ()).throw(StoreUnavailable())
        )
        action_id = bench.submit()
        worker = bench.start(bench.job(), patience_seconds=0.1)
        wait_until(lambda: "the database stayed away" in caplog.text)
        assert (bench.phase(action_id), worker.n_running) == ("running", 0)

    def test_an_attempt_that_breaks_off(self, bench, monkeypatch, caplog):
        """A bug of ours costs the attempt, and not the thread."""
        moves = iter([ValueError("bug")])
        move = bench.runs.move

        def broken(*args, **options):
            for error in moves:
                raise error
            move(*args, **options)

        monkeypatch.setattr(bench.runs, "move", broken)
        first = bench.submit()
        bench.start(bench.job(), threads=1)
        wait_until(lambda: "the attempt broke off" in caplog.text)
        second = bench.submit()
        wait_until(lambda: bench.phase(second) == "ended")
        assert bench.phase(first) == "running"


class TestStop:
    def test_a_running_step_ends_and_the_rest_is_given_back(self, bench):
        """No step is lost, no attempt either, and another worker goes on behind it."""
        action_id, ran, first_is_on = bench.submit(), [], threading.Event()

        def slow():
            first_is_on.set()
            time.sleep(0.1)
            ran.append("first")

        def handler(action, _body):
            action.step("first", slow)
            return {"n": action.step("second", lambda: ran.append("second") or 2)}

        worker = bench.start(bench.job(handler))
        assert first_is_on.wait(LONG)
        began = time.monotonic()
        worker.stop(LONG)
        assert time.monotonic() - began < LONG / 2  # it is told when nothing runs any more
        assert (ran, bench.phase(action_id), bench.life(action_id).attempt) == (
            ["first"],
            "queued",
            1,
        )
        bench.start(bench.job(handler))
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert ran == ["first", "second"]

    def test_what_is_being_claimed_meanwhile_is_given_back(self, bench):
        """It is not begun, no attempt is lost, and `stop` waits for that."""
        action_id, claiming, go_on, begun = bench.submit(), threading.Event(), threading.Event(), []
        job = bench.job(lambda _action, _body: begun.append(1))
        claim = job.runs.claim

        def slow_claim(*args, **options):
            claimed = claim(*args, **options)
            claiming.set()
            assert go_on.wait(LONG)
            return claimed

        job.runs.claim = slow_claim
        worker = bench.start(job, threads=1)
        assert claiming.wait(LONG)
        stopping = threading.Thread(target=worker.stop, args=(LONG,))
        stopping.start()
        wait_until(lambda: worker.is_stopping)
        go_on.set()
        stopping.join()
        assert (begun, bench.phase(action_id), bench.life(action_id).attempt) == ([], "queued", 1)

    def test_a_handler_without_steps_may_end(self, bench):
        """Nothing would be saved by stopping it."""
        action_id, begun = bench.submit(), threading.Event()

        def handler(action, _body):
            begun.set()
            time.sleep(0.1)
            action.progress(0.5)
            action.raise_if_cancelled()
            return {"n": 1}

        worker = bench.start(bench.job(handler))
        assert begun.wait(LONG)
        worker.stop(LONG)
        assert bench.state(action_id) == "ended SUCCEEDED {'n': 1}"

    def test_what_takes_longer_is_given_back(self, bench, caplog):
        """After the limit, nothing more of it is stored here."""
        action_id, begun, ended = bench.submit(), threading.Event(), threading.Event()
        told = []

        def handler(action, _body):
            begun.set()
            ended.wait(LONG)
            try:
                action.log("C", "d")
            except ActionStopped as stopped:
                told.append(stopped.reason.value)
                raise

        worker = bench.start(bench.job(handler))
        assert begun.wait(LONG)
        worker.stop(0.05)
        assert bench.phase(action_id) == "queued"
        assert "is given back unfinished" in caplog.text
        ended.set()
        wait_until(lambda: told == ["lease lost"])
        assert bench.log_codes(action_id) == []
        worker.stop(0)

    def test_what_cannot_be_given_back(self, bench, caplog, monkeypatch):
        """Its lease runs out."""
        begun, ended = threading.Event(), threading.Event()
        bench.submit()

        def handler(_action, _body):
            begun.set()
            ended.wait(LONG)

        worker = bench.start(bench.job(handler))
        assert begun.wait(LONG)
        monkeypatch.setattr(
            bench.runs, "move", lambda *_, **__: (_ for _ in ()).throw(StoreUnavailable())
        )
        worker.stop(0)
        ended.set()
        assert "could not be given back" in caplog.text
        wait_until(lambda: worker.n_running == 0)

    def test_nothing_is_claimed_any_more(self, bench):
        """What is queued stays queued."""
        worker = bench.start(bench.job())
        worker.stop(0)
        action_id = bench.submit()
        worker.wake()
        assert worker.claims.next() is None
        assert bench.phase(action_id) == "queued"
