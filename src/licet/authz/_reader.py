"""How decisions read what SQLAlchemy has not loaded, or no longer holds.

Persistent objects load what is missing. A draft has nothing to load from: a foreign key that was
set without its object, or changed since its object was loaded, is an error and never "no object".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import InstanceState, collections, object_session
from sqlalchemy.orm.exc import DetachedInstanceError

from licet.authz._shape import Column, Relation
from licet.errors import UnloadedObject

__all__ = ["LoadedReader"]


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
        if relation.name not in state.dict:
            if state.persistent or state.detached:
                return _load(owner, relation.name)
            if any(state.dict.get(own) is not None for own, _ in relation.foreign_keys):
                raise _stale(owner, relation, "was given by its key only")
            return None
        related = state.dict[relation.name]
        if state.modified and _disagrees(state, related, relation):
            raise _stale(owner, relation, "is not the one that its key now names")
        return related

    def many(self, owner: Any, relation: Relation) -> Iterable[Any]:
        """The related objects of a to-many relationship."""
        state = _state(owner)
        if relation.name not in state.dict and not (state.persistent or state.detached):
            return ()
        found = state.dict.get(relation.name)
        if found is None:
            found = _load(owner, relation.name)
        if hasattr(found, "_sa_adapter"):
            return list(collections.collection_adapter(found))
        if isinstance(found, sa.orm.WriteOnlyCollection):
            session = object_session(owner)
            if session is None:
                raise _stale(owner, relation, "cannot be loaded: the object is in no session")
            return session.scalars(found.select()).all()
        return list(found)


def _state(owner: Any) -> InstanceState[Any]:
    return sa.inspect(owner)  # type: ignore[no-any-return]  # inspect is typed for any object


def _load(owner: Any, name: str) -> Any:
    try:
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
    """Whether the foreign key was set to something else than the related object's key."""
    for own, other in relation.foreign_keys:
        key = state.dict.get(own)
        if related is None:
            if key is not None and own in state.committed_state:
                return True
        elif own in state.dict and (key is not None or own in state.committed_state):
            related_key = _state(related).dict.get(other)
            if related_key is not None and key != related_key and not _was_set(state, relation):
                return True
    return False


def _was_set(state: InstanceState[Any], relation: Relation) -> bool:
    """Whether the relationship itself was changed: its flush then sets the key."""
    return relation.name in state.committed_state


def _stale(owner: Any, relation: Relation, what: str) -> UnloadedObject:
    return UnloadedObject(
        f"{type(owner).__name__}.{relation.name} {what}: let the policy's CREATE or UPDATE check "
        "resolve it with a session, or flush and refresh the object."
    )
