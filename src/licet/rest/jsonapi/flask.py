"""JSON:API over HTTP: the endpoints of an app's resources.

    JsonApi(app, url_prefix="/v1", resources=[events, sessions, speakers])

Every URL is answered with and without a slash at its end, and collections and their resources at
the type's name, too. Errors of these endpoints, of guards before them as well, are JSON:API's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask, Response, request

from licet.authz import CREATE, DELETE, LIST, UPDATE, VIEW, guarded_by
from licet.authz.flask import current_caller, current_session, policies_of
from licet.authz.policies.verbs import Verb
from licet.db.sweeps import on_sweep
from licet.errors import ConfigurationError, ObjectNotFound
from licet.errors.names import knows_its_options
from licet.rest.endpoints.repeats import answered_once, is_shown_again, note_shown, purge_keys_of
from licet.rest.endpoints.requests import begin, read_body
from licet.rest.etag import Conditions, is_unchanged
from licet.rest.idempotency import Answer
from licet.rest.jsonapi.answers import Answers
from licet.rest.jsonapi.documents import read_document, read_linkage, url_of
from licet.rest.jsonapi.mapping import bind_all, require_one_policy
from licet.rest.jsonapi.names import by_name, found_in
from licet.rest.jsonapi.negotiation import check_accept, check_content_type
from licet.rest.jsonapi.query import Query, read_query
from licet.rest.jsonapi.reading import Reader, Row
from licet.rest.jsonapi.reading.keys import id_of, key_of, only_id
from licet.rest.jsonapi.resource import Bound, Link, Resource, Served, serve_as
from licet.rest.jsonapi.responses import answer_errors_of, answered, private
from licet.rest.jsonapi.writing import Place, Writer
from licet.rest.paging import read_value
from licet.rest.shapes import JSON_API_VERSION
from licet.rest.store.trash import purge_trash
from licet.settings.state import app_itself

__all__ = ["JsonApi"]


class JsonApi:
    """The endpoints of resources.

    Args:
        app: the app, whose `register_policies` says which session and which caller count.
        url_prefix: where the collections are, such as ``/v1``.
        resources: those that are served.
        name: of the blueprint that the endpoints belong to.
        version: of JSON:API, as documents tell it; clients of 1.0 may ask for theirs.

    Raises:
        ConfigurationError: a resource does not fit its model or the others.
    """

    @knows_its_options
    def __init__(
        self,
        app: Flask,
        *,
        url_prefix: str,
        resources: Iterable[Resource],
        name: str = "jsonapi",
        version: str = JSON_API_VERSION,
    ) -> None:
        self.bounds, self.version, self._is_checked = bind_all(resources), version, False
        self.prefix = url_prefix.rstrip("/")
        if self.prefix and not self.prefix.startswith("/"):
            raise ConfigurationError(f"url_prefix begins with a slash: {url_prefix!r} does not.")
        spellings = [(name, one) for one in self.bounds for name in {one.type, one.resource.url}]
        self.spellings = by_name(spellings)
        self.blueprint = Blueprint(name, __name__, url_prefix=self.prefix)
        for bound in self.bounds:
            self._add_routes(bound)
        self.answer_errors_of(self.blueprint)
        app.register_blueprint(self.blueprint)
        purge_keys_of(app)
        if any(one.resource.soft_delete is not None for one in self.bounds):
            on_sweep(app, f"rest.trash.{name}", self.purge_trash)

    def purge_trash(self) -> int:
        """Delete what is in the trash for 30 days, with what belongs to it; how many rows.

        The app's sweepers call it (`licet sweep`). Needs an app context.
        """
        now, named = datetime.now(UTC), [(one, one.resource.soft_delete) for one in self.bounds]
        trash = [(one.model, name) for one, name in named if name is not None]
        return sum(purge_trash(current_session(), model, name, now) for model, name in trash)

    def check(self) -> None:
        """Once, when the app's policies are all registered: each row is the resource's own.

        Raises:
            ConfigurationError: a subclass of a resource's model has a policy of its own.
        """
        if not self._is_checked:
            require_one_policy(self.bounds, policies_of(app_itself()))
            self._is_checked = True

    def answer_errors_of(self, blueprint: Blueprint) -> None:
        """Have a blueprint of the app's own, not registered yet, answer as these endpoints do."""
        answer_errors_of(blueprint, self.version)

    def show(self, resource: Resource, key: Any, status: int = 200) -> Response:
        """What a view of the app's own answers: a resource as its caller sees it, or 404 to GET."""
        bound, asking = self.bound_of(resource), Asking(self)
        return asking.shown(bound, key, asking.query(bound, "write"), status)

    def bound_of(self, resource: Resource) -> Bound:
        """What a resource of this API is bound to."""
        return next(one for one in self.bounds if one.resource is resource)

    def is_type(self, name: str, bound: Bound) -> bool:
        """Whether a word is a name of the resource: its type or its collection's."""
        return found_in(self.spellings, name) is bound

    # --- routes ----------------------------------------------------------------------------------

    def _add_routes(self, bound: Bound) -> None:
        add, resource = partial(self._add, bound), bound.resource
        one = "" if resource.is_single else "/<id>"
        for name, criterion in resource.lists.items():
            add(f"/{name}", "GET", partial(_list, within=criterion), LIST, part=name)
        add("", "GET", _list, LIST)
        add("", "POST", _create, CREATE)
        add(one, "GET", _detail, VIEW)
        add(one, "PATCH", _update, UPDATE)
        add(one, "DELETE", _delete, DELETE)
        if resource.soft_delete is not None:
            add(f"{one}/restore", "POST", _restore, DELETE)
        for link in bound.links.values():
            self._add_links(bound, link, one)

    def _add_links(self, bound: Bound, link: Link, one: str) -> None:
        add = partial(self._add, bound, link=link)
        at, own = f"{one}/{link.member}", f"{one}/relationships/{link.member}"
        add(at, "GET", _related, VIEW)
        add(own, "GET", _linkage, VIEW)
        add(own, "PATCH", partial(_relate, how="replace"), UPDATE)
        if link.is_many:
            add(at, "POST", _create_related, CREATE)
            add(own, "POST", partial(_relate, how="add"), UPDATE)
            add(own, "DELETE", partial(_relate, how="remove"), UPDATE)

    def _add(
        self,
        bound: Bound,
        suffix: str,
        method: str,
        handle: Callable[..., Response],
        verb: Verb,
        link: Link | None = None,
        part: str = "",
    ) -> None:
        api = self
        about = link.target if link is not None and verb is CREATE else bound
        policy, is_served = about.policy, about.resource.serves(verb)
        if not is_served and (link is None or verb is not VIEW):
            return

        @guarded_by(policy, verb)
        def view(**args: Any) -> Response:
            asking = Asking(api)
            session, identity = asking.reader.session, asking.reader.identity
            args = {name: id_of(bound, text, session, identity) for name, text in args.items()}
            if bound.resource.is_single:
                args["id"] = only_id(bound, session)
            given = (bound,) if link is None else (bound, link)
            return handle(asking, *given, **args)

        named = getattr(handle, "func", handle).__name__.strip("_")
        serve_as(view, Served(named, bound, link, self.bounds, self.prefix, part, self.version))
        own = link.name if link is not None else part
        endpoint = f"{bound.type}{own and f':{own}'}:{named}_{method.lower()}"
        # clients that make a URL of a type find the collection and its resources there
        also = bound.type if part or suffix in ("", "/<id>") else bound.resource.url
        for name in dict.fromkeys((bound.resource.url, also)):
            self.blueprint.add_url_rule(
                f"/{name}{suffix}", endpoint, view, methods=[method], strict_slashes=False
            )


