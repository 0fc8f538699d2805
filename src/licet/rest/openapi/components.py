"""The schemas of a document: each under a name, and references to them.

pydantic writes the schemas that a class needs beside it, in ``$defs``. Here they go to
``components/schemas``; a name that another schema has already gets a number.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from licet.rest.openapi.schemas import UNKNOWN, as_json_schema

__all__ = ["Components"]

_SAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_PLACES: Final = ("#/$defs/", "#/definitions/")  # the second one is draft 7's
_AT: Final = "#/components/schemas/"
_LOST: Final = "A reference in this schema leads nowhere within the document."


class Components:
    """The named schemas of one document."""

    def __init__(self) -> None:
        self._schemas: dict[str, Any] = {}
        self._texts: dict[str, str] = {}  # of each name, all that its schema says

    def as_dict(self) -> dict[str, Any]:
        """The schemas, by name, each with a title of its own: clients name their classes by it."""
        found = dict(sorted(self._schemas.items()))
        times = Counter(_title_of(name, one) for name, one in found.items())
        return {
            name: {**one, "title": name} if times[_title_of(name, one)] > 1 else one
            for name, one in found.items()
        }

    def of(self, schema: Any, *, name: str = "", is_body: bool = False) -> dict[str, Any]:
        """The schema as it stands in the document: a reference where it has a name.

        Args:
            schema: a pydantic class, a JSON schema, or a schema with fields, such as marshmallow's.
            name: of a JSON schema, which is written where it stands without one.
            is_body: whether it is of a request, which may have no other members.
        """
        found, own = as_json_schema(schema, is_body=is_body)
        name = name or own
        found.pop("$id", None)
        definitions = _definitions_in(found)
        names = {ref: self._name_for(ref, text, definitions) for ref, text in definitions.items()}
        for ref, text in definitions.items():
            self._schemas.setdefault(names[ref], _renamed(text, names))
        if found.get("$ref") in names and found.keys() <= {"$ref", "$defs"}:
            return {"$ref": _AT + names[found["$ref"]]}  # a class that refers to itself
        if definitions:
            found = {key: one for key, one in found.items() if f"#/{key}/" not in _PLACES}
        if not name:
            return _known(_renamed(found, names))
        kept = self._free_name(name, _text_of(found, definitions))
        self._schemas.setdefault(kept, _known(_renamed(found, names)))
        return {"$ref": _AT + kept}

    def _name_for(self, ref: str, text: Any, definitions: Mapping[str, Any]) -> str:
        return self._free_name(ref.rpartition("/")[2], _text_of(text, definitions))

    def _free_name(self, name: str, text: str) -> str:
        safe = _SAFE.sub("_", name).strip("_") or "Schema"
        found = next(one for one in _numbered(safe) if self._texts.get(one, text) == text)
        self._texts[found] = text
        return found


def _title_of(name: str, schema: Any) -> str:
    return str(schema.get("title", name)) if isinstance(schema, dict) else name


def _definitions_in(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas that a schema keeps beside itself, by the references to them."""
    return {
        place + name: text
        for place in _PLACES
        if isinstance(kept := schema.get(place.split("/")[1]), dict)
        for name, text in kept.items()
    }


def _text_of(schema: Any, definitions: Mapping[str, Any]) -> str:
    """A schema with all that its references lead to, for comparison."""
    reached, waiting = dict[str, Any](), [schema]
    while waiting:
        for ref in _refs_in(waiting.pop()):
            if ref in definitions and ref not in reached:
                reached[ref] = definitions[ref]
                waiting.append(definitions[ref])
    return json.dumps([schema, reached], sort_keys=True, default=str)


def _refs_in(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _refs_in(one)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from _refs_in(one)


def _known(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema; or, where it refers to what the document does not have, one that says so."""
    if all(ref.startswith(_AT) for ref in _refs_in(schema)):
        return schema
    return (
        {"type": "object", UNKNOWN: _LOST} if schema.get("type") == "object" else {UNKNOWN: _LOST}
    )


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}{number}"
        number += 1


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The schema with references to the document's own names."""
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _renamed(one, names) for key, one in value.items()}
    if isinstance(found.get("$ref"), str) and found["$ref"] in names:
        found["$ref"] = _AT + names[found["$ref"]]
    if isinstance(mapping := found.get("mapping"), dict):  # of a discriminator
        found["mapping"] = {
            key: _AT + names[one] if isinstance(one, str) and one in names else one
            for key, one in mapping.items()
        }
    return found
