"""Changing what links lead to, without loading more of a list than has to be.

Members of a one-to-many relationship are changed by their own keys; those of others by the
collection. What is hidden from the caller stays as it is. A link is changed at both of its ends:
the foreign key of a member, or its relationship over the same association table, must be writable
as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from licet.authz import VIEW
from licet.rest.jsonapi.documents import Linkage, refused_field
from licet.rest.jsonapi.errors import Problem, Refused, in_body
from licet.rest.jsonapi.mapping import pairs_of
from licet.rest.jsonapi.names import dashed
from licet.rest.jsonapi.reading import MOST_LINKS, Reader
from licet.rest.jsonapi.resource import Bound, Link

__all__ = ["Links", "Place"]

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Place:
    """Where a new object comes to by its URL: a link to many of an object."""

    bound: Bound
    link: Link
    owner: Any


@dataclass(frozen=True)
class _Written:
    """Fields of an object that a request writes, and where it says so."""

    bound: Bound
    owner: Any
    names: frozenset[str]
    place: str


class Links:
    """Changes the links of objects, as their caller sees them."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.session, self.identity = reader.session, reader.identity
        self._written: list[_Written] = []  # by rules that differ with the object

    # --- to one ----------------------------------------------------------------------------------

    def put(self, bound: Bound, owner: Any, linkage: Linkage, objects: list[Any]) -> bool:
        """Set a relationship to one, or that of a new object; whether that changes it.

        One that leads to what the caller does not see is null to them, and stays when they say so.
        """
        link = linkage.link
        if link.is_many:
            self._note(bound, owner, link)
            self._require_far_end(link, objects, linkage)
            _add(owner, link, objects)
            return True
        wanted = objects[0] if objects else None
        before = None
        if sa.inspect(owner).key is not None:
            before = getattr(owner, link.name)
            if before is wanted or (wanted is None and self._is_hidden(bound, owner, link, before)):
                return False
        self._note(bound, owner, link)
        changed = [one for one in (wanted, before) if one is not None]
        self._require_far_end(link, changed, linkage)
        setattr(owner, link.name, wanted)
        return True

    def is_kept(self, bound: Bound, owner: Any, linkage: Linkage, objects: list[Any]) -> bool:
        """Whether a request only repeats what its caller sees of a link."""
        link = linkage.link
        if link.name not in self._visible(bound, owner):
            return False
        if link.is_many:
            seen = self._seen(bound, owner, linkage)
            return set(seen) == {_key(link.target, one) for one in objects}
        now = getattr(owner, link.name)
        if objects:
            return now is objects[0]
        return now is None or not self._sees(link, now)

    def _is_hidden(self, bound: Bound, owner: Any, link: Link, before: Any) -> bool:
        """Whether the caller sees the link, and that it leads to nothing, though it does."""
        return not self._sees(link, before) and link.name in self._visible(bound, owner)

    def _sees(self, link: Link, one: Any) -> bool:
        """Whether the caller sees the object at the end of a link, and so that it is there."""
        target, trash = link.target, link.target.resource.soft_delete
        if trash is not None and getattr(one, trash) is not None:
            return False
        if link.is_by_key and not link.far <= self._visible(target, one):
            return False
        return bool(target.policy.decide(self.identity, VIEW, one, session=self.session))

    def _visible(self, bound: Bound, owner: Any) -> frozenset[str]:
        return bound.policy.visible_fields(self.identity, owner, session=self.session)

    # --- to many ---------------------------------------------------------------------------------

    def replace(self, bound: Bound, owner: Any, linkage: Linkage, objects: list[Any]) -> bool:
        """Have the link lead to these of all that the caller sees; whether that changes it.

        Raises:
            Refused: 403; there are too many.
        """
        target, seen = linkage.link.target, self._seen(bound, owner, linkage)
        wanted = {_key(target, one) for one in objects}
        left = [key for key in seen if key not in wanted]
        is_left = getattr(target.model, target.key.name).in_(left)
        gone = list(self.session.scalars(sa.select(target.model).where(is_left))) if left else []
        is_added = self.add(bound, owner, linkage, objects)
        self._remove(owner, linkage, gone)
        return is_added or bool(gone)

    def _seen(self, bound: Bound, owner: Any, linkage: Linkage) -> list[Any]:
        """The keys of all that the caller sees at the end of a link.

        Raises:
            Refused: 403; they are too many.
        """
        try:
            pairs = self.reader.pairs(bound, linkage.link, [_key(bound, owner)])
        except Refused as error:
            detail = (
                f"{linkage.link.member} leads to more than {MOST_LINKS} resources, which are not "
                "replaced: add and remove them."
            )
            raise in_body(linkage.pointer, detail, status=403, code="too_many_links") from error
        return [key for _, key in pairs]

    def add(self, bound: Bound, owner: Any, linkage: Linkage, objects: list[Any]) -> bool:
        """Have the link lead to these as well; whether that changes it."""
        link = linkage.link
        self._note(bound, owner, link)
        known = self._known(bound, owner, link, objects)
        new = [one for one in objects if _key(link.target, one) not in known]
        self._require_far_end(link, new, linkage)
        pairs = _pairs(owner, link)
        if pairs and any(one is owner for one in new):
            detail = f"No {bound.type} is among its own {link.member}."
            raise in_body(linkage.pointer, detail, status=409, code="conflict")
        if not pairs:
            _add(owner, link, new)
        for one in new:
            for own, related in pairs:
                setattr(one, related, getattr(owner, own))
        return bool(new)

    def remove(self, bound: Bound, owner: Any, linkage: Linkage, objects: list[Any]) -> bool:
        """Have the link lead to these no more; whether that changes it.

        Raises:
            Refused: 403; they cannot be without an owner.
        """
        self._note(bound, owner, linkage.link)
        known = self._known(bound, owner, linkage.link, objects)
        gone = [one for one in objects if _key(linkage.link.target, one) in known]
        self._remove(owner, linkage, gone)
        return bool(gone)

    def _known(self, bound: Bound, owner: Any, link: Link, objects: list[Any]) -> set[Any]:
        keys = [_key(link.target, one) for one in objects]
        return self.reader.members(bound, link, _key(bound, owner), keys)

    def _remove(self, owner: Any, linkage: Linkage, objects: Sequence[Any]) -> None:
        link, pairs = linkage.link, _pairs(owner, linkage.link)
        columns = sa.inspect(link.target.model).columns
        if objects and any(not columns[related].nullable for _, related in pairs):
            detail = (
                f"Each {link.target.type} always belongs to one: move it by its own relationship, "
                "or delete it."
            )
            raise in_body("/data", detail, status=403, code="always_related")
        self._require_far_end(link, objects, linkage)
        if not pairs:
            _remove_from(owner, link, objects)
        for one in objects:
            for _, related in pairs:
                setattr(one, related, None)

    def _require_far_end(self, link: Link, objects: Sequence[Any], linkage: Linkage | None) -> None:
        """Require that what the link is in its members may be written.

        Raises:
            Refused: 422, with the place of each that may not.
        """
        target = link.target
        if link.far.isdisjoint(target.policy.written.masked):
            return
        places = ("" if linkage is None else linkage.place_of(_key(target, one)) for one in objects)
        written = [
            _Written(target, one, link.far, place)
            for one, place in zip(objects, places, strict=True)
        ]
        self._require_writable(written)
        self._written += written

    def _note(self, bound: Bound, owner: Any, link: Link) -> None:
        if link.name in bound.policy.written.masked:
            place = f"/data/relationships/{link.member}"
            self._written.append(_Written(bound, owner, frozenset({link.name}), place))

    def require_written(self) -> None:
        """Ask once more, of the objects as they are written, whether their links might be.

        Raises:
            Refused: 422, with the place of each that might not.
        """
        for one in self._written:
            self.session.expire(one.owner)  # triggers, defaults and moves count
        self._require_writable(self._written)

    def _require_writable(self, written: Iterable[_Written]) -> None:
        problems = []
        for one in written:
            policy = one.bound.policy
            writable = policy.writable_fields(self.identity, one.owner, session=self.session)
            if masked := one.names - writable:
                detail = f"{dashed(min(masked))} of this {one.bound.type} may not be written."
                problems.append(
                    Problem(status=422, code="invalid_field", detail=detail, pointer=one.place)
                )
        if problems:
            raise Refused(*problems)

    # --- by the URL ------------------------------------------------------------------------------

    def place(self, bound: Bound, draft: Any, place: Place) -> None:
        """Put a draft to where a link of an object leads.

        Raises:
            Refused: 403; the link is only read.
        """
        link, owner = place.link, place.owner
        if link.is_read_only:
            detail = f"{link.member} is only read: nothing is created there."
            raise in_body("", detail, status=403, code="read_only")
        pairs = _pairs(owner, link)
        if not pairs:
            _add(owner, link, [draft])
            return
        for own, related in pairs:
            setattr(draft, related, getattr(owner, own))
        for back in _turned(bound, pairs):  # so that hooks see it
            setattr(draft, back.name, owner)

    def require_place(self, bound: Bound, draft: Any, place: Place, given: list[Linkage]) -> None:
        """Require that the caller may put a draft to that place, and that it is there still.

        Raises:
            Refused: 422; they may not write what says so. 409; the body says another place.
        """
        link, owner = place.link, place.owner
        writable = place.bound.policy.writable_fields(self.identity, owner, session=self.session)
        if not link.is_by_key and link.name not in writable:
            raise refused_field(link.member, f"{link.member} may not be written.")
        self._require_far_end(link, [draft], None)
        pairs = _pairs(owner, link)
        backs = _turned(bound, pairs)
        wrong = [
            linkage.pointer
            for linkage in given
            if linkage.link in backs and getattr(draft, linkage.link.name) is not owner
        ]
        wrong += [
            f"/data/attributes/{dashed(related)}"
            for own, related in pairs
            if getattr(draft, related) != getattr(owner, own)
        ]
        if wrong:
            detail = f"The URL puts it to another {place.bound.type} than the body."
            raise in_body(wrong[0], detail, status=409, code="parent_mismatch")


def _turned(bound: Bound, pairs: Pairs) -> list[Link]:
    """The links of a resource that lead back by the same keys."""
    turned = tuple((related, own) for own, related in pairs)
    return [back for back in bound.links.values() if turned and back.keys == turned]


def _add(owner: Any, link: Link, objects: Sequence[Any]) -> None:
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


def _pairs(owner: Any, link: Link) -> Pairs:
    return pairs_of(sa.inspect(type(owner)).relationships[link.name])


def _key(bound: Bound, owner: Any) -> Any:
    return getattr(owner, bound.key.name)
