"""Celery as the transport: what is sent, and what a worker makes of a message."""

import logging
import threading
import time

import pytest
from celery.signals import worker_shutting_down
from tests.unit.actions.durables import Bench
from tests.unit.actions.serving import unused_port

from licet.actions.durable import celery_worker as celery_module
from licet.actions.durable.celery_dispatch import RUN, SWEEP, CeleryDispatcher, make_celery
from licet.actions.durable.store.runs import Runs
from licet.actions.durable.worker import Worker
from licet.errors import StoreUnavailable
from licet.settings import Settings


def settings(tmp_path, url) -> Settings:
    return Settings.read({"LICET_BROKER_URL": url, "LICET_STOP_SECONDS": 1}, tmp_path, {})


class Runtime:
    """A runtime of one job, as far as a worker of Celery's needs it."""

    def __init__(self, *jobs):
        self.jobs = jobs
        self.worker = None
        self.n_swept = 0

    def job(self, provider):
        return next((job for job in self.jobs if job.provider == provider), None)

    def make_sweeper(self):
        return self

    def sweep(self):
        self.n_swept += 1

    def make_worker(self, threads):
        self.worker = Worker(self.jobs, threads=threads)
        return self.worker


class Sent:
    """What a task sent instead of running."""

    def __init__(self, monkeypatch, task):
        self.messages = []
        monkeypatch.setattr(task, "apply_async", lambda **sent: self.messages.append(sent))


@pytest.fixture
def bench(sqlite_database):
    found = Bench(sqlite_database)
    found.runs = Runs("unit", lambda: sqlite_database)
    found.clock = found.runs.clock
    return found


@pytest.fixture
def served(bench, monkeypatch):
    """Tasks of a worker, to be called here instead of by messages."""
    runtime = Runtime(bench.job(lambda _action, body: {"n": body["n"]}, concurrency=1))
    worker = Worker(runtime.jobs, threads=1)
    celery = make_celery("memory://")
    celery_module._serve(celery, runtime, worker)
    run = celery.tasks[RUN]
    yield {
        "run": run,
        "worker": worker,
        "sent": Sent(monkeypatch, run),
        "celery": celery,
        "runtime": runtime,
    }
    worker.stop(0)


class TestMessages:
    def test_the_action_that_is_named_is_run(self, bench, served):
        """Once: the second message finds nothing to claim."""
        bench.submit()
        action_id = bench.submit(body={"n": 7})
        for _ in range(2):
            served["run"]("unit", action_id)
        assert bench.state(action_id) == "ended SUCCEEDED {'n': 7}"
        assert served["sent"].messages == []

    @pytest.mark.parametrize(
        "message", [(), ("other", "x"), ("unit",), (1, 2), ("unit", ["x"]), (None, None)]
    )
    def test_what_names_nothing(self, served, message, caplog):
        """It is dropped, and the log says so."""
        served["run"](*message)
        assert "which this app has not" in caplog.text

    def test_a_version_that_another_worker_has(self, bench, served, monkeypatch):
        """The message is passed on, so many times; what is not there, or has ended, is not."""
        monkeypatch.setattr(celery_module, "MAX_PASSED_ON", 2)
        action_id = bench.submit(handler_version=2)
        for n_passed_on in range(3):
            served["run"]("unit", action_id, n_passed_on)
        served["run"]("unit", "elsewhere")
        assert [sent["args"] for sent in served["sent"].messages] == [
            ["unit", action_id, 1],
            ["unit", action_id, 2],
        ]
        assert bench.life(action_id).phase == "queued"

    def test_no_room(self, bench, served):
        """Whoever makes room runs it then: the message need not come again."""
        worker, (job,) = served["worker"], served["runtime"].jobs
        ids = [bench.submit(body={"n": n}) for n in range(5)]
        (other,) = worker.claims.take(1)
        assert other.held.action_id == ids.pop(0)
        for action_id in ids[:3]:
            served["run"]("unit", action_id)
        assert {bench.life(action_id).phase for action_id in ids} == {"queued"}
        worker.claims.free(job)
        served["run"]("unit", ids[3])
        assert {bench.life(action_id).phase for action_id in ids} == {"ended"}
        assert served["sent"].messages == []

    def test_others_ran_what_was_put_off(self, bench, served):
        """Nothing is left then to do instead, and nothing is remembered."""
        worker, (job,) = served["worker"], served["runtime"].jobs
        bench.submit()
        assert len(worker.claims.take(1)) == 1
        for _ in range(3):
            served["run"]("unit", "elsewhere")
        worker.claims.free(job)
        served["run"]("unit", bench.submit(body={"n": 1}))
        assert worker.claims._put_off["unit"] == 0
        assert worker.claims.is_empty

    def test_a_message_with_nothing_to_do_makes_room(self, bench, served, monkeypatch):
        """What was put off because of it runs then."""
        claim_one, ids = bench.runs.claim_one, []

        def slow(*args):
            if not ids:
                ids.append(bench.submit(body={"n": 1}))
                served["run"]("unit", ids[0])  # meanwhile
            return claim_one(*args)

        monkeypatch.setattr(bench.runs, "claim_one", slow)
        served["run"]("unit", "elsewhere")
        assert bench.life(ids[0]).phase == "ended"
        assert served["worker"].claims.is_empty

    def test_a_worker_that_stops(self, bench, served):
        """It is for another."""
        served["worker"].stop(0)
        served["run"]("unit", bench.submit())
        assert len(served["sent"].messages) == 1

    def test_a_database_that_is_away(self, bench, served, monkeypatch, caplog):
        """The sweeper will send another message."""

        def away(*_args):
            raise StoreUnavailable

        monkeypatch.setattr(bench.runs, "claim_one", away)
        served["run"]("unit", bench.submit())
        assert "cannot be claimed" in caplog.text

    def test_a_round_of_the_sweeper(self, served):
        """For Celery's beat, where that is used."""
        served["celery"].tasks[SWEEP]()
        assert served["runtime"].n_swept == 1


