"""The SQL of local accounts, each statement built once and named for what it does."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement

from licet.authn.accounts.tables import (
    account,
    refresh_token,
    reset,
    revocation,
    serial,
    session,
    sign_up,
    throttle,
)
from licet.db.statement import Statement

_a: Final[sa.BindParameter[str]] = sa.bindparam("a")  # an account's id
_s: Final[sa.BindParameter[str]] = sa.bindparam("s")  # a session's id
_h: Final[sa.BindParameter[str]] = sa.bindparam("h")  # the hash of a secret
_now: Final = sa.bindparam("now", type_=sa.BigInteger())


def _insert(dialect: str, table: sa.Table) -> Any:
    return (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)


def _all_columns(table: sa.Table) -> list[str]:
    return [column.name for column in table.columns]


# --- accounts

ACCOUNT: Final = (
    account.c.id,
    account.c.email,
    account.c.password_hash,
    account.c.is_admin,
    account.c.generation,
    account.c.created_at,
    account.c.blocked_at,
)

BY_EMAIL: Final = Statement(sa.select(*ACCOUNT).where(account.c.email_key == sa.bindparam("k")))

# One row in either case: the account, or what looks like one to a clock.
BY_EMAIL_OR_DECOY: Final = Statement(
    sa.union_all(
        sa.select(*ACCOUNT, sa.literal_column("1").label("found")).where(
            account.c.email_key == sa.bindparam("k")
        ),
        sa.select(
            sa.literal_column("'00000000-0000-4000-8000-000000000000'"),
            sa.literal_column("'somebody@example.org'"),
            sa.cast(sa.bindparam("decoy"), sa.String(256)),
            sa.false(),
            sa.literal_column("0"),
            sa.literal_column("1800000000"),
            sa.cast(sa.null(), sa.BigInteger),
            sa.literal_column("0"),
        ),
    )
    .order_by(sa.desc("found"))
    .limit(1)
)
BY_ID: Final = Statement(sa.select(*ACCOUNT).where(account.c.id == _a))
PAGE: Final = (
    sa.select(*ACCOUNT)
    .where(account.c.email_key > sa.bindparam("after"))
    .order_by(account.c.email_key)
    .limit(sa.bindparam("count"))
)


def _insert_unless_taken(dialect: str) -> ClauseElement:
    statement: ClauseElement = _insert(dialect, account).on_conflict_do_nothing()
    return statement


# An address that is taken inserts nothing.
INSERT_ACCOUNT: Final = Statement(_insert_unless_taken, columns=_all_columns(account))
DELETE_ACCOUNT: Final = Statement(sa.delete(account).where(account.c.id == _a))

# Held while a session is opened, so that no password is changed and nobody blocked meanwhile.
LOCK_ACCOUNT: Final = Statement(
    sa.select(account.c.id)
    .where(
        account.c.id == _a,
        account.c.generation == sa.bindparam("g"),
        account.c.blocked_at.is_(None),
    )
    .with_for_update()
)

# Every token made so far is of an older generation.
RAISE_GENERATION: Final = Statement(
    sa.update(account)
    .where(account.c.id == _a)
    .values(generation=account.c.generation + 1)
    .returning(account.c.generation)
)
SET_PASSWORD: Final = Statement(
    sa.update(account).where(account.c.id == _a), columns=["password_hash"]
)
REHASH: Final = Statement(
    sa.update(account).where(account.c.id == _a, account.c.password_hash == sa.bindparam("old")),
    columns=["password_hash"],
)
SET_BLOCKED: Final = Statement(sa.update(account).where(account.c.id == _a), columns=["blocked_at"])

# --- addresses that wait to be confirmed, and forgotten passwords

FIND_SIGN_UP: Final = Statement(
    sa.select(sign_up.c.password_hash).where(
        sign_up.c.token_hash == _h, sign_up.c.expires_at > _now
    )
)
INSERT_SIGN_UP: Final = Statement(sa.insert(sign_up), columns=_all_columns(sign_up))
TAKE_SIGN_UP: Final = Statement(
    sa.delete(sign_up)
    .where(sign_up.c.token_hash == _h, sign_up.c.expires_at > _now)
    .returning(sign_up.c.email, sign_up.c.email_key, sign_up.c.password_hash)
)
DELETE_SIGN_UPS: Final = Statement(
    sa.delete(sign_up).where(sign_up.c.email_key == sa.bindparam("k"))
)

INSERT_RESET: Final = Statement(sa.insert(reset), columns=_all_columns(reset))
FIND_RESET: Final = Statement(
    sa.select(*ACCOUNT)
    .join(reset, reset.c.account == account.c.id)
    .where(reset.c.token_hash == _h, reset.c.expires_at > _now)
)
TAKE_RESET: Final = Statement(
    sa.delete(reset)
    .where(reset.c.token_hash == _h, reset.c.expires_at > _now)
    .returning(reset.c.account)
)
DELETE_RESETS: Final = Statement(sa.delete(reset).where(reset.c.account == _a))

# --- sessions and their refresh tokens

INSERT_SESSION: Final = Statement(sa.insert(session), columns=_all_columns(session))
INSERT_TOKEN: Final = Statement(sa.insert(refresh_token), columns=_all_columns(refresh_token))

# The row that two refreshes with one token queue for.
LOCK_SESSION_OF_TOKEN: Final = Statement(
    sa.select(session.c.id, session.c.account, session.c.scope, session.c.expires_at)
    .where(
        session.c.id
        == sa.select(refresh_token.c.session)
        .where(refresh_token.c.token_hash == _h)
        .scalar_subquery()
    )
    .with_for_update()
)
USE_TOKEN: Final = Statement(
    sa.update(refresh_token)
    .where(refresh_token.c.token_hash == _h, refresh_token.c.used_at.is_(None))
    .values(used_at=_now)
)
# A refresh token that was sent again gives another in place of the one whose answer was lost.
SPEND_UNUSED: Final = Statement(
    sa.update(refresh_token)
    .where(refresh_token.c.session == _s, refresh_token.c.used_at.is_(None))
    .values(used_at=_now)
)

# Ten seconds, in whole ones. Whose successor was used was answered: it ages, and is not recent.
RESEND_SECONDS: Final = 11
AGE_USED: Final = Statement(
    sa.update(refresh_token)
    .where(
        refresh_token.c.session == _s,
        refresh_token.c.token_hash != _h,
        refresh_token.c.used_at > _now - RESEND_SECONDS,
    )
    .values(used_at=refresh_token.c.used_at - RESEND_SECONDS)
)
IS_RECENT: Final = Statement(
    sa.select(refresh_token.c.token_hash).where(
        refresh_token.c.token_hash == _h, refresh_token.c.used_at > _now - RESEND_SECONDS
    )
)

# All used ones but the newest, so that nobody fills the database by refreshing.
DELETE_OLD_TOKENS: Final = Statement(
    sa.delete(refresh_token).where(
        refresh_token.c.session == _s,
        refresh_token.c.used_at.is_not(None),
        refresh_token.c.token_hash != _h,
        refresh_token.c.token_hash.not_in(
            sa.select(refresh_token.c.token_hash)
            .where(refresh_token.c.session == _s, refresh_token.c.used_at.is_not(None))
            .order_by(refresh_token.c.used_at.desc(), refresh_token.c.token_hash)
            .limit(100)
            .scalar_subquery()
        ),
    )
)
BY_COOKIE: Final = Statement(
    sa.select(session.c.id, session.c.scope, *ACCOUNT)
    .join(account, session.c.account == account.c.id)
    .where(session.c.cookie_hash == _h, session.c.expires_at > _now)
)
DELETE_SESSION: Final = Statement(
    sa.delete(session).where(session.c.id == _s).returning(session.c.account)
)
DELETE_SESSIONS: Final = Statement(sa.delete(session).where(session.c.account == _a))

# All but the newest, so that nobody fills the database by signing in.
DELETE_OLD_SESSIONS: Final = Statement(
    sa.delete(session).where(
        session.c.account == _a,
        session.c.id.not_in(
            sa.select(session.c.id)
            .where(session.c.account == _a)
            .order_by(session.c.created_at.desc(), session.c.id)
            .limit(100)
            .scalar_subquery()
        ),
        session.c.id != _s,
    )
)

# --- withdrawals


def _next_serial(dialect: str) -> ClauseElement:
    statement: ClauseElement = (
        _insert(dialect, serial)
        .values(name="revocation", value=1)
        .on_conflict_do_update(index_elements=[serial.c.name], set_={"value": serial.c.value + 1})
        .returning(serial.c.value)
    )
    return statement


# The row is locked until the transaction ends: serial numbers become visible in their order.
NEXT_SERIAL: Final = Statement(_next_serial)
INSERT_MARK: Final = Statement(sa.insert(revocation), columns=_all_columns(revocation))
MARKS_AFTER: Final = (
    sa.select(
        revocation.c.serial,
        revocation.c.account,
        revocation.c.session,
        revocation.c.generation,
        revocation.c.expires_at,
    )
    .where(revocation.c.serial > sa.bindparam("serial"))
    .order_by(revocation.c.serial)
)

# --- attempts


def _count_attempt(dialect: str) -> ClauseElement:
    is_over = throttle.c.expires_at <= _now
    ends = sa.bindparam("ends", type_=sa.BigInteger())
    statement: ClauseElement = (
        _insert(dialect, throttle)
        .values(key=sa.bindparam("key"), attempts=1, expires_at=ends)
        .on_conflict_do_update(
            index_elements=[throttle.c.key],
            set_={
                "attempts": sa.case((is_over, 1), else_=throttle.c.attempts + 1),
                "expires_at": sa.case((is_over, ends), else_=throttle.c.expires_at),
            },
        )
        .returning(throttle.c.attempts, throttle.c.expires_at)
    )
    return statement


# Counted before the password is looked at: however many try at once, no more than the limit get on.
COUNT_ATTEMPT: Final = Statement(_count_attempt)


def _remember(dialect: str) -> ClauseElement:
    ends = sa.bindparam("ends", type_=sa.BigInteger())
    statement: ClauseElement = (
        _insert(dialect, throttle)
        .values(key=sa.bindparam("key"), attempts=0, expires_at=ends)
        .on_conflict_do_update(index_elements=[throttle.c.key], set_={"expires_at": ends})
    )
    return statement


# Devices and networks that somebody signed in from stand beside the counts, under keys of their own
REMEMBER: Final = Statement(_remember)
IS_KNOWN: Final = Statement(
    sa.select(throttle.c.key).where(
        throttle.c.key == sa.bindparam("key"), throttle.c.expires_at > _now
    )
)
FORGET_ATTEMPTS: Final = Statement(sa.delete(throttle).where(throttle.c.key == sa.bindparam("key")))

PURGE: Final = tuple(
    Statement(sa.delete(table).where(table.c.expires_at <= _now))
    for table in (session, sign_up, reset, throttle, revocation)
)
