"""The database: one engine and its pool, and two ways to use it.

What happens in every request goes through `Statement`: SQL written with SQLAlchemy, compiled once
and handed to the driver as it is (decision 0002 has the figures). Queries whose shape varies go
through `Database.read`, an ordinary SQLAlchemy connection.

The drivers are in autocommit mode, so that a read costs one statement and nothing more; a
`Database.transaction` begins and commits in so many words. SQLite runs in WAL mode and takes its
write lock when a transaction begins, so that two processes queue instead of failing half-way; what
is committed survives the death of any process (decision 0003).
"""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Dialect, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql import ClauseElement

from licet.errors import ConfigurationError, StoreUnavailable, UsageError

__all__ = ["Database", "Statement", "Transaction"]

log = logging.getLogger(__name__)
BUSY_SECONDS: Final = 10
CONNECT_SECONDS: Final = 5
STATEMENT_SECONDS: Final = 30
Params = Mapping[str, Any]


class Statement:
    """One SQL statement with named parameters, compiled once for each kind of database.

    Args:
        construct: the statement, or a function that makes it for a dialect.
        columns: for INSERT and UPDATE, the columns that parameters of the same names set.

    Results come as the driver gives them: select columns that need no conversion.
    """

    def __init__(
        self,
        construct: ClauseElement | Callable[[str], ClauseElement],
        *,
        columns: Iterable[str] | None = None,
    ) -> None:
        self._construct = construct
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, _Compiled] = {}

    def compiled(self, dialect: Dialect) -> _Compiled:
        """The statement as the driver of `dialect` takes it."""
        found = self._compiled.get(dialect.name)
        if found is None:
            construct = self._construct
            if not isinstance(construct, ClauseElement):
                construct = construct(dialect.name)
            found = self._compiled[dialect.name] = _Compiled(construct, dialect, self._columns)
        return found


class _Compiled:
    """SQL text, and how to put parameters in the order and form that the driver wants."""

    def __init__(
        self, construct: ClauseElement, dialect: Dialect, columns: list[str] | None
    ) -> None:
        self.writes: bool = construct.is_dml
        compiled: Any = construct.compile(dialect=dialect, column_keys=columns)
        self.sql: str = compiled.string
        names: list[str] = compiled.positiontup
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._fixed = {n: binds[n].value for n in names if binds[n].value is not None}
        self._in_order = _getter(names)
        processors = (binds[n].type.dialect_impl(dialect).bind_processor(dialect) for n in names)
        self._converters = [(at, found) for at, found in enumerate(processors) if found is not None]

    def arguments(self, params: Params) -> list[Any]:
        """The parameters for the driver."""
        if self._fixed:
            params = {**self._fixed, **params}
        found = list(self._in_order(params))
        for at, convert in self._converters:
            found[at] = convert(found[at])
        return found


def _getter(names: Sequence[str]) -> Callable[[Params], Iterable[Any]]:
    """What gives the values of these names, in their order, out of a mapping."""
    if len(names) > 1:  # itemgetter is a third of the time of a list comprehension
        return itemgetter(*names)
    return lambda params: [params[name] for name in names]


class Transaction:
    """Statements that are committed together or not at all."""

    def __init__(self, driver: Any, dialect: Dialect) -> None:
        self._driver = driver
        self._dialect = dialect

    def fetch_one(self, statement: Statement, params: Params) -> Any:
        """The first row as a tuple, or None."""
        return self._run(statement, params).fetchone()

    def execute(self, statement: Statement, params: Params) -> int:
        """How many rows the statement changed."""
        return int(self._run(statement, params).rowcount)

    def _run(self, statement: Statement, params: Params) -> Any:
        compiled = statement.compiled(self._dialect)
        return self._driver.execute(compiled.sql, compiled.arguments(params))


