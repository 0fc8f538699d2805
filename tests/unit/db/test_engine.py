"""Statements and transactions, on both kinds of database."""

import gc
import os
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from threading import Barrier

import pytest
import sqlalchemy as sa
from tests.processes import in_processes

from licet.db import _connecting as connecting_module
from licet.db import engine as engine_module
from licet.db.engine import Database
from licet.db.statement import Statement
from licet.db.types import UTCDateTime
from licet.errors import ConfigurationError, StoreUnavailable, UsageError

metadata = sa.MetaData()
counter = sa.Table(
    "counter",
    metadata,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("at", UTCDateTime),
)
NAME = sa.bindparam("of", type_=sa.String)
ADD = Statement(counter.insert(), columns=["name", "number"])
ADD_AT = Statement(counter.insert(), columns=["name", "number", "at"])
COUNT = Statement(sa.select(counter.c.number).where(counter.c.name == NAME))
RAISE = Statement(
    counter.update().where(counter.c.name == NAME).values(number=counter.c.number + 1)
)
BROKEN = Statement(sa.text("SELECT nothing FROM nowhere"))
ZERO = {"name": "a", "number": 0}


@pytest.fixture
def database(database_url):
    """A database with a counter."""
    found = Database(database_url)
    metadata.create_all(found.engine)
    found.execute(ADD, ZERO)
    yield found
    found.close()


def number(database, name="a"):
    """The counter of this name, or None."""
    row = database.fetch_one(COUNT, {"of": name})
    return None if row is None else row[0]


def test_rows_are_fetched_and_counted(database):
    """One row or None, and the number of changed rows."""
    assert database.fetch_one(COUNT, {"of": "a"}) == (0,)
    assert database.fetch_one(COUNT, {"of": "b"}) is None
    assert database.execute(RAISE, {"of": "a"}) == 1
    assert database.execute(RAISE, {"of": "b"}) == 0


def test_a_statement_alone_is_committed(database, database_url):
    """What one statement did is seen by another connection at once."""
    database.execute(RAISE, {"of": "a"})
    other = Database(database_url)
    assert number(other) == 1
    other.close()


def test_a_transaction_is_committed_at_its_end(database, database_url):
    """Nobody sees a part of it before."""
    other = Database(database_url)
    with database.transaction() as transaction:
        transaction.execute(RAISE, {"of": "a"})
        assert transaction.execute(RAISE, {"of": "a"}) == 1
        assert transaction.fetch_one(COUNT, {"of": "a"}) == (2,)
        assert number(other) == 0
    assert number(other) == 2
    other.close()


def in_transaction(database, *steps):
    """Run the steps in one transaction, each with it as its argument."""
    with database.transaction() as transaction:
        for step in steps:
            step(transaction)


def raise_number(transaction):
    """Count up by one."""
    transaction.execute(RAISE, {"of": "a"})


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_an_exception_undoes_a_transaction(database, error):
    """Whatever ends it early leaves nothing, and the next transaction is its own."""

    def fail(_transaction):
        raise error

    with pytest.raises(error):
        in_transaction(database, raise_number, fail)
    in_transaction(database, lambda t: t.execute(ADD, {"name": "b", "number": 1}))
    assert (number(database), number(database, "b")) == (0, 1)


def test_a_failed_statement_undoes_its_transaction(database):
    """A statement that the database refuses takes the ones before it along."""
    with pytest.raises(StoreUnavailable):
        in_transaction(database, raise_number, lambda t: t.execute(ADD, ZERO))
    assert number(database) == 0


def test_a_transaction_in_a_transaction_is_refused(database):
    """The inner one would commit the outer one's half; the program is told, and nothing stays."""
    with pytest.raises(UsageError, match="is open"):
        in_transaction(database, raise_number, lambda _: in_transaction(database, raise_number))
    in_transaction(database, raise_number)
    assert number(database) == 1


@pytest.mark.parametrize("use", [Database.fetch_one, Database.execute])
def test_a_failed_statement_is_an_outage_and_the_next_works(database, use):
    """The connection that failed is not used again."""
    with pytest.raises(StoreUnavailable) as caught:
        use(database, BROKEN, {})
    assert caught.value.__cause__ is not None
    assert number(database) == 0


def test_a_failed_query_is_an_outage(database):
    """So it is for SQLAlchemy's connection."""
    with pytest.raises(StoreUnavailable), database.read() as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere"))
    with database.read() as connection:
        assert connection.execute(sa.select(counter.c.number)).scalar() == 0


