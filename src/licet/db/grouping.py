"""Writes that share a commit, for SQLite.

SQLite takes one writer at a time, and a commit that survives a power cut waits for the disk, which
takes milliseconds. So whoever writes while another's commit is under way waits for the next one,
together with everybody else who came meanwhile. The first of them writes for all, each piece in
the order in which it came. If a piece fails, the transaction is rolled back and each piece is
written in a transaction of its own, so that nobody's error is another's.

Concurrency: safe from any thread. A fork needs a new `Grouping` in the child (`Database` sees to
it).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from licet.errors import StoreUnavailable

__all__ = ["Grouping"]

R = TypeVar("R")
Begin = Callable[[], AbstractContextManager[Any]]  # of a transaction


class _Piece:
    """What one thread wants written, and what came of it."""

    def __init__(self, write: Callable[[Any], Any], alone: Callable[[], Any] | None) -> None:
        self.write = write
        self.alone = alone
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_done = False
        self.leads = False  # its thread writes for all, or is to
        self._turn = threading.Lock()  # held until the piece is done, or its thread is to lead
        self._turn.acquire()

    def wait(self) -> None:
        self._turn.acquire()

    def wake(self) -> None:
        self._turn.release()


class Grouping:
    """Gathers writes, and commits those together that came while another commit was under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gathered: list[_Piece] = []
        self._is_led = False

    def write(
        self, begin: Begin, write: Callable[[Any], R], alone: Callable[[], R] | None = None
    ) -> R:
        """What ``write(transaction)`` returned, once it is committed.

        Args:
            begin: begins a transaction of the calling thread's connection.
            write: may be called twice, and in another thread: it must do nothing but execute
                statements.
            alone: does the same and commits it, cheaper; called where nobody else writes.

        Raises:
            StoreUnavailable: the database does not answer, or the thread that wrote for this one
                was ended; in the latter case nobody knows whether it is stored.
            BaseException: the calling thread was interrupted while it waited; it is stored only
                if somebody was writing it by then.
        """
        piece = _Piece(write, alone)
        with self._lock:
            self._gathered.append(piece)
            piece.leads, self._is_led = not self._is_led, True
        try:
            if not piece.leads:
                piece.wait()
            if not piece.is_done:
                self._lead(begin)
        except BaseException:
            self._leave(piece)
            raise
        if piece.error is not None:
            raise piece.error
        return cast("R", piece.result)

    def _lead(self, begin: Begin) -> None:
        """Write what has gathered; then let the first of those who came meanwhile do the same."""
        pieces: list[_Piece] = []
        try:
            with self._lock:
                pieces, self._gathered = self._gathered, pieces
            _write_all(begin, pieces)
        finally:
            for piece in pieces:
                if not piece.is_done:  # this thread is being ended
                    piece.error, piece.is_done = StoreUnavailable(), True
            with self._lock:
                following = self._choose()
            for piece in pieces[1:]:  # the first is this thread's own
                piece.wake()
            if following is not None:
                following.wake()

    def _choose(self) -> _Piece | None:
        """Whose thread is to write for all now; the caller has the lock, and wakes it."""
        following = self._gathered[0] if self._gathered else None
        self._is_led = following is not None
        if following is not None:
            following.leads = True
        return following

    def _leave(self, piece: _Piece) -> None:
        """Its thread is interrupted: if it was to write for all, another does."""
        with self._lock:
            if piece not in self._gathered:
                return
            self._gathered.remove(piece)
            following = self._choose() if piece.leads else None
        if following is not None:
            following.wake()


def _write_all(begin: Begin, pieces: Sequence[_Piece]) -> None:
    if len(pieces) > 1 and _write_together(begin, pieces):
        return
    for piece in pieces:
        try:
            if piece.alone is not None:
                piece.result = piece.alone()
            else:
                with begin() as transaction:
                    piece.result = piece.write(transaction)
        except Exception as error:  # noqa: BLE001 - raised in the thread whose it is
            piece.error = error
        piece.is_done = True


def _write_together(begin: Begin, pieces: Sequence[_Piece]) -> bool:
    """Whether each has its result or its error now; if not, nothing is stored."""
    try:
        with begin() as transaction:
            for piece in pieces:
                piece.result = piece.write(transaction)
    except StoreUnavailable as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.Error) and not isinstance(cause, sqlite3.OperationalError):
            return False  # one of them is refused, by a constraint for example
        for piece in pieces:  # the database is locked, full or gone, for all of them
            piece.error, piece.is_done = StoreUnavailable(), True
            piece.error.__cause__ = error
        return True
    except Exception:  # noqa: BLE001 - each is tried alone, and fails by its own error
        return False
    for piece in pieces:
        piece.is_done = True
    return True
