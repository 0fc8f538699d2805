"""How decisions read what SQLAlchemy has not loaded, or no longer holds.

Persistent objects load what is missing, without flushing anything. Where a foreign key was set and
its object was not, or not yet, the object is found by the key, as a flush would find it; with no
session to ask, that is an error and never "no object".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import (
    InstanceState,
    Session,
    aliased,
    collections,
    object_session,
    with_parent,
)
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.exc import DetachedInstanceError

from licet.authz.policies._in_sql._entities import rows_alone
from licet.authz.policies._models.callers import InvalidCaller
from licet.authz.policies._models.loading import is_known_whole
from licet.authz.policies._models.mapping import can_hold, key_names
from licet.authz.policies._models.sessions import asking, current_session
from licet.authz.policies._models.shape import Column, Relation
from licet.errors import UnloadedObject
from licet.errors.names import with_article
from licet.wire.text import unstorable

__all__ = [
    "FormerReader",
    "LoadedReader",
    "follow_changed_relations",
]

_MISSING: Final = object()
_state: Final = instance_state  # what sa.inspect returns, in a tenth of the time


class LoadedReader:
    """Reads attributes of mapped objects as they now are, and as a flush is going to write them.

    Raises:
        UnloadedObject: it cannot be known without loading, and cannot be loaded.
    """

    def value(self, owner: Any, column: Column) -> Any:
        """The attribute's value; what a flush puts in its place, when that can be known already."""
        value = _value_to_come(owner, column.name)
        if isinstance(value, str) and _is_new(_state(owner), column.name):
            reason = unstorable(value)
            if reason is not None:  # what was stored once is compared as it is
                raise InvalidCaller(
                    f"{type(owner).__name__}.{column.name} holds {with_article(reason)}."
                )
        return value

    def session_to_ask(self, owner: Any, relation: Relation) -> Session | None:
        """The session whose database is to be asked about a collection, not its objects.

        That is where it is not loaded, or not as a whole, and nothing waits to be flushed, so that
        the database knows all that the objects know.
        """
        state = _state(owner)
        is_loaded = relation.name in state.dict and not _is_unlisted(state, relation)
        if state.key is None or (is_loaded and is_known_whole(state, relation.name)):
            return None
        session = object_session(owner)
        return session if session is not None and session._is_clean() else None

    def some(self, owner: Any, relation: Relation, limit: int) -> Sequence[Any]:
        """So many of the related objects that the database has."""
        return _stored(owner, relation, limit)

    def one(self, owner: Any, relation: Relation) -> Any:
        """The related object of a to-one relationship, or None."""
        state = _state(owner)
        if _is_set(state, relation):
            return state.dict.get(relation.name)
        if relation.is_asked_by_join:
            return _joined(owner, relation)
        if relation.name in state.dict and not relation.own_names:
            if is_known_whole(state, relation.name):
                return state.dict[relation.name]
            return next(reversed(_kept(owner, relation)), None)
        if relation.name in state.dict:
            related = state.dict[relation.name]
            if not _disagrees(owner, related, relation):
                return related
        elif state.key is not None and not _is_moved(state, relation):
            if not relation.own_names and object_session(owner) is not None:
                return next(reversed(_kept(owner, relation)), None)
            if not relation.foreign_keys or object_session(owner) is None:
                return _load(owner, relation.name)
        keys = {own: _value(owner, own) for own, _ in relation.foreign_keys}
        return _found(owner, relation, keys)

    def many(self, owner: Any, relation: Relation) -> Iterable[Any]:
        """The related objects of a to-many relationship."""
        state = _state(owner)
        if _is_unlisted(state, relation) or not is_known_whole(state, relation.name):
            return _kept(owner, relation)
        found = state.dict.get(relation.name)
        if found is None:
            if state.key is None:
                return ()
            found = _load(owner, relation.name)
        return list(collections.collection_adapter(found))


class FormerReader:
    """Reads attributes of mapped objects as they were before their unflushed changes.

    Raises:
        UnloadedObject: it is not known any more.
    """

    def __init__(self) -> None:
        self._now = LoadedReader()

    def session_to_ask(self, owner: Any, relation: Relation) -> Session | None:
        """As `LoadedReader` does: the database has what was, while nothing is flushed."""
        return self._now.session_to_ask(owner, relation)

    def some(self, owner: Any, relation: Relation, limit: int) -> Sequence[Any]:
        """So many of the related objects that the database has."""
        return self._now.some(owner, relation, limit)

    def value(self, owner: Any, column: Column) -> Any:
        """The value that the attribute had."""
        former = _former(owner, column.name)
        return _value(owner, column.name) if former is None else former[0]

    def one(self, owner: Any, relation: Relation) -> Any:
        """The object that was related."""
        state = _state(owner)
        is_changed = relation.name in state.committed_state
        if is_changed:
            known = _known_before(owner, relation.name)
            if known or not relation.own_names:
                return next(iter(known), None)
        if not is_changed and not _is_moved(state, relation):
            return self._now.one(owner, relation)
        if relation.is_asked_by_join:
            return _joined_as_stored(owner, relation)
        keys = {own: _former(owner, own) for own, _ in relation.foreign_keys}
        values = {own: _value(owner, own) if key is None else key[0] for own, key in keys.items()}
        return _found(owner, relation, values)

    def many(self, owner: Any, relation: Relation) -> Iterable[Any]:
        """The objects that were related."""
        state = _state(owner)
        if relation.name not in state.committed_state:
            return self._now.many(owner, relation)
        if _is_unlisted(state, relation) or not is_known_whole(state, relation.name):
            return _stored(owner, relation)
        return _known_before(owner, relation.name)