def test_a_lost_connection_is_replaced(database):
    """After the server ended a connection, one use fails and the next works."""
    if database.is_sqlite:
        database._driver().close()
    else:
        killed = sa.text("SELECT pg_terminate_backend(:pid)")
        with database.engine.connect() as connection:
            connection.execute(killed, {"pid": database._driver().connection.info.backend_pid})
    with pytest.raises(StoreUnavailable):
        number(database)
    assert number(database) == 0


def test_a_pooled_connection_that_is_closed_is_an_outage(database):
    """It broke in the hands of the thread that gave it back; the next use opens another."""
    number(database)
    with database.engine.connect() as connection:
        connection.connection.driver_connection.close()
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(number, database)
        if outcome.exception() is not None:
            assert isinstance(outcome.exception(), StoreUnavailable)
        assert pool.submit(number, database).result() == 0


def test_a_connection_lost_in_a_transaction_is_an_outage(database):
    """Rolling back on a dead connection hides nothing."""
    with pytest.raises(StoreUnavailable):
        in_transaction(database, lambda _: database._driver().close(), raise_number)
    assert number(database) == 0


def test_a_connection_lost_at_the_commit_is_an_outage(database):
    """What was done before is undone."""
    with pytest.raises(StoreUnavailable):
        in_transaction(database, raise_number, lambda _: database._driver().close())
    assert number(database) == 0
    in_transaction(database, raise_number)
    assert number(database) == 1


class Interrupted:
    """A driver that Ctrl-C meets."""

    def __init__(self, driver, at):
        self.driver = driver
        self.at = at

    def execute(self, statement, *params):
        if statement.startswith(self.at):
            raise KeyboardInterrupt
        return self.driver.execute(statement, *params)


@pytest.mark.parametrize("at", ["BEGIN", "COMMIT"])
def test_a_transaction_that_is_interrupted_at_its_edges(database, at):
    """It may have begun already, and is undone: others may write."""
    database._driver()
    before = database._mine.driver
    database._mine.driver = Interrupted(before, at)
    with pytest.raises(KeyboardInterrupt):
        in_transaction(database, raise_number)
    database._mine.driver = before
    with ThreadPoolExecutor(1) as pool:
        pool.submit(in_transaction, database, raise_number).result(10)
    in_transaction(database, raise_number)
    assert number(database) == 2


def go_wrong():
    raise ValueError("its own error")


def fork_in_transaction(url):
    """What goes wrong in a child that is forked in a transaction, as it is told there."""
    database, out = Database(url), Pipe()
    child = None
    try:
        with database.transaction():
            child = os.fork()
            if child == 0:
                go_wrong()
    except Exception as error:  # noqa: BLE001 - whatever is told there
        out.write(str(error))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return out.read()


class Pipe:
    """What a forked child writes and its parent reads."""

    def __init__(self):
        self.reading, self.writing = os.pipe()

    def write(self, text):
        os.write(self.writing, text.encode())

    def read(self):
        os.close(self.writing)
        with os.fdopen(self.reading) as file:
            return file.read()


def test_a_fork_in_a_transaction_hides_no_error(tmp_path):
    """The child is told what went wrong there, not of a turn that is its parent's."""
    url = f"sqlite:///{tmp_path}/forked.sqlite3"
    assert in_processes(fork_in_transaction, (url,)) == ["its own error"]


def test_a_database_can_be_closed_in_a_transaction(database):
    """What goes wrong afterwards is still an outage, and the next use opens anew."""
    steps = raise_number, lambda _: database.close(), lambda t: t.execute(BROKEN, {})
    with pytest.raises(StoreUnavailable):
        in_transaction(database, *steps)
    assert number(database) == 0


