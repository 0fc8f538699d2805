"""What the query parameters of a request ask for, read and checked against the resources.

Source: JSON:API 1.1, "Fetching Data" and "Query Parameters".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from licet.rest.jsonapi.errors import Refused, in_query, quoted
from licet.rest.jsonapi.filters import Node, Searched, read_filter
from licet.rest.jsonapi.names import found_in, split_path
from licet.rest.jsonapi.resource import Attribute, Bound, Link
from licet.rest.paging import MAX_SIZE

__all__ = ["Includes", "Page", "Query", "SortKey", "read_query"]

DEFAULT_SIZE: Final = 20
MOST_OFFSET: Final = 2**53
MOST_SORTS: Final = 5
MOST_INCLUDES: Final = 50
MOST_DEPTH: Final = 3
MOST_LENGTH: Final = 20_000
_FAMILY: Final = re.compile(r"(fields|page|filter)\[([^\[\]]*)\]")
_OF_LISTS: Final = frozenset({"sort", "filter", "page"})
_WHOLE: Final = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True)
class Page:
    """Which part of a list; `after` and `before` are cursors, "" for its beginning or end."""

    size: int = DEFAULT_SIZE
    number: int = 1
    after: str | None = None
    before: str | None = None

    @property
    def offset(self) -> int:
        """How many rows come before the page."""
        return (self.number - 1) * self.size

    @property
    def is_by_cursor(self) -> bool:
        """Whether a cursor says where the page is."""
        return self.after is not None or self.before is not None


@dataclass(frozen=True)
class SortKey:
    """One key of an order: an attribute of the resource, or of one that to-one links lead to."""

    links: tuple[Link, ...]
    attribute: Attribute
    is_descending: bool


Includes = dict[Link, "Includes"]


@dataclass(frozen=True)
class Query:
    """What a request asks for."""

    includes: Includes = field(default_factory=dict)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)  # names, by type
    sort: tuple[SortKey, ...] = ()
    where: Node | None = None
    page: Page = field(default_factory=Page)
    is_trash: bool = False

    def shows(self, bound: Bound, name: str) -> bool:
        """Whether the answer has a field of a resource."""
        wanted = self.fields.get(bound.type)
        return wanted is None or name in wanted


@dataclass(frozen=True)
class _Parameter:
    """One parameter: its family, what stands in the brackets, and its value."""

    family: str
    member: str | None
    value: str
    name: str


def read_query(
    pairs: Iterable[tuple[str, str]],
    bound: Bound,
    types: Mapping[str, Bound],
    searched: Searched,
    *,
    of: str,
) -> Query:
    """What the parameters ask for.

    Args:
        pairs: the parameters and their values, in order.
        bound: the resource of the answer's primary data.
        types: all resources, by their folded types and names in URLs.
        searched: gives the fields of a resource that the caller may query.
        of: "list", "one", or "write", which ignores what only means something on lists.

    Raises:
        Refused: 400, naming the parameter.
    """
    given = _parameters(pairs)
    if of == "write":
        given = [one for one in given if one.family not in _OF_LISTS]
    trash = _trash(given, bound)
    given = [one for one in given if one is not trash]
    if of == "one" and (first := next((p for p in given if p.family in _OF_LISTS), None)):
        raise in_query(first.name, f"{first.name} is for lists, and this is one resource.")
    by_family: dict[str, list[_Parameter]] = {}
    for one in given:
        by_family.setdefault(one.family, []).append(one)
    filters = by_family.get("filter", [])
    whole = next((one.value for one in filters if one.member is None), None)
    short = [(one.member, one.value, one.name) for one in filters if one.member is not None]
    return Query(
        includes=_includes(by_family.get("include", []), bound, searched),
        fields=_fields(by_family.get("fields", []), types),
        sort=_sort(by_family.get("sort", []), bound, searched),
        where=read_filter(whole, short, bound, searched),
        page=_page(by_family.get("page", [])),
        is_trash=trash is not None and trash.value == "true",
    )


def _parameters(pairs: Iterable[tuple[str, str]]) -> list[_Parameter]:
    found: dict[str, _Parameter] = {}
    for name, value in pairs:
        match = _FAMILY.fullmatch(name)
        family, member = (match[1], match[2]) if match else (name, None)
        if not match and name not in ("include", "sort", "filter"):
            raise in_query(name, f"There is no parameter {quoted(name)}.")
        if name in found:
            raise in_query(name, f"{name} stands twice.")
        if len(value) > MOST_LENGTH:
            raise in_query(name, f"{name} has at most {MOST_LENGTH} characters.")
        found[name] = _Parameter(family, member, value, name)
    return list(found.values())


def _trash(given: list[_Parameter], bound: Bound) -> _Parameter | None:
    """``filter[deleted]``, of a resource that has a trash."""
    if bound.resource.soft_delete is None:
        return None
    found = next((one for one in given if one.name == "filter[deleted]"), None)
    if found is not None and found.value not in ("true", "false"):
        raise in_query(found.name, "filter[deleted] is true or false.")
    return found


def _includes(given: list[_Parameter], bound: Bound, searched: Searched) -> Includes:
    tree: Includes = {}
    if not given or not given[0].value:
        return tree
    paths = given[0].value.split(",")
    if len(paths) > MOST_INCLUDES:
        raise in_query("include", f"include has at most {MOST_INCLUDES} paths.")
    for path in paths:
        names = split_path(path)
        if len(names) > MOST_DEPTH:
            raise in_query("include", f"{quoted(path)} is deeper than {MOST_DEPTH} relationships.")
        branch, here = tree, bound
        for name in names:
            link = found_in(here.links_by_name, name)
            if link is None or link.name not in searched(here):
                raise in_query("include", f"{here.type} cannot include {quoted(name)}.")
            branch, here = branch.setdefault(link, {}), link.target
    return tree


def _fields(given: list[_Parameter], types: Mapping[str, Bound]) -> dict[str, frozenset[str]]:
    found = {}
    for one in given:
        bound = found_in(types, one.member or "")
        if bound is None:
            raise in_query(one.name, f"There is no type {quoted(one.member)}.")
        if bound.type in found:
            raise in_query(one.name, f"The fields of {bound.type} are named twice.")
        found[bound.type] = frozenset(_field_names(one, bound))
    return found


def _field_names(given: _Parameter, bound: Bound) -> Iterable[str]:
    for name in given.value.split(",") if given.value else ():
        found: Attribute | Link | None = found_in(bound.attributes_by_name, name)
        found = found or found_in(bound.links_by_name, name)
        if found is None:
            raise in_query(given.name, f"{bound.type} has no field {quoted(name)}.")
        yield found.name


def _sort(given: list[_Parameter], bound: Bound, searched: Searched) -> tuple[SortKey, ...]:
    if not given or not given[0].value:
        return ()
    names = given[0].value.split(",")
    if len(names) > MOST_SORTS:
        raise in_query("sort", f"sort has at most {MOST_SORTS} fields.")
    return tuple(_sort_key(name, bound, searched) for name in names)


def _sort_key(name: str, bound: Bound, searched: Searched) -> SortKey:
    is_descending = name.startswith("-")
    *way, last = split_path(name.removeprefix("-"))
    refusal = in_query("sort", f"{bound.type} cannot be sorted by {quoted(name)}.")
    if len(way) > MOST_DEPTH:
        raise refusal
    links, here = [], bound
    for part in way:
        link = _sorted_through(part, here, searched, refusal)
        links.append(link)
        here = link.target
    attribute = here.key if last == "id" else found_in(here.attributes_by_name, last)
    if attribute is None or attribute.name not in searched(here):
        raise refusal
    if not attribute.value_type.is_comparable:
        raise refusal
    return SortKey(tuple(links), attribute, is_descending)


def _sorted_through(name: str, here: Bound, searched: Searched, refusal: Refused) -> Link:
    link = found_in(here.links_by_name, name)
    if link is None or link.is_many or not link.keys or link.name not in searched(here):
        raise refusal
    return link


def _page(given: list[_Parameter]) -> Page:
    values = {one.member: one for one in given}
    known = {"size", "number", "after", "before"}
    for member, one in values.items():
        if member not in known:
            raise in_query(one.name, f"A page has {', '.join(sorted(known))}, not {one.name}.")
    if len(values.keys() & {"number", "after", "before"}) > 1:
        raise in_query("page", "A page is said by number, after or before: by one of them.")
    size = _whole(values.get("size"), DEFAULT_SIZE)
    size = min(size, MAX_SIZE) or MAX_SIZE
    number = _whole(values.get("number"), 1)
    if number < 1 or number * size > MOST_OFFSET:
        raise in_query("page[number]", "page[number] is a number from 1 on.")
    after, before = values.get("after"), values.get("before")
    return Page(
        size,
        number,
        after=None if after is None else after.value,
        before=None if before is None else before.value,
    )


def _whole(given: _Parameter | None, default: int) -> int:
    if given is None:
        return default
    if not _WHOLE.fullmatch(given.value):
        raise in_query(given.name, f"{given.name} is a number that is not negative.")
    return int(given.value)
