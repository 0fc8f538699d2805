"""The store when its database fails: one clear error, and nothing half-written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.actions.making import (
    ALICE,
    TEAM,
    make_query,
    make_request,
    make_status,
    new_request_id,
)

from licet.actions.documents import ActionStatusValue, render
from licet.actions.enumeration import LogQuery
from licet.actions.store.actions import ActionStore
from licet.db.engine import Database
from licet.errors import StoreUnavailable

STATUS = make_status(action_id="known", monitor_by=[TEAM])
ENDED = make_status("SUCCEEDED", action_id="ended", monitor_by=[TEAM])

READS: dict[str, Callable[[ActionStore], object]] = {
    "get": lambda store: store.get("known"),
    "find": lambda store: store.find(ALICE, make_request("known")),
    "enumerate": lambda store: store.enumerate(frozenset({ALICE}), make_query()),
    "read_log": lambda store: store.read_log("known", LogQuery()),
}
WRITES: dict[str, Callable[[ActionStore], object]] = {
    "submit": lambda store: store.submit(make_request(new_request_id()), make_status()),
    "submit with principals": lambda store: store.submit(
        make_request(new_request_id()), make_status(monitor_by=[TEAM])
    ),
    "store": lambda store: store.store(STATUS.model_copy(update={"label": "new"})),
    "cancel": lambda store: store.cancel("known", ALICE),
    "remove": lambda store: store.remove(ENDED),
    "append_log": lambda store: store.append_log("known", "c", "d"),
}


def fill(store: ActionStore) -> None:
    store.submit(make_request("known"), STATUS)
    store.submit(make_request("ended"), ENDED)


def contents(database: Database) -> list[object]:
    with database.read() as connection:
        return [
            connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2, 3").all()
            for table in ("licet_action", "licet_action_principal", "licet_action_log")
        ]


@pytest.mark.parametrize("operation", [*READS, *WRITES])
def test_a_broken_connection_is_told_and_replaced(
    store: ActionStore, database: Database, operation: str
):
    """A connection that died gives one StoreUnavailable; the next request opens another."""
    database.close()  # whatever connections other tests left
    fill(store)
    if operation in {"enumerate", "read_log"}:  # on connections of the pool, not the thread's own
        with database.engine.connect() as connection:
            connection.connection.driver_connection.close()
    else:
        database._driver().close()
    with pytest.raises(StoreUnavailable):
        (READS | WRITES)[operation](store)
    store.get("known")
    (READS | WRITES)[operation](store)
    database.close()


@pytest.mark.parametrize("operation", WRITES)
def test_a_read_only_database_refuses_writes(sqlite_path: Path, operation: str):
    """Where nothing can be written, writes are refused and reads still answer."""
    writable = Database(f"sqlite:///{sqlite_path}")
    fill(ActionStore("unit", lambda: writable))
    before = contents(writable)
    database = Database(f"sqlite:///file:{sqlite_path}?mode=ro&uri=true")
    with pytest.raises(StoreUnavailable):
        WRITES[operation](ActionStore("unit", lambda: database))
    assert ActionStore("unit", lambda: database).get("known") is not None
    assert contents(writable) == before
    database.close()
    writable.close()


@pytest.mark.parametrize("operation", [*READS, *WRITES])
def test_an_unopenable_database_is_unavailable(tmp_path: Path, operation: str):
    """A file that is no database, or a place where none can be, is StoreUnavailable."""
    (tmp_path / "garbage").write_bytes(os.urandom(8192))
    for name in ("garbage", "."):
        database = Database(f"sqlite:///{tmp_path / name}")
        with pytest.raises(StoreUnavailable):
            (READS | WRITES)[operation](ActionStore("unit", lambda db=database: db))


@pytest.mark.parametrize("operation", [*READS, *WRITES])
def test_an_unreachable_server_is_unavailable(tmp_path: Path, operation: str):
    """A PostgreSQL that does not answer is StoreUnavailable."""
    database = Database(f"postgresql+psycopg://x@/x?host={tmp_path}")
    with pytest.raises(StoreUnavailable):
        (READS | WRITES)[operation](ActionStore("unit", lambda: database))


class TestFull:
    """A database that can hold no more."""

    @pytest.fixture
    def store(self, sqlite_database: Database) -> ActionStore:
        """The first connection's page limit is set; it is the thread's own and stays."""
        store = ActionStore("unit", lambda: sqlite_database)
        fill(store)
        driver = sqlite_database._driver()
        pages = driver.execute("PRAGMA page_count").fetchone()[0]
        driver.execute(f"PRAGMA max_page_count = {pages}").close()
        return store

    def test_a_submission_leaves_nothing(self, store: ActionStore, sqlite_database: Database):
        """An action that does not fit is refused, with its principals; the rest stays."""
        before = contents(sqlite_database)
        big = make_status(details={"text": "x" * 200_000}, monitor_by=[TEAM], action_id="big")
        with pytest.raises(StoreUnavailable):
            store.submit(make_request("big"), big)
        assert contents(sqlite_database) == before
        assert store.get("big") is None

    def test_principals_that_do_not_fit_take_the_action_with_them(
        self, store: ActionStore, sqlite_database: Database
    ):
        """When the second half of a submission fails, the first half is gone too."""
        before = contents(sqlite_database)
        many = [f"urn:licet:group:{n:0128}" for n in range(400)]
        with pytest.raises(StoreUnavailable):
            store.submit(make_request("big"), make_status(monitor_by=many, action_id="big"))
        assert contents(sqlite_database) == before

    def test_a_new_state_that_does_not_fit_leaves_the_old(
        self, store: ActionStore, sqlite_database: Database
    ):
        """A state that cannot be kept whole changes neither the row nor its principals."""
        before = contents(sqlite_database)
        status = store.get("known")
        status.status, status.details = ActionStatusValue.FAILED, "x" * 200_000
        with pytest.raises(StoreUnavailable):
            store.store(status)
        assert contents(sqlite_database) == before

    def test_a_log_line_that_does_not_fit_is_refused(
        self, store: ActionStore, sqlite_database: Database
    ):
        """A full database takes no more log, and says so."""
        before = contents(sqlite_database)
        with pytest.raises(StoreUnavailable):
            store.append_log("known", "c", "x" * 200_000)
        assert contents(sqlite_database) == before

    def test_reading_and_releasing_go_on(self, store: ActionStore):
        """What is full can still be read, and made less full."""
        with pytest.raises(StoreUnavailable):
            store.append_log("known", "c", "x" * 200_000)
        assert render(store.get("known")) == render(STATUS)
        store.remove(ENDED)
        assert store.get("ended") is None


def test_a_failing_clock_rolls_back(store: ActionStore, database: Database, monkeypatch):
    """Any exception between two statements undoes the first of them."""
    fill(store)
    before = contents(database)
    monkeypatch.setattr(store, "_insert_principals", lambda *_: 1 / 0)
    for operation in ("submit with principals", "store"):
        with pytest.raises(ZeroDivisionError):
            WRITES[operation](store)
    assert contents(database) == before
