"""The session that a decision may ask: which, of which database, and what it cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import MissingGreenlet, StatementError, UnboundExecutionError
from sqlalchemy.orm import Session, object_session, scoped_session

from licet.authz._places import invalid
from licet.errors import UnloadedObject

__all__ = ["asking", "current_session", "dialect_name", "unflushed", "using_session"]

current_session: Final[ContextVar[Any]] = ContextVar("licet_authz_session", default=None)


def dialect_name(owner: Any) -> str | None:
    """Such as "sqlite", by the object's session or that of the check; None when there is none."""
    session: Session | None = object_session(owner) or current_session.get()
    if session is None:
        return None
    try:
        return session.get_bind(type(owner)).dialect.name
    except UnboundExecutionError:
        return None


@contextmanager
def using_session(session: Any) -> Iterator[None]:
    """Let what drafts refer to be found in `session` while the block runs.

    Raises:
        InvalidCondition: it is no session, or an asynchronous one.
    """
    if session is not None and not isinstance(session, Session | scoped_session):
        hint = ""
        if hasattr(session, "sync_session"):
            hint = (
                ": decisions may load objects, which an AsyncSession cannot do for them. Decide "
                "inside of `await session.run_sync(lambda session: …)`"
            )
        raise invalid(f"session takes a Session of SQLAlchemy, not {session!r}{hint}.")
    token = current_session.set(session)
    try:
        yield
    finally:
        current_session.reset(token)


@contextmanager
def unflushed(owner: Any, session: Session | None) -> Iterator[None]:
    """Keep the object's changes unflushed while the block runs, whatever it asks.

    A caller, or a function of a condition, may ask the same session, which would flush first; what
    the object was before its changes would then be gone.
    """
    state = sa.inspect(owner, raiseerr=False)
    found = getattr(state, "session", None) or session
    if found is None:
        yield
        return
    with found.no_autoflush:
        yield


@contextmanager
def asking(session: Session, owner: Any, name: str) -> Iterator[None]:
    """Let the session's database be asked about an attribute of the object, without a flush.

    Raises:
        UnloadedObject: the session is asynchronous, and cannot be asked from here.
    """
    try:
        with session.no_autoflush:
            yield
    except (MissingGreenlet, StatementError) as error:
        if not isinstance(getattr(error, "orig", error), MissingGreenlet):
            raise
        raise UnloadedObject(
            f"{type(owner).__name__}.{name} is not loaded, and an AsyncSession cannot load it from "
            "here: load it with the object, for example by selectinload, or decide inside of "
            "`await session.run_sync(lambda session: …)`."
        ) from error
