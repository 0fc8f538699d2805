"""Word of queued actions between processes, by PostgreSQL."""

import threading
import time

import pytest
from tests.unit.actions.durable.test_worker import LONG, RealTime, patient, wait_until

from licet.actions.durable.store import notices
from licet.actions.durable.store.notices import Listener, send_notice
from licet.db.engine import Database


@pytest.fixture
def other(postgresql_database):
    """The database as another process sees it."""
    found = Database(postgresql_database.url.render_as_string(hide_password=False))
    yield found
    found.close()


@pytest.fixture
def listen(postgresql_database):
    """A function that starts a listener, and gives the list of what it heard."""
    started = []

    def start() -> list[float]:
        heard: list[float] = []
        listener = Listener(postgresql_database, lambda: heard.append(time.monotonic()))
        started.append(listener)
        listener.start()
        wait_until(lambda: heard)  # it looks once when it begins to listen
        heard.clear()
        return heard

    yield start
    for listener in started:
        listener.stop()


def test_it_is_heard_elsewhere(listen, other):
    """Within moments, however many listen."""
    first, second = listen(), listen()
    send_notice(other, "unit")
    wait_until(lambda: first and second)


def test_a_worker_of_another_process_looks_at_once(postgresql_database, other):
    """It need not poll."""
    bench = RealTime(postgresql_database)
    worker = bench.start(patient(bench), poll_seconds=LONG)
    try:
        wait_until(lambda: not worker._is_told)
        began, action_id = time.monotonic(), bench.submit()
        send_notice(other, "unit")
        wait_until(lambda: bench.phase(action_id) == "ended")
        assert time.monotonic() - began < LONG / 4
    finally:
        worker.stop(LONG)


def test_a_listener_whose_connection_ends_listens_again(
    listen, other, postgresql_database, monkeypatch
):
    """What was queued meanwhile is looked for."""
    monkeypatch.setattr(notices, "REST_SECONDS", 0.01)
    heard = listen()
    with postgresql_database.read() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'"
        )
    wait_until(lambda: heard)
    heard.clear()
    send_notice(other, "unit")
    wait_until(lambda: heard)


def test_sqlite_has_none(sqlite_database):
    """Nothing is sent, and nobody listens: workers poll."""
    send_notice(sqlite_database, "unit")
    bench = RealTime(sqlite_database)
    worker = bench.start(bench.job())
    assert worker._listeners == []
    worker.stop(LONG)


def test_a_database_that_is_away_costs_nothing(postgresql_database, monkeypatch, tmp_path):
    """The action is stored; and a listener waits for the server without an end of the process."""
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    send_notice(away, "unit")
    monkeypatch.setattr(notices, "REST_SECONDS", 0.01)
    listener = Listener(away, lambda: None)
    listener.start()
    time.sleep(0.1)
    listener.stop()
    wait_until(lambda: "licet-listener" not in [t.name for t in threading.enumerate()])
    away.close()
