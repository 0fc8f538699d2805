"""Objects as JSON, by a schema and under the mask of whoever reads them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, get_args

import sqlalchemy as sa
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from licet.authz._places import invalid
from licet.errors.names import with_article
from licet.rest.etag import make_tag
from licet.rest.lookup import version_of
from licet.rest.schemas.reading import ModelSchema, is_pydantic

__all__ = [
    "ETAG_FIELD",
    "Mask",
    "See",
    "dump_list",
    "dump_object",
    "is_mapped",
    "require_dumpable",
    "tag_of",
]

ETAG_FIELD: Final = "_etag"
Mask = Collection[str] | None
"""The fields that are seen of an object; None of one without a policy."""
See = Callable[[Any], tuple[bool, Mask]]
"""Whether the reader may see a related object, and under which mask."""


def require_dumpable(schema: Any) -> None:
    """Refuse what is no schema of answers.

    Raises:
        InvalidCondition: it is no pydantic class and has no ``dump``.
    """
    if not is_pydantic(schema) and not callable(getattr(schema, "dump", None)):
        raise invalid(
            "marshal_response takes a pydantic class, one of schema_for(Model), or a schema with "
            f"dump, not {schema!r}."
        )


def is_mapped(value: object) -> bool:
    """Whether it is an object of a class that SQLAlchemy maps."""
    return hasattr(value, "_sa_instance_state")


def tag_of(owner: Any, mask: Mask) -> str | None:
    """The ETag of an object as its reader sees it, without quotes; None without a version."""
    version = version_of(owner) if is_mapped(owner) else None
    return None if version is None else make_tag(version, mask or ())


def dump_object(schema: Any, owner: Any, mask: Mask, see: See) -> dict[str, Any]:
    """The members of an object that its reader sees, and ``_etag`` where it has a version.

    Args:
        schema: a pydantic class, or anything with ``dump``.
        owner: the object.
        mask: the fields that are seen of it.
        see: what the reader sees of the objects that its fields hold.

    Raises:
        InvalidCondition: a field holds a mapped object, and its schema does not say which fields of
            that are shown.
    """
    if is_pydantic(schema):
        found = _by_pydantic(schema, owner, mask, see)
    else:
        found = _masked(dict(schema.dump(owner)), owner, mask, see, fields_of(schema))
    return _with_tag(found, owner, mask)


def dump_list(schema: Any, value: Mapping[str, Any], masks: list[Mask], see: See) -> Any:
    """``{"_items": […], "_meta": {…}}``, each item under its own mask.

    A schema with ``dump`` may be of the whole list, with a field ``_items``, or of one item.
    """
    owners = value["_items"]
    listed = {} if is_pydantic(schema) else fields_of(schema)
    if "_items" not in listed:
        pairs = zip(owners, masks, strict=True)
        items = [dump_object(schema, owner, mask, see) for owner, mask in pairs]
        return {**value, "_items": items}
    found = dict(schema.dump(value))
    fields = fields_of(_inner_schema(listed["_items"]))
    triples = zip(found["_items"], owners, masks, strict=True)
    found["_items"] = [
        _with_tag(_masked(dict(item), owner, mask, see, fields), owner, mask)
        for item, owner, mask in triples
    ]
    return found


def _with_tag(found: dict[str, Any], owner: Any, mask: Mask) -> dict[str, Any]:
    tag = tag_of(owner, mask)
    return found if tag is None else {**found, ETAG_FIELD: tag}


# --- pydantic ------------------------------------------------------------------------------------


def _by_pydantic(schema: type[BaseModel], owner: Any, mask: Mask, see: See) -> dict[str, Any]:
    fields = schema.model_fields
    names = list(fields)
    if issubclass(schema, ModelSchema):
        names = list(dict.fromkeys([*schema.licet_shown, *names]))
    values = {
        name: _plain(_value_of(owner, name), fields.get(name), name, see)
        for name in names
        if mask is None or name in mask
    }
    known = {name: value for name, value in values.items() if name in fields}
    made = schema.model_construct(_fields_set=set(known), **known)
    include = None if len(known) == len(fields) else set(known)
    dumped = made.model_dump(mode="json", by_alias=True, include=include, warnings=False)
    others = {name: value for name, value in values.items() if name not in fields}
    return {**to_jsonable_python(others), **dumped}


def _value_of(owner: Any, name: str) -> Any:
    return owner[name] if isinstance(owner, Mapping) else getattr(owner, name)


def _plain(value: Any, field: Any, name: str, see: See) -> Any:
    """The value; a mapped object by the schema that the field names."""
    if isinstance(value, list | tuple | set | frozenset) and any(map(is_mapped, value)):
        seen = ((one, *see(one)) for one in value)
        return [_related(one, mask, field, name, see) for one, is_seen, mask in seen if is_seen]
    if not is_mapped(value):
        return value
    is_seen, mask = see(value)
    return _related(value, mask, field, name, see) if is_seen else None


def _related(owner: Any, mask: Mask, field: Any, name: str, see: See) -> dict[str, Any]:
    schema = None if field is None else _schema_in(field.annotation)
    if schema is None:
        raise invalid(
            f"The field {name} holds {with_article(type(owner).__name__)}: give it a pydantic "
            "class as its type, which says what of that is shown."
        )
    return dump_object(schema, owner, mask, see)


def _schema_in(annotation: Any) -> type[BaseModel] | None:
    """The pydantic class in a type such as ``list[Speaker] | None``."""
    if is_pydantic(annotation):
        found: type[BaseModel] = annotation
        return found
    return next(filter(None, map(_schema_in, get_args(annotation))), None)


# --- schemas with dump ---------------------------------------------------------------------------


def fields_of(schema: Any) -> Mapping[str, Any]:
    """The fields of a marshmallow schema by the names of their members; none of other schemas."""
    fields: Mapping[str, Any] = getattr(schema, "fields", None) or {}
    return {getattr(field, "data_key", None) or name: field for name, field in fields.items()}


def _masked(
    found: dict[str, Any], owner: Any, mask: Mask, see: See, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Without the members that show a hidden field, and related objects under their own masks."""
    if not is_mapped(owner):
        return found
    mapped = sa.inspect(type(owner)).all_orm_descriptors.keys()
    hidden = frozenset() if mask is None else frozenset(mapped) - frozenset(mask)
    kept = {}
    for name, value in found.items():
        attribute = _attribute(fields.get(name), name)
        if attribute not in hidden:
            inner = _inner_schema(fields.get(name))
            kept[name] = value if inner is None else _inside(value, owner, attribute, see, inner)
    return kept


def _inside(value: Any, owner: Any, attribute: str, see: See, schema: Any) -> Any:
    related, fields = getattr(owner, attribute, None), fields_of(schema)
    if isinstance(value, list) and related is not None:
        triples = ((dumped, one, *see(one)) for dumped, one in zip(value, related, strict=True))
        return [
            _masked(dict(dumped), one, mask, see, fields)
            for dumped, one, is_seen, mask in triples
            if is_seen
        ]
    if not is_mapped(related):
        return value
    is_seen, mask = see(related)
    return _masked(dict(value), related, mask, see, fields) if is_seen else None


def _attribute(field: Any, name: str) -> str:
    """The attribute that a member shows."""
    own = getattr(field, "attribute", None) or getattr(field, "name", None) or name
    return str(own).partition(".")[0]


def _inner_schema(field: Any) -> Any:
    """The schema of the objects that a field nests; None of other fields."""
    return getattr(getattr(field, "inner", field), "schema", None)
