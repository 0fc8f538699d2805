"""Creating, changing and deleting resources, each in one guarded change.

What a request names is looked up as its caller sees it; the policy decides, before and after, on
the rows as they are written. Hooks run in the transaction, and the answer is made in it when all is
decided. An error leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import object_session

from licet.authz import CREATE, DELETE, UPDATE, VIEW, authorize
from licet.authz.callers.asking import refusal_of
from licet.authz.policies.verbs import Verb
from licet.authz.writes.block import Change, write
from licet.errors import AccessDenied, AuthenticationError, ObjectNotFound
from licet.rest.etag import Conditions
from licet.rest.jsonapi.documents import Given, Linkage, refused_field
from licet.rest.jsonapi.errors import Problem, Refused
from licet.rest.jsonapi.names import found_in
from licet.rest.jsonapi.reading import Reader
from licet.rest.jsonapi.reading.keys import key_of
from licet.rest.jsonapi.resource import Attribute, Bound
from licet.rest.jsonapi.values import misfit, read
from licet.rest.jsonapi.writing.links import Links, Place
from licet.rest.jsonapi.writing.refusals import told
from licet.rest.lookup import guarded_by_version, version_of
from licet.rest.store.trash import moment_for

__all__ = ["Place", "Writer"]

_ANY: Final = Conditions()
T = TypeVar("T")


class Writer:
    """What one caller writes, by one session.

    `conditions` say which version of an object the caller changes.
    """

    def __init__(self, reader: Reader, conditions: Conditions = _ANY) -> None:
        self.reader, self.conditions = reader, conditions
        self.session, self.identity = reader.session, reader.identity
        self.links = Links(reader)

    # --- finding ---------------------------------------------------------------------------------

    def owner(self, bound: Bound, text: str, verb: Verb, *, is_trash: bool = False) -> Any:
        """The object with the id, with which the caller may do the verb.

        Raises:
            ObjectNotFound, MissingToken, NotRegistered, AccessDenied: as `authorize`.
            PreconditionFailed: it has another version than the one that the caller would change.
        """
        key, name = key_of(bound, text), bound.resource.soft_delete
        owner = None if key is None else self.session.get(bound.model, key)
        if owner is not None and name is not None:
            owner = owner if (getattr(owner, name) is not None) is is_trash else None
        if owner is None:
            raise ObjectNotFound
        try:
            authorize(bound.policy, verb, owner, identity=self.identity)
        except (AccessDenied, AuthenticationError) as error:
            if is_trash:  # which others do not know of
                raise ObjectNotFound from error
            raise
        if verb is not VIEW:
            self.conditions.require(version_of(owner))
        return owner

    def require_possible(self, bound: Bound, verb: Verb) -> None:
        """Refuse who may do the verb with no object whatever.

        Raises:
            MissingToken, NotRegistered, AccessDenied: they may not.
        """
        if not bound.policy.may_allow(self.identity, verb):
            raise refusal_of(self.identity, visible=True)

    def objects(self, linkage: Linkage, *, is_lenient: bool = False) -> list[Any]:
        """The objects that a linkage names, as far as they are there for the caller.

        Raises:
            Refused: 404; one is not there for the caller, unless that is left out.
        """
        target = linkage.link.target
        keys = [key_of(target, text) for text in linkage.ids]
        key = getattr(target.model, target.key.name)
        statement = sa.select(target.model).where(key.in_([k for k in keys if k is not None]))
        if target.resource.soft_delete is not None:
            statement = statement.where(
                getattr(target.model, target.resource.soft_delete).is_(None)
            )
        verb = VIEW if is_lenient else linkage.link.verb
        statement = target.policy.filter(statement, self.identity, verb)
        found = {getattr(one, target.key.name): one for one in self.session.scalars(statement)}
        problems = [_absent(linkage, index) for index, one in enumerate(keys) if one not in found]
        if problems and not is_lenient:
            raise Refused(*problems)
        return [found[one] for one in keys if one in found]

    # --- creating --------------------------------------------------------------------------------

    def create(
        self,
        bound: Bound,
        given: Given,
        answer: Callable[[Any], T],
        place: Place | None = None,
    ) -> T:
        """Create a resource, and return what `answer` makes of its key.

        Args:
            bound: the resource.
            given: its attributes and links.
            answer: called before the commit; what it raises takes the creation back.
            place: where its URL puts it.
        """
        draft, made = bound.model(), list[T]()
        related = [(linkage, self.objects(linkage)) for linkage in given.links]
        guard = write(bound.policy, CREATE, draft, identity=self.identity)
        with told(bound) as attempt, guard as change:
            with self.session.no_autoflush:
                if place is not None:
                    self.links.place(bound, draft, place)
                for linkage, objects in related:
                    self.links.put(bound, draft, linkage, objects)
                writable = self._writable(bound, draft)
                self._check_links(given.links, writable)
                self._set_attributes(change, bound, given.attributes, writable, is_new=True)
                if place is not None:
                    self.links.require_place(bound, draft, place, given.links)
                bound.resource.run("before_create", draft)
                self._require_all(bound, draft)
                authorize(bound.policy, CREATE, draft, identity=self.identity)
                self.session.add(draft)
                _store_nulls(bound, draft)
            self.session.flush()
            self.links.require_written()
            bound.resource.run("after_create", draft)
            self.session.flush()
            key = getattr(draft, bound.key.name)
            change.before_commit(lambda: made.append(answer(key)))
            attempt.is_made = True
        return made[0]

    def _require_all(self, bound: Bound, draft: Any) -> None:
        values = sa.inspect(draft).dict
        problems = [
            _missing(attribute.member, "attributes")
            for name, attribute in bound.attributes.items()
            if attribute.is_required and values.get(name) is None
        ]
        problems += [
            _missing(link.member, "relationships")
            for name, link in bound.links.items()
            if link.is_required
            and values.get(name) is None
            and all(values.get(own) is None for own, _ in link.keys)
        ]
        if problems:
            raise Refused(*problems)

    # --- changing --------------------------------------------------------------------------------

    def update(self, bound: Bound, owner: Any, given: Given, answer: Callable[[], T]) -> T:
        """Change what the request names of a resource, and nothing else.

        Returns what `answer` makes before the commit; what it raises takes the change back.
        """
        made: list[T] = []
        related = [(linkage, self.objects(linkage)) for linkage in given.links]
        with self._changing(bound, owner) as (change, writable):
            related = [one for one in related if not self._is_kept(bound, owner, *one, writable)]
            self._check_links([linkage for linkage, _ in related], writable)
            for linkage, objects in related:
                change_link = self.links.replace if linkage.link.is_many else self.links.put
                change_link(bound, owner, linkage, objects)
            self._set_attributes(change, bound, given.attributes, writable, is_new=False)
            change.before_commit(lambda: made.append(answer()))
        return made[0]

    def relate(
        self, bound: Bound, owner: Any, linkage: Linkage, how: str, answer: Callable[[], T]
    ) -> T | None:
        """Change a relationship; what `answer` makes of it, or None when nothing was changed.

        Args:
            bound: the resource whose relationship it is.
            owner: the object.
            linkage: the relationship, and the objects that the request names.
            how: "replace", "add" or "remove". What is hidden from the caller stays.
            answer: called before the commit; what it raises takes the change back.
        """
        made: list[T] = []
        objects = self.objects(linkage, is_lenient=how == "remove")
        ways = {
            "replace": self.links.replace,
            "add": self.links.add,
            "remove": self.links.remove,
        }
        way = ways[how] if linkage.link.is_many else self.links.put
        with self._changing(bound, owner) as (change, writable):
            self._check_links([linkage], writable)
            if way(bound, owner, linkage, objects):
                change.before_commit(lambda: made.append(answer()))
        return next(iter(made), None)

    @contextmanager
    def _changing(self, bound: Bound, owner: Any) -> Iterator[tuple[Change, frozenset[str]]]:
        """A guarded change of an object, with its hooks, and the fields that may be written."""
        guard = write(bound.policy, UPDATE, owner, identity=self.identity)
        with told(bound) as attempt, self._versioned(owner), guard as change:
            with self.session.no_autoflush:
                yield change, change.writable
                bound.resource.run("before_update", owner)
                _require_values(bound, owner)
                _store_nulls(bound, owner)
            self.session.flush()
            self.links.require_written()
            bound.resource.run("after_update", owner)
            attempt.is_made = True

    def _versioned(self, owner: Any) -> AbstractContextManager[None]:
        """A block that overwrites no other writer's change of the object."""
        session = object_session(owner) or self.session
        return guarded_by_version(session, owner, has_version=self.conditions.has_version)

    def _writable(self, bound: Bound, owner: Any) -> frozenset[str]:
        return bound.policy.writable_fields(self.identity, owner, session=self.session)

    def _set_attributes(
        self,
        change: Change,
        bound: Bound,
        given: Mapping[str, Any],
        writable: frozenset[str],
        *,
        is_new: bool,
    ) -> None:
        """Set attributes, all of them or none."""
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        for member, value in given.items():
            try:
                attribute, found = _read(bound, member, value)
                if attribute.name in values:
                    raise misfit("stands twice, in two spellings")
                fixed = {bound.version} if is_new else {bound.version, bound.key.name}
                is_free = attribute.is_column and attribute.name not in fixed
                if is_free and attribute.name in writable:
                    values[attribute.name] = found
                elif is_new or not self._is_as_seen(bound, change.object, attribute, found):
                    problems += refused_field(member, f"{member} may not be written.").problems
            except ValueError as error:
                problems += refused_field(member, f"{member} {error}.").problems
        if problems:
            raise Refused(*problems)
        change.apply(values)

    def _is_as_seen(self, bound: Bound, owner: Any, attribute: Attribute, value: Any) -> bool:
        """Whether a field already has the value, and the caller sees that."""
        visible = bound.policy.visible_fields(self.identity, owner, session=self.session)
        return attribute.name in visible and bool(getattr(owner, attribute.name) == value)

    def _is_kept(
        self,
        bound: Bound,
        owner: Any,
        linkage: Linkage,
        objects: list[Any],
        writable: frozenset[str],
    ) -> bool:
        """Whether a request only repeats a link that its caller may not write."""
        link = linkage.link
        is_writable = link.name in writable and not link.is_read_only
        return not is_writable and self.links.is_kept(bound, owner, linkage, objects)

    def _check_links(self, linkages: Sequence[Linkage], writable: frozenset[str]) -> None:
        problems: list[Problem] = []
        for linkage in linkages:
            link = linkage.link
            detail = None
            if link.is_read_only or link.name not in writable:
                detail = f"{link.member} may not be written."
            elif linkage.is_null and (link.is_required or not link.is_nullable):
                detail = f"{link.member} must not be null."
            if detail is not None:
                problems += refused_field(link.member, detail, kind="relationships").problems
        if problems:
            raise Refused(*problems)

    # --- deleting --------------------------------------------------------------------------------

    def delete(self, bound: Bound, owner: Any) -> None:
        """Delete a resource, or put it into the trash."""
        resource = bound.resource
        keeps = resource.soft_delete is not None
        guard = write(bound.policy, DELETE, owner, identity=self.identity, keeps=keeps)
        with told(bound, is_delete=True) as attempt, self._versioned(owner), guard:
            resource.run("before_delete", owner)
            if resource.soft_delete is None:
                self.session.delete(owner)
            else:
                now = moment_for(bound.model, resource.soft_delete, datetime.now(UTC))
                setattr(owner, resource.soft_delete, now)
            self.session.flush()
            resource.run("after_delete", owner)
            attempt.is_made = True

    def restore(self, bound: Bound, owner: Any, answer: Callable[[], T]) -> T:
        """Take a resource out of the trash.

        Returns what `answer` makes before the commit; what it raises takes the change back.
        """
        name, made = bound.resource.soft_delete or "", list[T]()
        guard = write(bound.policy, DELETE, owner, identity=self.identity, keeps=True)
        with told(bound) as attempt, self._versioned(owner), guard as change:
            setattr(owner, name, None)
            self.session.flush()
            bound.resource.run("after_restore", owner)
            change.before_commit(lambda: made.append(answer()))
            attempt.is_made = True
        return made[0]


