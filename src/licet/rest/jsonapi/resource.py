"""What a resource declares: its model, its policy, its name, what it shows, and its hooks.

    sessions = Resource(
        Session, policies.sessions, name="session", attributes=["title", "state"],
        relationships={"event": ToOne(required=True)},
    )

    @sessions.before_update
    def note(session): ...

`Bound` is a resource together with what its model says; `licet.rest.jsonapi.mapping` makes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final, TypeVar

from licet.authz.policies._models.kept import KeptStatements
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import ALL, LIST, UPDATE, USUAL, VIEW, Verb, one_verb
from licet.errors import ConfigurationError
from licet.errors.names import knows_its_options, knows_options_of, refuse_unknown
from licet.rest.jsonapi.names import by_name, dashed
from licet.rest.jsonapi.values import ValueType

__all__ = [
    "Attribute",
    "Bound",
    "Link",
    "Resource",
    "Served",
    "ToMany",
    "ToOne",
    "serve_as",
    "served_by",
]

Hook = Callable[[Any], None]
H = TypeVar("H", bound=Hook)
C = TypeVar("C", bound=Callable[[], Any])
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MOST_STATEMENTS: Final = 256  # of the sets of fields that requests choose, for equal callers
_SERVED: Final = "_licet_jsonapi_served"
_RESERVED: Final = frozenset({"id", "links", "relationships", "restore"})


@knows_options_of
@dataclass(frozen=True)
class ToOne:
    """A relationship to one object; `required` ones must be given when a resource is created.

    `parameter` is the ``source.parameter`` of the 404 for an object that is not there for the
    caller; without it, the error has the place in the body.
    """

    required: bool = False
    parameter: str | None = None


@knows_options_of
@dataclass(frozen=True)
class ToMany:
    """A relationship to many objects.

    Those that a request names must allow the caller the `verb`, or are not there for them.
    `parameter` is as in `ToOne`.
    """

    verb: Verb = VIEW
    parameter: str | None = None

    def __post_init__(self) -> None:
        one_verb(self.verb)


class Resource:
    """One model over JSON:API.

    Args:
        model: a mapped class with a primary key of one column.
        policy: of that class; it filters every read and decides every write.
        name: the type, singular and dashed, such as ``custom-form``.
        url: the collection's name in URLs; the type with an "s" when not given.
        attributes: the mapped attributes that are shown. Nothing else is.
        relationships: the mapped relationships that are shown. The models that they lead to have
            resources of the same `JsonApi`.
        soft_delete: the name of a nullable datetime column; DELETE sets it, and a row that has it
            is in the trash, which only those see who may DELETE it.
        verbs: those of LIST, VIEW, CREATE, UPDATE and DELETE that have endpoints; all by default.
        also_by: the name of a unique text that URLs may have in place of the id, for those who see
            it. No text of it may be one that an id could be.
        is_single: the model has one row, which the collection's URL shows and changes. It is not
            listed, created or deleted.
        samples: values of attributes in the examples of the OpenAPI document, where those that are
            made from the attributes' types do not fit the rules of the app.

    Raises:
        ConfigurationError: a name is no name, or stands twice.
        UnknownName: a sample is of no attribute.
    """

    @knows_its_options
    def __init__(
        self,
        model: type[Any],
        policy: Policy,
        *,
        name: str,
        attributes: Iterable[str],
        relationships: Mapping[str, ToOne | ToMany] | None = None,
        url: str | None = None,
        soft_delete: str | None = None,
        verbs: Verb = ALL,
        also_by: str | None = None,
        is_single: bool = False,
        samples: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.policy = model, policy
        self.verbs, self.also_by, self.is_single = verbs, also_by, is_single
        self.lists: dict[str, Callable[[], Any]] = {}
        self.is_served = False  # by a `JsonApi`, which takes no more lists
        self.type = name
        self.url = f"{name}s" if url is None else url
        self.attributes = tuple(attributes)
        self.relationships = dict(relationships or {})
        self.soft_delete = soft_delete
        self.samples = dict(samples or {})
        self.hooks: dict[str, list[Hook]] = {}
        self._check()

    def _check(self) -> None:
        if policy_model := self.policy.model is not self.model and self.policy.model.__name__:
            raise ConfigurationError(
                f"The resource {self.type} is of {self.model.__name__}, and its policy is about "
                f"{policy_model}."
            )
        for text in (self.type, self.url):
            if not _NAME.fullmatch(text):
                raise ConfigurationError(
                    f"{text!r} is no name of a resource: write it in lower case with dashes, such "
                    "as 'custom-form'."
                )
        self._check_endpoints()
        refuse_unknown(f"The resource {self.type} has no attribute", self.samples, self.attributes)
        names = [*self.attributes, *self.relationships]
        if "type" in self.relationships:
            raise ConfigurationError(f"The resource {self.type} cannot have a relationship 'type'.")
        if reserved := sorted(_RESERVED.intersection(names)):
            raise ConfigurationError(
                f"The resource {self.type} cannot show {reserved[0]!r}: that name has a meaning of "
                "its own in documents and URLs."
            )
        if self.soft_delete is not None and "deleted" in names:
            raise ConfigurationError(
                f"The resource {self.type} cannot show 'deleted', as filter[deleted] asks for its "
                "trash."
            )
        try:
            by_name((name, name) for name in names)
        except ValueError as error:
            raise ConfigurationError(f"In the resource {self.type} {error}.") from error

    def _check_endpoints(self) -> None:
        verbs: object = self.verbs
        if not isinstance(verbs, Verb) or not verbs.names <= {"ALL", *USUAL}:
            raise ConfigurationError(
                f"The verbs of the resource {self.type} are of LIST, VIEW, CREATE, UPDATE and "
                f"DELETE, joined by |: {verbs!r} is something else."
            )
        if self.is_single and (self.also_by is not None or self.soft_delete is not None):
            raise ConfigurationError(
                f"The resource {self.type} is the one row that its collection's URL shows: it has "
                "neither another name (also_by) nor a trash (soft_delete)."
            )

    def _hooked(self, moment: str, hook: H) -> H:
        self.hooks.setdefault(moment, []).append(hook)
        return hook

    def before_create(self, hook: H) -> H:
        """Call the function with each new object, before it is stored."""
        return self._hooked("before_create", hook)

    def after_create(self, hook: H) -> H:
        """Call it with each new object when that is stored, and not committed yet."""
        return self._hooked("after_create", hook)

    def before_update(self, hook: H) -> H:
        """Call it with each object that was changed, before that is stored."""
        return self._hooked("before_update", hook)

    def after_update(self, hook: H) -> H:
        """Call it with each object whose change is stored, and not committed yet."""
        return self._hooked("after_update", hook)

    def before_delete(self, hook: H) -> H:
        """Call it with each object that is going to be deleted."""
        return self._hooked("before_delete", hook)

    def after_delete(self, hook: H) -> H:
        """Call it with each object that is deleted, which is not committed yet."""
        return self._hooked("after_delete", hook)

    def after_restore(self, hook: H) -> H:
        """Call it with each object that is taken out of the trash, which is not committed yet."""
        return self._hooked("after_restore", hook)

    def list_at(self, name: str) -> Callable[[C], C]:
        """Serve a part of the collection below its URL: the rows that fulfil an SQL criterion.

            @events.list_at("upcoming")
            def upcoming():
                return Event.ends_at > datetime.now(UTC)

        The name goes before an id of the same text. The function is called in each request.

        Raises:
            ConfigurationError: the name is no name, or taken; the resource has no lists; or its
                endpoints were made already.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in self.lists:
            raise ConfigurationError(
                f"{name!r} is no name of a list of the resource {self.type}, or is taken: write "
                "one of its own in lower case with dashes, such as 'still-open'."
            )
        if self.is_single or not self.verbs.covers(LIST.name):
            raise ConfigurationError(
                f"The resource {self.type} has no lists (is_single, or verbs without LIST), and so "
                f"none at {name!r}."
            )
        if self.is_served:
            raise ConfigurationError(
                f"The endpoints of the resource {self.type} are made already: declare the list "
                f"{name!r} before its JsonApi."
            )

        def keep(criterion: C) -> C:
            if not callable(criterion):
                raise ConfigurationError(
                    f"The list {name!r} of the resource {self.type} is given by a function that "
                    "returns an SQL criterion, such as lambda: Event.is_open."
                )
            self.lists[name] = partial(self._part, name, criterion)
            return criterion

        return keep

    def _part(self, name: str, criterion: Callable[[], Any]) -> Any:
        found = criterion()
        if found is None:
            raise ConfigurationError(
                f"The function of the list {name!r} of the resource {self.type} returns None: "
                "return an SQL criterion."
            )
        return found

    def serves(self, verb: Verb) -> bool:
        """Whether there are endpoints for a verb; of a single row to view and to update it."""
        return self.verbs.covers(verb.name) and (not self.is_single or verb in (VIEW, UPDATE))

    def run(self, moment: str, owner: Any) -> None:
        """Call the hooks of a moment, in the order of their declaration."""
        for hook in self.hooks.get(moment, ()):
            hook(owner)

    def __repr__(self) -> str:
        return f"<Resource {self.type}>"


