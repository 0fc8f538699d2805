"""An example of each endpoint of JSON:API, made of its resource.

Each attribute has a value of its type, and each resource an id of its own, which stands for the one
that the example's set-up makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from licet.rest.jsonapi.documents import url_of
from licet.rest.jsonapi.resource import Bound, Link, Served
from licet.rest.openapi.access import never_shown
from licet.rest.openapi.resources.fixed import (
    always_belongs,
    back_link,
    is_fixed,
    is_set_by_changes,
)
from licet.rest.openapi.resources.values import sample_id, sample_of
from licet.rest.shapes import JSON_API
from licet.wire.described import NOTHING, Example

__all__ = ["example_of"]

_WRITES: Final = frozenset({"create", "create_related", "update", "relate"})


def example_of(served: Served, method: str) -> Iterator[Example]:
    """The example of an endpoint."""
    made = _Made(served)
    has_id = served.how not in ("list", "create") and not served.bound.resource.is_single
    body, status, answer, query = made.parts(method)
    yield Example(
        name=served.how if served.how != "relate" else method.lower(),
        path={"id": made.id_of(served.bound)} if has_id else {},
        query=query,
        headers={"Content-Type": JSON_API} if served.how in _WRITES else {},
        body=body,
        status=status,
        answer=answer,
        varies=tuple(made.varies),
    )


class _Made:
    """The parts of one example."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.varies: list[str] = []

    def id_of(self, bound: Bound) -> str:
        """The id of the example of a resource."""
        number = self._served.all_bounds.index(bound)
        return sample_id(bound.key.value_type, number)

    def parts(self, method: str) -> tuple[Any, int, Any, Mapping[str, str]]:
        """Body, status, answer and query."""
        bound, link, how = self._served.bound, self._served.link, self._served.how
        if how == "list":
            return NOTHING, 200, self._document([self._shown(bound)]), self._newest(bound)
        if how in ("detail", "restore"):
            return NOTHING, 200, self._document(self._shown(bound)), {}
        if how == "create":
            return self._sent(bound), 201, self._document(self._created(bound)), {}
        if how == "update":
            return self._sent(bound, has_id=True), 200, self._document(self._created(bound)), {}
        if how == "delete":
            meta = {"message": "Object successfully deleted"}
            return NOTHING, 200, {"meta": meta, **self._version()}, {}
        if link is None:
            raise LookupError(f"{how} is of a link")
        return self._of_link(link, how, method)

    def _of_link(
        self, link: Link, how: str, method: str
    ) -> tuple[Any, int, Any, Mapping[str, str]]:
        target = link.target
        if how == "create_related" and link.is_read_only:
            return self._sent(target), 403, NOTHING, {}
        if how == "create_related":
            created = self._document(self._created(target))
            return self._sent(target, known=back_link(self._served.bound, link)), 201, created, {}
        if how == "related":
            shown = self._shown(target)
            return NOTHING, 200, self._document([shown] if link.is_many else shown), {}
        identifier = self._identifier(target)
        data = [identifier] if link.is_many else identifier
        if how == "linkage":
            return NOTHING, 200, self._document(data), {}
        if is_fixed(self._served.bound, link.name):
            return {"data": data}, 422, NOTHING, {}
        if method == "DELETE" and always_belongs(self._served.bound, link):
            return {"data": data}, 403, NOTHING, {}
        left: Any = [] if method == "DELETE" else data
        return {"data": data}, 200, self._document(left), {}

    def _newest(self, bound: Bound) -> Mapping[str, str]:
        """A query whose first page has what was made last, where keys tell."""
        return {"sort": "-id"} if bound.key.value_type.python is int else {}

    def _document(self, data: Any) -> dict[str, Any]:
        return {"data": data, **self._version()}

    def _version(self) -> dict[str, Any]:
        return {"jsonapi": {"version": self._served.version}}

    def _identifier(self, bound: Bound) -> dict[str, str]:
        return {"type": bound.type, "id": self.id_of(bound)}

    def _shown(self, bound: Bound) -> dict[str, Any]:
        """A resource with a value of each attribute."""
        how = self._served.how
        place = "/data/*" if how == "list" or self._is_list() else "/data"
        values, hidden = {}, never_shown(bound.policy)
        for one in bound.attributes.values():
            if one.name in hidden:
                continue
            values[one.member] = sample_of(bound, one)
            if not one.is_column or (how == "restore" and is_set_by_changes(bound, one.name)):
                self.varies.append(f"{place}/attributes/{one.member}")
        own = url_of(self._served.prefix, bound, self.id_of(bound))
        shown = {"attributes": values} if values else {}
        links = {"self": own} if bound.has_url else {}
        return {**self._identifier(bound), **shown, "links": links}

    def _is_list(self) -> bool:
        link = self._served.link
        return self._served.how == "related" and link is not None and link.is_many

    def _created(self, bound: Bound) -> dict[str, Any]:
        """What is answered to a body: the attributes that were sent, and an id of its own."""
        found = self._shown(bound)
        values = bound.attributes.values()
        kept = {one.member for one in values if not is_fixed(bound, one.name)}
        shown = found.pop("attributes", {})
        attributes = {name: one for name, one in shown.items() if name in kept}
        is_new = self._served.how != "update"
        self.varies = ["/data/id", "/data/links/self"] if is_new else []
        return {**found, "attributes": attributes} if attributes else found

    def _sent(
        self, bound: Bound, *, has_id: bool = False, known: Link | None = None
    ) -> dict[str, Any]:
        data: dict[str, Any] = {"type": bound.type}
        if has_id:
            data["id"] = self.id_of(bound)
        data["attributes"] = {
            one.member: sample_of(bound, one)
            for one in bound.attributes.values()
            if not is_fixed(bound, one.name)
        }
        related = {
            link.member: {"data": self._identifier(link.target)}
            for link in bound.links.values()
            if link.is_required and not (link.is_many or has_id or link is known)
        }
        return {"data": {**data, "relationships": related} if related else data}