class _Turns:
    """Lets one thread at a time write to SQLite, which takes one writer anyway.

    SQLite's own way of waiting is to sleep a millisecond, two, five, ten and to try again; with
    eight threads that write all the time, that costs a quarter of what they get done.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # within a transaction, its thread may write

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise StoreUnavailable

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_ANY: Final = nullcontext()


class Database:
    """One engine and what it is asked.

    Args:
        url: a SQLAlchemy URL; a SQLite file's folder is made when it is missing.

    Raises:
        ConfigurationError: the URL is malformed, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _make_engine(self.url)
        self._dialect = self.engine.dialect
        driver: Any = self._dialect.dbapi
        self._driver_error: type[Exception] = driver.Error
        self._mine = threading.local()
        self._era = 0  # counts up when every connection is to be forgotten
        self._writing: AbstractContextManager[None]
        self.renew_turns()
        self._begin = "BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN"
        _databases.add(self)

    def __del__(self) -> None:
        """Close what is open when nobody has the database any more."""
        with suppress(Exception):  # half made, or at the end of the process
            self.close()

    def fetch_one(self, statement: Statement, params: Params) -> Any:
        """The first row as a tuple, or None.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        compiled = statement.compiled(self._dialect)
        driver = self._driver()
        try:
            return driver.execute(compiled.sql, compiled.arguments(params)).fetchone()
        except self._driver_error as error:
            raise self._failed() from error

    def fetch_all(self, statement: Statement, params: Params) -> list[Any]:
        """Every row as a tuple; a statement that changes rows and returns them is committed.

        Raises:
            StoreUnavailable: the database does not answer, is read-only or full; nothing stays.
        """
        compiled = statement.compiled(self._dialect)
        driver = self._driver()
        try:
            arguments = compiled.arguments(params)
            with self._writing if compiled.writes else _ANY:
                return list(driver.execute(compiled.sql, arguments).fetchall())
        except self._driver_error as error:
            raise self._failed() from error

    def execute(self, statement: Statement, params: Params) -> int:
        """How many rows the statement changed; alone, it is its own transaction.

        Raises:
            StoreUnavailable: the database does not answer, is read-only or full; nothing stays.
        """
        compiled = statement.compiled(self._dialect)
        driver = self._driver()
        try:
            arguments = compiled.arguments(params)
            with self._writing:
                return int(driver.execute(compiled.sql, arguments).rowcount)
        except self._driver_error as error:
            raise self._failed() from error

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Statements that are committed at the end, or rolled back on any exception.

        Raises:
            StoreUnavailable: the database does not answer, is read-only or full; nothing stays.
            UsageError: this thread is in a transaction already.
        """
        driver = self._driver()
        if getattr(self._mine, "in_transaction", False):
            raise UsageError(
                "A transaction of this thread is open: pass it on instead of beginning another."
            )
        with self._writing:
            self._mine.in_transaction = True
            try:
                driver.execute(self._begin)
                yield Transaction(driver, self._dialect)
                driver.execute("COMMIT")
            except self._driver_error as error:
                self._roll_back(driver)
                raise self._failed() from error
            except BaseException:
                self._roll_back(driver)
                raise
            finally:
                self._mine.in_transaction = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """An SQLAlchemy connection for queries; it is in no transaction.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            raise StoreUnavailable from error

    def _driver(self) -> Any:
        """This thread's own connection, taken from the pool once and given back when it ends."""
        mine = self._mine
        try:
            if mine.era == self._era:
                return mine.driver
        except AttributeError:
            pass
        return self._take_connection()

    def _take_connection(self) -> Any:
        self._drop_mine()
        era = self._era
        try:
            pooled = self.engine.raw_connection()
        except (DBAPIError, PoolTimeout, self._driver_error) as error:
            raise StoreUnavailable from error
        self._mine.pooled = _Borrowed(pooled, weakref.ref(self), era)
        self._mine.driver = pooled.driver_connection
        self._mine.era = era
        return self._mine.driver

    def _failed(self) -> StoreUnavailable:
        """The error to raise; the connection that failed is not used again."""
        driver = getattr(self._mine, "driver", None)
        server_is_gone = getattr(driver, "closed", False)
        self._drop_mine()
        if server_is_gone:  # and so are the connections of all other threads
            self.close()
        return StoreUnavailable()

    def _drop_mine(self) -> None:
        """Close this thread's connection, if it has one."""
        borrowed: _Borrowed | None = getattr(self._mine, "pooled", None)
        self._mine.__dict__.clear()
        if borrowed is not None:
            borrowed.connection.invalidate()

    def renew_turns(self) -> None:
        """Let a forked process write, whoever wrote in its parent."""
        self._writing = _Turns() if self.is_sqlite else _ANY

    def _roll_back(self, driver: Any) -> None:
        """Undo what the transaction did; the error that led here is the one to tell."""
        with suppress(self._driver_error):
            driver.execute("ROLLBACK")

    def close(self, *, sockets: bool = True) -> None:
        """Forget every connection; the next use opens new ones.

        Another thread's is closed by that thread, at its next use or its end: one that is closed
        while a statement runs on it ends the process.

        With `sockets` false they are left open: after a fork they are the parent's.
        """
        self._era += 1
        if sockets:
            self._drop_mine()
        else:
            self._mine = threading.local()
        self.engine.dispose(close=sockets)


