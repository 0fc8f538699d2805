"""Writes of several threads share a commit on SQLite, and nobody's error is another's."""

import os
import sqlite3
import threading
import time
from contextlib import nullcontext, suppress

import pytest
import sqlalchemy as sa

from licet.db import Database, grouping
from licet.db.statement import Statement
from licet.errors import StoreUnavailable, UsageError

INSERT = Statement(
    sa.text("INSERT INTO t VALUES (:n)").bindparams(sa.bindparam("n", type_=sa.Integer()))
)
COUNT = Statement(sa.text("SELECT count(*) FROM t"))
N_THREADS = 16


@pytest.fixture
def database(tmp_path):
    found = Database(f"sqlite:///{tmp_path}/grouped.sqlite3")
    found.execute(Statement(sa.text("CREATE TABLE t (n INTEGER PRIMARY KEY)")), {})
    yield found
    found.close()


def at_once(n_threads, call) -> list[object]:
    """What each thread's call returned or raised."""
    results: list[object] = [None] * n_threads
    ready = threading.Barrier(n_threads)

    def run(n: int) -> None:
        ready.wait(10)
        try:
            results[n] = call(n)
        except BaseException as error:  # noqa: BLE001 - compared by the test
            results[n] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def count_begins(database, monkeypatch) -> list[None]:
    begins: list[None] = []
    begin = database.begin

    def counted(driver):
        begins.append(None)
        time.sleep(0.02)  # so that the others come meanwhile
        return begin(driver)

    monkeypatch.setattr(database, "begin", counted)
    return begins


def test_they_share_commits(database, monkeypatch):
    """Of many at once, the first is alone and the rest go together."""
    begins = count_begins(database, monkeypatch)
    assert at_once(N_THREADS, lambda n: database.execute(INSERT, {"n": n})) == [1] * N_THREADS
    assert database.fetch_one(COUNT, {}) == (N_THREADS,)
    assert len(begins) < N_THREADS / 2