def follow_changed_relations(owner: Any, relations: Iterable[Relation]) -> None:
    """Set the foreign keys of relationships that were changed, as a flush is going to."""
    state = _state(owner)
    for relation in relations:
        if _is_set(state, relation):
            related = state.dict.get(relation.name)
            for own, other in relation.foreign_keys:
                key = None if related is None else _load(related, other)
                if state.dict.get(own, _MISSING) != key:
                    setattr(owner, own, key)


def _is_new(state: InstanceState[Any], name: str) -> bool:
    """Whether no database has the attribute's value yet."""
    return state.key is None or name in state.committed_state


def _is_set(state: InstanceState[Any], relation: Relation) -> bool:
    """Whether a many-to-one relationship was given another object, which a flush goes by."""
    if relation.name not in state.committed_state or not relation.own_names:
        return False
    history = state.attrs[relation.name].history
    return bool(history.added or history.deleted)


def _is_moved(state: InstanceState[Any], relation: Relation) -> bool:
    return any(name in state.committed_state for name in relation.own_names)


def _is_unlisted(state: InstanceState[Any], relation: Relation) -> bool:
    """Whether the collection is never loaded into the object."""
    return state.mapper.relationships[relation.name].lazy in ("dynamic", "write_only", "noload")


def _kept(owner: Any, relation: Relation) -> list[Any]:
    """What the database has of a relationship, with its unflushed changes."""
    changes = _state(owner).attrs[relation.name].history
    kept = (row for row in _stored(owner, relation) if row not in changes.deleted)
    return [*kept, *(row for row in changes.added if row is not None)]


def _stored(owner: Any, relation: Relation, limit: int | None = None) -> Sequence[Any]:
    """What the database has of a relationship that is not known to be loaded as a whole."""
    if _state(owner).key is None:
        return ()
    session = object_session(owner)
    if session is None:
        raise UnloadedObject(
            f"{type(owner).__name__}.{relation.name} may be loaded in part, and the object is in "
            "no session that could be asked for the rest: load it whole, by selectinload without "
            "criteria, or decide while the object is in its session."
        )
    return _selected(session, relation, owner, limit)


def _selected(
    session: Session, relation: Relation, owner: Any, limit: int | None = None
) -> Sequence[Any]:
    """The related objects as the relationship's own join finds them.

    By a statement about tables, which no `with_loader_criteria` of the session narrows.
    """
    related = with_parent(owner, getattr(type(owner), relation.name))
    with asking(session, owner, relation.name):
        return session.scalars(rows_of(relation.target.model, related, limit)).all()


def rows_of(model: type[Any], criterion: Any, limit: int | None = None) -> Any:
    """The objects of a class that fulfil it, whatever the session hides from other queries."""
    mapper = sa.inspect(model)
    rows = sa.select(mapper.selectable).select_from(mapper.selectable)
    if mapper.single:
        kinds = [one.polymorphic_identity for one in mapper.self_and_descendants]
        rows = rows.where(mapper.polymorphic_on.in_(kinds))
    chosen = rows.where(rows_alone(criterion)).limit(limit)
    return sa.select(model).from_statement(chosen)


def _former(owner: Any, name: str) -> tuple[Any] | None:
    """The value before it was changed, or None when it was not."""
    state = _state(owner)
    if name not in state.committed_state:
        return None
    known = _known_before(owner, name)
    if not known and state.key is not None:
        raise _forgotten(owner, name)
    return (known[0],) if known else (None,)


def _known_before(owner: Any, name: str) -> list[Any]:
    """What a changed attribute had before; empty when that was never loaded."""
    with _no_autoflush(owner, name):
        history = _state(owner).attrs[name].load_history()
    return [*history.unchanged, *history.deleted]


