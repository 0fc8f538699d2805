"""What the server owns: names that no body sets, at whatever depth.

A key, a version, who made a row and when. A schema may name such a field for its answers; a body
sets it only where the program says so, by ``client_owned``. A key by which a schema finds a stored
row, which it does not change, sets nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import is_dataclass
from itertools import islice
from typing import Any, Final, get_args, get_origin, get_type_hints

import sqlalchemy as sa
from pydantic import AliasChoices, AliasPath, RootModel

from licet.rest.schemas.annotations import alternatives, fields_of_class, is_pydantic
from licet.rest.schemas.foreign import inner_schema

__all__ = ["is_server_owned", "model_of_schema", "names_in_alias", "owned_places"]

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OWNED: Final = re.compile(
    r"_*(id|etag|(created|updated)(_(at|on|by|by_id))?|(owner|creator)(_id)?)", re.ASCII
)
_MOST: Final = 50
Place = tuple[int | str, ...]


def is_server_owned(model: type[Any] | None, name: str) -> bool:
    """Whether no body sets the field: by its name, or by what the mapping says of its column."""
    if _OWNED.fullmatch(_HUMP.sub("_", name).lower()):
        return True
    mapper = None if model is None else sa.inspect(model)
    prop = None if mapper is None else mapper.column_attrs.get(name)
    column = None if prop is None else prop.columns[0]
    if mapper is None or column is None:
        return False
    if _OWNED.fullmatch(_HUMP.sub("_", str(column.name)).lower()) and not column.primary_key:
        return True
    if column is mapper.version_id_col or column is mapper.polymorphic_on:
        return True
    return bool(getattr(column, "primary_key", False)) and _is_generated(column)


def _is_generated(column: Any) -> bool:
    has_default = column.default is not None or column.server_default is not None
    return has_default or column is column.table.autoincrement_column


def model_of_schema(schema: Any) -> type[Any] | None:
    """The mapped class that a schema is about; None of other schemas."""
    if is_pydantic(schema):
        found: type[Any] | None = getattr(schema, "licet_model", None)
        return found
    return getattr(getattr(schema, "opts", None), "model", None)


def owned_places(
    schema: Any, document: Mapping[str, Any], client_owned: Collection[str]
) -> list[Place]:
    """The places of a body, of which at most 50, that have what the server owns.

    `client_owned` are names that a body may set all the same; within a document that another one
    holds, with the path to it: ``parts.id``.
    """
    found = _Body(frozenset(client_owned)).document(schema, document, ("",), ())
    return list(dict.fromkeys(islice(found, _MOST)))


class _Body:
    """Walks through a body beside its schema; what no schema describes is data."""

    def __init__(self, client_owned: frozenset[str]) -> None:
        self._client_owned = client_owned
        self._seen: dict[tuple[int, int], Any] = {}  # types beside values, which stay alive so

    def document(
        self, schema: Any, document: Mapping[str, Any], paths: Collection[str], place: Place
    ) -> Iterator[Place]:
        """`paths` are those to the document, with a dot at their end, in every spelling."""
        if _is_root(schema):
            yield from self._within(schema, document, paths, place)
            return
        model, targets = model_of_schema(schema), _targets(schema)
        given: frozenset[str] = getattr(schema, "licet_written", frozenset())
        if place:
            given |= _found_by(schema)
        for name, value in document.items():
            names = {name, *targets.get(name, ())}
            own = {f"{path}{one}" for path in paths for one in names}
            is_free = not names.isdisjoint(given) or not own.isdisjoint(self._client_owned)
            if not is_free and any(is_server_owned(model, one) for one in names):
                yield *place, name
            elif isinstance(value, list | dict):
                inner = [f"{one}." for one in own]
                for field in _fields(schema, names):
                    yield from self._within(field, value, inner, (*place, name))

    def _within(
        self, kind: Any, value: Any, paths: Collection[str], place: Place
    ) -> Iterator[Place]:
        """What the type or the field of a value says that there is in it."""
        known = id(kind), id(value)
        if known in self._seen or not isinstance(value, list | dict):
            return
        self._seen[known] = kind
        if _is_root(kind):
            for one in alternatives(fields_of_class(kind)["root"].annotation):
                yield from self._within(one, value, paths, place)
        elif isinstance(value, dict) and _is_schema(kind):
            yield from self.document(kind, value, paths, place)
        elif inner := _inner(kind, value):
            for at, one in enumerate(value) if isinstance(value, list) else value.items():
                for each in inner:
                    yield from self._within(each, one, paths, (*place, at))


def _found_by(schema: Any) -> frozenset[str]:
    """The key by which a marshmallow-sqlalchemy schema finds a stored row to refer to."""
    model = model_of_schema(schema)
    if is_pydantic(schema) or model is None or not getattr(schema, "_load_instance", False):
        return frozenset()
    mapper = sa.inspect(model)
    return frozenset(mapper.get_property_by_column(one).key for one in mapper.primary_key)


def _is_root(kind: Any) -> bool:
    return is_pydantic(kind) and issubclass(kind, RootModel)


def _is_record(kind: Any) -> bool:
    """Whether it is a class with fields that pydantic reads, and is not pydantic's."""
    return isinstance(kind, type) and (is_dataclass(kind) or hasattr(kind, "__required_keys__"))