class Asking:
    """One request: who asks, what they see, and how they are answered."""

    def __init__(self, api: JsonApi) -> None:
        begin()  # first of all, so that a bad token is told whatever is asked
        headers = request.headers
        check_accept(headers.get("Accept"))
        api.check()
        self.api = api
        self.reader = Reader(identity=current_caller(), session=current_session())
        conditions = Conditions(
            if_match=headers.get("If-Match"), if_none_match=headers.get("If-None-Match")
        )
        self.writer = Writer(self.reader, conditions)
        self.pairs = list(request.args.items(multi=True))

    def query(self, bound: Bound, of: str) -> Query:
        """What the parameters ask for."""
        searched = self.reader.searched
        return read_query(self.pairs, bound, self.api.spellings, searched, of=of)

    @property
    def base(self) -> str:
        """The path before the collections' names."""
        return quote(request.root_path) + self.api.prefix

    def answers(self, query: Query) -> Answers:
        """What makes the documents."""
        return Answers(self.base, quote(request.root_path + request.path), self.pairs, query)

    def body(self) -> bytes:
        """The body.

        Raises:
            UnsupportedBody, Refused: 415.
            BodyTooLarge: 413.
        """
        headers = request.headers
        check_content_type(headers.get("Content-Type"), headers.get("Content-Encoding"))
        return read_body()

    def shown(self, bound: Bound, key: Any, query: Query, status: int = 200) -> Response:
        """The answer that a write has: the resource as the caller now sees it."""
        row = self.reader.one(bound, key, query)
        answers = self.answers(query)
        if row is None and request.method in ("GET", "HEAD"):  # of a view of the app's own
            raise ObjectNotFound
        if row is None:
            return answered(answers.bare(bound, key), status)
        included = self.reader.include([row], query)
        if status == 201:
            note_shown(bound.policy, (key,), answers.seen([row, *included]))
        return answered(answers.one(row, included), status, tag=answers.tag(row))

    def parent(self, bound: Bound, link: Link, text: str) -> Row:
        """The object that a link belongs to, which the caller may view with the link.

        Raises:
            ObjectNotFound: there is none for them.
        """
        row = self.seen(bound, link, text)
        if row is None:
            raise ObjectNotFound
        return row

    def seen(self, bound: Bound, link: Link, text: str) -> Row | None:
        """The object that a link belongs to; None if the caller sees no such object or link."""
        key = key_of(bound, text)
        row = None if key is None else self.reader.one(bound, key)
        return row if row is not None and link.name in row.visible else None


