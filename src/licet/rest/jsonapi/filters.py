"""The syntax of ``filter``: what a caller asks of the rows of a list, read and checked.

    [{"name": "state", "op": "eq", "val": "accepted"},
     {"or": [{"name": "title", "op": "ilike", "val": "%flask%"},
             {"name": "speakers", "op": "any", "val": {"name": "name", "op": "eq", "val": "Ada"}}]}]

Parts of a list must all hold. Only what the caller may query can be named; another name is refused
in the same words, whether there is such a field or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from licet.rest.jsonapi.errors import Refused, in_query, quoted
from licet.rest.jsonapi.names import found_in, split_path
from licet.rest.jsonapi.resource import Attribute, Bound, Link
from licet.rest.jsonapi.values import ValueType, read, read_text
from licet.wire.documents import read_json

__all__ = ["Compare", "Inverse", "Junction", "Node", "Related", "Searched", "read_filter"]

MOST_CONDITIONS: Final = 20
MOST_DEPTH: Final = 5
MOST_VALUES: Final = 500
MOST_PATTERN: Final = 100
MOST_PATH: Final = 3

Searched = Callable[[Bound], frozenset[str]]  # the fields that the caller may query
_PATTERNS: Final = frozenset({"like", "ilike", "notilike", "startswith", "endswith"})
_LISTS: Final = frozenset({"in_", "notin_"})
_ORDERS: Final = frozenset({"gt", "ge", "lt", "le", "between"})
_NULLS: Final = frozenset({"is_", "isnot"})
_RELATED: Final = frozenset({"any", "has"})
_COMPARED: Final = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_OPS: Final = _PATTERNS | _LISTS | _ORDERS | _NULLS | _RELATED | _COMPARED


@dataclass(frozen=True)
class Compare:
    """An attribute beside a value, or beside another attribute."""

    attribute: Attribute
    op: str
    value: Any = None
    other: Attribute | None = None


@dataclass(frozen=True)
class Related:
    """Some object at the end of a relationship fulfils a node; any object, without one."""

    link: Link
    inner: Node | None


@dataclass(frozen=True)
class Junction:
    """All of the parts hold, or one of them."""

    is_all: bool
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Inverse:
    """The part does not hold."""

    part: Node


Node = Compare | Related | Junction | Inverse


def read_filter(
    text: str | None, short: list[tuple[str, str, str]], bound: Bound, searched: Searched
) -> Node | None:
    """The conditions of ``filter=`` and of ``filter[name]=``, which must all hold.

    Args:
        text: the value of ``filter``.
        short: name, value and parameter of each of the others.
        bound: the resource of the list.
        searched: what may be named.

    Raises:
        Refused: 400, with the parameter and the place within it.
    """
    reader = _Reader(searched)
    parts: list[Node] = []
    if text is not None:
        parts += reader.whole(text, bound)
    parts += [reader.short(*one, bound) for one in short]
    return Junction(is_all=True, parts=tuple(parts)) if parts else None


class _Reader:
    """Reads the nodes of one request, and counts them."""

    def __init__(self, searched: Searched) -> None:
        self._searched = searched
        self._count = 0

    def whole(self, text: str, bound: Bound) -> list[Node]:
        try:
            given = read_json(text.encode("utf-8", "surrogatepass"))
        except ValueError as error:
            raise in_query("filter", f"filter is no JSON: {error}.") from error
        if not isinstance(given, list):
            raise in_query("filter", "filter is a JSON list of conditions.")
        return [self._node(one, bound, f"/{n}", 1) for n, one in enumerate(given)]

    def short(self, name: str, value: str, parameter: str, bound: Bound) -> Node:
        self._counted(parameter)
        links, attribute = self._path(name, bound, parameter)
        try:
            read_value = read_text(_nullable(attribute.value_type), value)
        except ValueError as error:
            raise in_query(parameter, f"The value of {parameter} {error}.") from error
        if not attribute.value_type.is_comparable:
            raise in_query(parameter, f"{attribute.member} can only be asked whether it is null.")
        return _within(links, Compare(attribute, "eq", read_value))

    def _counted(self, parameter: str) -> None:
        self._count += 1
        if self._count > MOST_CONDITIONS:
            raise in_query(parameter, f"A filter has at most {MOST_CONDITIONS} conditions.")

    def _node(self, given: Any, bound: Bound, place: str, depth: int) -> Node:
        if depth > MOST_DEPTH:
            raise _wrong(place, f"A filter is at most {MOST_DEPTH} levels deep.")
        if not isinstance(given, dict):
            raise _wrong(place, "A condition is an object with name, op, and val or field.")
        keys = given.keys()
        if len(keys) == 1 and (joined := keys & {"and", "or", "not"}):
            return self._joined(joined.pop(), given, bound, place, depth)
        if not {"name", "op"} <= keys <= {"name", "op", "val", "field"}:
            raise _wrong(
                place, "A condition has the members name and op, and val or field; or and, or, not."
            )
        self._counted("filter")
        return self._condition(given, bound, place, depth)

    def _joined(self, word: str, given: Any, bound: Bound, place: str, depth: int) -> Node:
        inner, at = given[word], f"{place}/{word}"
        if word == "not":
            return Inverse(self._node(inner, bound, at, depth + 1))
        if not isinstance(inner, list) or not inner:
            raise _wrong(at, f"{word} has a list of conditions.")
        parts = (self._node(one, bound, f"{at}/{n}", depth + 1) for n, one in enumerate(inner))
        return Junction(is_all=word == "and", parts=tuple(parts))

    def _condition(self, given: Any, bound: Bound, place: str, depth: int) -> Node:
        name, op = given["name"], given["op"]
        if not isinstance(name, str):
            raise _wrong(f"{place}/name", "The name of a condition is a string.")
        if not isinstance(op, str) or op not in _OPS:
            raise _wrong(f"{place}/op", f"There is no operator {quoted(op)}: {_listed(_OPS)}.")
        if op in _RELATED:
            return self._related(given, bound, place, depth)
        links, attribute = self._path(name, bound, f"{place}/name", is_short=False)
        end = links[-1].target if links else bound
        if "field" in given:
            return _within(links, self._beside(given, end, attribute, place))
        if "val" not in given:
            raise _wrong(place, "A condition has val or field.")
        return _within(links, _compare(attribute, op, given["val"], f"{place}/val"))

    def _related(self, given: Any, bound: Bound, place: str, depth: int) -> Node:
        link = self._link(given["name"], bound)
        if link is None:
            raise _wrong(f"{place}/name", _unknown(given["name"], bound))
        if link.is_many is not (given["op"] == "any"):
            right = "any" if link.is_many else "has"
            raise _wrong(f"{place}/op", f"{link.member} is asked with {right}.")
        if "val" not in given:
            raise _wrong(place, f"{given['op']} has a condition as val.")
        inner = given["val"]
        if isinstance(inner, list):
            inner = {"and": inner}
        return Related(link, self._node(inner, link.target, f"{place}/val", depth + 1))

    def _beside(self, given: Any, end: Bound, attribute: Attribute, place: str) -> Compare:
        name, op = given["field"], given["op"]
        if "val" in given:
            raise _wrong(place, "A condition has val or field, not both.")
        if op not in _COMPARED:
            raise _wrong(f"{place}/op", f"Two fields are compared with {_listed(_COMPARED)}.")
        other = self._attribute(name, end) if isinstance(name, str) else None
        if other is None:
            raise _wrong(f"{place}/field", _unknown(name, end))
        is_alike = _traits(attribute) == _traits(other) and attribute.value_type.is_comparable
        if not is_alike:
            raise _wrong(f"{place}/field", f"{attribute.member} and {other.member} differ in type.")
        _require_order(attribute, op, f"{place}/op")
        return Compare(attribute, op, other=other)

    def _path(
        self, name: str, bound: Bound, place: str, *, is_short: bool = True
    ) -> tuple[list[Link], Attribute]:
        """The relationships and the attribute that a dotted name leads to."""
        *way, last = split_path(name)
        links: list[Link] = []
        here: Bound = bound
        for part in way[:MOST_PATH]:
            link = self._link(part, here)
            if link is None:
                break
            links.append(link)
            here = link.target
        attribute = self._attribute(last, here) if len(links) == len(way) else None
        if attribute is None:
            told = _unknown(name, bound)
            raise in_query(place, told) if is_short else _wrong(place, told)
        return links, attribute

    def _link(self, name: object, bound: Bound) -> Link | None:
        link = found_in(bound.links_by_name, name) if isinstance(name, str) else None
        return link if link is not None and link.name in self._searched(bound) else None

    def _attribute(self, name: str, bound: Bound) -> Attribute | None:
        attribute = bound.key if name == "id" else found_in(bound.attributes_by_name, name)
        is_known = attribute is not None and attribute.name in self._searched(bound)
        return attribute if is_known else None


def _compare(attribute: Attribute, op: str, value: Any, place: str) -> Compare:
    wanted = _nullable(attribute.value_type)
    if op in _NULLS:
        return _of_null(attribute, op, value, place)
    if value is None and op in ("eq", "ne"):
        return Compare(attribute, "is_" if op == "eq" else "isnot")
    if not wanted.is_comparable:
        raise _wrong(place, f"{attribute.member} can only be asked whether it is null.")
    if op in _PATTERNS:
        if not wanted.is_text:
            raise _wrong(place, f"{attribute.member} is no text, which {op} compares.")
        return Compare(attribute, op, _pattern(value, op, place))
    _require_order(attribute, op, place)
    if op in _LISTS or op == "between":
        return Compare(attribute, op, _several(wanted, op, value, place))
    return Compare(attribute, op, _one(wanted, value, place))


def _of_null(attribute: Attribute, op: str, value: Any, place: str) -> Compare:
    if value is None:
        return Compare(attribute, op)
    if isinstance(value, bool) and attribute.value_type.python is bool:
        return Compare(attribute, "eq" if op == "is_" else "ne", value)
    raise _wrong(place, f"{op} compares with null, or a boolean with true or false.")


def _pattern(value: Any, op: str, place: str) -> str:
    text = str(_one(ValueType(str), value, place))
    if len(text) > MOST_PATTERN:
        raise _wrong(place, f"The pattern of {op} has at most {MOST_PATTERN} characters.")
    if op in ("like", "ilike", "notilike") and text.startswith("%%"):
        raise _wrong(place, "A pattern does not begin with %%.")
    return text


def _several(wanted: ValueType, op: str, value: Any, place: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_VALUES:
        raise _wrong(place, f"{op} has a list of at most {MOST_VALUES} values.")
    if op == "between" and len(value) != 2:
        raise _wrong(place, "between has a list of two values.")
    return [_one(wanted, one, f"{place}/{n}") for n, one in enumerate(value)]


def _one(wanted: ValueType, value: Any, place: str) -> Any:
    if value is None:
        raise _wrong(place, "The value must not be null; is_ asks for null.")
    try:
        return read(wanted, value)
    except ValueError as error:
        raise _wrong(place, f"The value {error}.") from error


def _require_order(attribute: Attribute, op: str, place: str) -> None:
    wanted = attribute.value_type
    if op in _ORDERS and (wanted.python is bool or wanted.choices):
        raise _wrong(place, f"{attribute.member} has no order.")


def _nullable(wanted: ValueType) -> ValueType:
    """The type as conditions compare with it: without a length, and with any whole number."""
    return ValueType(
        wanted.python,
        choices=wanted.choices,
        is_aware=wanted.is_aware,
    )


def _traits(attribute: Attribute) -> tuple[Any, ...]:
    wanted = attribute.value_type
    return wanted.python, wanted.is_aware, tuple(wanted.choices)


def _within(links: list[Link], node: Node) -> Node:
    """The node about what relationships lead to."""
    for link in reversed(links):
        node = Related(link, node)
    return node


def _unknown(name: object, bound: Bound) -> str:
    return f"{bound.type} has no field {quoted(name)} that can be filtered on."


def _wrong(place: str, detail: str) -> Refused:
    return in_query("filter", f"At {place}: {detail}")


def _listed(ops: frozenset[str]) -> str:
    return ", ".join(sorted(ops))
