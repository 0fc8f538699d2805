"""Nothing of the handler's is open while licet writes: its sessions on the same SQLite file."""

import sqlite3
import threading
import time

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from tests.unit.actions.durables import Bench

from licet.actions.durable.steps.own_writes import watch
from licet.actions.durable.store.patience import Patience
from licet.errors import StoreUnavailable


class Base(DeclarativeBase):
    pass


class Sample(Base):
    __tablename__ = "sample_of_own_writes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


@pytest.fixture
def bench(sqlite_database):
    return Bench(sqlite_database)


@pytest.fixture
def engine(sqlite_database):
    found = sa.create_engine(sqlite_database.url, connect_args={"timeout": 0.1})
    Base.metadata.create_all(found)
    yield found
    found.dispose()


def flushed(engine) -> Session:
    session = Session(engine)
    session.add(Sample(text="not committed"))
    session.flush()
    return session


def core(engine):
    connection = engine.connect()
    connection.execute(sa.insert(Sample).values(text="not committed"))
    return connection


@pytest.mark.parametrize("open_one", [flushed, core])
@pytest.mark.parametrize("call", ["step", "log", "pause", "step that leaves it open"])
def test_what_would_wait_for_itself_is_refused_at_once(bench, engine, open_one, call):
    """Before a step is begun, and before anything is stored."""
    action_id, ran, kept = bench.submit(), [], []

    def handler(action, _body):
        try:
            if call == "step that leaves it open":
                action.step("leaves", lambda: kept.append(open_one(engine)))
            kept.append(open_one(engine))
            if call == "step":
                action.step("s", lambda: ran.append(1))
            elif call == "log":
                action.log("C", "d")
            else:
                action.pause("P", "p")
        finally:  # as the end of the app's context does
            for one in kept:
                one.close()

    began = time.monotonic()
    bench.run(handler)
    assert (bench.life(action_id).details["code"], ran) == ("UsageError", [])
    assert time.monotonic() - began < 5


def test_progress_waits(bench, engine):
    """It is stored when the session has ended."""
    action_id = bench.submit()

    def handler(action, _body):
        with flushed(engine):
            action.progress(0.5, "half")
        assert bench.store.get(action_id).display_status is None
        action.flush()
        assert bench.store.get(action_id).display_status == "half"

    bench.run(handler)


def test_what_is_committed_or_only_read_is_in_nobodys_way(bench, engine):
    """Nor a session of another file."""
    action_id = bench.submit()
    elsewhere = sa.create_engine("sqlite://")
    Base.metadata.create_all(elsewhere)

    def handler(action, _body):
        session = flushed(engine)
        session.commit()
        session.scalars(sa.select(Sample)).all()
        other = flushed(elsewhere)
        found = action.step("s", lambda: 1)
        session.close()
        other.close()
        return {"found": found}

    bench.run(handler)
    elsewhere.dispose()
    assert bench.state(action_id) == "ended SUCCEEDED {'found': 1}"


def test_a_thread_sees_its_own(engine, sqlite_database):
    """And nothing of what another began, nor what began before."""
    others: list[Session] = []
    with watch() as writes:
        thread = threading.Thread(target=lambda: others.append(flushed(engine)))
        thread.start()
        thread.join()
        assert not writes.hold(sqlite_database)
        others[0].close()
        with flushed(engine):
            assert writes.hold(sqlite_database)
            with watch() as inner:
                assert not inner.hold(sqlite_database)
        assert not writes.hold(sqlite_database)


def test_a_file_that_is_locked_is_not_waited_for_by_handlers(sqlite_database):
    """By whom it is cannot be known; a database that is away is waited for as ever."""
    locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
    tries: list[float] = []

    def write(cause):
        tries.append(time.monotonic())
        raise StoreUnavailable from cause

    for patience, cause, least in [
        (Patience(60, threading.Event(), locked_seconds=0.01), locked, 1),
        (Patience(0.5, threading.Event(), locked_seconds=0.01), ValueError("away"), 3),
        (Patience(0.5, threading.Event()), locked, 3),
    ]:
        tries.clear()
        with pytest.raises(StoreUnavailable):
            patience(lambda cause=cause: write(cause))
        assert len(tries) >= least
        assert tries[-1] - tries[0] < 5
