"""Threads that write to SQLite take turns."""

import os
import threading
import time

import pytest
import sqlalchemy as sa

from licet.db import Database, engine
from licet.db.statement import Statement
from licet.errors import StoreUnavailable

INSERT = Statement(sa.text("INSERT INTO t VALUES (1)"))
COUNT = Statement(sa.text("SELECT count(*) FROM t"))


@pytest.fixture
def database(tmp_path):
    found = Database(f"sqlite:///{tmp_path}/turns.sqlite3")
    found.execute(Statement(sa.text("CREATE TABLE t (n INTEGER)")), {})
    yield found
    found.close()


def test_a_thread_writes_within_its_own_transaction(database):
    """Its turn is not over until the transaction is."""
    with database.transaction():
        assert database.execute(INSERT, {}) == 1
    assert database.fetch_one(COUNT, {}) == (1,)


def test_nobody_waits_longer_than_for_another_process(database, monkeypatch):
    """Whose turn does not come is told that the store does not answer; reading needs no turn."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)
    told: list[object] = []

    def write() -> None:
        told.append(database.fetch_one(COUNT, {}))
        try:
            database.execute(INSERT, {})
        except StoreUnavailable as error:
            told.append(error)

    with database.transaction():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert told[0] == (0,)
    assert isinstance(told[1], StoreUnavailable)


def test_a_forked_process_has_its_turn(database):
    """Though the thread that wrote when it was forked is not there any more."""
    with database.transaction():
        child = os.fork()
        if child == 0:
            give_up_at = time.monotonic() + 5
            thread = threading.Thread(target=database.renew_turns)  # any other thread
            thread.start()
            thread.join()
            can_enter = threading.Event()

            def enter() -> None:
                with database._writing:
                    can_enter.set()

            threading.Thread(target=enter, daemon=True).start()
            os._exit(0 if can_enter.wait(give_up_at - time.monotonic()) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
