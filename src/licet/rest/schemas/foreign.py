"""What schemas with ``dump`` wrote, under the mask: marshmallow's, and an app's own.

A member is kept when it is known from which attributes it comes, and each of them may be seen, on
the object that has it. What is not known is left out of objects with a policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from licet.rest.schemas.numbers import finite
from licet.rest.schemas.rows import Mask, See, holds_rows, is_mapped

__all__ = ["can_nest", "dumped", "fields_of", "inner_schema", "masked"]

_LEFT_OUT: Any = object()


def fields_of(schema: Any) -> Mapping[str, Any]:
    """The fields of a marshmallow schema by the names of their members; none of other schemas."""
    fields: Mapping[str, Any] = getattr(schema, "fields", None) or {}
    return {getattr(field, "data_key", None) or name: field for name, field in fields.items()}


def inner_schema(field: Any) -> Any:
    """The schema of the objects that a field nests; None of other fields."""
    return getattr(getattr(field, "inner", field), "schema", None)


def can_nest(field: Any) -> bool:
    """Whether a field may show of another object than its own."""
    parts = [field, getattr(field, "inner", None), getattr(field, "value_field", None)]
    parts += getattr(field, "tuple_fields", ())
    return any(
        hasattr(part, "schema")
        or hasattr(part, "related_keys")
        or "." in str(getattr(part, "attribute", None) or "")
        for part in parts
    )


def dumped(schema: Any, owner: Any) -> dict[str, Any]:
    """What a schema dumps of one object, also a schema that is of many."""
    return dict(schema.dump(owner, many=False) if fields_of(schema) else schema.dump(owner))


def masked(
    found: Mapping[str, Any], owner: Any, mask: Mask, see: See, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """The members that the reader may see, and related objects under their own masks."""
    kept = {
        name: _member(value, owner, mask, see, fields.get(name), name)
        for name, value in found.items()
    }
    return {name: finite(value) for name, value in kept.items() if value is not _LEFT_OUT}


def _member(value: Any, owner: Any, mask: Mask, see: See, field: Any, name: str) -> Any:
    if getattr(field, "_CHECK_ATTRIBUTE", True) is False:  # a function's value, of whatever it read
        is_constant = hasattr(field, "constant")
        return value if mask is None or is_constant else _LEFT_OUT
    own = getattr(field, "attribute", None) or getattr(field, "name", None) or name
    target = _target(owner, str(own).split("."), mask, see)
    return _LEFT_OUT if target is _LEFT_OUT else _shown(value, target, field, see)


def _target(owner: Any, path: list[str], mask: Mask, see: See) -> Any:
    """What an attribute such as ``shelf.keeper`` leads to, each step under its object's mask."""
    for at, name in enumerate(path):
        if at and is_mapped(owner):
            is_seen, mask = see(owner)
            if not is_seen:
                return _LEFT_OUT
        elif at:
            mask = None
        if mask is not None and name not in mask:
            return _LEFT_OUT
        if owner is not None:
            is_mapping = isinstance(owner, Mapping)
            owner = owner.get(name) if is_mapping else getattr(owner, name, None)
    return owner


def _shown(value: Any, target: Any, field: Any, see: See) -> Any:
    """A value as its field may show it, or `_LEFT_OUT`."""
    if not holds_rows(target) or value is None:
        return value
    if isinstance(value, list | tuple) and not is_mapped(target):
        pairs = zip(value, target, _element_fields(field, len(value)), strict=True)
        parts = (_shown(one, inner, part, see) for one, inner, part in pairs)
        return [part for part in parts if part is not _LEFT_OUT]
    if isinstance(value, Mapping) and isinstance(target, Mapping) and hasattr(field, "value_field"):
        inner_field = field.value_field
        both = zip(value.items(), target.values(), strict=True)
        found = {key: _shown(one, inner, inner_field, see) for (key, one), inner in both}
        return {key: one for key, one in found.items() if one is not _LEFT_OUT}
    return _related(value, target, field, see)


def _element_fields(field: Any, count: int) -> list[Any]:
    return list(getattr(field, "tuple_fields", ())) or [getattr(field, "inner", field)] * count


def _related(value: Any, owner: Any, field: Any, see: See) -> Any:
    is_seen, mask = see(owner) if is_mapped(owner) else (True, None)
    schema, keys = getattr(field, "schema", None), getattr(field, "related_keys", ())
    if not is_seen:
        return _LEFT_OUT
    if keys:  # marshmallow-sqlalchemy's, of a related object's key
        names = {prop.key for prop in keys}
        return value if mask is None or names <= frozenset(mask) else _LEFT_OUT
    if schema is None:
        return _LEFT_OUT
    plucked = getattr(field, "field_name", None)
    if plucked is None:
        return masked(value, owner, mask, see, fields_of(schema))
    return _member(value, owner, mask, see, schema.fields[plucked], plucked)
