"""The database: one engine and its pool, and two ways to use it.

What happens in every request goes through `Statement`: SQL written with SQLAlchemy, compiled once
and handed to the driver as it is (decision 0002 has the figures). Queries whose shape varies go
through `Database.read`, an ordinary SQLAlchemy connection.

The drivers are in autocommit mode, so that a read costs one statement and nothing more; a
`Database.transaction` begins and commits in so many words. SQLite runs in WAL mode and takes its
write lock when a transaction begins, so that two processes queue instead of failing half-way; what
is committed survives a power cut, unless a setting says otherwise (decision 0003). Single
statements that several threads execute at once share a commit there (`licet.db.grouping`).
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection

from licet.db._connecting import BUSY_SECONDS, make_engine, parsed_url
from licet.db.grouping import Grouping
from licet.db.statement import Params, Statement
from licet.errors import StoreUnavailable, UsageError

__all__ = ["Database", "Transaction"]

R = TypeVar("R")


class Transaction(AbstractContextManager["Transaction"]):
    """Statements that are committed at the end of the block, or rolled back on any exception."""

    def __init__(self, database: Database, driver: Any) -> None:
        self._database = database
        self._driver = driver

    def fetch_one(self, statement: Statement, params: Params) -> Any:
        """The first row as a tuple, or None."""
        return self._run(statement, params).fetchone()

    def fetch_all(self, statement: Statement, params: Params) -> list[Any]:
        """Every row as a tuple."""
        return list(self._run(statement, params).fetchall())

    def execute(self, statement: Statement, params: Params) -> int:
        """How many rows the statement changed."""
        return int(self._run(statement, params).rowcount)

    def _run(self, statement: Statement, params: Params) -> Any:
        compiled = statement.compiled(self._database.engine.dialect)
        return self._driver.execute(compiled.sql, compiled.arguments(params))

    # Not a generator: with one the block alone takes as long as a small statement.

    def __enter__(self) -> Self:
        self._turn = self._database.begin(self._driver)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._database.end(self._driver, self._turn, error)


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
_IS_OPEN: Final = "A transaction of this thread is open: pass it on instead of beginning another."


class _Mine(threading.local):
    """What a thread has of a database."""

    era = -1  # in which its connection was taken
    driver: Any = None
    pooled: _Borrowed | None = None
    in_transaction = False


class Database:
    """One engine and what it is asked.

    Args:
        url: a SQLAlchemy URL; a SQLite file's folder is made when it is missing.
        setting: which one says where a SQLite file is, for the error.
        synchronous: how a commit on SQLite waits for the disk: ``FULL``, ``EXTRA`` or ``NORMAL``.

    Raises:
        ConfigurationError: the URL is malformed, or its driver is not installed.
    """

    def __init__(
        self, url: str, *, setting: str = "LICET_DATABASE_URL", synchronous: str = "FULL"
    ) -> None:
        self.url = parsed_url(url)
        self._synchronous = synchronous
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = make_engine(self.url, setting=setting, synchronous=synchronous)
        self._dialect = self.engine.dialect
        driver: Any = self._dialect.dbapi
        self._driver_error: type[Exception] = driver.Error
        self._mine = _Mine()
        self._relaxed = threading.local()  # has an attribute in threads that called `relax`
        self._era = 0  # counts up when every connection is to be forgotten
        self._writing: AbstractContextManager[None]
        self._group: Grouping | None
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

        On SQLite it shares a commit with what other threads write meanwhile.

        Raises:
            StoreUnavailable: the database does not answer, is read-only or full; nothing stays.
        """
        if self._group is None or self._is_relaxed or self._mine.in_transaction:
            return self._execute(statement, params)
        n_changed: int = self._group.write(
            self.transaction,
            lambda transaction: transaction.execute(statement, params),
            lambda: self._execute(statement, params),
        )
        return n_changed

    def _execute(self, statement: Statement, params: Params) -> int:
        compiled = statement.compiled(self._dialect)
        driver = self._driver()
        try:
            arguments = compiled.arguments(params)
            with self._writing:
                return int(driver.execute(compiled.sql, arguments).rowcount)
        except self._driver_error as error:
            raise self._failed() from error

    def together(self, write: Callable[[Transaction], R]) -> R:
        """What ``write(transaction)`` returned, committed: on SQLite with what others write.

        `write` does nothing but execute statements: it may be called twice, and by another thread.

        Raises:
            StoreUnavailable: the database does not answer, is read-only or full; nothing stays.
            UsageError: this thread is in a transaction already.
        """
        if self._group is None or self._is_relaxed:
            with self.transaction() as transaction:
                return write(transaction)
        if self._mine.in_transaction:
            raise UsageError(_IS_OPEN)
        return self._group.write(self.transaction, write)

    @property
    def _is_relaxed(self) -> bool:
        return hasattr(self._relaxed, "is_on")

    def relax(self) -> None:
        """Let the calling thread's commits on SQLite not wait for the disk, from now on.

        They may be lost in a power cut, until another thread's commit has been waited for. They
        share no commits.
        """
        self._relaxed.is_on = True
        self._drop_mine()

    def transaction(self) -> Transaction:
        """A block of statements that are committed at its end, or rolled back on any exception.

        Raises, here or as the block begins or ends:
            StoreUnavailable: the database does not answer, is read-only or full; nothing stays.
            UsageError: this thread is in a transaction already.
        """
        return Transaction(self, self._driver())

    def begin(self, driver: Any) -> AbstractContextManager[None]:
        """Begin a transaction, as `Transaction` does; the turn to write, for `end`."""
        if self._mine.in_transaction:
            raise UsageError(_IS_OPEN)
        turn = self._writing  # a fork within the transaction puts another in its place
        turn.__enter__()
        self._mine.in_transaction = True
        try:
            driver.execute(self._begin)
        except BaseException as error:
            self.end(driver, turn, error)
            raise
        return turn

    def end(
        self, driver: Any, turn: AbstractContextManager[None], error: BaseException | None
    ) -> None:
        """Commit, or undo it because of the error; a driver's becomes `StoreUnavailable`."""
        try:
            if error is None:
                driver.execute("COMMIT")
            else:
                self._undo(driver, error)
        except StoreUnavailable:
            raise
        except BaseException as failure:
            self._undo(driver, failure)
            raise
        finally:
            self._mine.in_transaction = False
            turn.__exit__(None, None, None)

    def _undo(self, driver: Any, error: BaseException) -> None:
        with suppress(self._driver_error):  # the error that led here is the one to tell
            driver.execute("ROLLBACK")
        if isinstance(error, self._driver_error):
            raise self._failed() from error

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
        return mine.driver if mine.era == self._era else self._take_connection()

    def _take_connection(self) -> Any:
        self._drop_mine()
        era = self._era
        try:
            pooled = self.engine.raw_connection()
        except (DBAPIError, PoolTimeout, self._driver_error) as error:
            raise StoreUnavailable from error
        try:
            driver = self._executing(pooled.driver_connection)
            if self.is_sqlite:
                level = "NORMAL" if self._is_relaxed else self._synchronous
                driver.execute(f"PRAGMA synchronous = {level}").close()
        except self._driver_error as error:  # it is closed
            pooled.invalidate()
            raise StoreUnavailable from error
        self._mine.pooled = _Borrowed(pooled, weakref.ref(self), era, is_relaxed=self._is_relaxed)
        self._mine.driver = driver
        self._mine.era = era
        return self._mine.driver

    def _executing(self, connection: Any) -> Any:
        """What executes statements: psycopg would make a cursor for each, unless it has one.

        SQLite's are not kept: one with a row left to read keeps the log from being written back.
        """
        return connection if self.is_sqlite else connection.cursor()

    def _failed(self) -> StoreUnavailable:
        """The error to raise; the connection that failed is not used again."""
        server_is_gone = getattr(getattr(self._mine.driver, "connection", None), "closed", False)
        self._drop_mine()
        if server_is_gone:  # and so are the connections of all other threads
            self.close()
        return StoreUnavailable()

    def _drop_mine(self) -> None:
        """Close this thread's connection, if it has one."""
        borrowed = self._mine.pooled
        self._mine.__dict__.clear()
        if borrowed is not None:
            borrowed.connection.invalidate()

    def renew_turns(self) -> None:
        """Let a forked process write, whoever wrote in its parent."""
        self._writing = _Turns() if self.is_sqlite else _ANY
        self._group = Grouping() if self.is_sqlite else None

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
            self._mine = _Mine()
        self.engine.dispose(close=sockets)


