"""Decorated endpoints, described from what their decorators were told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from licet.authz.policies.policy import Policy
from licet.rest.endpoints.notes import AnswerNote, BodyNote, LookupNote, Note, QueryNote
from licet.rest.lookup import is_versioned, policy_of
from licet.rest.openapi.access import never_written
from licet.rest.openapi.rules import path_parameters
from licet.rest.openapi.schemas import answer_schema, as_json_schema, body_schema, unknown_parts
from licet.rest.ordering import sortable_fields
from licet.rest.paging import DEFAULT_SIZE, MAX_SIZE
from licet.wire.described import NOTHING, Answer, Content, Described, Example, Parameter
from licet.wire.samples import NO_SAMPLE, sample_of

__all__ = ["IDEMPOTENCY_KEY", "IF_MATCH", "IF_NONE_MATCH", "describe_endpoint", "query_parameters"]

N = TypeVar("N", bound=Note)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_REFUSALS: Final[Mapping[int, str]] = {
    401: "A token was sent, and it is not acceptable; or nobody is signed in.",
    403: "The caller may not do this.",
    414: "The URL is too long.",
    431: "The headers are too large.",
}
_OF_BODIES: Final[Mapping[int, str]] = {
    400: "The body is empty, or no JSON object.",
    409: "A value has to be unique, or refers to a row that is not there; or an Idempotency-Key "
    "came before.",
    413: "The body is too large.",
    415: "The body is no application/json in UTF-8.",
    422: "Fields are wrong, unknown, or not the caller's to write; or an Idempotency-Key came with "
    "another request.",
}
IF_MATCH: Final = "The ETags of the versions that may be changed."
IF_NONE_MATCH: Final = "The ETags that the caller knows: the answer is 304 if one still holds."
IDEMPOTENCY_KEY: Final = "A key of the caller's; the same request again gets the first answer."


def _first(notes: tuple[Note, ...], kind: type[N]) -> N | None:
    return next((one for one in notes if isinstance(one, kind)), None)


def describe_endpoint(
    notes: tuple[Note, ...], method: str, rule: str, policies: Iterable[Policy] = ()
) -> Described:
    """The operation of a view with these notes, in an app with these policies."""
    refusals = dict(_REFUSALS)
    lookups = [one for one in notes if isinstance(one, LookupNote)]
    taken, shown = _first(notes, BodyNote), _first(notes, AnswerNote)
    parameters = [*_of_query(notes), *_of_headers(lookups, taken, method)]
    if lookups:
        refusals[404] = "There is no such object for the caller."
    if any(one.needs_tag for one in lookups):
        refusals[428] = "The request names no version: send If-Match."
    if any(_heeds_tag(one, method) for one in lookups):
        refusals[412] = "The object has another version than If-Match names."
    if any(isinstance(one, QueryNote) for one in notes):
        refusals[422] = "Parameters are wrong or unknown."
    if taken is not None:
        refusals.update(_OF_BODIES)
    body = None if taken is None else _body(taken, policies)
    answers = tuple(_answers(notes, lookups, shown, method))
    return Described(
        parameters=tuple(parameters),
        body=body,
        answers=answers,
        refusals=refusals,
        examples=tuple(_examples(parameters, body, answers, rule)),
        unknown=""
        if shown is not None
        else "The view answers by itself: the forms and statuses of its answers are not known.",
    )


def _heeds_tag(lookup: LookupNote, method: str) -> bool:
    is_read = method in _SAFE or (lookup.verb is not None and lookup.verb.name == "VIEW")
    return lookup.needs_tag or (not is_read and is_versioned(lookup.model))


# --- requests ------------------------------------------------------------------------------------


def _of_headers(
    lookups: list[LookupNote], taken: BodyNote | None, method: str
) -> Iterator[Parameter]:
    heeded = [one for one in lookups if _heeds_tag(one, method)]
    if heeded:
        is_required = any(one.needs_tag for one in heeded)
        yield Parameter(
            name="If-Match", place="header", description=IF_MATCH, is_required=is_required
        )
    elif method == "GET" and any(is_versioned(one.model) for one in lookups):
        yield Parameter(name="If-None-Match", place="header", description=IF_NONE_MATCH)
    if taken is not None and method == "POST":
        yield Parameter(name="Idempotency-Key", place="header", description=IDEMPOTENCY_KEY)


def _of_query(notes: tuple[Note, ...]) -> Iterator[Parameter]:
    for note in notes:
        if isinstance(note, QueryNote):
            if note.listed is not None:
                yield from _of_pages(note.listed)
            yield from query_parameters(note.schema)


def query_parameters(schema: Any) -> Iterator[Parameter]:
    """The fields of a schema as parameters of a query."""
    found, _ = as_json_schema(schema, is_body=True)
    needed, definitions = found.get("required", ()), found.get("$defs", {})
    for name, inner in found.get("properties", {}).items():
        written = {**inner, "$defs": definitions} if definitions else inner
        told = inner.get("description", "")
        yield Parameter(name=name, schema=written, description=told, is_required=name in needed)


def _of_pages(model: type[Any]) -> Iterator[Parameter]:
    whole = {"type": "integer", "minimum": 0}  # a default would stand beside a cursor
    yield Parameter(name="page_num", schema=whole, description="The page, from 0.")
    size = {"type": "integer", "minimum": 1, "default": DEFAULT_SIZE}
    told = f"Objects in a page; above {MAX_SIZE} it is {MAX_SIZE}."
    yield Parameter(name="page_size", schema=size, description=told)
    names = {"type": "string", "enum": sorted(sortable_fields(model))}
    told = "One of the fields that the caller sees on every row."
    yield Parameter(name="sort_field", schema=names, description=told)
    directions = {"type": "string", "enum": ["asc", "desc"], "default": "asc"}
    yield Parameter(name="sort_direction", schema=directions)
    told = "Of _meta.next in the page before; instead of page_num."
    yield Parameter(name="cursor", description=told)


def _body(note: BodyNote, policies: Iterable[Policy]) -> Content:
    model = note.reader.model
    policy = None if model is None else policy_of(policies, model)
    schema, name = body_schema(note.reader, never_written(policy))
    return Content(schema=schema, name=name, unknown=" ".join(unknown_parts(schema)))


# --- answers -------------------------------------------------------------------------------------


def _answers(
    notes: tuple[Note, ...], lookups: list[LookupNote], shown: AnswerNote | None, method: str
) -> Iterator[Answer]:
    if shown is None:
        return
    schema, name = answer_schema(shown.schema)
    unknown = " ".join(unknown_parts(schema))
    is_page = any(isinstance(one, QueryNote) and one.listed is not None for one in notes)
    is_object = bool(lookups) or any(isinstance(one, BodyNote) for one in notes)
    has_tag = "_etag" in schema.get("properties", {}) and is_object
    headers = {"ETag": "The version, and what the caller sees of it."} if has_tag else {}
    content = Content(schema=schema, name=name, unknown=unknown)
    if is_page:
        content = _page(content)
    elif not is_object:
        content = _any_shape(content)
    told = "A page of the list." if is_page else "What the caller may see of it."
    yield Answer(status=shown.status, description=told, content=content, headers=headers)
    if has_tag and method == "GET" and shown.status == 200:
        yield Answer(status=304, description="The caller knows this version.")


def _page(one: Content) -> Content:
    meta = {
        "type": "object",
        "properties": {
            "total": {"type": "integer", "description": "How many the caller may list."},
            "next": {"type": "string", "description": "The cursor of the next page."},
        },
        "required": ["total"],
    }
    properties = {"_items": {"type": "array", "items": one}, "_meta": meta}
    page = {"type": "object", "properties": properties, "required": ["_items", "_meta"]}
    return Content(schema=page, unknown=one.unknown)


def _any_shape(one: Content) -> Content:
    """Of a view that may give one object, a list of them, or a page."""
    page = _page(one).schema
    schema = {"anyOf": [one, {"type": "array", "items": one}, page]}
    return Content(schema=schema, unknown=one.unknown)


# --- examples ------------------------------------------------------------------------------------


def _examples(
    parameters: list[Parameter], body: Content | None, answers: tuple[Answer, ...], rule: str
) -> Iterator[Example]:
    """An example of an operation whose bodies are known, made of their schemas."""
    sent = NOTHING if body is None else _sample(body.schema)
    content = answers[0].content if answers else None
    if content is None or (body is not None and sent is NOTHING):
        return
    shown, varies = _sample(content.schema), [*_read_only(content.schema, "")]
    if isinstance(shown, dict) and "_meta" in shown:  # of which page it is depends on the others
        shown, varies = {**shown, "_meta": {"total": 1}}, [*varies, "/_meta/total"]
    needed = [one for one in parameters if one.is_required]
    yield Example(
        path={one.name: _path_value(one) for one in path_parameters(rule)},
        query={one.name: str(_sample(one.schema)) for one in needed if one.place == "query"},
        headers={one.name: "*" for one in needed if one.place == "header"},
        body=sent,
        status=answers[0].status,
        answer=shown,
        varies=tuple(varies),
    )


def _path_value(one: Parameter) -> str:
    """A value that stands for one of an example's set-up."""
    return "7001" if one.schema.get("type") == "integer" else f"a-{one.name}"


def _sample(schema: Any) -> Any:
    if isinstance(schema, Content):
        return _sample(schema.schema)
    found = sample_of(_plain(schema))
    return NOTHING if found is NO_SAMPLE else found


def _plain(schema: Any) -> Any:
    """The schema without the contents in it."""
    if isinstance(schema, Content):
        return _plain(schema.schema)
    if isinstance(schema, Mapping):
        return {key: _plain(one) for key, one in schema.items()}
    return [_plain(one) for one in schema] if isinstance(schema, list) else schema


def _read_only(schema: Any, place: str) -> Iterator[str]:
    """The places of members that the server sets."""
    schema = _plain(schema)
    if not isinstance(schema, Mapping):
        return
    for name, one in schema.get("properties", {}).items():
        if isinstance(one, Mapping) and one.get("readOnly"):
            yield f"{place}/{name}"
        else:
            yield from _read_only(one, f"{place}/{name}")
    yield from _read_only(schema.get("items"), f"{place}/*")
