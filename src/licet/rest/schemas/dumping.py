"""Objects as JSON, by a schema and under the mask of whoever reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from licet.authz._places import invalid
from licet.errors.names import with_article
from licet.rest.etag import make_tag
from licet.rest.lookup import version_of
from licet.rest.schemas.annotations import fields_of_class, is_pydantic
from licet.rest.schemas.foreign import can_nest, dumped, fields_of, inner_schema, masked
from licet.rest.schemas.nested import Nested, schema_in
from licet.rest.schemas.numbers import finite
from licet.rest.schemas.reading import ModelSchema
from licet.rest.schemas.rows import Mask, See, is_mapped

__all__ = [
    "ETAG_FIELD",
    "Unshowable",
    "dump_list",
    "dump_object",
    "require_dumpable",
    "shows_others",
    "tag_of",
]

ETAG_FIELD: Final = "_etag"
_MOST_TOLD: Final = 20


class Unshowable(LookupError):
    """A value has nothing for a field of its answer, or something that JSON cannot say."""


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


def tag_of(owner: Any, mask: Mask) -> str | None:
    """The ETag of an object as its reader sees it, without quotes; None without a version."""
    version = version_of(owner) if is_mapped(owner) else None
    return None if version is None else make_tag(version, mask or ())


def shows_others(schema: Any) -> bool:
    """Whether documents of a schema have fields of other objects than the one they are of.

    Such a document has no ``ETag``: the others change without its version. Its ``_etag`` is the
    version's, for ``If-Match``.
    """
    if is_pydantic(schema):
        fields = fields_of_class(schema).values()
        return any(schema_in(field.annotation) is not None for field in fields)
    return any(map(can_nest, fields_of(schema).values()))


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
        Unshowable: the owner has no value for a field, or none that is JSON.
    """
    if is_pydantic(schema):
        found = _by_pydantic(schema, owner, mask, see)
    else:
        found = masked(dumped(schema, owner), owner, mask, see, fields_of(schema))
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
    found = dumped(schema, value)
    fields = fields_of(inner_schema(listed["_items"]))
    triples = zip(found["_items"], owners, masks, strict=True)
    found["_items"] = [
        _with_tag(masked(item, owner, mask, see, fields), owner, mask)
        for item, owner, mask in triples
    ]
    return found


def _with_tag(found: dict[str, Any], owner: Any, mask: Mask) -> dict[str, Any]:
    tag = tag_of(owner, mask)
    return found if tag is None else {**found, ETAG_FIELD: tag}


# --- pydantic ------------------------------------------------------------------------------------


def _by_pydantic(schema: type[BaseModel], owner: Any, mask: Mask, see: See) -> dict[str, Any]:
    fields = fields_of_class(schema)
    names = list(fields)
    if issubclass(schema, ModelSchema):
        names = list(dict.fromkeys([*schema.licet_shown, *names]))
    values = {
        name: _plain(_value_of(schema, owner, name), fields.get(name), name, see)
        for name in names
        if mask is None or name in mask
    }
    known = {name: value for name, value in values.items() if name in fields}
    others = {name: value for name, value in values.items() if name not in fields}
    made = schema.model_construct(_fields_set=set(known), **known)
    try:
        dumped = _as_json(made, None if len(known) == len(fields) else set(known))
        return finite({**to_jsonable_python(others), **dumped})  # type: ignore[no-any-return]  # of a dict
    except PydanticSerializationError as error:
        raise Unshowable(f"{_unserializable(made, others)}: {error}") from error


def _as_json(made: BaseModel, include: set[str] | None) -> dict[str, Any]:
    return made.model_dump(mode="json", by_alias=True, include=include, warnings=False)


def _unserializable(made: BaseModel, others: Mapping[str, Any]) -> str:
    """The field whose value is no JSON."""
    for name in (*others, *made.model_fields_set):
        try:
            to_jsonable_python(others[name]) if name in others else _as_json(made, {name})
        except PydanticSerializationError:
            return f"{type(made).__name__}.{name}"
    return type(made).__name__


def _value_of(schema: type[BaseModel], owner: Any, name: str) -> Any:
    if not isinstance(owner, Mapping):
        try:
            return getattr(owner, name)
        except AttributeError as error:
            if error.obj is not owner or error.name != name:
                raise  # of a property's own
            told = f"{schema.__name__}.{name} has no value in {with_article(type(owner).__name__)}"
            raise Unshowable(told) from error
    field = fields_of_class(schema).get(name)
    if name not in owner and field is not None and not field.is_required():
        return field.get_default(call_default_factory=True)
    if name not in owner:
        keys = ", ".join(map(repr, list(owner)[:_MOST_TOLD])) or "nothing"
        raise Unshowable(f"{schema.__name__}.{name} has no value in a dict that has {keys}")
    return owner[name]


def _plain(value: Any, field: Any, name: str, see: See) -> Any:
    """The value without mapped objects, as the field's type shows them."""
    if value is None or isinstance(value, str | int | float | bytes):
        return value

    def dump(schema: type[BaseModel], owner: Any, mask: Mask) -> dict[str, Any]:
        return dump_object(schema, owner, mask, see)

    return Nested(name, see, dump).plain(value, None if field is None else field.annotation)