def _is_schema(kind: Any) -> bool:
    return is_pydantic(kind) or _is_record(kind) or callable(getattr(kind, "load", None))


def _fields(schema: Any, names: Collection[str]) -> list[Any]:
    """The types of the fields of these names; of marshmallow's what they nest."""
    if is_pydantic(schema):
        known = fields_of_class(schema)
        kinds = (known[name].annotation for name in names if name in known)
        return [one for kind in kinds for one in alternatives(kind)]
    if _is_record(schema):
        hints = get_type_hints(schema)
        return [one for name in names if name in hints for one in alternatives(hints[name])]
    fields = getattr(schema, "fields", None) or {}
    found = [field for name, field in fields.items() if name in names]
    return [one for field in found for one in _nested(field)]


def _nested(field: Any) -> list[Any]:
    """The schema that a field nests; or the field itself, which may be of several."""
    inner = inner_schema(field)
    return [field] if inner is None else [inner, (inner,)]


def _inner(kind: Any, value: list[Any] | dict[str, Any]) -> list[Any]:
    """The types of the elements of a container, where the value is one of its kind."""
    if isinstance(kind, tuple):  # several of marshmallow's
        return list(kind) if isinstance(value, list) else []
    if hasattr(kind, "value_field"):  # marshmallow's, of a dictionary
        return _nested(kind.value_field) if kind.value_field is not None else []
    origin, args = get_origin(kind), get_args(kind)
    is_mapping = isinstance(origin, type) and issubclass(origin, Mapping)
    if is_mapping is not isinstance(value, dict):
        return []
    return [one for arg in args[is_mapping:] for one in alternatives(arg)]


def _targets(schema: Any) -> Mapping[str, set[str]]:
    """Which fields or attributes the names in a body set, where these have aliases."""
    found: dict[str, set[str]] = {}
    if is_pydantic(schema):
        for name, field in fields_of_class(schema).items():
            for alias in names_in_alias(field.validation_alias):
                found.setdefault(alias, set()).add(name)
        return found
    if _is_record(schema):
        return found
    for name, field in (getattr(schema, "fields", None) or {}).items():
        alias = getattr(field, "data_key", None) or name
        attribute = getattr(field, "attribute", None) or name
        found.setdefault(alias, set()).update((name, str(attribute).partition(".")[0]))
    return found


def names_in_alias(alias: Any) -> list[str]:
    """The names at the top of a body that an alias of pydantic's reads."""
    if isinstance(alias, AliasChoices):
        return [name for one in alias.choices for name in names_in_alias(one)]
    if isinstance(alias, AliasPath):
        return [str(alias.path[0])]
    return [] if alias is None else [alias]