def test_whoever_is_refused_is_refused_alone(database, monkeypatch):
    """By a constraint, by a bug, by a value that SQLite has no room for: the others are stored."""
    count_begins(database, monkeypatch)
    database.execute(INSERT, {"n": 0})

    def call(n: int):
        if n == 1:
            return database.execute(INSERT, {"n": 0})  # it is there
        if n == 2:
            return database.together(lambda _transaction: 1 // 0)
        if n == 3:
            return database.execute(INSERT, {"n": 2**70})
        return database.execute(INSERT, {"n": n})

    results = at_once(N_THREADS, call)
    assert [type(result) for result in results[1:4]] == [
        StoreUnavailable,
        ZeroDivisionError,
        OverflowError,
    ]
    assert results[4:] == [1] * (N_THREADS - 4)
    assert database.fetch_one(COUNT, {}) == (N_THREADS - 3,)


def test_a_database_that_is_locked_is_so_for_all_at_once(database, monkeypatch):
    """They do not wait one after the other."""
    monkeypatch.setattr("licet.db.engine.BUSY_SECONDS", 0.2)
    count_begins(database, monkeypatch)
    other = sqlite3.connect(database.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(database, "_executing", _impatient)
    began = time.monotonic()
    results = at_once(N_THREADS, lambda n: database.execute(INSERT, {"n": n}))
    other.close()
    assert {type(result) for result in results} == {StoreUnavailable}
    assert len({id(result) for result in results}) == N_THREADS  # each has its own traceback
    assert time.monotonic() - began < 5
    assert database.execute(INSERT, {"n": 1}) == 1


def _impatient(connection):
    connection.execute("PRAGMA busy_timeout = 200").close()
    return connection


def test_whoever_writes_for_others_may_be_ended(database, monkeypatch):
    """They are told that nobody knows; those who came later are written."""
    count_begins(database, monkeypatch)
    is_first, entered = [True], threading.Event()

    def ended(transaction):
        if is_first:
            is_first.clear()
            entered.set()
            raise SystemExit
        return transaction.execute(INSERT, {"n": 100})

    def first_thread() -> None:
        with suppress(SystemExit):
            database.together(ended)

    first = threading.Thread(target=first_thread)
    first.start()
    assert entered.wait(10)
    assert at_once(4, lambda n: database.execute(INSERT, {"n": n})) == [1] * 4
    first.join(10)


class Interrupted(BaseException):
    """Raised in a thread that waits, as a signal's handler or a killed greenlet does."""


class _Interruptible:
    """Stands for `_Piece.wait`: it raises in the second piece, once that waits."""

    def __init__(self, monkeypatch):
        self.go_on = threading.Event()
        self._waiting = threading.Semaphore(0)
        wait, found = grouping._Piece.wait, self

        def waiting(piece):
            found._waiting.release()
            if threading.current_thread().name != "interrupted":
                return wait(piece)
            assert found.go_on.wait(10)
            raise Interrupted

        monkeypatch.setattr(grouping._Piece, "wait", waiting)

    def await_one(self) -> None:
        """Until one more piece waits."""
        assert self._waiting.acquire(timeout=10)


@pytest.mark.parametrize("when", ["before its turn", "once it was chosen"])
def test_the_next_to_write_may_be_interrupted(database, monkeypatch, when):
    """By a signal or a killed greenlet: another is chosen, and nobody waits for ever."""
    waiters = _Interruptible(monkeypatch)
    entered, leave = threading.Event(), threading.Event()

    def slowly(transaction):
        entered.set()
        assert leave.wait(10)
        return transaction.execute(INSERT, {"n": 0})

    def interrupted() -> None:
        with suppress(Interrupted):
            database.execute(INSERT, {"n": 1})

    def start(call, name=None) -> threading.Thread:
        thread = threading.Thread(target=call, name=name, daemon=True)
        thread.start()
        return thread

    writer = start(lambda: database.together(slowly))
    assert entered.wait(10)
    chosen = start(interrupted, "interrupted")
    waiters.await_one()
    if when == "once it was chosen":
        leave.set()
        writer.join(10)
    behind = start(lambda: database.execute(INSERT, {"n": 2}))
    waiters.await_one()
    waiters.go_on.set()
    chosen.join(10)
    leave.set()
    behind.join(10)
    assert not behind.is_alive()
    assert database.fetch_one(COUNT, {}) == (2,)


def test_within_a_transaction_a_thread_waits_for_nobody(database):
    """What it writes there is part of it; a second transaction is a mistake."""
    with suppress(ZeroDivisionError), database.transaction():
        assert database.execute(INSERT, {"n": 1}) == 1
        with pytest.raises(UsageError):
            database.together(lambda transaction: transaction.execute(INSERT, {"n": 2}))
        raise ZeroDivisionError
    assert database.fetch_one(COUNT, {}) == (0,)


def test_a_thread_that_does_not_wait_for_the_disk(database):
    """It alone: the connection says so."""

    def level() -> object:
        return database._driver().execute("PRAGMA synchronous").fetchone()[0]

    def relaxed() -> object:
        database.relax()
        database.execute(INSERT, {"n": 1})
        return level()

    def of_pool() -> object:
        with database.engine.connect() as connection:
            return connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert [level(), *at_once(1, lambda _n: relaxed())] == [2, 1]
    assert [of_pool(), *at_once(1, lambda _n: level())] == [2, 2]


def test_a_forked_process_writes_though_another_thread_was_writing(database):
    """Who wrote for all in the parent is not there in the child."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(transaction):
        inside.set()
        go_on.wait(10)
        return transaction.execute(INSERT, {"n": 1})

    thread = threading.Thread(target=lambda: database.together(slow))
    thread.start()
    assert inside.wait(10)
    child = os.fork()
    if child == 0:
        written = threading.Event()
        database.transaction = nullcontext  # SQLite itself cannot write here: it was copied, too
        threading.Thread(
            target=lambda: database.together(lambda _transaction: written.set()), daemon=True
        ).start()
        os._exit(0 if written.wait(15) else 1)
    go_on.set()
    thread.join(10)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
