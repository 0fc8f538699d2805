"""The documents that are answered: resource objects, their links, pages and what is included.

Source: JSON:API 1.1, "Document Structure" and "Fetching Data".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode

from licet.rest.etag import make_tag
from licet.rest.jsonapi.documents import as_id, url_of
from licet.rest.jsonapi.query import Query
from licet.rest.jsonapi.reading.rows import Layout, Listed, Row
from licet.rest.jsonapi.resource import Bound, Link
from licet.rest.jsonapi.values import as_json
from licet.rest.paging import last_page

__all__ = ["Answers"]


PLAIN: Final = frozenset({str, int, bool, type(None)})


@dataclass(frozen=True)
class _Shown:
    """Attributes, by member and place in the row, and links."""

    attributes: list[tuple[str, int]]
    links: list[Link]


@dataclass(frozen=True)
class Answers:
    """Makes the documents of one request.

    Args:
        base: the path before the collections' names.
        path: the request's own path.
        pairs: its query parameters.
        query: what they ask for.
    """

    base: str
    path: str
    pairs: list[tuple[str, str]]
    query: Query
    _shown: dict[tuple[Layout, frozenset[str]], _Shown] = field(default_factory=dict)

    def one(self, row: Row | None, included: Iterable[Row] = ()) -> dict[str, Any]:
        """The document of one resource, or of none."""
        links = {"self": self._own()}
        data = None if row is None else self._resource(row)
        return self._document(data, links, included)

    def tag(self, row: Row) -> str | None:
        """The ETag, without quotes, of the document of one resource.

        None of a model without versions, and of a document that shows other rows as well. What it
        shows of the row, and a change of it does not count, is in the digest beside the mask.
        """
        if row.version is None or self.query.includes:
            return None
        values, places, attributes = row.values, row.layout.places, row.bound.attributes
        computed = [
            f"{name}={as_json(values[places[name]])!r}"
            for name, one in attributes.items()
            if not one.is_column and name in places and name in row.visible
        ]
        linked = [f"{name}={key}" for name, key in row.one.items() if name in row.visible]
        return make_tag(row.version, [*row.visible, *computed, *linked])

    def seen(self, rows: Iterable[Row]) -> list[str]:
        """What a document shows of these rows, in words for a digest: all but their values."""
        return [
            f"{row.bound.type} {row.key!r} {sorted(row.visible)} {row.one!r} {row.many!r}"
            for row in rows
        ]

    def listed(self, page: Listed, included: Iterable[Row] = ()) -> dict[str, Any]:
        """The document of a page."""
        data = [self._resource(row) for row in page.rows]
        found = self._document(data, self._page_links(page), included)
        return {**found, "meta": self._page_meta(page)}

    def linkage(self, bound: Bound, key: Any, link: Link, found: Listed | Any) -> dict[str, Any]:
        """The document of a relationship: a page of it, or the key that it leads to."""
        links = _relationship_links(url_of(self.base, bound, key), link)
        if not link.is_many:
            data = None if found is None else _identifier(link.target, found)
            return self._document(data, links, ())
        identifiers = [_identifier(link.target, row.key) for row in found.rows]
        both = {**self._page_links(found), **links}
        return {**self._document(identifiers, both, ()), "meta": self._page_meta(found)}

    def bare(self, bound: Bound, key: Any) -> dict[str, Any]:
        """The document of a resource of which the caller may see nothing."""
        links = {"self": url_of(self.base, bound, key)} if bound.has_url else {}
        return self._document({**_identifier(bound, key), "links": links}, links, ())

    def _document(
        self, data: Any, links: Mapping[str, Any], included: Iterable[Row]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {"data": data, "links": links}
        if self.query.includes:
            found["included"] = [self._resource(row) for row in included]
        return found

    # --- resource objects ------------------------------------------------------------------------

    def _resource(self, row: Row) -> dict[str, Any]:
        bound, values = row.bound, row.values
        # of all rows of one statement whose visible fields are the same
        shown = self._shown.get((row.layout, row.visible))
        if shown is None:
            shown = self._shown[row.layout, row.visible] = self._find_shown(row)
        key = values[0]
        own = url_of(self.base, bound, key)
        found: dict[str, Any] = {"type": bound.type, "id": as_id(key)}
        if shown.attributes:
            found["attributes"] = {
                member: value if (value := values[place]).__class__ in PLAIN else as_json(value)
                for member, place in shown.attributes
            }
        if shown.links:
            found["relationships"] = {
                link.member: self._relationship(row, link, own) for link in shown.links
            }
        found["links"] = {"self": own} if bound.has_url else {}
        return found

    def _find_shown(self, row: Row) -> _Shown:
        """Which fields are shown of all rows of which the same fields are visible."""
        bound = row.bound
        places = row.layout.places
        attributes = [
            (attribute.member, places[name])
            for name, attribute in bound.attributes.items()
            if name in places and name in row.visible
        ]
        shows = self.query.shows
        names = [name for name in bound.links if name in row.visible and shows(bound, name)]
        return _Shown(attributes, [bound.links[name] for name in names])

    def _relationship(self, row: Row, link: Link, own: str) -> dict[str, Any]:
        found: dict[str, Any] = {"links": _relationship_links(own, link)}
        if link.name in row.many:
            found["data"] = [_identifier(link.target, key) for key in row.many[link.name]]
        elif link.name in row.one:
            key = row.one[link.name]
            found["data"] = None if key is None else _identifier(link.target, key)
        return found

    # --- pages -----------------------------------------------------------------------------------

    def _own(self) -> str:
        return f"{self.path}?{urlencode(self.pairs)}" if self.pairs else self.path

    @cached_property
    def _before_page(self) -> str:
        """The URL of the list, to which the parameters of a page are added."""
        pairs = [(name, value) for name, value in self.pairs if not name.startswith("page[")]
        return f"{self.path}?{urlencode([*pairs, ('page[size]', self.query.page.size)])}"

    def _at(self, number: int) -> str:
        return f"{self._before_page}&page%5Bnumber%5D={number}"

    def _by_cursor(self, name: str, cursor: str | None) -> str | None:
        return None if cursor is None else f"{self._before_page}&page%5B{name}%5D={cursor}"

    def _page_links(self, page: Listed) -> dict[str, str | None]:
        asked = self.query.page
        links: dict[str, str | None] = {"self": self._own()}
        if asked.is_by_cursor:
            links["first"] = self._by_cursor("after", "")
            links["last"] = self._by_cursor("before", "")
            links["prev"] = self._by_cursor("before", page.before)
            links["next"] = self._by_cursor("after", page.after)
            return links
        last, number = last_page(page.count, asked.size, first=1), asked.number
        links["first"], links["last"] = self._at(1), self._at(last)
        links["prev"] = self._at(min(number - 1, last)) if number > 1 else None
        links["next"] = self._at(number + 1) if number < last else None
        return links

    def _page_meta(self, page: Listed) -> dict[str, Any]:
        """How many there are, and links by cursor, which lose no row while others insert."""
        return {
            "count": page.count,
            "cursors": {
                "prev": self._by_cursor("before", page.before),
                "next": self._by_cursor("after", page.after),
            },
        }


def _relationship_links(own: str, link: Link) -> dict[str, str]:
    member = link.member
    return {"self": f"{own}/relationships/{member}", "related": f"{own}/{member}"}


def _identifier(bound: Bound, key: Any) -> dict[str, Any]:
    return {"type": bound.type, "id": as_id(key)}
