"""The documents of JSON:API as JSON Schema, made of resources.

A schema is a `Content` with a name wherever it is kept under `components/schemas`.

Source: JSON:API 1.1, "Document Structure".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from licet.rest.jsonapi.documents import MOST_LINKAGE
from licet.rest.jsonapi.resource import Bound, Link
from licet.rest.openapi.access import never_shown
from licet.rest.openapi.resources.fixed import is_fixed
from licet.rest.openapi.resources.values import value_schema
from licet.wire.described import Content

__all__ = [
    "changes",
    "deleted",
    "document",
    "linkage",
    "linkage_body",
    "list_document",
    "maybe",
    "new",
    "resource",
]

_TEXT: Final = {"type": "string"}
_MAYBE: Final = {"type": ["string", "null"]}
_VERSION: Final = {"type": "object", "properties": {"version": _TEXT}, "required": ["version"]}


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def _named(name: str, schema: dict[str, Any]) -> Content:
    return Content(schema=schema, name=name)


def _object(properties: Mapping[str, Any], required: list[str], **more: Any) -> dict[str, Any]:
    needed = {"required": required} if required else {}
    return {"type": "object", "properties": dict(properties), **needed, **more}


def _links(*names: str, also: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return _object({**dict.fromkeys(names, _TEXT), **(also or {})}, [])


def identifier(bound: Bound) -> Content:
    """The type and id of a resource."""
    properties = {"type": {"type": "string", "const": bound.type}, "id": _TEXT}
    return _named(f"{_pascal(bound.type)}Identifier", _object(properties, ["type", "id"]))


def resource(bound: Bound) -> Content:
    """A resource as it is answered: members that the caller does not see are left out."""
    hidden = never_shown(bound.policy)
    attributes = {
        one.member: {
            **value_schema(one.value_type, is_body=False),
            **({} if one.is_column else {"readOnly": True}),
            **({"writeOnly": True} if one.name in hidden else {}),
        }
        for one in bound.attributes.values()
    }
    related = {link.member: _relationship(link) for link in bound.links.values()}
    properties = {
        "type": {"type": "string", "const": bound.type},
        "id": _TEXT,
        "attributes": _object(attributes, [], additionalProperties=False),
        "relationships": _object(related, [], additionalProperties=False),
        "links": _links("self"),
    }
    return _named(_pascal(bound.type), _object(properties, ["type", "id", "links"]))


def _relationship(link: Link) -> dict[str, Any]:
    return _object({"links": _links("self", "related"), "data": _data(link)}, ["links"])


def _data(link: Link) -> dict[str, Any]:
    one = identifier(link.target)
    return {"type": "array", "items": one} if link.is_many else {"anyOf": [one, {"type": "null"}]}


# --- answers -------------------------------------------------------------------------------------


def _included() -> dict[str, Any]:
    properties = {"type": _TEXT, "id": _TEXT, "attributes": {"type": "object"}}
    properties |= {"relationships": {"type": "object"}, "links": {"type": "object"}}
    told = "Resources of other types, as the parameter include asks for them."
    found = _named("IncludedResource", _object(properties, ["type", "id"]))
    return {"type": "array", "items": found, "description": told}


def _whole(data: Any, links: dict[str, Any], **more: Any) -> dict[str, Any]:
    properties = {"data": data, "links": links, "jsonapi": _VERSION, **more}
    return _object(properties, list(properties))


def document(bound: Bound) -> Content:
    """One resource."""
    found = _whole(resource(bound), _links("self"))
    found["properties"]["included"] = _included()
    return _named(f"{_pascal(bound.type)}Document", found)


def maybe(bound: Bound) -> Content:
    """One resource, or none."""
    found = _whole({"anyOf": [resource(bound), {"type": "null"}]}, _links("self"))
    found["properties"]["included"] = _included()
    return _named(f"{_pascal(bound.type)}OrNone", found)


def _pages() -> dict[str, Any]:
    return _links("self", also=dict.fromkeys(("first", "last", "prev", "next"), _MAYBE))


def _meta() -> Content:
    cursors = _object({"prev": _MAYBE, "next": _MAYBE}, ["prev", "next"])
    properties = {"count": {"type": "integer", "minimum": 0}, "cursors": cursors}
    return _named("PageMeta", _object(properties, ["count", "cursors"]))


def list_document(bound: Bound) -> Content:
    """A page of resources."""
    found = _whole({"type": "array", "items": resource(bound)}, _pages(), meta=_meta())
    found["properties"]["included"] = _included()
    return _named(f"{_pascal(bound.type)}List", found)


def linkage(link: Link) -> Content:
    """What a relationship leads to: types and ids."""
    also = {"related": _TEXT}
    if not link.is_many:
        found = _whole(_data(link), _links("self", also=also))
        found["properties"]["included"] = _included()
        return _named(f"{_pascal(link.target.type)}Linkage", found)
    pages = _pages()
    pages["properties"] |= also
    found = _whole(_data(link), pages, meta=_meta())
    found["properties"]["included"] = _included()
    return _named(f"{_pascal(link.target.type)}LinkageList", found)


def deleted() -> Content:
    """The answer to DELETE."""
    meta = _object({"message": _TEXT}, ["message"])
    found = _object({"meta": meta, "jsonapi": _VERSION}, ["meta", "jsonapi"])
    return _named("Deleted", found)


# --- bodies --------------------------------------------------------------------------------------


def new(bound: Bound, known: Link | None = None) -> Content:
    """The body of a request to create a resource; a link that the URL says is not required."""
    written = [one for one in bound.attributes.values() if not is_fixed(bound, one.name)]
    required = [one.member for one in written if one.is_required]
    links = [link.member for link in bound.links.values() if link.is_required and link is not known]
    found = _body(bound, required, links)
    suffix = "New" if known is None else "NewRelated"
    return _named(f"{_pascal(bound.type)}{suffix}", found)


def changes(bound: Bound) -> Content:
    """The body of a request to change a resource."""
    found = _body(bound, [], [], has_id=True)
    return _named(f"{_pascal(bound.type)}Changes", found)


def _body(
    bound: Bound, attributes: list[str], links: list[str], *, has_id: bool = False
) -> dict[str, Any]:
    closed = {"additionalProperties": False}
    values = {
        one.member: value_schema(one.value_type, is_body=True)
        for one in bound.attributes.values()
        if not is_fixed(bound, one.name)
    }
    related = {
        link.member: _object({"data": _sent(link)}, ["data"], **closed)
        for link in bound.links.values()
        if not is_fixed(bound, link.name)
    }
    properties: dict[str, Any] = {"type": {"type": "string", "const": bound.type}}
    properties |= {"id": _TEXT} if has_id else {}
    if values:
        properties["attributes"] = _object(values, attributes, **closed)
    if related:
        properties["relationships"] = _object(related, links, **closed)
    required = ["type", *(["id"] if has_id else [])]
    required += ["attributes"] if attributes else []
    required += ["relationships"] if links else []
    data = _object(properties, required, **closed)
    return _object({"data": data}, ["data"])


def _sent(link: Link) -> dict[str, Any]:
    found = _data(link)
    return {**found, "maxItems": MOST_LINKAGE} if link.is_many else found


def linkage_body(link: Link) -> Content:
    """The body of a request to a relationship's own URL."""
    suffix = "LinkageChanges" if link.is_many else "LinkageChange"
    found = _object({"data": _sent(link)}, ["data"])
    return _named(f"{_pascal(link.target.type)}{suffix}", found)