# --- reading -------------------------------------------------------------------------------------


def _list(asking: Asking, bound: Bound, within: Callable[[], Any] | None = None) -> Response:
    asking.reader.require_caller(bound)
    query, criteria = asking.query(bound, "list"), [] if within is None else [within()]
    page = asking.reader.page(bound, query, *criteria)
    return answered(asking.answers(query).listed(page, asking.reader.include(page.rows, query)))


def _detail(asking: Asking, bound: Bound, id: str) -> Response:  # noqa: A002 - as in the rule
    query = asking.query(bound, "one")
    key = key_of(bound, id)
    row = None if key is None else asking.reader.one(bound, key, query)
    if row is None:
        raise ObjectNotFound
    answers = asking.answers(query)
    tag = answers.tag(row)
    if tag is not None and is_unchanged(request.headers.get("If-None-Match"), tag):
        return private(Response(status=304), tag)
    return answered(answers.one(row, asking.reader.include([row], query)), tag=tag)


def _related(asking: Asking, bound: Bound, link: Link, id: str) -> Response:  # noqa: A002 - as above
    query = asking.query(link.target, "list" if link.is_many else "one")
    parent, reader = asking.parent(bound, link, id), asking.reader
    answers = asking.answers(query)
    if link.is_many:
        page = reader.related(bound, link, parent.key, query)
        return answered(answers.listed(page, reader.include(page.rows, query)))
    key = _to_one(reader, parent, link)
    row = None if key is None else reader.one(link.target, key, query)
    return answered(answers.one(row, reader.include([row] if row else [], query)))


def _linkage(asking: Asking, bound: Bound, link: Link, id: str) -> Response:  # noqa: A002 - as above
    query = asking.query(link.target, "list" if link.is_many else "one")
    parent = asking.parent(bound, link, id)
    return answered(_linkage_document(asking, parent, link, query))


