"""Which database an object is of, for the few values that databases keep differently."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Session, object_session

__all__ = ["current_session", "dialect_name"]

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
