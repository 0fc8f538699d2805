"""Schemas of requests and answers as JSON Schema: pydantic's, marshmallow's, and none.

Source: JSON Schema 2020-12, which OpenAPI 3.1 takes.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import pydantic
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic.json_schema import GenerateJsonSchema

from licet.rest.lookup import is_versioned
from licet.rest.schemas.annotations import is_pydantic
from licet.rest.schemas.columns import field_of
from licet.rest.schemas.dumping import ETAG_FIELD
from licet.rest.schemas.foreign import fields_of, inner_schema
from licet.rest.schemas.owned import model_of_schema
from licet.rest.schemas.reading import ModelSchema, Reader

__all__ = ["UNKNOWN", "answer_schema", "as_json_schema", "body_schema", "unknown_parts"]

UNKNOWN: Final = "x-licet-unknown"
_OF_FIELDS: Final[Mapping[str, dict[str, Any]]] = {
    "Integer": {"type": "integer"},
    "Int": {"type": "integer"},
    "Float": {"type": "number"},
    "Boolean": {"type": "boolean"},
    "Bool": {"type": "boolean"},
    "String": {"type": "string"},
    "Str": {"type": "string"},
    "Decimal": {"type": ["number", "string"]},
    "UUID": {"type": "string", "format": "uuid"},
    "Email": {"type": "string", "format": "email"},
    "Url": {"type": "string", "format": "uri"},
    "URL": {"type": "string", "format": "uri"},
    "DateTime": {"type": "string"},
    "AwareDateTime": {"type": "string", "format": "date-time"},
    "NaiveDateTime": {"type": "string"},
    "Date": {"type": "string", "format": "date"},
    "Time": {"type": "string"},
    "Dict": {"type": "object"},
}


class _Lenient(GenerateJsonSchema):
    """What has no JSON schema is said to be unknown, instead of raising."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
        """A schema that takes anything, with the reason."""
        return {UNKNOWN: f"This type has no JSON schema: {error_info}."}


def as_json_schema(schema: Any, *, is_body: bool) -> tuple[dict[str, Any], str]:
    """The JSON schema of a pydantic class or of another schema, and the name for it."""
    if isinstance(schema, Mapping):
        return dict(schema), ""
    if is_pydantic(schema):
        return _of_pydantic(schema, is_body=is_body), schema.__name__
    fields = fields_of(schema() if isinstance(schema, type) else schema)
    if not fields:
        kind = schema if isinstance(schema, type) else type(schema)
        return {UNKNOWN: f"{kind.__name__} does not tell its fields."}, ""
    return _of_fields(fields, is_body=is_body), _name_of(schema)


def _name_of(schema: Any) -> str:
    name = schema.__name__ if isinstance(schema, type) else type(schema).__name__
    return "" if name in ("GeneratedSchema", "Fields") else name


def _of_pydantic(schema: type[pydantic.BaseModel], *, is_body: bool) -> dict[str, Any]:
    mode: Any = "validation" if is_body else "serialization"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of defaults that are no JSON
            found = schema.model_json_schema(mode=mode, schema_generator=_Lenient)
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, TypeError) as error:
        return {"type": "object", UNKNOWN: f"{schema.__name__} has no JSON schema: {error}"}
    told: dict[str, Any] = _told(found, is_body=is_body)
    return told


def _told(schema: Any, *, is_body: bool) -> Any:
    """The schema without defaults that stand for an absent member.

    That of a body has no other members than it names, where it does not say otherwise.
    """
    if isinstance(schema, list):
        return [_told(one, is_body=is_body) for one in schema]
    if not isinstance(schema, dict):
        return schema
    items = schema.items()
    found = {k: _told(v, is_body=is_body) for k, v in items if v is not None or k != "default"}
    if is_body and found.get("type") == "object" and isinstance(found.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found


# --- marshmallow ---------------------------------------------------------------------------------


def _of_fields(fields: Mapping[str, Any], *, is_body: bool) -> dict[str, Any]:
    hidden = "dump_only" if is_body else "load_only"
    shown = {name: one for name, one in fields.items() if not getattr(one, hidden, False)}
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: _of_field(one, is_body=is_body) for name, one in shown.items()},
    }
    if is_body:
        needed = sorted(name for name, one in shown.items() if getattr(one, "required", False))
        found.update({"required": needed} if needed else {}, additionalProperties=False)
    return found


