"""An object by its key, its policy and its version, and writes that lose no other's.

The version is the column that SQLAlchemy counts up with each UPDATE (``version_id_col``): the
UPDATE and the DELETE name the version that was read, so that of two writers one changes no row.
"""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    StatementError,
)
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from licet.authz import DELETE, UPDATE, VIEW, Policy, Verb
from licet.authz.policies._models.mapping import can_hold
from licet.errors import ConflictingValues, InvalidRequest, PreconditionFailed
from licet.errors.base import HTTPError, reason_of

__all__ = [
    "checked_as_written",
    "find_row",
    "guarded_by_version",
    "is_of_null",
    "is_versioned",
    "lost_update_is_refused",
    "policy_of",
    "refusal_of",
    "refused_values_are_told",
    "told_by_validator",
    "verb_of_method",
    "version_is_kept",
    "version_name",
    "version_of",
]

log = logging.getLogger(__name__)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_TOLD = 200


def policy_of(policies: Iterable[Policy], model: type[Any]) -> Policy | None:
    """The policy of a class, or of the nearest of its bases that has one."""
    of_class = {policy.model: policy for policy in policies}
    return next((of_class[one] for one in model.__mro__ if one in of_class), None)


def verb_of_method(method: str) -> Verb:
    """What a request does with the one object that its URL names; POST to it changes it."""
    if method in _READING:
        return VIEW
    return DELETE if method == "DELETE" else UPDATE


def find_row(session: Session, model: type[Any], key: Any) -> Any | None:
    """The object with a primary key that a URL gave, as text or as a value; None without one.

    A key that its column cannot hold is no error: there is no such object.
    """
    columns = sa.inspect(model).primary_key
    keys = key if isinstance(key, tuple) else (key,)
    if len(keys) != len(columns):
        return None
    typed = tuple(_typed(column.type, one) for column, one in zip(columns, keys, strict=True))
    if not all(can_hold(column.type, one) for column, one in zip(columns, typed, strict=True)):
        return None
    return session.get(model, typed if len(typed) > 1 else typed[0])


def _typed(column_type: Any, value: Any) -> Any:
    """Digits of a URL as a number, for an integer column."""
    is_number = isinstance(column_type, sa.Integer) and isinstance(value, str)
    if is_number and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return value


# --- versions ------------------------------------------------------------------------------------


def version_name(model: type[Any]) -> str | None:
    """The attribute that holds the version of an object; None of a class without versions."""
    mapper = sa.inspect(model)
    column = mapper.version_id_col
    return None if column is None else mapper.get_property_by_column(column).key


def is_versioned(model: type[Any]) -> bool:
    """Whether SQLAlchemy guards the writes of the class by a version."""
    return sa.inspect(model).version_id_col is not None


def version_of(owner: Any) -> Any:
    """The version of an object that is stored; None of a class without versions."""
    name = version_name(type(owner))
    return None if name is None else getattr(owner, name)


@contextmanager
def lost_update_is_refused(session: Session, owner: Any) -> Iterator[None]:
    """Answer a write that came too late by 412, with the session rolled back.

    It came too late when SQLAlchemy's guarded UPDATE or DELETE finds no row of the version that was
    read, and when the database refuses it for another transaction (SQLite's "database is locked",
    PostgreSQL's serialization failures) and the row has another version since.

    Raises:
        PreconditionFailed: the object was changed or deleted since it was read.
    """
    identity, version = sa.inspect(owner).identity, version_of(owner)
    commits: list[Session] = []  # afterwards another version is the block's own
    note = commits.append  # one object, for `remove`
    sa.event.listen(session, "after_commit", note)
    try:
        yield
    except StaleDataError as error:
        session.rollback()
        raise PreconditionFailed from error
    except OperationalError as error:
        session.rollback()
        if not commits and _is_changed(session, type(owner), identity, version):
            raise PreconditionFailed from error
        raise
    finally:
        sa.event.remove(session, "after_commit", note)


@contextmanager
def guarded_by_version(session: Session, owner: Any, *, has_version: bool) -> Iterator[None]:
    """A block whose write of an object loses no other's; without versions, any block.

    `has_version` says that the request names the version that it is about.

    Raises:
        PreconditionFailed: the object was changed or deleted since it was read.
    """
    if not is_versioned(type(owner)):
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(lost_update_is_refused(session, owner))
        if has_version:
            stack.enter_context(version_is_kept(session, owner))
        yield


