"""How decisions read what SQLAlchemy has not loaded, or no longer holds.

Persistent objects load what is missing, without flushing anything. Where a foreign key was set and
its object was not, or not yet, the object is found by the key, as a flush would find it; with no
session to ask, that is an error and never "no object".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import InstanceState, Session, WriteOnlyCollection, collections, object_session
from sqlalchemy.orm.exc import DetachedInstanceError

from licet.authz._shape import Column, Relation
from licet.errors import UnloadedObject

__all__ = ["FormerReader", "LoadedReader", "follow_changed_relations", "using_session"]

_session: ContextVar[Session | None] = ContextVar("licet_authz_session", default=None)
_MISSING: Final = object()


@contextmanager
def using_session(session: Session | None) -> Iterator[None]:
    """Let what drafts refer to be found in `session` while the block runs."""
    token = _session.set(session)
    try:
        yield
    finally:
        _session.reset(token)


class LoadedReader:
    """Reads attributes of mapped objects as they now are.

    Raises:
        UnloadedObject: it cannot be known without loading, and cannot be loaded.
    """

    def value(self, owner: Any, column: Column) -> Any:
        """The attribute's value; of a draft, a default that can be known already."""
        state = _state(owner)
        if column.name in state.dict:
            return state.dict[column.name]
        if state.persistent or state.detached:
            return _load(owner, column.name)
        return _default(state, column.name)

    def one(self, owner: Any, relation: Relation) -> Any:
        """The related object of a to-one relationship, or None."""
        state = _state(owner)
        related = state.dict.get(relation.name, _MISSING)
        if related is _MISSING and (state.persistent or state.detached):
            return _load(owner, relation.name)
        is_set = relation.name in state.committed_state
        if related is not _MISSING and (is_set or not _disagrees(state, related, relation)):
            return related
        keys = {other: state.dict.get(own) for own, other in relation.foreign_keys}
        return None if None in keys.values() or not keys else _found(owner, relation, keys)

    def many(self, owner: Any, relation: Relation) -> Iterable[Any]:
        """The related objects of a to-many relationship."""
        state = _state(owner)
        found = state.dict.get(relation.name)
        if found is None:
            if not (state.persistent or state.detached):
                return ()
            found = _load(owner, relation.name)
        if isinstance(found, WriteOnlyCollection):
            session = object_session(owner)
            if session is None:
                raise _unknown(owner, relation)
            return session.scalars(found.select()).all()
        if hasattr(found, "_sa_adapter"):
            return list(collections.collection_adapter(found))
        return list(found)


class FormerReader:
    """Reads attributes of mapped objects as they were before their unflushed changes.

    Raises:
        UnloadedObject: it is not known any more.
    """

    def __init__(self) -> None:
        self._now = LoadedReader()

    def value(self, owner: Any, column: Column) -> Any:
        """The value that the attribute had."""
        former = _former(owner, column.name)
        return self._now.value(owner, column) if former is None else former[0]

    def one(self, owner: Any, relation: Relation) -> Any:
        """The object that was related."""
        former = _former(owner, relation.name)
        if former is not None:
            return former[0]
        committed = _state(owner).committed_state
        if not any(own in committed for own, _ in relation.foreign_keys):
            return self._now.one(owner, relation)
        keys = {
            other: (_former(owner, own) or (_state(owner).dict.get(own),))[0]
            for own, other in relation.foreign_keys
        }
        return None if None in keys.values() else _found(owner, relation, keys)

    def many(self, owner: Any, relation: Relation) -> Iterable[Any]:
        """The objects that were related."""
        if relation.name not in _state(owner).committed_state:
            return self._now.many(owner, relation)
        with _no_autoflush(owner):
            history = _state(owner).attrs[relation.name].load_history()
        return [*history.unchanged, *history.deleted]


def follow_changed_relations(owner: Any, relations: Iterable[Relation]) -> None:
    """Set the foreign keys of relationships that were changed, as a flush is going to."""
    state = _state(owner)
    for relation in relations:
        if relation.foreign_keys and relation.name in state.committed_state:
            related = state.dict.get(relation.name)
            for own, other in relation.foreign_keys:
                key = None if related is None else getattr(related, other)
                if state.dict.get(own, _MISSING) != key:
                    setattr(owner, own, key)


def _former(owner: Any, name: str) -> tuple[Any] | None:
    """The value before it was changed, or None when it was not."""
    state = _state(owner)
    if name not in state.committed_state:
        return None
    with _no_autoflush(owner):
        history = state.attrs[name].load_history()
    known = (*history.deleted, *history.unchanged)
    if not known and state.persistent:
        raise UnloadedObject(
            f"{type(owner).__name__}.{name} was changed before it was loaded, so what it was is "
            "not known: read it first, or check before the change."
        )
    return (known[0],) if known else (None,)


def _found(owner: Any, relation: Relation, keys: dict[str, Any]) -> Any:
    """The related object by its key."""
    session = object_session(owner) or _session.get()
    if session is None:
        raise _unknown(owner, relation)
    with session.no_autoflush:
        model = relation.target.model
        by_key = sa.select(model).where(*(getattr(model, name) == keys[name] for name in keys))
        return session.scalars(by_key).one_or_none()


def _state(owner: Any) -> InstanceState[Any]:
    return sa.inspect(owner)  # type: ignore[no-any-return]  # inspect is typed for any object


def _no_autoflush(owner: Any) -> Any:
    session = object_session(owner)
    return nullcontext() if session is None else session.no_autoflush


def _load(owner: Any, name: str) -> Any:
    try:
        with _no_autoflush(owner):
            return getattr(owner, name)
    except (DetachedInstanceError, InvalidRequestError) as error:  # the latter: lazy="raise"
        raise UnloadedObject(
            f"{type(owner).__name__}.{name} is not loaded and cannot be loaded now: load it with "
            "the object, for example by selectinload."
        ) from error


def _default(state: InstanceState[Any], name: str) -> Any:
    column = state.mapper.attrs[name].columns[0]
    if column.default is not None and column.default.is_scalar:
        return column.default.arg
    if column.default is not None or column.server_default is not None:
        raise UnloadedObject(
            f"{state.class_.__name__}.{name} has a default that is not known yet: set the "
            "attribute before the check, or flush and refresh the object."
        )
    return None


def _disagrees(state: InstanceState[Any], related: Any, relation: Relation) -> bool:
    """Whether a foreign key is not the loaded object's: it was changed since, flushed or not."""
    for own, other in relation.foreign_keys:
        key = None if related is None else _state(related).dict.get(other, _MISSING)
        if key is _MISSING:
            key = _load(related, other)
        if own in state.dict and state.dict[own] != key:
            return True
    return False


def _unknown(owner: Any, relation: Relation) -> UnloadedObject:
    return UnloadedObject(
        f"{type(owner).__name__}.{relation.name} is given by its key only, and the object is in no "
        "session: pass session=… to the check, or set the related object."
    )
