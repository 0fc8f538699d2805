"""A document that fits a JSON schema, for the examples of endpoints that have none of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["NO_SAMPLE", "sample_of"]

_FORMATS: Final[Mapping[str, str]] = {
    "date": "2030-01-31",
    "date-time": "2030-01-31T12:00:00Z",
    "duration": "P1D",
    "email": "ada@example.org",
    "time": "12:00:00",
    "uri": "https://example.org/",
    "uuid": "6b1f6e9a-1111-4222-8333-444455556666",
}
_DEPTH: Final = 8


class _NoSample:
    """Stands for a document that cannot be made up."""


NO_SAMPLE: Final = _NoSample()


def sample_of(schema: Any, definitions: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """A document that the schema takes; `NO_SAMPLE` where none can be made from it.

    Args:
        schema: a JSON schema.
        definitions: what its references lead to, by their whole text.
        depth: of the schema within another.
    """
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return NO_SAMPLE
    known = dict(definitions or {})
    known |= {f"#/$defs/{name}": one for name, one in schema.get("$defs", {}).items()}
    if "$ref" in schema:
        return sample_of(known.get(schema["$ref"]), known, depth + 1)
    if isinstance(schema.get("examples"), list) and schema["examples"]:
        return schema["examples"][0]
    for name in ("example", "const", "default"):
        if schema.get(name) is not None:
            return schema[name]
    if schema.get("enum"):
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            return sample_of(schema[name][0], known, depth + 1)
    return _of_type(schema, known, depth)


def _of_type(schema: Mapping[str, Any], known: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or (kind is None and "properties" in schema):
        return _object(schema, known, depth)
    if kind == "array":
        return _array(schema, known, depth)
    if kind == "string":
        return _text(schema)
    if kind in ("integer", "number"):
        return _number(schema)
    return {"boolean": True, "null": None}.get(str(kind), NO_SAMPLE)


def _object(schema: Mapping[str, Any], known: Mapping[str, Any], depth: int) -> Any:
    needed = schema.get("required", ())
    properties = schema.get("properties", {})
    found = {}
    for name in dict.fromkeys([*needed, *properties]):
        value = sample_of(properties.get(name, {}), known, depth + 1)
        if value is not NO_SAMPLE:
            found[name] = value
        elif name in needed:
            return NO_SAMPLE
    return found


def _array(schema: Mapping[str, Any], known: Mapping[str, Any], depth: int) -> Any:
    one = sample_of(schema.get("items", {}), known, depth + 1)
    if one is not NO_SAMPLE:
        return [one] * max(1, 0 if schema.get("uniqueItems") else schema.get("minItems", 1))
    return NO_SAMPLE if schema.get("minItems") else []


def _text(schema: Mapping[str, Any]) -> Any:
    if "pattern" in schema:
        return NO_SAMPLE
    text = _FORMATS.get(str(schema.get("format")), "text")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema["maxLength"]] if schema.get("maxLength") is not None else text


def _number(schema: Mapping[str, Any]) -> Any:
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    found = max(1, least + (1 if "exclusiveMinimum" in schema else 0))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    return found if most is None else min(found, most)