def _of_field(field: Any, *, is_body: bool) -> dict[str, Any]:
    nested = inner_schema(field)
    kinds = [one.__name__ for one in type(field).__mro__]
    if nested is not None:
        found = _of_fields(fields_of(nested), is_body=is_body)
        if hasattr(field, "inner") or getattr(field, "many", False):
            found = {"type": "array", "items": found}
    elif hasattr(field, "inner"):
        found = {"type": "array", "items": _of_field(field.inner, is_body=is_body)}
    else:
        known = next((_OF_FIELDS[name] for name in kinds if name in _OF_FIELDS), None)
        found = {UNKNOWN: f"The field {kinds[0]} tells no type."} if known is None else {**known}
    choices = [getattr(one, "choices", None) for one in getattr(field, "validators", ())]
    if listed := next((list(one) for one in choices if one), None):
        found["enum"] = listed
    is_null = bool(getattr(field, "allow_none", False)) or not is_body  # of an absent value
    if is_null and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
        found.update({"enum": [*found["enum"], None]} if "enum" in found else {})
    return found


# --- decorated endpoints -------------------------------------------------------------------------


def body_schema(reader: Reader, fixed: Collection[str] = ()) -> tuple[dict[str, Any], str]:
    """The JSON schema of what `unmarshal_request` takes, and its name.

    What the server owns is not in it, nor the fields `fixed`, which nobody may write.
    """
    found, name = as_json_schema(reader.schema, is_body=True)
    properties = found.get("properties", {})
    refused = [one for one in properties if one in fixed or not reader.takes(one)]
    for one in refused:
        del properties[one]
    if needed := [one for one in found.get("required", ()) if one not in refused]:
        found["required"] = needed
    else:
        found.pop("required", None)
    name = "" if name == "Fields" else name
    return found, f"{name}Body" if name and refused else name


def answer_schema(schema: Any) -> tuple[dict[str, Any], str]:
    """The JSON schema of an object that `marshal_response` shows, whose mask may leave fields out.

    What the server owns has no place in bodies: it is ``readOnly``.
    """
    model = model_of_schema(schema)
    found, name = as_json_schema(schema, is_body=False)
    if model is None:
        return found, name
    found.pop("required", None)
    properties = found.setdefault("properties", {})
    if is_pydantic(schema) and issubclass(schema, ModelSchema):
        found.pop("additionalProperties", None)
        own = [one for one in schema.licet_shown if one not in schema.model_fields]
        extra = {one: field_of(model, one, is_partial=True) for one in own if one.isidentifier()}
        named = {one.lstrip("_") or one: kind for one, kind in extra.items()}
        columns = pydantic.create_model("Columns", **named)  # type: ignore[call-overload]  # by name
        shown = _of_pydantic(columns, is_body=False)
        found.setdefault("$defs", {}).update(shown.get("$defs", {}))
        for one in own:
            inner = shown["properties"].get(one.lstrip("_") or one, {})
            properties[one] = {**_without_default(inner), "readOnly": True}
        if not found["$defs"]:
            del found["$defs"]
        name = f"{model.__name__}Shown"
    if is_versioned(model):
        told = "The version, for If-Match."
        properties[ETAG_FIELD] = {"type": "string", "readOnly": True, "description": told}
    found["properties"] = {key: _without_default(one) for key, one in properties.items()}
    return found, name


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "default"}


def unknown_parts(schema: Any) -> Iterator[str]:
    """The reasons of the parts of a schema that are not known."""
    if isinstance(schema, list):
        for one in schema:
            yield from unknown_parts(one)
    elif isinstance(schema, dict):
        if isinstance(schema.get(UNKNOWN), str):
            yield schema[UNKNOWN]
        for one in schema.values():
            yield from unknown_parts(one)
