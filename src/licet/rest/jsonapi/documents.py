"""Documents: those that are answered, and those that requests bring.

Source: JSON:API 1.1, "Document Structure" and "Creating, Updating and Deleting Resources".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from licet.rest.body import read_json
from licet.rest.jsonapi.errors import Refused, in_body, quoted
from licet.rest.jsonapi.names import found_in
from licet.rest.jsonapi.negotiation import MEDIA_TYPE
from licet.rest.jsonapi.resource import Bound, Link

__all__ = ["Given", "Linkage", "as_id", "read_document", "read_linkage", "url_of"]

_IDENTIFIER: Final = frozenset({"type", "id", "lid", "meta"})
_RELATIONSHIP: Final = frozenset({"data", "links", "meta"})
_RESOURCE: Final = frozenset({"type", "id", "lid", "attributes", "relationships", "links", "meta"})
MOST_LINKAGE: Final = 1000


def as_id(key: Any) -> str:
    """The id of a resource with the key."""
    return str(key)


def url_of(base: str, bound: Bound, key: Any = None) -> str:
    """The path of a collection, or of a resource."""
    url = f"{base}/{bound.resource.url}"
    if key is None or bound.resource.is_single:
        return url
    return f"{url}/{key if isinstance(key, int) else quote(as_id(key), safe='')}"


@dataclass(frozen=True)
class Linkage:
    """Where a relationship is to lead to: ids, and where the request says them."""

    link: Link
    ids: tuple[str, ...]
    pointer: str
    is_null: bool = False

    def pointer_of(self, index: int) -> str:
        """The place of one of the ids."""
        return f"{self.pointer}/{index}" if self.link.is_many else self.pointer

    def place_of(self, key: Any) -> str:
        """The place of the object with the key; that of all, when the request does not name it."""
        text = as_id(key)
        return self.pointer_of(self.ids.index(text)) if text in self.ids else self.pointer


@dataclass(frozen=True)
class Given:
    """The resource that a request brings: attributes by member, and linkages."""

    attributes: Mapping[str, Any]
    links: list[Linkage]


def parse(raw: bytes) -> Mapping[str, Any]:
    """The object that a body is.

    Raises:
        MalformedRequest, InvalidRequest: as `read_json`.
        Refused: 400.
    """
    found = read_json(raw, MEDIA_TYPE, accepted=(MEDIA_TYPE,))
    if not isinstance(found, dict):
        raise in_body("", "The body is a JSON object with the member data.")
    if "data" not in found:
        raise in_body("", "The body has no member data.")
    return found


def read_document(
    raw: bytes,
    bound: Bound,
    *,
    is_type: Callable[[str, Bound], bool],
    wanted_id: str | None = None,
) -> Given:
    """The resource of a body.

    Args:
        raw: the body.
        bound: the resource that it must be of.
        is_type: says whether a word is a name of a resource.
        wanted_id: the id that it must have; of a new one None, which may have none.

    Raises:
        Refused: 400 when it is no such document, 403 when a new one has an id, 409 when it is of
            another type or id.
    """
    resource = parse(raw)["data"]
    if not isinstance(resource, dict):
        raise in_body("/data", "data is one resource object.")
    if unknown := sorted(resource.keys() - _RESOURCE):
        raise in_body("/data", f"A resource object has no member {quoted(unknown[0])}.")
    _require_type(resource, bound, "/data", is_type)
    _require_id(resource, wanted_id)
    attributes, links = resource.get("attributes", {}), resource.get("relationships", {})
    for name, part in (("attributes", attributes), ("relationships", links)):
        if not isinstance(part, dict):
            raise in_body(f"/data/{name}", f"{name} is an object.")
    return Given(attributes, _relationships(links, bound, is_type))


def _require_type(
    given: Mapping[str, Any], bound: Bound, place: str, is_type: Callable[[str, Bound], bool]
) -> None:
    name = given.get("type")
    if not isinstance(name, str):
        raise in_body(place, "The member type is missing, or is no string.")
    if not is_type(name, bound):
        raise in_body(
            f"{place}/type",
            f"The type here is {bound.type}, not {quoted(name)}.",
            status=409,
            code="type_mismatch",
        )


def _require_id(given: Mapping[str, Any], wanted: str | None) -> None:
    found = given.get("id")
    if wanted is None:
        if "id" in given:
            raise in_body(
                "/data/id",
                "The id of a new resource is not chosen by the client.",
                status=403,
                code="client_generated_id",
            )
        return
    if "id" not in given or not isinstance(found, str):
        raise in_body("/data", "The member id is missing, or is no string.")
    if found != wanted:
        raise in_body(
            "/data/id",
            f"The id here is {quoted(wanted)}, not {quoted(found)}.",
            status=409,
            code="id_mismatch",
        )


def _relationships(
    given: Mapping[str, Any], bound: Bound, is_type: Callable[[str, Bound], bool]
) -> list[Linkage]:
    found: dict[Link, Linkage] = {}
    for name, one in given.items():
        linkage = _relationship(name, one, bound, is_type)
        if linkage.link in found:
            detail = f"{name} stands twice, in two spellings."
            raise refused_field(name, detail, kind="relationships")
        found[linkage.link] = linkage
    return list(found.values())


def _relationship(
    name: str, given: Any, bound: Bound, is_type: Callable[[str, Bound], bool]
) -> Linkage:
    place = f"/data/relationships/{_escaped(name)}"
    link = found_in(bound.links_by_name, name)
    if link is None:
        detail = f"{bound.type} has no relationship {quoted(name)}."
        raise in_body(place, detail, status=422, code="unknown_field")
    if not isinstance(given, dict) or "data" not in given:
        raise in_body(place, "A relationship is an object with the member data.")
    if unknown := sorted(given.keys() - _RELATIONSHIP):
        raise in_body(place, f"A relationship has no member {quoted(unknown[0])}.")
    return _linkage(given["data"], link, f"{place}/data", is_type)


def read_linkage(raw: bytes, link: Link, *, is_type: Callable[[str, Bound], bool]) -> Linkage:
    """The linkage that the body of a relationship's own URL is.

    Raises:
        Refused: 400, or 409 when a type is another.
    """
    return _linkage(parse(raw)["data"], link, "/data", is_type)


def _linkage(given: Any, link: Link, place: str, is_type: Callable[[str, Bound], bool]) -> Linkage:
    if not link.is_many:
        if given is None:
            return Linkage(link, (), place, is_null=True)
        return Linkage(link, (_identifier(given, link, place, is_type),), place)
    if not isinstance(given, list):
        raise in_body(place, f"{link.member} leads to many, so its data is a list.")
    if len(given) > MOST_LINKAGE:
        raise in_body(place, f"A request links at most {MOST_LINKAGE} resources.")
    ids = [_identifier(one, link, f"{place}/{n}", is_type) for n, one in enumerate(given)]
    return Linkage(link, tuple(dict.fromkeys(ids)), place)


def _identifier(given: Any, link: Link, place: str, is_type: Callable[[str, Bound], bool]) -> str:
    if not isinstance(given, dict):
        raise in_body(place, "A related resource is an object with type and id.")
    if unknown := sorted(given.keys() - _IDENTIFIER):
        raise in_body(place, f"A resource identifier has no member {quoted(unknown[0])}.")
    _require_type(given, link.target, place, is_type)
    found = given.get("id")
    if not isinstance(found, str):
        raise in_body(place, "The member id is missing, or is no string.")
    return found


def _escaped(name: str) -> str:
    """The name as a JSON pointer has it (RFC 6901, section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def refused_field(name: str, detail: str, *, kind: str = "attributes") -> Refused:
    """A field cannot be written so: 422."""
    pointer = f"/data/{kind}/{_escaped(name)}"
    return in_body(pointer, detail, status=422, code="invalid_field")