def _found(owner: Any, relation: Relation, own_keys: dict[str, Any]) -> Any:
    """The related object by its key, among the unflushed ones, too."""
    if not own_keys or None in own_keys.values():
        return None
    session = object_session(owner) or current_session.get()
    if session is None:
        raise _unknown(owner, relation)
    model, keys = relation.target.model, {o: own_keys[own] for own, o in relation.foreign_keys}
    if not all(can_hold(getattr(model, name).type, key) for name, key in keys.items()):
        raise InvalidCaller(
            f"{type(owner).__name__}.{relation.name} has a key that no {model.__name__} can have."
        )
    for new in session.new:
        if isinstance(new, model) and all(_state(new).dict.get(n) == k for n, k in keys.items()):
            return new
    with asking(session, owner, relation.name):
        if set(keys) == set(key_names(model)):
            key = tuple(keys[name] for name in key_names(model))
            if sa.inspect(model).identity_key_from_primary_key(key) in session.identity_map:
                return session.get(model, key)
        by_key = (getattr(model, name) == keys[name] for name in keys)
        return session.scalars(rows_of(model, sa.and_(*by_key))).one_or_none()


def _joined(owner: Any, relation: Relation) -> Any:
    """The related object that the relationship's own join finds, by the owner's present values.

    An object that is in no session goes by what was loaded, as nothing can change it any more.
    """
    state = _state(owner)
    if None in [_value(owner, name) for name in relation.own_names]:
        return None
    session = object_session(owner) or current_session.get()
    if session is not None:
        return next(iter(_selected(session, relation, owner)), None)
    if relation.name in state.dict and state.key is not None and not _is_moved(state, relation):
        return state.dict[relation.name]
    raise _unknown(owner, relation)


def _joined_as_stored(owner: Any, relation: Relation) -> Any:
    """The related object by the row that the database has, which no flush has changed yet."""
    session = object_session(owner)
    if session is None:
        raise _forgotten(owner, relation.name)
    model, key = type(owner), sa.inspect(owner).identity
    names = key_names(model)
    of_row = (getattr(model, name) == value for name, value in zip(names, key, strict=True))
    target = aliased(relation.target.model)
    related = getattr(model, relation.name).of_type(target)
    with asking(session, owner, relation.name):
        return session.scalars(sa.select(target).join_from(model, related).where(*of_row)).first()


def _no_autoflush(owner: Any, name: str) -> Any:
    session = object_session(owner)
    return nullcontext() if session is None else asking(session, owner, name)


def _load(owner: Any, name: str) -> Any:
    try:
        with _no_autoflush(owner, name):
            return getattr(owner, name)
    except (DetachedInstanceError, InvalidRequestError) as error:  # the latter: lazy="raise"
        raise UnloadedObject(
            f"{type(owner).__name__}.{name} is not loaded and cannot be loaded now: load it with "
            "the object, for example by selectinload."
        ) from error


def _value(owner: Any, name: str) -> Any:
    """The value of an attribute; what an INSERT puts in place of none, when that is known."""
    state = _state(owner)
    value = state.dict.get(name, _MISSING)
    if state.key is not None:
        return _load(owner, name) if value is _MISSING else value
    if value is None and state.mapper.attrs[name].columns[0].type.should_evaluate_none:
        return None  # which such a type writes instead of a default, as JSON does
    return _default(state, name) if value is _MISSING or value is None else value


def _value_to_come(owner: Any, name: str) -> Any:
    """The same; what an UPDATE of the changed object puts in place of an attribute not given."""
    state = _state(owner)
    if state.key is not None and state.modified:
        column = state.mapper.attrs[name].columns[0]
        has_own = column.onupdate is not None or column.server_onupdate is not None
        if has_own and name not in (written := _written(state)) and written:
            return _known(state, name, column.onupdate)
    return _value(owner, name)


def _written(state: InstanceState[Any]) -> set[str]:
    """The attributes that a flush writes: those that were set, and not to what they had."""
    changed = state.mapper.column_attrs.keys() & state.committed_state.keys()
    return {name for name in changed if state.attrs[name].history.has_changes()}


def _default(state: InstanceState[Any], name: str) -> Any:
    column = state.mapper.attrs[name].columns[0]
    if column.default is None and column.server_default is None:
        return None
    return _known(state, name, column.default)


def _known(state: InstanceState[Any], name: str, default: Any) -> Any:
    if default is not None and default.is_scalar:
        return default.arg
    raise UnloadedObject(
        f"{state.class_.__name__}.{name} has a default that is not known yet: set the "
        "attribute before the check, or flush and refresh the object."
    )


def _disagrees(owner: Any, related: Any, relation: Relation) -> bool:
    """Whether a foreign key is not the loaded object's: it was changed since, flushed or not."""
    for own, other in relation.foreign_keys:
        key = None if related is None else _load(related, other)
        if _value(owner, own) != key:
            return True
    return False


def _unknown(owner: Any, relation: Relation) -> UnloadedObject:
    return UnloadedObject(
        f"{type(owner).__name__}.{relation.name} is given by its key only, and the object is in no "
        "session: pass session=… to the check, or set the related object."
    )


def _forgotten(owner: Any, name: str) -> UnloadedObject:
    return UnloadedObject(
        f"{type(owner).__name__}.{name} was changed before it was loaded, so what it was is not "
        "known: read it first, or check before the change."
    )