@dataclass(frozen=True, eq=False)
class Attribute:
    """A mapped attribute that a resource shows."""

    name: str
    value_type: ValueType
    is_column: bool  # else an expression, which is read only
    is_required: bool
    is_fixed: bool = True  # its SQL is the same each time; a hybrid's function is called for it

    @property
    def member(self) -> str:
        """Its name in documents."""
        return dashed(self.name)


@dataclass(frozen=True, eq=False)
class Link:
    """A mapped relationship that a resource shows.

    Args:
        name: its name.
        is_many: whether it leads to many objects.
        is_required: whether a new resource must have one.
        find_target: gives the resource that it leads to.
        keys: of a many-to-one that is nothing but equal keys: own attribute and related one, of
            each column.
        is_nullable: an object may be without one.
        is_read_only: the model does not write it.
        far: what is the same thing in the class that it leads to: the foreign key of its rows, or
            its relationships over the same association table.
        is_by_key: `far` is a foreign key.
        verb: what those that a request names must allow the caller.
        parameter: the place of the error about one that is not there for them.
    """

    name: str
    is_many: bool
    is_required: bool
    find_target: Callable[[], Bound]
    keys: tuple[tuple[str, str], ...] = ()
    is_nullable: bool = True
    is_read_only: bool = False
    far: frozenset[str] = frozenset()
    is_by_key: bool = True
    verb: Verb = VIEW
    parameter: str | None = None

    @cached_property
    def member(self) -> str:
        """Its name in documents."""
        return dashed(self.name)

    @cached_property
    def target(self) -> Bound:
        """The resource that it leads to."""
        return self.find_target()