def _read(bound: Bound, member: str, value: Any) -> tuple[Attribute, Any]:
    """The attribute of that name, and the value for it.

    Raises:
        ValueError: there is none, or the value does not fit.
    """
    attribute = found_in(bound.attributes_by_name, member)
    if attribute is None:
        raise misfit(f"is no attribute of {bound.type}")
    return attribute, read(attribute.value_type, value)


def _absent(linkage: Linkage, index: int) -> Problem:
    """One of the objects that a linkage names is not there for the caller."""
    link = linkage.link
    if link.parameter is None:
        detail, pointer = f"There is no such {link.target.type}.", linkage.pointer_of(index)
        return Problem(status=404, code="not_found", detail=detail, pointer=pointer)
    named = f"{link.target.type.capitalize()}: {linkage.ids[index][:60]} not found"
    return Problem(status=404, code="not_found", detail=named, parameter=link.parameter)


def _missing(member: str, kind: str) -> Problem:
    (problem,) = refused_field(member, f"{member} must be given.", kind=kind).problems
    return problem


def _require_values(bound: Bound, owner: Any) -> None:
    """Refuse that a hook leaves an object without a value that it has to have."""
    values = sa.inspect(owner).dict
    problems = [
        _missing(one.member, "attributes")
        for name, one in bound.attributes.items()
        if one.is_column and not one.value_type.is_nullable and values.get(name, one) is None
    ]
    if problems:
        raise Refused(*problems)


def _store_nulls(bound: Bound, owner: Any) -> None:
    """Have null be NULL in columns of JSON, where SQLAlchemy writes a null of JSON."""
    state = sa.inspect(owner)
    for name, attribute in bound.attributes.items():
        if attribute.is_column and not attribute.value_type.is_comparable:
            added = state.attrs[name].history.added
            if added and added[0] is None:
                setattr(owner, name, sa.null())