@pytest.mark.parametrize("use", [number, lambda d: d.execute(RAISE, {"of": "a"})])
def test_a_database_that_cannot_be_reached_is_an_outage(tmp_path, use):
    """Nobody answers: 503, for statements, transactions and queries."""
    database = Database(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    with pytest.raises(StoreUnavailable):
        use(database)
    with pytest.raises(StoreUnavailable), database.transaction():
        pass
    with pytest.raises(StoreUnavailable), database.read():
        pass


def test_a_fixed_value_is_sent_with_the_given_ones(database):
    """A statement may have values of its own beside its parameters."""
    fixed = Statement(
        counter.update().where(counter.c.name == "a").values(number=sa.bindparam("to"))
    )
    assert database.execute(fixed, {"to": 7}) == 1
    assert number(database) == 7


def test_a_parameter_that_is_not_given_is_missed(database):
    """Nothing is sent in its place."""
    with pytest.raises(KeyError, match="number"):
        database.execute(ADD, {"name": "a"})
    assert number(database) == 0


def test_a_value_is_converted_for_the_driver(database):
    """Times are stored as the column's type says."""
    at = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    database.execute(ADD_AT, {"name": "b", "number": 1, "at": at})
    with database.read() as connection:
        found = connection.execute(sa.select(counter.c.at).where(counter.c.name == "b")).scalar()
    assert found == at


def test_a_statement_may_differ_by_database(database):
    """A function makes the statement that suits the dialect, once."""
    asked = []

    def made(dialect):
        asked.append(dialect)
        return sa.select(sa.literal_column(f"'{dialect}'"))

    statement = Statement(made)
    for _ in range(2):
        assert database.fetch_one(statement, {}) == (database.url.get_backend_name(),)
    assert asked == [database.url.get_backend_name()]


def test_threads_have_connections_of_their_own(database):
    """Transactions of many threads do not meet, and none is lost."""
    barrier = Barrier(8)

    def work(_number):
        barrier.wait()
        for _ in range(5):
            with database.transaction() as transaction:
                transaction.execute(RAISE, {"of": "a"})
        return id(database._driver())

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(8)))) == 8
    assert number(database) == 40


def test_an_ended_thread_gives_its_connection_back(database):
    """Threads that come and go do not pile up connections."""
    for _ in range(5):
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(number, database).result() == 0
    for _ in range(20):  # a thread's connection goes with its last frame
        gc.collect()
        if database.engine.pool.checkedout() == 1:
            break
    assert database.engine.pool.checkedout() == 1


@pytest.mark.parametrize("sockets", [True, False])
def test_a_closed_database_opens_again(database, sockets):
    """Closing forgets connections, not the database."""
    before = database._driver()
    database.close(sockets=sockets)
    assert database._driver() is not before
    assert number(database) == 0
    before.close()


def test_a_child_process_forgets_its_parents_connections(database, monkeypatch):
    """What runs after a fork takes the connection away from every database."""
    monkeypatch.setattr(engine_module, "_databases", {database})  # and not other tests' databases
    before = database._driver()
    engine_module._forget_parents_connections()
    assert database._driver() is not before
    before.close()


def fork_when_idle(url, n_idle):
    """Whether a forked child has another backend than its parent, and whether that keeps its own.

    The pool has connections of so many threads then.
    """
    backend = Statement(sa.text("SELECT pg_backend_pid()"))
    database, out = Database(url), Pipe()
    before = database.fetch_one(backend, {})
    many = Barrier(n_idle)

    def use():
        database.fetch_one(backend, {})
        many.wait()

    threads = [threading.Thread(target=use) for _ in range(n_idle)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    child = os.fork()
    inside = database.fetch_one(backend, {})
    if child == 0:
        out.write(f"{inside != before}")
        os._exit(0)
    os.waitpid(child, 0)
    return out.read(), inside == before


@pytest.mark.parametrize("idle", [1, 11])
def test_a_forked_process_opens_its_own_connection(postgresql_schema_url, idle):
    """The child has another backend, and the parent keeps its own, be the pool full or not."""
    assert in_processes(fork_when_idle, (postgresql_schema_url, idle)) == [("True", True)]


def test_sqlite_is_prepared_for_many_processes(tmp_path):
    """The file is in WAL mode and foreign keys count."""
    database = Database(f"sqlite:///{tmp_path / 'new' / 'file'}")
    found = [
        database.fetch_one(Statement(sa.text(f"PRAGMA {name}")), {})[0]
        for name in ("journal_mode", "foreign_keys", "synchronous")
    ]
    database.close()
    assert found == ["wal", 1, 2]


def test_a_second_writer_waits_for_the_first(tmp_path, monkeypatch):
    """The write lock is taken when a transaction begins, so that nobody fails half-way."""
    monkeypatch.setattr(connecting_module, "BUSY_SECONDS", 0.01)
    one, two = (Database(f"sqlite:///{tmp_path / 'file'}") for _ in range(2))
    with one.transaction():
        with pytest.raises(StoreUnavailable), two.transaction():
            pytest.fail("two writers at once")
        assert number_of_tables(two) == 0
    one.close(), two.close()


def number_of_tables(database):
    """Something that can be read while another writes."""
    return database.fetch_one(Statement(sa.text("SELECT count(*) FROM sqlite_master")), {})[0]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "sqlite:///file:shared?mode=memory&uri=true",
    ],
)
def test_a_database_in_memory_is_refused(url):
    """Threads would share one connection, and undo each other's transactions."""
    with pytest.raises(ConfigurationError, match="database in memory"):
        Database(url)


