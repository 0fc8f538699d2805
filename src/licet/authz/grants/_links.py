"""Which objects a grantee has a role on, and who has one on an object, as SQL.

An object's key is text in the table of grants. It is read as the type of the key's column when
objects are looked for, and written as text when grants are, so that an index answers either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from licet.authz._clock import decision_moment
from licet.authz.grants.tables import grant
from licet.authz.policies._models.mapping import key_names, shape_of
from licet.authz.policies._models.shape import Kind

__all__ = [
    "GrantLink",
    "grants_that_last",
    "key_text",
    "object_type",
    "stored_key_text",
    "unfit_key",
]

_KINDS = (Kind.INTEGER, Kind.TEXT, Kind.UUID)
_NOW: Final = datetime.min.replace(tzinfo=UTC)
_lasting: ContextVar[datetime] = ContextVar("licet_grants_that_last", default=_NOW)


@contextmanager
def grants_that_last(until: datetime | None) -> Iterator[None]:
    """A block in which grants count that do not expire before that moment; None is never."""
    last = datetime.max.replace(tzinfo=UTC) if until is None else until - timedelta(microseconds=1)
    token = _lasting.set(last)
    try:
        yield
    finally:
        _lasting.reset(token)


def object_type(model: type[Any]) -> str:
    """The name under which grants on objects of the class are kept."""
    table = sa.inspect(model).base_mapper.local_table
    schema = getattr(table, "schema", None)
    return str(table.name) if schema is None else f"{schema}.{table.name}"


def unfit_key(model: type[Any]) -> str | None:
    """Why no grant can be on objects of the class, or None when one can."""
    names = key_names(model)
    if len(names) != 1:
        return f"{model.__name__} has a primary key of several columns"
    column = shape_of(model).columns.get(names[0])
    if column is None or column.kind not in _KINDS:
        return f"the primary key of {model.__name__} is no integer, text or UUID"
    return None


def key_text(key: Any) -> str:
    """An object's key as grants have it."""
    return key.hex if isinstance(key, UUID) else str(key)


def stored_key_text(model: type[Any], key: Any) -> str:
    """The key as grants have it, of an object that was given it in another form, as "05"."""
    kind = shape_of(model).columns[key_names(model)[0]].kind
    try:
        if kind is Kind.INTEGER:
            return str(int(key))
        if kind is Kind.UUID and not isinstance(key, UUID):
            return UUID(str(key)).hex
    except (TypeError, ValueError):  # no key of that kind
        return str(key)
    return key_text(key)


@dataclass(frozen=True)
class GrantLink:
    """The grants of one role that have neither expired nor been taken back."""

    role: str

    def __str__(self) -> str:
        return f"granted {self.role!r}"

    def unfit(self, model: type[Any]) -> str | None:
        """Why it leads to no objects of the class, or None when it does."""
        return unfit_key(model)

    def keys(self, model: type[Any], grantees: Collection[str]) -> sa.Select[Any]:
        """The keys of the objects on which one of the grantees has the role."""
        kind = shape_of(model).columns[key_names(model)[0]].kind
        column = sa.inspect(model).primary_key[0]
        text: Any = grant.c.object_id
        if kind is Kind.INTEGER:
            text = sa.cast(text, sa.BigInteger)
        elif kind is Kind.UUID:
            text = sa.cast(text, column.type)
        return self._of(model, text).where(_is_one_of(grant.c.grantee, grantees))

    def callers(self, model: type[Any], key: Any) -> sa.Select[Any]:
        """The grantees who have the role on the object whose key is the expression."""
        kind = shape_of(model).columns[key_names(model)[0]].kind
        if kind is Kind.INTEGER:
            key = sa.cast(key, sa.String)
        elif kind is Kind.UUID:
            key = sa.func.replace(sa.cast(key, sa.String), "-", "")
        return self._of(model, grant.c.grantee).where(grant.c.object_id == key)

    def known(self) -> sa.Select[Any]:
        """All grantees of the role."""
        return sa.select(grant.c.grantee).where(grant.c.role == self.role).distinct()

    def holds(self, session: Session, owner: Any, grantees: Collection[str]) -> bool:
        """Whether one of the grantees has the role on a stored object."""
        state = sa.inspect(owner)
        found = (
            self._of(type(owner), sa.literal(1))
            .where(grant.c.object_id == key_text(state.identity[0]))
            .where(_is_one_of(grant.c.grantee, grantees))
            .limit(1)
        )
        return session.scalar(found, bind_arguments={"mapper": state.mapper}) is not None

    def _of(self, model: type[Any], selected: Any) -> sa.Select[Any]:
        moment = max(decision_moment(), _lasting.get())
        return sa.select(selected).where(
            grant.c.object_type == object_type(model),
            grant.c.role == self.role,
            grant.c.revoked_at.is_(None),
            sa.or_(grant.c.expires_at.is_(None), grant.c.expires_at > moment),
        )


def _is_one_of(column: Any, values: Collection[str]) -> Any:
    return column.in_(sorted(values))
