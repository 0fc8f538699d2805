"""Idempotency-Keys in SQL: taken by one request, answered once, given to those that repeat it.

Concurrency: safe from any number of threads and processes. A key is taken by one INSERT. When its
process dies before it has answered, the key can be taken again after `LEASE_SECONDS`; what that
process had committed by then is done a second time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from licet.db.engine import Database
from licet.db.statement import Statement
from licet.errors import KeyInUse, KeyReused
from licet.rest.idempotency import Answer
from licet.rest.store.tables import idempotency_key as table

__all__ = ["KEPT_SECONDS", "LEASE_SECONDS", "Keys"]

KEPT_SECONDS: Final = 24 * 3600
LEASE_SECONDS: Final = 120
_PURGE_SECONDS: Final = 600
_k: Final[sa.BindParameter[str]] = sa.bindparam("k")
_seen: Final = sa.bindparam("seen", type_=sa.BigInteger())
_columns: Final = ["key_hash", "digest", "taken_at", "answer"]


def _take(dialect: str) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


TAKE: Final = Statement(_take, columns=_columns)
FIND: Final = Statement(
    sa.select(table.c.digest, table.c.taken_at, table.c.answer).where(table.c.key_hash == _k)
)
TAKE_AGAIN: Final = Statement(
    sa.update(table).where(table.c.key_hash == _k, table.c.taken_at == _seen),
    columns=["digest", "taken_at", "answer"],
)
ANSWER: Final = Statement(
    sa.update(table).where(table.c.key_hash == _k, table.c.taken_at == _seen), columns=["answer"]
)
GIVE_UP: Final = Statement(
    sa.delete(table).where(
        table.c.key_hash == _k, table.c.taken_at == _seen, table.c.answer.is_(None)
    )
)
PURGE: Final = Statement(sa.delete(table).where(table.c.taken_at <= _seen))


class Keys:
    """The keys of an app.

    Args:
        database: licet's.
        clock: seconds since the epoch, in the time of all processes.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._purged_at = 0

    def begin(self, principal: str, key: str, digest: str) -> Answer | int:
        """Take the key for a request, or the first answer to it.

        Returns:
            The answer; or, when the request is to be done, when the key was taken, for `finish` and
            `give_up`.

        Raises:
            KeyReused: the key came before, with another request.
            KeyInUse: the first request is still being done.
            StoreUnavailable: the database does not answer.
        """
        now = int(self._clock())
        if now >= self._purged_at + _PURGE_SECONDS:
            self._purged_at = now
            self.purge()
        key_hash = _hash(principal, key)
        row = {"key_hash": key_hash, "digest": digest, "taken_at": now, "answer": None}
        if self._database.execute(TAKE, row):
            return now
        found = self._database.fetch_one(FIND, {"k": key_hash})
        if found is None:  # given up meanwhile
            raise KeyInUse
        first_digest, taken_at, answer = found
        lasts = LEASE_SECONDS if answer is None else KEPT_SECONDS
        if now >= taken_at + lasts:
            if self._database.execute(TAKE_AGAIN, {**row, "k": key_hash, "seen": taken_at}):
                return now
            raise KeyInUse
        if first_digest != digest:
            raise KeyReused
        if answer is None:
            raise KeyInUse
        return Answer.from_json(answer)

    def finish(self, principal: str, key: str, taken_at: int, answer: Answer) -> None:
        """Keep the answer for those that repeat the request."""
        params = {"k": _hash(principal, key), "seen": taken_at, "answer": answer.to_json()}
        self._database.execute(ANSWER, params)

    def give_up(self, principal: str, key: str, taken_at: int) -> None:
        """Let the key be taken again at once, because nothing was done."""
        self._database.execute(GIVE_UP, {"k": _hash(principal, key), "seen": taken_at})

    def purge(self) -> int:
        """Delete the keys that are older than a day; how many there were.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        seen = int(self._clock()) - KEPT_SECONDS
        return int(self._database.execute(PURGE, {"seen": seen}))


def _hash(principal: str, key: str) -> str:
    return hashlib.sha256(f"{len(principal)}\n{principal}\n{key}".encode()).hexdigest()
