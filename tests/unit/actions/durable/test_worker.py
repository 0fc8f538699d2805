"""A worker: its threads, its keeper, and how it stops."""

import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.unit.actions.durables import Bench
from tests.unit.actions.making import BOB

from licet.actions import lifecycle
from licet.actions.durable import care as care_module
from licet.actions.durable import worker as worker_module
from licet.actions.durable.declaration import Retry
from licet.actions.durable.running import ActionStopped, Reason
from licet.actions.durable.store.runs import Runs
from licet.actions.durable.worker import Worker
from licet.db.engine import Database
from licet.db.migrate import upgrade
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


def count_claims(bench, monkeypatch) -> list[int]:
    """How many actions each claim asked for."""
    claims: list[int] = []
    claim = bench.runs.claim_many

    def counted(owner, lease, count, **options):
        claims.append(count)
        return claim(owner, lease, count, **options)

    monkeypatch.setattr(bench.runs, "claim_many", counted)
    return claims


def patient(bench, *args, **options):
    """A job whose worker polls and renews leases so seldom that a test does not see it."""
    return bench.job(*args, **{"lease_seconds": 6 * LONG} | options)


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

    def test_it_claims_as_many_as_it_has_threads(self, bench, monkeypatch):
        """In one statement, never more, and again when it was given as many as it asked for."""
        claims = count_claims(bench, monkeypatch)
        together = threading.Barrier(4)
        ids = [bench.submit() for _ in range(4)]
        bench.start(
            patient(bench, lambda _action, _body: together.wait(LONG) and None),
            threads=4,
            poll_seconds=LONG,
        )
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))
        assert claims[0] == 4
        assert max(claims) == 4

    def test_nothing_claimed_waits(self, bench):
        """While every thread has an action, the queue is left alone."""
        ended, begun = threading.Event(), threading.Semaphore(0)

        def handler(_action, _body):
            begun.release()
            ended.wait(LONG)

        ids = [bench.submit() for _ in range(5)]
        worker = bench.start(patient(bench, handler), threads=2, poll_seconds=0.01)
        for _ in range(2):
            assert begun.acquire(timeout=LONG)
        worker.wake()
        time.sleep(0.1)
        assert [bench.phase(i) for i in ids] == ["running"] * 2 + ["queued"] * 3
        ended.set()
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))

    def test_what_comes_while_it_looks(self, bench, monkeypatch):
        """It looks again: no submission is told of in vain."""
        claim, later = bench.runs.claim_many, []

        def too_late(*args, **options):
            if later:
                return claim(*args, **options)
            later.append(bench.submit())
            worker.wake()
            return []

        worker = bench.start(patient(bench), threads=1, poll_seconds=LONG)
        wait_until(lambda: worker._is_told is False)
        monkeypatch.setattr(bench.runs, "claim_many", too_late)
        worker.wake()
        wait_until(lambda: later and bench.phase(later[0]) == "ended")

    def test_ends_are_written_together(self, bench, monkeypatch):
        """Whatever has gathered while others were written."""
        groups, move_all = [], bench.runs.move_all

        def slowly(moves):
            groups.append(len(moves))
            time.sleep(0.05)
            return move_all(moves)

        monkeypatch.setattr(bench.runs, "move_all", slowly)
        ids = [bench.submit() for _ in range(40)]
        bench.start(patient(bench), threads=4, poll_seconds=LONG)
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))
        assert sum(groups) == 40
        assert max(groups) > 4  # its threads do not wait for that

    def test_one_end_that_cannot_be_written(self, bench, monkeypatch, caplog):
        """The others are; it is run again once its lease has run out."""
        move_all, bad = bench.runs.move_all, bench.submit()

        def choosy(moves):
            if any(move.held.action_id == bad for move in moves):
                raise ValueError("bug")
            return move_all(moves)

        monkeypatch.setattr(bench.runs, "move_all", choosy)
        ids = [bench.submit() for _ in range(5)]
        worker = bench.start(patient(bench), threads=2, poll_seconds=LONG)
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))
        wait_until(lambda: worker.n_running == 0)
        assert bench.phase(bad) == "running"
        assert "the attempt broke off" in caplog.text

    def test_the_ends_of_several_providers(self, bench):
        """A worker has all of them."""
        other = RealTime(bench.database, "other")
        ids, others = [bench.submit() for _ in range(9)], [other.submit() for _ in range(9)]
        bench.start(patient(bench), patient(other), threads=3, poll_seconds=LONG)
        wait_until(lambda: all(bench.phase(i) == "ended" for i in ids))
        wait_until(lambda: all(other.phase(i) == "ended" for i in others))

    def test_troubles_with_a_claim(self, bench, monkeypatch, caplog):
        """Neither a database that is away nor a bug ends the producer."""
        troubles = iter([StoreUnavailable(), ValueError("bug")])
        claim = bench.runs.claim_many

        def troubled(*args, **options):
            for trouble in troubles:
                raise trouble
            return claim(*args, **options)

        monkeypatch.setattr(bench.runs, "claim_many", troubled)
        bench.start(bench.job(), threads=1)
        action_id = bench.submit()
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert "the database does not answer" in caplog.text
        assert "ValueError: bug" in caplog.text

    def test_what_the_handler_left_open_does_not_stand_in_the_way(self, tmp_path):
        """The end is written when the app's context, and its session with it, has ended."""
        written_in: list[bool] = []
        inside: list[bool] = []

        @contextmanager
        def context():
            inside.append(True)
            try:
                yield
            finally:
                inside.pop()

        database = Database(f"sqlite:///{tmp_path}/left_open.sqlite3")
        upgrade(database)
        bench = RealTime(database)
        move_all = bench.runs.move_all

        def noted(moves):
            written_in.append(bool(inside))
            return move_all(moves)

        bench.runs.move_all = noted
        for handler in (lambda _a, _b: {}, lambda _a, _b: 1 // 0):
            bench.submit()
            attempt = bench.attempt(handler)
            object.__setattr__(attempt.job, "context", context)
            attempt.complete()
        assert written_in == [False, False]
        database.close()

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

    @pytest.mark.parametrize("why", ["cancelled", "timed out", "deadline", "lease lost"])
    def test_a_handler_that_never_returns(self, bench, monkeypatch, caplog, why):
        """Its action ends without it, and another thread does its thread's work."""
        monkeypatch.setattr(care_module, "LOST_SECONDS", 0.05)
        ended, told = threading.Event(), []
        deadline = bench.clock() + timedelta(seconds=0.3)
        fields = {"deadline": deadline.isoformat()} if why == "deadline" else {}
        stuck = bench.submit(body={"wait": True}, **fields)

        def handler(action, body):
            if body.get("wait"):
                ended.wait(LONG)
                try:
                    action.log("TOO_LATE", "is not stored")
                except ActionStopped as stopped:
                    told.append(stopped.reason)
                    raise

        limit = 0.2 if why == "timed out" else None
        worker = bench.start(
            bench.job(handler, lease_seconds=0.6, attempt_seconds=limit),
            threads=1,
            grace_seconds=0.05,
        )
        wait_until(lambda: worker.n_running == 1)
        if why == "cancelled":  # by another process, which tells nobody
            wait_until(lambda: bench.runs.request_cancel(bench.runs.find(stuck), BOB))
        elif why == "lease lost":
            wait_until(
                lambda: bench.runs.change(
                    (seen := bench.runs.find(stuck)),
                    lifecycle.exceed_deadline(seen.life, bench.clock()),
                )
            )
        code = {
            "cancelled": "Cancelled",
            "timed out": "AttemptTimedOut",
        }.get(why, "DeadlineExceeded")
        wait_until(lambda: bench.state(stuck) == f"ended FAILED {code}")
        action_id = bench.submit()
        wait_until(lambda: bench.phase(action_id) == "ended")
        wait_until(lambda: "a thread is given up on" in caplog.text)
        ended.set()
        wait_until(lambda: worker._n_given_up == 0)
        assert told == [Reason.LEASE_LOST]
        assert "TOO_LATE" not in bench.log_codes(stuck)
        wait_until(lambda: worker.claims.is_empty)

    def test_what_took_too_long_is_tried_again(self, bench):
        """As any other failure, while attempts remain."""
        ended = threading.Event()
        action_id = bench.submit()

        def handler(action, _body):
            if action.attempt == 1:
                ended.wait(LONG)
            return {"attempt": action.attempt}

        bench.start(
            bench.job(
                handler, attempt_seconds=0.05, max_attempts=2, retry=Retry(wait_seconds=0.01)
            ),
            threads=1,
            grace_seconds=0.05,
        )
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert bench.state(action_id) == "ended SUCCEEDED {'attempt': 2}"
        ended.set()

    def test_one_that_heeds_its_limit(self, bench, caplog):
        """It is told, ends by itself, and no thread is given up on."""
        action_id = bench.submit()

        def handler(action, _body):
            while True:
                action.raise_if_cancelled()
                time.sleep(0.005)

        bench.start(bench.job(handler, attempt_seconds=0.05))
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert bench.state(action_id) == "ended FAILED AttemptTimedOut"
        assert "given up" not in caplog.text

    def test_there_is_a_limit_to_that(self, bench, monkeypatch):
        """Threads are not given up on without end."""
        monkeypatch.setattr(care_module, "LOST_SECONDS", 0.0)
        monkeypatch.setattr(worker_module, "_MAX_GIVEN_UP", 0)
        ended = threading.Event()
        stuck = bench.submit()
        worker = bench.start(
            bench.job(lambda _action, _body: ended.wait(LONG) and None, lease_seconds=0.1),
            threads=1,
        )
        wait_until(lambda: worker.n_running == 1)
        seen = bench.runs.find(stuck)
        assert bench.runs.change(seen, lifecycle.exceed_deadline(seen.life, bench.clock()))
        (running,) = worker._present
        wait_until(lambda: running.told_at is not None)
        worker._care.look_after(running)
        assert worker.n_running == 1
        ended.set()
        wait_until(lambda: worker.n_running == 0)
        worker._care.look_after(running)
        assert worker._n_given_up == 0

    def test_a_limited_job_keeps_the_room_of_who_goes_on(self, bench):
        """Only so many may be at it, heeded or not."""
        ended, n_running = threading.Event(), []
        stuck = bench.submit()

        def handler(action, _body):
            n_running.append(1)
            if action.action_id == stuck:
                ended.wait(LONG)

        worker = bench.start(
            bench.job(handler, attempt_seconds=0.05, concurrency=1), threads=1, grace_seconds=0.05
        )
        wait_until(lambda: bench.phase(stuck) == "ended")
        action_id = bench.submit()
        time.sleep(0.1)
        assert bench.phase(action_id) == "queued"
        ended.set()
        wait_until(lambda: bench.phase(action_id) == "ended")
        wait_until(lambda: worker.claims.is_empty)

    def test_a_system_without_threads(self, bench, monkeypatch, caplog):
        """The keeper goes on, and starts what is missing when it can."""
        ended, thread = threading.Event(), worker_module._thread

        def none_left(*_args):
            raise RuntimeError("can't start new thread")

        def handler(_action, body):
            if body.get("wait"):
                ended.wait(LONG)

        bench.submit(body={"wait": True})
        worker = bench.start(bench.job(handler, attempt_seconds=0.1), threads=1, grace_seconds=0.05)
        wait_until(lambda: worker.n_running == 1)
        monkeypatch.setattr(worker_module, "_thread", none_left)
        wait_until(lambda: caplog.text.count("1 threads of a worker are missing") > 1)
        assert worker.is_busy
        monkeypatch.setattr(worker_module, "_thread", thread)
        action_id = bench.submit()
        wait_until(lambda: bench.phase(action_id) == "ended")
        ended.set()

    def test_a_bug_while_one_is_given_up_on(self, bench, caplog):
        """The others are looked after all the same."""
        ended, n_asked = threading.Event(), []

        def jitter():
            n_asked.append(1)
            raise ValueError("bug")

        bench.submit()
        bench.start(
            bench.job(
                lambda _action, _body: ended.wait(LONG) and None,
                attempt_seconds=0.05,
                max_attempts=2,
                retry=Retry(jitter=jitter),
            ),
            grace_seconds=0.05,
        )
        wait_until(lambda: len(n_asked) > 1)
        ended.set()
        assert "ValueError: bug" in caplog.text

    def test_progress_that_one_handler_is_storing(self, bench, monkeypatch):
        """Its connection hangs: the leases of the others are renewed."""
        storing, ended = threading.Event(), threading.Event()
        slow, other = bench.submit(), bench.submit()

        def hangs(_held, *_progress):
            storing.set()
            ended.wait(LONG)

        def handler(action, _body):
            if action.action_id == slow:
                action.progress(0.5)
            ended.wait(LONG)

        monkeypatch.setattr(bench.runs, "progress", hangs)
        bench.start(bench.job(handler, lease_seconds=0.3))
        assert storing.wait(LONG)
        until = bench.life(other).lease_until
        wait_until(lambda: bench.life(other).lease_until > until)
        until = bench.life(other).lease_until
        wait_until(lambda: bench.life(other).lease_until > until)
        ended.set()

    def test_troubles_with_a_renewal(self, bench, monkeypatch, caplog):
        """A database that is away, or a bug: it tries again at its next round."""
        troubles = iter([StoreUnavailable(), ValueError("bug")])
        renew = bench.runs.renew

        def troubled(*args):
            for trouble in troubles:
                raise trouble
            ended.set()
            return renew(*args)

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
        move_all, calls = bench.runs.move_all, []

        def troubled(moves):
            for trouble in troubles:
                raise trouble
            return move_all(moves)

        monkeypatch.setattr(bench.runs, "move_all", troubled)
        action_id = bench.submit()
        bench.start(bench.job(lambda _action, _body: calls.append(1)))
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert (calls, caplog.text.count("trying again")) == ([1], 3)

    def test_until_its_patience_ends(self, bench, monkeypatch, caplog):
        """Then the lease runs out, and another attempt is made."""
        monkeypatch.setattr(bench.runs, "move_all", away)
        action_id = bench.submit()
        worker = bench.start(bench.job(), patience_seconds=0.1)
        wait_until(lambda: "the database stayed away" in caplog.text)
        wait_until(lambda: worker.n_running == 0)
        assert bench.phase(action_id) == "running"

    def test_an_attempt_that_breaks_off(self, bench, monkeypatch, caplog):
        """A bug of ours costs the attempt, and not the thread."""
        moves = iter([ValueError("bug")])
        move_all = bench.runs.move_all

        def broken(found):
            for error in moves:
                raise error
            return move_all(found)

        monkeypatch.setattr(bench.runs, "move_all", broken)
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
        claim = job.runs.claim_many

        def slow_claim(*args, **options):
            claimed = claim(*args, **options)
            claiming.set()
            assert go_on.wait(LONG)
            return claimed

        job.runs.claim_many = slow_claim
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
        monkeypatch.setattr(bench.runs, "move_all", away)
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
        assert worker.claims.take(1) == []
        assert bench.phase(action_id) == "queued"

    def test_what_has_ended_is_written_before_it_returns(self, bench):
        """However short the limit: whoever calls `stop` ends the process next."""
        move_all, writing = bench.runs.move_all, threading.Event()

        def slowly(moves):
            writing.set()
            time.sleep(0.2)
            return move_all(moves)

        bench.runs.move_all = slowly
        action_id = bench.submit()
        worker = bench.start(bench.job())
        assert writing.wait(LONG)
        worker.stop(0)
        assert bench.phase(action_id) == "ended"

    def test_an_end_that_waits_for_a_database_is_tried_once_more(self, bench, monkeypatch):
        """At once, whatever its patience: the database may be back."""
        tries: list[float] = []
        monkeypatch.setattr("licet.actions.durable.store.patience._FIRST_WAIT_SECONDS", LONG)
        move_all = bench.runs.move_all

        def troubled(moves):
            tries.append(time.monotonic())
            if len(tries) == 1:
                raise StoreUnavailable
            return move_all(moves)

        bench.runs.move_all = troubled
        action_id = bench.submit()
        worker = bench.start(bench.job())
        wait_until(lambda: tries)
        worker.stop(0)
        assert bench.phase(action_id) == "ended"

    @pytest.mark.parametrize("finds", ["an action", "nothing"])
    def test_a_claim_that_is_under_way(self, bench, finds):
        """`stop` waits for it, also beyond its limit, and not longer; what it finds is queued."""
        claiming, begun = threading.Event(), []
        job = patient(bench, lambda _action, _body: begun.append(1))
        claim = job.runs.claim_many

        def slow_claim(*args, **options):
            claimed = claim(*args, **options)
            claiming.set()
            time.sleep(0.2)
            return claimed

        job.runs.claim_many = slow_claim
        action_id = bench.submit() if finds == "an action" else None
        worker = bench.start(job, threads=1, poll_seconds=LONG)
        assert claiming.wait(LONG)
        began = time.monotonic()
        worker.stop(LONG / 2 if action_id is None else 0)
        assert time.monotonic() - began < LONG / 4
        assert begun == []
        if action_id is not None:
            assert bench.phase(action_id) == "queued"

    def test_what_was_given_back_is_not_begun(self, bench):
        """Its thread was still asking whether the creator may run it."""
        asked, answer, begun = threading.Event(), threading.Event(), []

        def may_still_run(_caller):
            asked.set()
            return answer.wait(LONG)

        bench.may_still_run = may_still_run
        action_id = bench.submit()
        worker = bench.start(bench.job(lambda _action, _body: begun.append(1)))
        assert asked.wait(LONG)
        worker.stop(0)
        assert bench.phase(action_id) == "queued"
        answer.set()
        wait_until(lambda: worker.n_running == 0)
        assert begun == []

    def test_a_second_call_waits_for_the_first(self, bench):
        """Its caller may end the process."""
        begun, ended = threading.Event(), threading.Event()
        action_id = bench.submit()

        def handler(_action, _body):
            begun.set()
            ended.wait(LONG)

        worker = bench.start(bench.job(handler))
        assert begun.wait(LONG)
        first = threading.Thread(target=worker.stop, args=(0.2,))
        first.start()
        wait_until(lambda: worker.is_stopping)
        worker.stop(0)
        assert bench.phase(action_id) == "queued"
        first.join()
        ended.set()

    def test_what_is_left_is_given_back_in_one_commit(self, bench, monkeypatch):
        """A database that does not answer is waited for once, not once for each handler."""
        ended, groups, move_all = threading.Event(), [], bench.runs.move_all
        ids = [bench.submit() for _ in range(4)]
        worker = bench.start(bench.job(lambda _action, _body: ended.wait(LONG) and None), threads=4)
        wait_until(lambda: worker.n_running == 4)

        def counted(moves):
            groups.append(len(moves))
            return move_all(moves)

        monkeypatch.setattr(bench.runs, "move_all", counted)
        worker.stop(0)
        ended.set()
        assert groups == [4]
        assert [bench.phase(i) for i in ids] == ["queued"] * 4