def test_a_uri_of_a_file_makes_the_files_folder_alone(tmp_path, monkeypatch):
    """``file:`` is no folder: only that of the database itself is made."""
    monkeypatch.chdir(tmp_path)

    database = Database(f"sqlite:///file:{tmp_path}/new/licet.sqlite3?mode=rwc&uri=true")
    database.execute(Statement(sa.text("CREATE TABLE t (x INTEGER)")), {})

    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert (tmp_path / "new" / "licet.sqlite3").exists()


def test_a_full_or_read_only_database_is_an_outage(tmp_path):
    """What cannot be written is told, and reading still works."""
    path = tmp_path / "file"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    database = Database(f"sqlite:///{path}")
    database.fetch_one(Statement(sa.text("PRAGMA query_only = ON")), {})
    with pytest.raises(StoreUnavailable):
        database.execute(Statement(sa.text("INSERT INTO t VALUES (1)")), {})
    assert number_of_tables(database) == 1
    database.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "LICET_DATABASE_URL"),
        ("licet.sqlite3", "LICET_DATABASE_URL"),
        ("postgresql+psycopg://user:secret@host:port/name", "LICET_DATABASE_URL"),
        ("mysql://user:secret@host/name", "SQLite and PostgreSQL"),
        ("postgresql+nothing://user:secret@host/name", "postgresql.nothing"),
        ("postgresql+asyncpg://user:secret@host/name", "licet.postgres"),
    ],
)
def test_unusable_urls_are_told_without_their_password(url, said):
    """What is wrong with the URL is said; the password in it is not."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """The path and the setting that would mend it are named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="set LICET_DATABASE_URL to a place"):
        Database(f"sqlite:///{tmp_path / 'file' / 'folder' / 'licet.sqlite3'}")


class Switching:
    """A connection whose log cannot be switched on at first."""

    def __init__(self, *errors):
        self.errors = list(errors)

    def execute(self, _sql):
        if self.errors:
            raise sqlite3.OperationalError(self.errors.pop(0))
        return closing(self).thing

    def close(self):
        """Nothing is open."""


def test_the_log_is_switched_on_when_others_let_go():
    """SQLite refuses at once while another process does the same: it is asked again."""
    connection = Switching("database is locked", "database is locked")
    connecting_module._switch_to_wal(connection)
    assert connection.errors == []


def test_a_log_that_cannot_be_switched_on_is_told():
    """Any other failure is no matter of waiting."""
    with pytest.raises(sqlite3.OperationalError, match="disk I/O"):
        connecting_module._switch_to_wal(Switching("disk I/O error"))


def test_closing_while_other_threads_work(database):
    """Their connections are theirs to close: one that is closed under a statement is a crash."""
    ask = Statement(sa.text("SELECT 1"))
    stop, failures = threading.Event(), []

    def work():
        while not stop.is_set():
            try:
                assert database.fetch_all(ask, {}) == [(1,)]
            except Exception as error:  # noqa: BLE001 - told by the main thread
                failures.append(error)
                return

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        database.close()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_all_rows_of_what_cannot_be_asked(database):
    """A statement that the database refuses is told like any other failure."""
    with pytest.raises(StoreUnavailable):
        database.fetch_all(BROKEN, {})
    assert database.fetch_all(Statement(sa.text("SELECT 1")), {}) == [(1,)]


def test_no_plan_of_a_small_table_reads_all_of_it(postgresql_schema_url):
    """PostgreSQL keeps the plan of a prepared statement when the table has grown."""
    database = Database(postgresql_schema_url)
    driver = database._driver()
    driver.execute("CREATE TABLE few AS SELECT n, n::text AS name FROM generate_series(1, 3) AS n")
    driver.execute("CREATE INDEX ON few (name)")
    driver.execute("ANALYZE few")
    driver.execute("SET plan_cache_mode = force_generic_plan")
    driver.execute("PREPARE one AS SELECT n FROM few WHERE name = $1")
    plan = "\n".join(line for (line,) in driver.execute("EXPLAIN EXECUTE one('2')").fetchall())
    database.close()
    assert "few_name_idx" in plan
    assert "Seq Scan" not in plan


def test_a_database_file_is_its_owners_alone(tmp_path):
    """With what SQLite puts beside it, in a folder that everybody may read."""
    before = os.umask(0o022)
    try:
        database = Database(f"sqlite:///{tmp_path}/licet.sqlite3")
        with database.read() as connection:
            connection.exec_driver_sql("CREATE TABLE t (a)")
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        database.close()
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert {"licet.sqlite3", "licet.sqlite3-wal"} <= modes.keys()