def _linkage_document(asking: Asking, parent: Row, link: Link, query: Query) -> Any:
    reader, answers = asking.reader, asking.answers(query)
    if not link.is_many:
        key = _to_one(reader, parent, link)
        return answers.linkage(parent.bound, parent.key, link, key)
    page = reader.related(parent.bound, link, parent.key, query)
    return answers.linkage(parent.bound, parent.key, link, page)


def _to_one(reader: Reader, parent: Row, link: Link) -> Any:
    """The key that a to-one link leads to."""
    if link.name in parent.one:
        return parent.one[link.name]
    return next((key for _, key in reader.pairs(parent.bound, link, [parent.key])), None)


# --- writing -------------------------------------------------------------------------------------


def _create(asking: Asking, bound: Bound) -> Response:
    asking.writer.require_possible(bound, CREATE)
    return _create_once(asking, bound, asking.query(bound, "write"))


def _create_related(asking: Asking, bound: Bound, link: Link, id: str) -> Response:  # noqa: A002 - as above
    target = link.target
    asking.writer.require_possible(target, CREATE)
    query = asking.query(target, "write")
    asking.parent(bound, link, id)
    parent = asking.writer.owner(bound, id, VIEW)
    return _create_once(asking, target, query, Place(bound, link, parent))


def _create_once(
    asking: Asking, bound: Bound, query: Query, place: Place | None = None
) -> Response:
    """Create a resource; or answer a request that is repeated with its Idempotency-Key.

    The first answer is given again to who sees all of what it shows. Others are answered with what
    they see now, or with 404.
    """
    raw = asking.body()

    def create() -> Response:
        given = read_document(raw, bound, is_type=asking.api.is_type)
        answer = partial(_created, asking, bound, query)
        return asking.writer.create(bound, given, answer, place)

    def ask_again(first: Answer) -> Response | None:
        key = read_value(first.object_key[0])
        response = _created(asking, bound, query, key)
        return None if is_shown_again(first) else response

    answer: Response = answered_once(raw, create, ask_again=ask_again)
    return private(answer)


def _created(asking: Asking, bound: Bound, query: Query, key: Any) -> Response:
    response = asking.shown(bound, key, query, 201)
    if bound.has_url:
        response.headers["Location"] = url_of(asking.base, bound, key)
    return response


def _update(asking: Asking, bound: Bound, id: str) -> Response:  # noqa: A002 - as above
    query = asking.query(bound, "write")
    owner = asking.writer.owner(bound, id, UPDATE)
    given = read_document(asking.body(), bound, is_type=asking.api.is_type, wanted_id=id)
    answer = partial(asking.shown, bound, key_of(bound, id), query)
    return asking.writer.update(bound, owner, given, answer)


def _delete(asking: Asking, bound: Bound, id: str) -> Response:  # noqa: A002 - as above
    asking.query(bound, "write")
    asking.writer.delete(bound, asking.writer.owner(bound, id, DELETE))
    return answered({"meta": {"message": "Object successfully deleted"}})


def _restore(asking: Asking, bound: Bound, id: str) -> Response:  # noqa: A002 - as above
    query = asking.query(bound, "write")
    owner = asking.writer.owner(bound, id, DELETE, is_trash=True)
    shown = partial(asking.shown, bound, key_of(bound, id), query)
    return asking.writer.restore(bound, owner, shown)


def _relate(asking: Asking, bound: Bound, link: Link, id: str, *, how: str) -> Response:  # noqa: A002 - as above
    query = asking.query(link.target, "write")
    owner = asking.writer.owner(bound, id, UPDATE)
    linkage = read_linkage(asking.body(), link, is_type=asking.api.is_type)

    def answer() -> Response:
        parent = asking.seen(bound, link, id)
        is_shown = not link.is_many or asking.reader.may_ask_for_lists(link.target)
        if parent is None or not is_shown:  # of what the caller may write, and not see
            return private(Response(status=204))
        return answered(_linkage_document(asking, parent, link, query))

    found = asking.writer.relate(bound, owner, linkage, how, answer)
    return private(Response(status=204)) if found is None else found