@contextmanager
def version_is_kept(session: Session, owner: Any) -> Iterator[None]:
    """Refuse a write of an object that was read anew in the block, with another version.

    A commit or refresh within the block has SQLAlchemy read the object again. Its UPDATE would then
    name the version that another writer made, which is not the one that the request names.

    Raises:
        PreconditionFailed: the object has another version than the block began with, or wrote.
    """
    known, is_written = version_of(owner), False

    def before(_session: Session, *_: Any) -> None:
        nonlocal is_written
        is_written = owner in session.dirty or owner in session.deleted
        if is_written and version_of(owner) != known:
            raise PreconditionFailed

    def after(_session: Session, _context: Any) -> None:
        nonlocal known
        if is_written and sa.inspect(owner).persistent:
            known = version_of(owner)

    sa.event.listen(session, "before_flush", before)
    sa.event.listen(session, "after_flush_postexec", after)
    try:
        yield
    except PreconditionFailed:
        session.rollback()
        raise
    finally:
        sa.event.remove(session, "before_flush", before)
        sa.event.remove(session, "after_flush_postexec", after)


@contextmanager
def checked_as_written(session: Session, check: Callable[[], None]) -> Iterator[None]:
    """Have `check` look at what the block has written, before that is committed.

    It is called after the flush of each commit within the block; and at the block's end, when there
    is something that no commit has written: that is flushed, so that a commit after the block has
    nothing left that could be refused. Whatever `check` raises ends the block, with the session
    rolled back.
    """
    is_checking = is_flushed = False  # since the last look

    def look() -> None:
        nonlocal is_checking, is_flushed
        session.flush()
        is_flushed, is_checking = False, True
        check()
        is_checking = False

    def before_commit(_session: Session) -> None:
        if not session.in_nested_transaction():
            look()

    def after_flush(_session: Session, _context: Any) -> None:
        nonlocal is_flushed
        is_flushed = True

    sa.event.listen(session, "before_commit", before_commit)
    sa.event.listen(session, "after_flush", after_flush)
    try:
        yield
        if is_flushed or session.new or session.dirty:
            look()
    except Exception:
        if is_checking:
            session.rollback()
        raise
    finally:
        sa.event.remove(session, "before_commit", before_commit)
        sa.event.remove(session, "after_flush", after_flush)


@contextmanager
def refused_values_are_told(session_of: Callable[[], Session]) -> Iterator[None]:
    """Answer a write whose values the database refuses by 409 or 422, with the session rolled back.

    The answer tells neither the values nor the names of constraints; the log has the error's kind.

    Raises:
        ConflictingValues: a value has to be unique, or refers to nothing.
        InvalidRequest: a value is missing, out of the range of its column, or refused by a CHECK.
    """
    try:
        yield
    except (StatementError, OverflowError) as error:
        kind = refusal_of(error)
        if kind is None:
            raise
        session_of().rollback()
        log.info("A write was refused by the database: %s", reason_of(error))
        raise kind from error


def told_by_validator(error: ValueError, models: Iterable[type[Any]]) -> str | None:
    """What a validator (``@validates``) of one of the models says of a value; None of others."""
    codes = {
        getattr(inspect.unwrap(function), "__code__", None)
        for model in models
        for function, _ in sa.inspect(model).validators.values()
    }
    frames = traceback.walk_tb(error.__traceback__)
    is_told = any(frame.f_code in codes for frame, _ in frames)
    return str(error)[:_LONGEST_TOLD] if is_told else None


def refusal_of(error: Exception) -> HTTPError | None:
    """What is answered of an error of the database; None of what is the program's own."""
    if isinstance(error, IntegrityError):
        return _violation(error)
    # what a column's type says of a value before it is sent
    is_of_type = not isinstance(error, DBAPIError) and isinstance(
        getattr(error, "orig", None), LookupError | ValueError | OverflowError
    )
    is_too_large = isinstance(error, OverflowError) and "SQLite INTEGER" in str(error)
    if isinstance(error, DataError) or is_of_type or is_too_large:
        return InvalidRequest("A value is out of the range that can be stored.")
    return None


def is_of_null(error: IntegrityError) -> bool:
    """Whether a column that has to have a value was to have none."""
    state, text = getattr(error.orig, "sqlstate", None), str(error.orig)
    return state == "23502" or text.startswith("NOT NULL")


def _violation(error: IntegrityError) -> HTTPError:
    state, text = getattr(error.orig, "sqlstate", None), str(error.orig)
    if is_of_null(error):
        return InvalidRequest("A value is missing that has to be there.")
    if state == "23514" or text.startswith("CHECK"):
        return InvalidRequest("A value is not one of those that can be stored.")
    return ConflictingValues()


def _is_changed(session: Session, model: type[Any], identity: Any, version: Any) -> bool:
    name = version_name(model)
    if name is None or identity is None:
        return False
    columns = sa.inspect(model).primary_key
    keys = (column == value for column, value in zip(columns, identity, strict=True))
    try:
        found = session.scalars(sa.select(getattr(model, name)).where(*keys)).first()
        return bool(found != version)
    except DBAPIError:
        return False
    finally:
        session.rollback()
