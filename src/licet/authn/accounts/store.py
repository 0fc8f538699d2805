"""Local accounts in SQL: every change is one transaction of guarded statements.

What ends sessions writes a mark in the same transaction and gives it back, for `Revocations`. Rows
are locked in one order, account before session before serial number, so that no two wait for
each other.

Concurrency: safe from any number of threads and processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from licet.authn.accounts import _statements as sql
from licet.authn.accounts.records import Account, Mark, NewSession, Rotation, Session
from licet.authn.accounts.revocation import ALL_GENERATIONS
from licet.authn.throttle import Limit
from licet.db.engine import Database, Transaction
from licet.errors import TooManyAttempts

__all__ = ["AccountStore"]

_PURGE_SECONDS: Final = 600


class AccountStore:
    """Accounts, their sessions, and what waits to be confirmed.

    Args:
        database: called for the database at each use, so that a store can be made before its app.
        mark_seconds: how long a withdrawal is kept: longer than any access token lives.
    """

    def __init__(self, database: Callable[[], Database], *, mark_seconds: int) -> None:
        self._database = database
        self._mark_seconds = mark_seconds
        self._purge_again_at = 0

    # --- accounts

    def find(self, email_key: str) -> Account | None:
        """The account of an address, blocked or not."""
        return _account(self._database().fetch_one(sql.BY_EMAIL, {"k": email_key}))

    def find_or_decoy(self, email_key: str, password_hash: str) -> tuple[Account, bool]:
        """The account of an address and true, or one that is nobody's and false.

        Either way the same is done, so that the time does not tell which.
        """
        params = {"k": email_key, "decoy": password_hash}
        row = self._database().fetch_one(sql.BY_EMAIL_OR_DECOY, params)
        return _made(row), bool(row[7])

    def get(self, account_id: str) -> Account | None:
        """The account of this id."""
        return _account(self._database().fetch_one(sql.BY_ID, {"a": account_id}))

    def page(self, *, after: str = "", count: int = 100) -> list[Account]:
        """Accounts in the order of their addresses."""
        with self._database().read() as connection:
            rows = connection.execute(sql.PAGE, {"after": after, "count": count}).all()
        return [_made(row) for row in rows]

    def add(self, account: Account, email_key: str) -> bool:
        """Keep a new account, unless its address is taken."""
        return self._database().execute(sql.INSERT_ACCOUNT, _row(account, email_key)) == 1

    def rehash(self, account: Account, password_hash: str) -> None:
        """Keep another hash of the same password, unless the password was changed meanwhile."""
        params = {"a": account.id, "old": account.password_hash, "password_hash": password_hash}
        self._database().execute(sql.REHASH, params)

    def set_password(self, account_id: str, password_hash: str, now: int) -> Mark | None:
        """Keep a new password; all sessions, tokens and reset links end. None: no such account."""
        with self._database().transaction() as transaction:
            return self._set_password(transaction, account_id, password_hash, now)

    def _set_password(
        self, transaction: Transaction, account_id: str, password_hash: str, now: int
    ) -> Mark | None:
        mark = self._end_all(transaction, account_id, now)
        if mark is not None:
            transaction.execute(sql.SET_PASSWORD, {"a": account_id, "password_hash": password_hash})
            transaction.execute(sql.DELETE_RESETS, {"a": account_id})
        return mark

    def set_blocked(self, account_id: str, now: int, *, blocked: bool) -> Mark | None:
        """Block or unblock; either way all sessions, tokens and reset links end."""
        with self._database().transaction() as transaction:
            mark = self._end_all(transaction, account_id, now)
            transaction.execute(
                sql.SET_BLOCKED, {"a": account_id, "blocked_at": now if blocked else None}
            )
            transaction.execute(sql.DELETE_RESETS, {"a": account_id})
        return mark

    def delete(self, account_id: str, now: int) -> Mark | None:
        """Forget an account and all that is its own; None when there is none."""
        with self._database().transaction() as transaction:
            if transaction.execute(sql.DELETE_ACCOUNT, {"a": account_id}) == 0:
                return None
            return self._mark(transaction, account_id, "", ALL_GENERATIONS, now)

    # --- mails' secrets

    def add_sign_up(self, values: dict[str, Any]) -> None:
        """Keep an address and a password until the address is confirmed.

        An earlier sign-up of this address that was not confirmed ends.
        """
        with self._database().transaction() as transaction:
            transaction.execute(sql.DELETE_SIGN_UPS, {"k": values["email_key"]})
            transaction.execute(sql.INSERT_SIGN_UP, values)

    def password_of_sign_up(self, token_hash: str, now: int) -> str | None:
        """The hash of a waiting sign-up's password; None when there is no such sign-up."""
        row = self._database().fetch_one(sql.FIND_SIGN_UP, {"h": token_hash, "now": now})
        return None if row is None else str(row[0])

    def confirm_sign_up(self, token_hash: str, account_id: str, now: int) -> bool:
        """Make the account that was asked for; once, in time, and while the address is free."""
        with self._database().transaction() as transaction:
            row = transaction.fetch_one(sql.TAKE_SIGN_UP, {"h": token_hash, "now": now})
            if row is None:
                return False
            email, email_key, password_hash = row
            made = Account(
                id=account_id,
                email=email,
                password_hash=password_hash,
                is_admin=False,
                generation=0,
                created_at=now,
                blocked_at=None,
            )
            added = transaction.execute(sql.INSERT_ACCOUNT, _row(made, email_key)) == 1
            transaction.execute(sql.DELETE_SIGN_UPS, {"k": email_key})
            return added

    def add_reset(self, token_hash: str, account_id: str, expires_at: int) -> None:
        """Keep a reset link's secret; older ones of the account stay good until one is used."""
        values = {"token_hash": token_hash, "account": account_id, "expires_at": expires_at}
        self._database().execute(sql.INSERT_RESET, values)

    def owner_of_reset(self, token_hash: str, now: int) -> Account | None:
        """The account whose password a reset link sets, while the link is good."""
        params = {"h": token_hash, "now": now}
        return _account(self._database().fetch_one(sql.FIND_RESET, params))

    def use_reset(self, token_hash: str, password_hash: str, now: int) -> Mark | None:
        """Set the password by a reset link: once, and in time; None otherwise."""
        with self._database().transaction() as transaction:
            row = transaction.fetch_one(sql.TAKE_RESET, {"h": token_hash, "now": now})
            if row is None:
                return None
            return self._set_password(transaction, row[0], password_hash, now)

    # --- sessions

    def open_session(self, account: Account, new: NewSession) -> bool:
        """Keep a session; not if the account was blocked, changed or deleted since it was read."""
        with self._database().transaction() as transaction:
            locked = transaction.fetch_one(
                sql.LOCK_ACCOUNT, {"a": account.id, "g": account.generation}
            )
            if locked is None:
                return False
            transaction.execute(
                sql.INSERT_SESSION,
                {
                    "id": new.id,
                    "account": account.id,
                    "cookie_hash": new.cookie_hash,
                    "scope": new.scope,
                    "created_at": new.created_at,
                    "expires_at": new.expires_at,
                },
            )
            if new.refresh_hash is not None:
                transaction.execute(sql.INSERT_TOKEN, _token(new.refresh_hash, new.id))
            transaction.execute(sql.DELETE_OLD_SESSIONS, {"a": account.id, "s": new.id})
        return True

    def rotate(
        self, token_hash: str, new_hash: str, now: int, sent_by: str | None = None
    ) -> Rotation:
        """Use a refresh token and put another in its place; a second use ends the session.

        If it is `sent_by` the same client again within ten seconds, the answer was lost: the new
        one takes the place of the one that was in it, which counts as used.
        """
        with self._database().transaction() as transaction:
            row = transaction.fetch_one(sql.LOCK_SESSION_OF_TOKEN, {"h": token_hash})
            if row is None or row[3] <= now:
                return Rotation()
            session_id, account_id, scope, _expires_at = row
            of_session = {"s": session_id, "h": token_hash, "now": now}
            if transaction.execute(sql.USE_TOKEN, of_session) == 1:
                transaction.execute(sql.AGE_USED, of_session)
                transaction.execute(sql.DELETE_OLD_TOKENS, of_session)
                if sent_by is not None:
                    ends = now + sql.RESEND_SECONDS
                    transaction.execute(sql.REMEMBER, {"key": sent_by, "ends": ends})
            elif not self._is_resent(transaction, of_session, sent_by):
                return Rotation(reused=self._end(transaction, session_id, now))
            transaction.execute(sql.INSERT_TOKEN, _token(new_hash, session_id))
            found = transaction.fetch_one(sql.BY_ID, {"a": account_id})
        return Rotation(session=Session(session_id, scope, _made(found)))

    def _is_resent(
        self, transaction: Transaction, of_session: dict[str, Any], sent_by: str | None
    ) -> bool:
        """Whether a used token comes from its client again, and its successor was not used."""
        key = {"key": sent_by, "now": of_session["now"]}
        if sent_by is None or transaction.fetch_one(sql.IS_KNOWN, key) is None:
            return False
        if transaction.fetch_one(sql.IS_RECENT, of_session) is None:
            return False
        return transaction.execute(sql.SPEND_UNUSED, of_session) > 0

    def session_of_cookie(self, cookie_hash: str, now: int) -> Session | None:
        """The session of a browser."""
        row = self._database().fetch_one(sql.BY_COOKIE, {"h": cookie_hash, "now": now})
        return None if row is None else Session(row[0], row[1], _made(row[2:]))

    def end_session(self, session_id: str, now: int) -> Mark | None:
        """End one session and its tokens; None when it ended before."""
        with self._database().transaction() as transaction:
            return self._end(transaction, session_id, now)

    def end_session_of_token(self, token_hash: str, now: int) -> Mark | None:
        """End the session of a refresh token, used or not."""
        with self._database().transaction() as transaction:
            row = transaction.fetch_one(sql.LOCK_SESSION_OF_TOKEN, {"h": token_hash})
            return None if row is None else self._end(transaction, row[0], now)

    def end_all_sessions(self, account_id: str, now: int) -> Mark | None:
        """End every session and token of an account; None when there is none."""
        with self._database().transaction() as transaction:
            return self._end_all(transaction, account_id, now)

    def _end(self, transaction: Transaction, session_id: str, now: int) -> Mark | None:
        row = transaction.fetch_one(sql.DELETE_SESSION, {"s": session_id})
        return None if row is None else self._mark(transaction, row[0], session_id, 0, now)

    def _end_all(self, transaction: Transaction, account_id: str, now: int) -> Mark | None:
        row = transaction.fetch_one(sql.RAISE_GENERATION, {"a": account_id})
        if row is None:
            return None
        transaction.execute(sql.DELETE_SESSIONS, {"a": account_id})
        return self._mark(transaction, account_id, "", row[0], now)

    # --- withdrawals and attempts

    def _mark(
        self, transaction: Transaction, account_id: str, session_id: str, generation: int, now: int
    ) -> Mark:
        (serial,) = transaction.fetch_one(sql.NEXT_SERIAL, {})
        mark = Mark(serial, account_id, session_id, generation, now + self._mark_seconds)
        transaction.execute(
            sql.INSERT_MARK,
            {
                "serial": mark.serial,
                "account": mark.account_id,
                "session": mark.session_id,
                "generation": mark.generation,
                "expires_at": mark.expires_at,
            },
        )
        return mark

    def marks_after(self, serial: int) -> Sequence[Mark]:
        """The withdrawals since the one of this number, in their order."""
        with self._database().read() as connection:
            rows = connection.execute(sql.MARKS_AFTER, {"serial": serial}).all()
        return [Mark(*row) for row in rows]

    def count_attempt(self, key: str, limit: Limit, now: int) -> None:
        """Count one attempt.

        Raises:
            TooManyAttempts: it is one too many.
        """
        params = {"key": key, "now": now, "ends": now + limit.seconds}
        with self._database().transaction() as transaction:
            attempts, ends = transaction.fetch_one(sql.COUNT_ATTEMPT, params)
        if attempts > limit.attempts:
            raise TooManyAttempts(retry_after_seconds=ends - now)

    def remember(self, key: str, expires_at: int) -> None:
        """Keep a key that `is_known` until then."""
        self._database().execute(sql.REMEMBER, {"key": key, "ends": expires_at})

    def is_known(self, key: str, now: int) -> bool:
        """Whether `remember` keeps the key."""
        return self._database().fetch_one(sql.IS_KNOWN, {"key": key, "now": now}) is not None

    def forget_attempts(self, key: str) -> None:
        """Start counting anew."""
        self._database().execute(sql.FORGET_ATTEMPTS, {"key": key})

    def purge(self, now: int) -> None:
        """Delete what has expired, at most every ten minutes."""
        if now < self._purge_again_at:
            return
        self._purge_again_at = now + _PURGE_SECONDS
        for statement in sql.PURGE:
            self._database().execute(statement, {"now": now})


def _account(row: Any) -> Account | None:
    return None if row is None else _made(row)


def _made(row: Any) -> Account:
    return Account(
        id=row[0],
        email=row[1],
        password_hash=row[2],
        is_admin=bool(row[3]),  # SQLite has 0 and 1
        generation=row[4],
        created_at=row[5],
        blocked_at=row[6],
    )


def _row(account: Account, email_key: str) -> dict[str, Any]:
    return {
        "id": account.id,
        "email": account.email,
        "email_key": email_key,
        "password_hash": account.password_hash,
        "is_admin": account.is_admin,
        "generation": account.generation,
        "created_at": account.created_at,
        "blocked_at": account.blocked_at,
    }


def _token(token_hash: str, session_id: str) -> dict[str, Any]:
    return {"token_hash": token_hash, "session": session_id, "used_at": None}