class TestDispatch:
    def test_a_broker_that_is_away_is_left_alone(self, tmp_path, caplog):
        """The first message costs a moment, the next ones nothing; then it is asked again."""
        now = [0.0]
        url = f"redis://127.0.0.1:{unused_port()}/0"
        dispatcher = CeleryDispatcher(settings(tmp_path, url), monotonic=lambda: now[0])
        assert not dispatcher.dispatch("unit", "a")
        assert "The broker took no message" in caplog.text
        caplog.clear()
        now[0] = 4.9
        started = time.perf_counter()
        assert not dispatcher.dispatch("unit", "a")
        assert time.perf_counter() - started < 0.1
        assert caplog.text == ""
        now[0] = 5.1
        assert not dispatcher.dispatch("unit", "a")
        assert "The broker took no message" in caplog.text

    def test_a_message_names_the_action(self, tmp_path):
        """And nothing else."""
        dispatcher = CeleryDispatcher(settings(tmp_path, "memory://"))
        assert dispatcher.dispatch("unit", "some-id")
        with dispatcher.celery.connection() as connection:
            message = connection.default_channel.basic_get("licet")
        assert message.headers["task"] == RUN
        assert message.payload[0] == ["unit", "some-id"]


class FakeCelery:
    """Celery's own worker, which ends when it is told to."""

    def __init__(self, *endings):
        self.endings = list(endings)
        self.n_started = 0

    def __call__(self, _celery, _threads):
        return self

    def start(self):
        self.n_started += 1
        self.endings.pop(0)()


class TestWorker:
    @pytest.fixture
    def run(self, bench, tmp_path, monkeypatch):
        """A function that runs a worker whose Celery ends in these ways, one after the other."""
        runtime = Runtime(bench.job())

        def run(*endings):
            fake = FakeCelery(*endings)
            monkeypatch.setattr(celery_module, "_celery_worker", fake)
            found = settings(tmp_path, "memory://")
            celery_module.run_celery_worker(runtime, found, threads=2)
            return fake

        return run, runtime

    def signalled(self, runtime):
        def end():
            worker_shutting_down.send(sender="unit")
            runtime.worker.wait_for_stop(10)

        return end

    def test_a_signal_ends_it(self, run):
        """It stops in good order."""
        run, runtime = run
        assert run(self.signalled(runtime)).n_started == 1
        assert runtime.worker.is_stopping

    def test_celery_that_ends_by_itself_is_begun_again(self, run, monkeypatch, caplog):
        """Something in the queue that was no message must not end the work."""
        run, runtime = run
        monkeypatch.setattr(celery_module, "RESTART_SECONDS", 0.01)
        assert run(lambda: None, self.signalled(runtime)).n_started == 2
        assert "it is begun again" in caplog.text

    def test_what_does_not_end_is_left(self, bench, monkeypatch):
        """After the limit the process ends, whatever its other threads do."""
        exits = []
        monkeypatch.setattr(celery_module.os, "_exit", exits.append)
        monkeypatch.setattr(logging, "shutdown", lambda: None)
        running, ended = threading.Event(), threading.Event()

        def handler(_action, _body):
            running.set()
            ended.wait(20)

        job = bench.job(handler)
        worker = Worker([job], threads=1)
        action_id = bench.submit()
        thread = threading.Thread(target=worker.run_named, args=(job, action_id))
        thread.start()
        assert running.wait(20)
        celery_module._stop(worker, 0.05)
        assert exits == [0]
        assert bench.life(action_id).phase == "queued"
        ended.set()
        thread.join(20)
        celery_module._stop(worker, 0)
        assert exits == [0]

    @pytest.mark.filterwarnings("ignore::celery.exceptions.SecurityWarning")  # tests may be root
    def test_how_celery_is_begun(self):
        """By threads, without what Celery's workers tell one another."""
        worker = celery_module._celery_worker(make_celery("memory://"), 3)
        assert worker.concurrency == 3
        assert worker.pool_cls.__name__ == "TaskPool"
