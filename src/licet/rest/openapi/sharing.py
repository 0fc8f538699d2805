"""What many operations of a document say alike, said once, in its components.

A service of many resources repeats the same parameters and refusals at each operation; readers,
validators and generators of clients take several times as long for a document that does.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["resolved", "share"]

_MANY: Final = 10  # a short document is easier to read with everything in its place
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_Place = tuple[Any, Any]  # a list or an object, and the index or the member of it


def share(document: dict[str, Any]) -> None:
    """Put parameters and answers that stand at many operations into the document's components."""
    for kind, places in (("parameters", _parameters), ("responses", _responses)):
        shared = _Shared(kind)
        found = [*places(document["paths"])]
        times = Counter(_text(holder[at]) for holder, at in found)
        for holder, at in found:
            if times[_text(holder[at])] >= _MANY:
                holder[at] = shared.reference(holder[at], at)
        if shared.by_name:
            document["components"][kind] = dict(sorted(shared.by_name.items()))


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """A part of a document, also where a reference to its component stands."""
    while "$ref" in value:
        *_, kind, name = value["$ref"].split("/")
        value = document["components"][kind][name]
    return value


class _Shared:
    """The components of one kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._names: dict[str, str] = {}  # by all that a component says
        self.by_name: dict[str, Any] = {}

    def reference(self, value: dict[str, Any], at: Any) -> dict[str, str]:
        """A reference to the component that says this."""
        text = _text(value)
        if text not in self._names:
            wanted = f"Answer{at}" if self._kind == "responses" else str(value["name"])
            self._names[text] = name = self._free(_UNSAFE.sub("_", wanted).strip("_") or "Any")
            self.by_name[name] = value
        return {"$ref": f"#/components/{self._kind}/{self._names[text]}"}

    def _free(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.by_name:
            name, number = f"{wanted}_{number}", number + 1
        return name


def _operations(paths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in paths.values():
        yield from (one for one in item.values() if isinstance(one, dict))


def _parameters(paths: dict[str, Any]) -> Iterator[_Place]:
    for operation in _operations(paths):
        parameters = operation.get("parameters", [])
        yield from ((parameters, index) for index in range(len(parameters)))


def _responses(paths: dict[str, Any]) -> Iterator[_Place]:
    for operation in _operations(paths):
        yield from ((operation["responses"], status) for status in operation["responses"])


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