class _Borrowed:
    """A pool's connection, for as long as a thread lives; given back then, or closed if too old."""

    def __init__(
        self,
        connection: PoolProxiedConnection,
        database: weakref.ref[Database],
        era: int,
        *,
        is_relaxed: bool,
    ) -> None:
        self.connection = connection
        self._is_relaxed = is_relaxed  # nobody else is to have one that does not wait for the disk
        self._database = database
        self._era = era
        self._pid = os.getpid()

    def __del__(self) -> None:
        if os.getpid() != self._pid:
            _of_parents.append(self.connection)
            return
        database = self._database()
        is_old = database is None or database._era != self._era  # noqa: SLF001 - its other half
        if (is_old or self._is_relaxed) and self.connection.dbapi_connection is not None:
            with suppress(Exception):  # it may be closed already
                self.connection.invalidate()


# What a fork copied is never given back: a pool that is full closes what it gets, and so tells the
# server to end a session that the parent goes on using.
_of_parents: Final[list[PoolProxiedConnection]] = []
_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def _forget_parents_connections() -> None:
    """Let no forked worker use its parent's connections."""
    for database in _databases:
        database.close(sockets=False)
        database.renew_turns()  # a thread that is not here may have had its turn


os.register_at_fork(after_in_child=_forget_parents_connections)
