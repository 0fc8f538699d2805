"""`licet worker` and `licet sweep`, until a signal ends them."""

import os
import signal
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.actions.durable.test_worker import wait_until
from tests.unit.actions.durables import Bench
from tests.unit.cli.conftest import SITE

from licet.actions import lifecycle
from licet.actions.documents import ActionStatusValue
from licet.actions.durable.store.runs import Runs
from licet.actions.lifecycle import Ending
from licet.cli import worker as worker_module
from licet.db.engine import Database
from licet.db.migrate import upgrade

APP = "tests.unit.cli.durable_app:create_app"
DONE = Ending(status=ActionStatusValue.SUCCEEDED, details={})


@pytest.fixture
def bench(licet, tmp_path: Path):
    """The database that the command will use."""
    (tmp_path / "instance").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'instance' / 'licet.sqlite3'}")
    upgrade(database)
    found = Bench(database)
    found.runs = Runs("unit", lambda: database)
    found.clock = found.runs.clock
    yield found
    database.close()


@pytest.fixture
def signals():
    """Whatever handlers a command sets are gone afterwards."""
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Until(threading.Thread):
    """Sends this process a signal when a condition holds."""

    def __init__(self, condition):
        super().__init__()
        self.condition = condition
        self.failure = None

    def run(self):
        try:
            wait_until(self.condition)
        except AssertionError as error:
            self.failure = error
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.usefixtures("signals")
class TestWorker:
    def test_it_works_until_it_is_told_to_stop(self, licet, bench):
        """What is queued is run; the end is in good order."""
        action_id = bench.submit()
        until = Until(lambda: bench.life(action_id).phase == "ended")
        until.start()
        result = licet("--app", APP, "worker", "--threads", "2")
        until.join()
        assert until.failure is None
        assert (result.exit_code, result.stdout) == (
            0,
            "licet worker: unit, 2 at once, by threads\n",
        )
        assert bench.state(action_id) == "ended SUCCEEDED {'attempt': 1}"

    def test_celery_is_begun_where_the_settings_say_so(self, licet, monkeypatch):
        """With as many threads, and without a sweeper if it is not wanted."""
        from licet.actions.durable import celery_worker as celery

        begun = []
        monkeypatch.setattr(
            celery,
            "run_celery_worker",
            lambda _runtime, settings, threads: begun.append((settings.dispatch, threads)),
        )
        words = ("--app", APP, "worker", "--threads", "3", "--no-sweep")
        result = licet(*words, env={"LICET_DISPATCH": "celery", "LICET_BROKER_URL": "memory://"})
        assert (result.exit_code, begun) == (0, [("celery", 3)])

    def test_an_app_without_durable_actions(self, licet):
        """There is nothing to do, and that is a mistake."""
        for command in ("worker", "sweep"):
            result = licet("--app", "tests.unit.cli.bare:app", command)
            assert result.exit_code == 2, result.output
            assert "has no durable actions" in result.stderr

    def test_the_second_signal_does_not_wait(self):
        """Who insists is obeyed."""
        ended = worker_module._until_signal()
        signal.raise_signal(signal.SIGTERM)
        assert ended.is_set()
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("signals")
class TestSweep:
    def test_once(self, licet, bench):
        """One round, and what it did."""
        action_id = bench.submit(release_after="PT0S")
        held = bench.claim()
        bench.runs.move(held, lifecycle.end(held.life, bench.clock(), DONE))
        result = licet("--app", APP, "sweep", "--once")
        told = "0 dispatched, 0 reclaimed, 0 exhausted, 0 expired, 1 released, 0 gone, 0 purged\n"
        assert (result.exit_code, result.stdout) == (0, told)
        assert bench.runs.find(action_id) is None

    def test_once_takes_lost_leases_back(self, licet, bench):
        """It waits for a third of the lease, to be sure."""
        action_id = bench.submit()
        bench.runs.claim("gone", timedelta(0))
        result = licet("--app", APP, "sweep", "--once")
        assert "1 reclaimed" in result.stdout
        life = bench.life(action_id)
        assert (life.phase, life.attempt, life.recoveries) == ("queued", 1, 1)

    def test_until_it_is_told_to_stop(self, licet, bench):
        """Round after round."""
        action_id = bench.submit()
        bench.runs.claim("gone", timedelta(0))
        until = Until(lambda: bench.life(action_id).recoveries == 1)
        until.start()
        result = licet("--app", APP, "sweep")
        until.join()
        assert until.failure is None
        assert (result.exit_code, result.stdout) == (0, "licet sweep: unit, every 0.1 s\n")


def test_the_site_has_durable_actions(licet):
    """The reference site's are swept."""
    assert licet("--app", SITE, "sweep", "--once").exit_code == 0


def test_an_app_of_resources_is_swept(licet):
    """Without durable actions there is the trash to be purged; but nothing for a worker."""
    app = "tests.unit.cli.swept_app:create_app"
    result = licet("--app", app, "sweep", "--once")
    assert (result.exit_code, result.stdout.split(", ")[-1]) == (0, "3 purged\n")
    assert "has no durable actions" in licet("--app", app, "worker").stderr
