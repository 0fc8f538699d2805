"""The values of JSON:API attributes as JSON Schema, and a value of each for examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from licet.rest.jsonapi.resource import Attribute, Bound
from licet.rest.jsonapi.values import ValueType

__all__ = ["sample_id", "sample_of", "value_schema"]

_FORMATS: Final[Mapping[type[Any], str]] = {date: "date", datetime: "date-time", UUID: "uuid"}
_FIRST_ID: Final = 7001  # of the examples: no number that is something else as well


def value_schema(value: ValueType, *, is_body: bool) -> dict[str, Any]:
    """What an attribute holds: in an answer, or in a body."""
    found = _schema(value, is_body=is_body)
    if value.is_nullable and found:
        kinds = found["type"] if isinstance(found["type"], list) else [found["type"]]
        found["type"] = [*kinds, "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    return found


def _schema(value: ValueType, *, is_body: bool) -> dict[str, Any]:
    if value.choices:
        return {"type": "string", "enum": list(value.choices)}
    if value.python is str:
        length = {} if value.max_length is None else {"maxLength": value.max_length}
        return {"type": "string", **length}
    if value.python is bool:
        return {"type": "boolean"}
    if value.python is int:
        most = 2 ** (value.bits - 1)
        return {"type": "integer", "minimum": -most, "maximum": most - 1}
    if value.python is float:
        return {"type": "number"}
    if value.python is Decimal:
        return {"type": ["number", "string"] if is_body else "string"}
    named = _FORMATS.get(value.python)
    return {} if named is None else {"type": "string", "format": named}


def sample_of(bound: Bound, attribute: Attribute) -> Any:
    """A value that an attribute may have: the resource's own sample, or one of its type."""
    samples = bound.resource.samples
    if attribute.name in samples:
        return samples[attribute.name]
    return _sample(attribute.value_type, attribute.member)


def _sample(value: ValueType, member: str) -> Any:
    if value.choices:
        return next(iter(value.choices))
    make = _SAMPLES.get(value.python)
    return {"note": member} if make is None else make(value, member)


def _text(value: ValueType, member: str) -> str:
    if "email" in member:
        return "ada@example.org"[: value.max_length]
    if member.endswith("url"):
        return "https://example.org"[: value.max_length]
    return f"Some {member.replace('-', ' ')}"[: value.max_length]


_SAMPLES: Final[Mapping[type[Any], Callable[[ValueType, str], Any]]] = {
    str: _text,
    bool: lambda _value, _member: True,
    int: lambda _value, _member: 3,
    float: lambda _value, _member: 2.5,
    Decimal: lambda value, _member: f"{2:.{value.digits[1] or 0}f}",
    date: lambda _value, _member: "2030-01-31",
    datetime: lambda _value, _member: "2030-01-31T12:00:00Z",
    UUID: lambda _value, _member: "6b1f6e9a-1111-4222-8333-444455556666",
}


def sample_id(key: ValueType, number: int) -> str:
    """The id of the example of a resource; `number` is its place among the resources."""
    if key.python is UUID:
        return f"6b1f6e9a-0000-4000-8000-{number:012d}"
    return str(_FIRST_ID + number) if key.python is int else f"id-{_FIRST_ID + number}"