class _Borrowed:
    """A pool's connection, for as long as a thread lives; given back then, or closed if too old."""

    def __init__(
        self, connection: PoolProxiedConnection, database: weakref.ref[Database], era: int
    ) -> None:
        self.connection = connection
        self._database = database
        self._era = era
        self._pid = os.getpid()

    def __del__(self) -> None:
        database = self._database()
        is_of_parent = os.getpid() != self._pid
        is_old = database is None or database._era != self._era  # noqa: SLF001 - its other half
        if is_old and not is_of_parent and self.connection.dbapi_connection is not None:
            with suppress(Exception):  # it may be closed already
                self.connection.invalidate()


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:  # a port that is no number is the latter
        raise ConfigurationError(
            "LICET_DATABASE_URL is not a database URL: write for example "
            "sqlite:////var/lib/licet/licet.sqlite3 or postgresql+psycopg://user@host/name"
        ) from error


def _make_engine(url: URL) -> Engine:
    backend = url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            f"LICET_DATABASE_URL names {backend}: SQLite and PostgreSQL are supported."
        )
    try:
        return _sqlite_engine(url) if backend == "sqlite" else _postgresql_engine(url)
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"LICET_DATABASE_URL needs {url.drivername}, which is not installed: "
            "pip install 'licet[postgres]' and write postgresql+psycopg://…"
        ) from error


def _postgresql_engine(url: URL) -> Engine:
    engine = sa.create_engine(
        url,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "keepalives_idle": CONNECT_SECONDS,  # a network that is gone is noticed
            "keepalives_interval": CONNECT_SECONDS,
            "keepalives_count": 3,
            "tcp_user_timeout": STATEMENT_SECONDS * 1000,
        },
        paramstyle="format",  # by position: psycopg takes 15 µs longer for 22 names
        pool_size=10,
        max_overflow=-1,
        pool_reset_on_return=None,
    )
    sa.event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_postgresql(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'").close()


def _sqlite_engine(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise ConfigurationError(
            "LICET_DATABASE_URL names a SQLite database in memory, which no two threads can share "
            "safely: name a file, for example in a temporary folder."
        )
    _make_folder(Path(str(url.database)).parent)
    engine = sa.create_engine(
        url,
        connect_args={
            "isolation_level": None,
            "timeout": BUSY_SECONDS,
            "check_same_thread": False,
        },
        max_overflow=-1,
        pool_reset_on_return=None,
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {folder} of the SQLite database cannot be made ({error.strerror}): set "
            "LICET_INSTANCE_PATH or LICET_DATABASE_URL to a place that is writable."
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    _switch_to_wal(connection)
    for pragma in (
        "synchronous = NORMAL",
        "foreign_keys = ON",
        "wal_autocheckpoint = 4000",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Turn the log on; SQLite does not wait for others itself when it is switched."""
    give_up_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= give_up_at:
                raise
            log.info("SQLite's log is being switched on by another process: trying again.")
            time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - jitter
        else:
            return


_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def _forget_parents_connections() -> None:
    """Let no forked worker use its parent's connections."""
    for database in _databases:
        database.close(sockets=False)
        database.renew_turns()  # a thread that is not here may have had its turn


os.register_at_fork(after_in_child=_forget_parents_connections)
