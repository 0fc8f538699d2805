"""Sessions of people who signed in elsewhere, and sign-ins on their way, in SQL.

Concurrency: safe from any number of threads and processes. A sign-in on its way is taken by one
DELETE, so that of two answers to it one counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from licet.authn.sign_in.tables import attempt, foreign_session
from licet.db.engine import Database
from licet.db.statement import Statement

__all__ = ["ForeignSession", "SignInStore"]

_PURGE_SECONDS: Final = 600
_NEWEST: Final = 100  # so that nobody fills the database by signing in
_now: Final = sa.bindparam("now", type_=sa.BigInteger())
_h: Final[sa.BindParameter[str]] = sa.bindparam("h")
_p: Final[sa.BindParameter[str]] = sa.bindparam("p")


def _columns(table: sa.Table) -> list[str]:
    return [column.name for column in table.columns]


INSERT_ATTEMPT: Final = Statement(sa.insert(attempt), columns=_columns(attempt))
TAKE_ATTEMPT: Final = Statement(
    sa.delete(attempt)
    .where(attempt.c.key_hash == _h, attempt.c.expires_at > _now)
    .returning(attempt.c.next_path)
)
INSERT_SESSION: Final = Statement(sa.insert(foreign_session), columns=_columns(foreign_session))
FIND_SESSION: Final = Statement(
    sa.select(
        foreign_session.c.principal,
        foreign_session.c.provider,
        foreign_session.c.scope,
        foreign_session.c.claims,
    ).where(foreign_session.c.cookie_hash == _h, foreign_session.c.expires_at > _now)
)
DELETE_SESSION: Final = Statement(
    sa.delete(foreign_session).where(foreign_session.c.cookie_hash == _h)
)
DELETE_SESSIONS: Final = Statement(
    sa.delete(foreign_session).where(foreign_session.c.principal == _p)
)
DELETE_OLD_SESSIONS: Final = Statement(
    sa.delete(foreign_session).where(
        foreign_session.c.principal == _p,
        foreign_session.c.cookie_hash != _h,
        foreign_session.c.cookie_hash.not_in(
            sa.select(foreign_session.c.cookie_hash)
            .where(foreign_session.c.principal == _p)
            .order_by(foreign_session.c.created_at.desc(), foreign_session.c.cookie_hash)
            .limit(_NEWEST)
            .scalar_subquery()
        ),
    )
)
PURGE: Final = tuple(
    Statement(sa.delete(table).where(table.c.expires_at <= _now))
    for table in (attempt, foreign_session)
)


@dataclass(frozen=True, kw_only=True)
class ForeignSession:
    """A browser's session; `claims` is what the provider called `provider` said."""

    cookie_hash: str
    principal: str
    provider: str
    scope: str
    claims: dict[str, Any]


class SignInStore:
    """What is kept of sign-ins at foreign providers.

    Args:
        database: called for the database at each use, so that a store can be made before its app.
    """

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database
        self._purge_again_at = 0

    def add_attempt(self, key_hash: str, next_path: str, expires_at: int) -> None:
        """Keep a sign-in that has begun."""
        values = {"key_hash": key_hash, "next_path": next_path, "expires_at": expires_at}
        self._database().execute(INSERT_ATTEMPT, values)

    def take_attempt(self, key_hash: str, now: int) -> str | None:
        """Where a sign-in leads when it succeeds; once, and in time, else None."""
        with self._database().transaction() as transaction:
            row = transaction.fetch_one(TAKE_ATTEMPT, {"h": key_hash, "now": now})
        return None if row is None else str(row[0])

    def open(self, session: ForeignSession, now: int, expires_at: int) -> None:
        """Keep a new session; the oldest of more than a hundred end."""
        values = {
            "cookie_hash": session.cookie_hash,
            "principal": session.principal,
            "provider": session.provider,
            "scope": session.scope,
            "claims": json.dumps(session.claims),
            "created_at": now,
            "expires_at": expires_at,
        }
        with self._database().transaction() as transaction:
            transaction.execute(INSERT_SESSION, values)
            params = {"p": session.principal, "h": session.cookie_hash}
            transaction.execute(DELETE_OLD_SESSIONS, params)

    def find(self, cookie_hash: str, now: int) -> ForeignSession | None:
        """The session of a cookie, while it lasts."""
        row = self._database().fetch_one(FIND_SESSION, {"h": cookie_hash, "now": now})
        if row is None:
            return None
        return ForeignSession(
            cookie_hash=cookie_hash,
            principal=row[0],
            provider=row[1],
            scope=row[2],
            claims=json.loads(row[3]),
        )

    def end(self, cookie_hash: str) -> None:
        """End one session, if it goes on."""
        self._database().execute(DELETE_SESSION, {"h": cookie_hash})

    def end_all(self, principal: str) -> None:
        """End every session of somebody."""
        self._database().execute(DELETE_SESSIONS, {"p": principal})

    def purge(self, now: int) -> None:
        """Delete what has expired, at most every ten minutes."""
        if now < self._purge_again_at:
            return
        self._purge_again_at = now + _PURGE_SECONDS
        for statement in PURGE:
            self._database().execute(statement, {"now": now})
