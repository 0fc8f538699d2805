"""JSON:API's endpoints, described from their resources.

Source: JSON:API 1.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from licet.rest.jsonapi.flask import JsonApi
from licet.rest.jsonapi.names import dashed
from licet.rest.jsonapi.query import DEFAULT_SIZE
from licet.rest.jsonapi.resource import Bound, Link, Resource, Served
from licet.rest.openapi.endpoints import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH
from licet.rest.openapi.resources import schemas
from licet.rest.openapi.resources.examples import example_of
from licet.rest.openapi.resources.fixed import back_link, is_fixed
from licet.rest.openapi.resources.values import value_schema
from licet.rest.paging import MAX_SIZE
from licet.rest.shapes import JSON_API
from licet.wire.described import JSON_API as ERRORS
from licet.wire.described import Answer, Content, Described, Parameter

__all__ = ["describe_resource", "shown_by"]

_READ: Final[Mapping[int, str]] = {
    400: "A parameter is wrong; its source says which.",
    401: "A token was sent, and it is not acceptable; or nobody is signed in.",
    403: "The caller may not do this.",
    406: "JSON:API is accepted only in a form that is not spoken here.",
    414: "The URL is too long.",
    431: "The headers are too large.",
}
_FOUND: Final = {404: "There is no such resource for the caller."}
_CHANGED: Final = {
    409: "The change conflicts with what is stored, or was made by somebody else first.",
    412: "The resource has another version than If-Match names.",
}
_SENT: Final = {
    400: "The body is no JSON:API document, or a parameter is wrong.",
    403: "The caller may not do this, or chose an id.",
    404: "There is no such resource, or no related one, for the caller.",
    409: "Type or id are others than the URL's, or the change conflicts with what is stored.",
    413: "The body is too large.",
    415: f"The body is not {JSON_API}.",
    422: "Values are missing, wrong, or not the caller's to write; each has its pointer.",
}
_TAG: Final = {"ETag": "The version, and what the caller sees of it; only where it has one."}
_MADE: Final = {**_TAG, "Location": "Where it is."}
_REPEATED: Final = {
    409: "The change conflicts with what is stored, or an Idempotency-Key is in use."
}


def describe_resource(served: Served, method: str) -> Described:
    """The operation of an endpoint of JSON:API."""
    found = _OPERATIONS[served.how](served, method)
    return replace(
        found,
        tag=served.bound.type,
        errors=ERRORS,
        examples=tuple(example_of(served, method)),
        description=found.description or _FIELDS,
    )


_FIELDS: Final = "Fields that the caller may not see are left out."


def _names(served: Served) -> tuple[str, str, str]:
    """The type, the collection and the link, as names of operations have them."""
    link = "" if served.link is None else served.link.name
    bound = served.bound
    return bound.type.replace("-", "_"), bound.resource.url.replace("-", "_"), link


def _document(bound: Bound, *, is_many: bool = False) -> Content:
    make = schemas.list_document if is_many else schemas.document
    return _content(make(bound))


def shown_by(api: JsonApi, resource: Resource) -> Content:
    """What `JsonApi.show` answers, for `documented`."""
    return _document(api.bound_of(resource))


def _content(schema: Content | dict[str, Any]) -> Content:
    return Content(schema=schema, media_type=JSON_API)


# --- reading -------------------------------------------------------------------------------------


def _list(served: Served, _method: str) -> Described:
    bound, part = served.bound, served.part
    name, told = f"list_{_names(served)[1]}", f"List the resources of the type {bound.type}"
    if part:
        name, told = f"{name}_{part.replace('-', '_')}", f"{told} that are {part}"
    return Described(
        name=name,
        summary=f"{told}.",
        parameters=(*_of_lists(bound), *_of_documents(served, bound)),
        answers=(_ok("A page of those that the caller may list.", _document(bound, is_many=True)),),
        refusals=_READ,
    )


def _detail(served: Served, _method: str) -> Described:
    bound = served.bound
    ok = _ok("The resource.", _document(bound))
    return Described(
        name=f"get_{_names(served)[0]}",
        summary=f"Get a resource of the type {bound.type}.",
        parameters=(*_of_documents(served, bound), *_of_tags(bound, read=True)),
        answers=_with_unchanged(replace(ok, headers=_TAG if bound.version else {}), bound),
        refusals={**_READ, **_FOUND},
    )


def _with_unchanged(ok: Answer, bound: Bound) -> tuple[Answer, ...]:
    unchanged = Answer(status=304, description="The caller knows this version.")
    return (ok, unchanged) if bound.version else (ok,)


def _related(served: Served, _method: str) -> Described:
    link = _link_of(served)
    target, (name, _, linked) = link.target, _names(served)
    paging = _of_lists(target) if link.is_many else ()
    told = f"What the relationship {link.member} leads to"
    content = _document(target, is_many=True) if link.is_many else _content(schemas.maybe(target))
    return Described(
        name=f"{'list' if link.is_many else 'get'}_{name}_{linked}",
        summary=f"{told}.",
        parameters=(*paging, *_of_documents(served, target)),
        answers=(_ok(f"{told}, as far as the caller may see it.", content),),
        refusals={**_READ, **_FOUND},
    )


def _linkage(served: Served, _method: str) -> Described:
    link, (name, _, linked) = _link_of(served), _names(served)
    paging = _of_lists(link.target) if link.is_many else ()
    return Described(
        name=f"get_{name}_{linked}_linkage",
        summary=f"Which resources the relationship {link.member} leads to.",
        parameters=(*paging, *_of_documents(served, link.target)),
        answers=(_ok("The type and the id of each.", _content(schemas.linkage(link))),),
        refusals={**_READ, **_FOUND},
    )


# --- writing -------------------------------------------------------------------------------------


def _create(served: Served, _method: str) -> Described:
    bound = served.bound
    return Described(
        name=f"create_{_names(served)[0]}",
        summary=f"Create a resource of the type {bound.type}.",
        parameters=(*_of_documents(served, bound), _IDEMPOTENCY),
        body=_content(schemas.new(bound)),
        answers=(
            Answer(status=201, description="Created.", content=_document(bound), headers=_MADE),
        ),
        refusals={**_READ, **_SENT, **_REPEATED},
    )


def _create_related(served: Served, _method: str) -> Described:
    link, (name, _, linked) = _link_of(served), _names(served)
    target = link.target
    created = Answer(status=201, description="Created.", content=_document(target), headers=_MADE)
    told = f"Create a resource of the type {target.type} in this one's {link.member}."
    if link.is_read_only:
        told = f"Refused: nothing is created in {link.member}."
    return Described(
        name=f"create_{name}_{linked}",
        summary=told,
        parameters=(*_of_documents(served, target), _IDEMPOTENCY),
        body=_content(schemas.new(target, back_link(served.bound, link))),
        answers=() if link.is_read_only else (created,),
        refusals={**_READ, **_SENT, **_REPEATED},
    )


def _update(served: Served, _method: str) -> Described:
    bound = served.bound
    ok = _ok("As it is now.", _document(bound))
    return Described(
        name=f"update_{_names(served)[0]}",
        summary="Change what the body names.",
        parameters=(*_of_documents(served, bound), *_of_tags(bound, read=False)),
        body=_content(schemas.changes(bound)),
        answers=(replace(ok, headers=_TAG if bound.version else {}),),
        refusals={**_READ, **_CHANGED, **_SENT},
    )


def _delete(served: Served, _method: str) -> Described:
    bound = served.bound
    trash = "Move it to the trash." if bound.resource.soft_delete else "Delete it."
    return Described(
        name=f"delete_{_names(served)[0]}",
        summary=trash,
        parameters=_of_tags(bound, read=False),
        answers=(_ok("Deleted.", _content(schemas.deleted())),),
        refusals={**_READ, **_CHANGED, **_FOUND},
    )


def _restore(served: Served, _method: str) -> Described:
    bound = served.bound
    return Described(
        name=f"restore_{_names(served)[0]}",
        summary="Take it out of the trash.",
        parameters=(*_of_documents(served, bound), *_of_tags(bound, read=False)),
        answers=(_ok("As it is now.", _document(bound)),),
        refusals={**_READ, **_CHANGED, **_FOUND},
    )


_HOW: Final = {
    "PATCH": ("replace", "Replace what the relationship leads to."),
    "POST": ("add", "Add to what the relationship leads to."),
    "DELETE": ("remove", "Remove from what the relationship leads to."),
}


def _relate(served: Served, method: str) -> Described:
    link, (name, _, linked) = _link_of(served), _names(served)
    how, told = _HOW[method]
    is_refused = is_fixed(served.bound, link.name)
    if is_refused:
        told = f"Refused: nobody changes {link.member} here."
    return Described(
        name=f"{how}_{name}_{linked}",
        summary=told,
        parameters=(*_of_documents(served, link.target), *_of_tags(served.bound, read=False)),
        body=_content(schemas.linkage_body(link)),
        answers=() if is_refused else _related_answers(link),
        refusals={**_READ, **_CHANGED, **_SENT},
    )


def _related_answers(link: Link) -> tuple[Answer, ...]:
    ok = _ok("What it leads to now.", _content(schemas.linkage(link)))
    return ok, Answer(status=204, description="It was so already.")


_OPERATIONS: Final[Mapping[str, Callable[[Served, str], Described]]] = {
    "list": _list,
    "detail": _detail,
    "related": _related,
    "linkage": _linkage,
    "create": _create,
    "create_related": _create_related,
    "update": _update,
    "delete": _delete,
    "restore": _restore,
    "relate": _relate,
}


def _ok(told: str, content: Content) -> Answer:
    return Answer(status=200, description=told, content=content)


def _link_of(served: Served) -> Link:
    if served.link is None:
        raise LookupError(f"{served.how} is of a link")
    return served.link


# --- parameters ----------------------------------------------------------------------------------


_IDEMPOTENCY: Final = Parameter(name="Idempotency-Key", place="header", description=IDEMPOTENCY_KEY)


def _of_tags(bound: Bound, *, read: bool) -> tuple[Parameter, ...]:
    name, told = ("If-None-Match", IF_NONE_MATCH) if read else ("If-Match", IF_MATCH)
    tag = Parameter(name=name, place="header", description=told)
    return (tag,) if bound.version else ()


def _of_documents(served: Served, bound: Bound) -> Iterator[Parameter]:
    links = ", ".join(link.member for link in bound.links.values())
    if links:
        told = f"Paths of relationships, with commas between them; of {bound.type}: {links}."
        yield Parameter(name="include", description=told)
    for one in served.all_bounds:
        members = [each.member for each in one.attributes.values()]
        members += [link.member for link in one.links.values()]
        told = f"The members that are shown, with commas between them: {', '.join(members)}."
        yield Parameter(name=f"fields[{one.type}]", description=told)


def _of_lists(bound: Bound) -> Iterator[Parameter]:
    size = {"type": "integer", "minimum": 0, "default": DEFAULT_SIZE}
    told = f"Resources in a page; 0, or more than {MAX_SIZE}, is {MAX_SIZE}."
    yield Parameter(name="page[size]", schema=size, description=told)
    number = {"type": "integer", "minimum": 1}  # a default would stand beside a cursor
    yield Parameter(name="page[number]", schema=number, description="The page, from 1.")
    told = "Of meta.cursors in another page; empty for the first one."
    yield Parameter(name="page[after]", description=told)
    told = "Of meta.cursors in another page; empty for the last one."
    yield Parameter(name="page[before]", description=told)
    sorted_by = [one.member for one in bound.attributes.values() if one.value_type.is_comparable]
    told = f"Members, - before one that descends, with commas between them: {', '.join(sorted_by)}."
    yield Parameter(name="sort", description=told)
    told = "Conditions as a JSON list of {name, op, val}, which must all hold."
    yield Parameter(name="filter", description=told)
    for one in bound.attributes.values():
        if one.value_type.is_comparable:
            schema = value_schema(replace(one.value_type, is_nullable=False), is_body=True)
            told = f"Only those with this {one.member}."
            yield Parameter(name=f"filter[{dashed(one.name)}]", schema=schema, description=told)
    if bound.resource.soft_delete is not None:
        told = "true lists the trash, for those who may delete."
        yield Parameter(name="filter[deleted]", schema={"type": "boolean"}, description=told)