@dataclass(eq=False)
class Bound:
    """A resource, its key, its attributes and its links."""

    resource: Resource
    key: Attribute
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)
    attributes_by_name: Mapping[str, Attribute] = field(default_factory=dict)  # by folded name
    links_by_name: Mapping[str, Link] = field(default_factory=dict)
    version: str | None = None  # the attribute that SQLAlchemy counts up with each UPDATE
    kept: KeptStatements = field(default_factory=lambda: KeptStatements(MOST_STATEMENTS))

    @cached_property
    def type(self) -> str:
        """The type in documents."""
        return self.resource.type

    @cached_property
    def has_url(self) -> bool:
        """Whether a resource is shown at its URL, to which links may lead."""
        return self.resource.serves(VIEW)

    @property
    def model(self) -> Any:
        """The mapped class."""
        return self.resource.model

    @property
    def policy(self) -> Policy:
        """The policy of the class."""
        return self.resource.policy

    def __repr__(self) -> str:
        return f"<{self.type}>"


@dataclass(frozen=True)
class Served:
    """What an endpoint serves, noted on its view for the OpenAPI document.

    Args:
        how: list, create, detail, update, delete, restore; of a link related, create_related,
            linkage or relate.
        bound: the resource.
        link: the link, of an endpoint of one.
        all_bounds: every resource of the same `JsonApi`.
        prefix: the path before the collections' names.
        part, version: the name of a list that is a part of the collection; JSON:API's version.
    """

    how: str
    bound: Bound
    link: Link | None
    all_bounds: list[Bound]
    prefix: str
    part: str = ""
    version: str = "1.1"


def serve_as(view: Any, served: Served) -> None:
    """Note it on a view."""
    setattr(view, _SERVED, served)


def served_by(view: object) -> Served | None:
    """What a view serves; None of a view that is not JSON:API's."""
    return getattr(view, _SERVED, None)
