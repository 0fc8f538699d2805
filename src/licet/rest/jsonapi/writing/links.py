"""Changing what a link to many leads to, without loading more of it than has to be.

Members of a one-to-many relationship are changed by their own keys; those of others by the
collection. What is hidden from the caller stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from licet.rest.jsonapi.errors import in_body
from licet.rest.jsonapi.mapping import pairs_of
from licet.rest.jsonapi.reading import Reader
from licet.rest.jsonapi.resource import Bound, Link

__all__ = ["add_to", "relate", "replace"]


def relate(
    reader: Reader, bound: Bound, owner: Any, link: Link, objects: Sequence[Any], how: str
) -> bool:
    """Change what the link leads to by these objects; whether anything was changed by that.

    Args:
        reader: what the caller sees.
        bound: the resource of the owner.
        owner: the object whose link it is.
        link: the link.
        objects: those that the request names.
        how: "replace", "add" or "remove".
    """
    if how == "replace":
        return replace(reader, bound, owner, link, objects)
    key = link.target.key.name
    pairs = reader.pairs(bound, link, [getattr(owner, bound.key.name)])
    held = {other for _, other in pairs}
    known = [one for one in objects if getattr(one, key) in held]
    if how == "remove":
        remove_all(owner, link, known)
        return bool(known)
    new = [one for one in objects if getattr(one, key) not in held]
    add_all(owner, link, new)
    return bool(new)


def replace(reader: Reader, bound: Bound, owner: Any, link: Link, objects: Sequence[Any]) -> bool:
    """Have the link lead to these of all that the caller sees; whether that changes it."""
    target = link.target
    pairs = reader.pairs(bound, link, [getattr(owner, bound.key.name)])
    known = dict.fromkeys(key for _, key in pairs)
    wanted = {getattr(one, target.key.name): one for one in objects}
    new = [one for key, one in wanted.items() if key not in known]
    left = [one for one in known if one not in wanted]
    is_left = getattr(target.model, target.key.name).in_(left)
    gone = list(reader.session.scalars(sa.select(target.model).where(is_left))) if left else []
    add_all(owner, link, new)
    remove_all(owner, link, gone)
    return bool(new or gone)


def add_all(owner: Any, link: Link, objects: Sequence[Any]) -> None:
    """Have the link lead to these as well."""
    pairs = pairs_of(_prop(owner, link))
    if not pairs:
        add_to(owner, link, objects)
    for one in objects:
        for own, related in pairs:
            setattr(one, related, getattr(owner, own))


def remove_all(owner: Any, link: Link, objects: Sequence[Any]) -> None:
    """Have the link lead to these no more.

    Raises:
        Refused: 403; they cannot be without an owner.
    """
    prop = _prop(owner, link)
    pairs = pairs_of(prop)
    if objects and any(not prop.mapper.columns[related].nullable for _, related in pairs):
        detail = (
            f"Each {link.target.type} always belongs to one: move it by its own relationship, or "
            "delete it."
        )
        raise in_body("/data", detail, status=403, code="always_related")
    if not pairs:
        _remove_from(owner, link, objects)
    for one in objects:
        for _, related in pairs:
            setattr(one, related, None)


def add_to(owner: Any, link: Link, objects: Sequence[Any]) -> None:
    """Add to a collection: a list, a set, a dictionary, or one that is only written."""
    held = getattr(owner, link.name)
    adapter = getattr(held, "_sa_adapter", None)
    add = held.add if adapter is None else adapter.append_with_event
    for one in objects:
        add(one)


def _remove_from(owner: Any, link: Link, objects: Sequence[Any]) -> None:
    held = getattr(owner, link.name)
    adapter = getattr(held, "_sa_adapter", None)
    remove = held.remove if adapter is None else adapter.remove_with_event
    for one in objects:
        remove(one)


def _prop(owner: Any, link: Link) -> Any:
    return sa.inspect(type(owner)).relationships[link.name]
