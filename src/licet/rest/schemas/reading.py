"""Schemas: what a body may hold, and how its values are read.

A schema is a pydantic class, one that `schema_for` makes from a mapped class, or anything with
``load`` and ``dump``, such as a marshmallow schema. Whatever it is, a body has no names that it
does not know, and never sets what the server owns.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, Optional, get_args

import pydantic
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, PydanticUserError, ValidationError
from sqlalchemy.orm import Session, scoped_session

from licet.authz._places import invalid
from licet.errors import InvalidRequest, MalformedRequest
from licet.errors.names import knows_its_options, refuse_unknown
from licet.errors.places import FieldError, json_pointer
from licet.rest.schemas.annotations import is_pydantic
from licet.rest.schemas.columns import field_of
from licet.rest.schemas.numbers import NOT_FINITE, is_finite
from licet.rest.schemas.owned import (
    is_server_owned,
    model_of_schema,
    names_in_alias,
    owned_places,
)

__all__ = ["ModelSchema", "Reader", "reader_of", "schema_for"]

_SUPPORTS_EXTRA: Final = tuple(map(int, pydantic.VERSION.split(".")[:2])) >= (2, 12)
_MOST_ERRORS: Final = 50
_MOST_TOLD_APART: Final = 1000  # a body of a megabyte can have 250,000, which takes seconds


class ModelSchema(BaseModel):
    """What `schema_for` makes: the mapped class, and the fields that answers and bodies have."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    licet_model: ClassVar[type[Any]]
    licet_shown: ClassVar[tuple[str, ...]]
    licet_written: ClassVar[frozenset[str]]


@knows_its_options
def schema_for(
    model: type[Any],
    *,
    only: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    partial: bool = False,
    client_owned: Iterable[str] = (),
) -> type[ModelSchema]:
    """A pydantic class with the columns of a mapped class.

    What the server owns is left out of it, and is in the answers of `marshal_response` all the
    same. A field is required when its column is not nullable and has no default; null is taken by
    a nullable column alone.

    Args:
        model: the mapped class.
        only: these columns instead of all.
        exclude: without these, which then are in no answer either.
        partial: no field is required, as for PATCH; what a body does not name is not set.
        client_owned: columns that a body may set although they look like the server's.

    Raises:
        UnknownName: the class has no such column.
    """
    names = [prop.key for prop in sa.inspect(model).column_attrs if _is_column(prop)]
    given = [*(only or ()), *exclude, *client_owned]
    refuse_unknown(f"{model.__name__} has no column", given, names)
    wanted = names if only is None else [name for name in names if name in set(only)]
    shown = tuple(name for name in wanted if name not in set(exclude))
    kept = set(client_owned)
    open_names = [name for name in shown if not name.startswith("_")]  # as pydantic wants them
    written = [name for name in open_names if name in kept or not is_server_owned(model, name)]
    if partial:  # of a row that is there already
        mapper = sa.inspect(model)
        keys = {mapper.get_property_by_column(column).key for column in mapper.primary_key}
        written = [name for name in written if name not in keys]
    fields: Any = {name: field_of(model, name, is_partial=partial) for name in written}
    suffix = "Changes" if partial else "Fields"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns such as "copy", a name of pydantic's own
        made = pydantic.create_model(f"{model.__name__}{suffix}", __base__=ModelSchema, **fields)
    made.licet_model, made.licet_shown, made.licet_written = model, shown, frozenset(written)
    return made


def _is_column(prop: Any) -> bool:
    return isinstance(prop.columns[0], sa.Column)


class Reader:
    """Reads bodies by one schema.

    Args:
        schema: a pydantic class, or anything with ``load``.
        client_owned: names that a body may set although they look like the server's; within
            documents with their path, such as ``parts.id``.
        makes_objects: False has a marshmallow schema give a dict.

    Raises:
        InvalidCondition: it is neither.
    """

    def __init__(
        self, schema: Any, *, client_owned: Collection[str] = (), makes_objects: bool = True
    ) -> None:
        self.is_pydantic: Final = is_pydantic(schema)
        if not self.is_pydantic and not callable(getattr(schema, "load", None)):
            raise invalid(
                "A schema is a pydantic class, one of schema_for(Model), or has load and dump; "
                f"this is {schema!r}."
            )
        self.model: Final = model_of_schema(schema)
        self._client_owned = frozenset(client_owned)
        self.schema: Final = schema
        self._schema = schema if makes_objects else _without_instances(schema)

    def read(self, document: Any) -> Any:
        """The values of a body: of a pydantic class those that were sent, as a dict by field.

        Raises:
            MalformedRequest: the body is no object.
            InvalidRequest: `errors` has one entry for each field that is wrong.
        """
        if not isinstance(document, dict):
            told = "The body is no JSON object."
            raise MalformedRequest(told, errors=[FieldError(detail=told, pointer="")])
        owned = owned_places(self._schema, document, self._client_owned)
        told = "This is set by the server."
        faults = [FieldError(detail=told, pointer=json_pointer(*place)) for place in owned]
        try:
            found = self._load(
                {name: value for name, value in document.items() if (name,) not in owned}
            )
        except ValidationError as error:
            faults += _pydantic_faults(error, document)
        except Exception as error:
            messages = getattr(error, "messages", None)
            if messages is None:
                raise
            faults += _faults_of_messages(messages)
        if faults:
            raise InvalidRequest(errors=faults)
        return found

    def takes(self, name: str) -> bool:
        """Whether a body may set the field; else the server owns it."""
        return not owned_places(self._schema, {name: None}, self._client_owned)

    def session(self) -> Session | None:
        """The session in which a schema such as marshmallow-sqlalchemy's finds rows, if any."""
        found: Any = getattr(self._schema, "session", None)
        session: Session | None = found() if isinstance(found, scoped_session) else found
        return session if isinstance(session, Session) else None

    def _load(self, document: dict[str, Any]) -> Any:
        if not self.is_pydantic:
            return self._schema.load(document)
        found = sent_values(validated(self._schema, document))
        if endless := [name for name, value in found.items() if not is_finite(value)]:
            told = (FieldError(detail=NOT_FINITE, pointer=json_pointer(name)) for name in endless)
            raise InvalidRequest(errors=told)
        return found


def reader_of(schema: Any, **options: Any) -> Reader:
    """The reader of a schema, or of a dict from names to types."""
    if isinstance(schema, Mapping):
        schema = fields_schema(schema, is_body=True)
    return Reader(schema, **options)


def fields_schema(fields: Mapping[str, Any], *, is_body: bool) -> Any:
    """The schema of a dict: from names to types, or to the fields of marshmallow.

    A body has each field whose type does not take None; a query has those that were sent.

    Raises:
        InvalidCondition: a value is neither.
    """
    makers = {getattr(type(field), "__module__", "").split(".")[0] for field in fields.values()}
    if fields and "marshmallow" in makers:
        from marshmallow import Schema  # noqa: PLC0415 - the program's own

        return Schema.from_dict(dict(fields))()
    wanted: Any = {
        name: (kind, ...) if is_body and type(None) not in get_args(kind) else _optional(kind)
        for name, kind in fields.items()
    }
    try:
        return pydantic.create_model("Fields", __config__=ConfigDict(extra="forbid"), **wanted)
    except PydanticUserError as error:
        raise invalid(
            f"A schema that is a dict has types or marshmallow's fields, unlike {fields!r}."
        ) from error


def _optional(kind: Any) -> tuple[Any, None]:
    return Optional[kind], None  # noqa: UP045 - `|` is not defined for every kind of type


def validated(schema: type[BaseModel], document: Mapping[str, Any]) -> BaseModel:
    """The document as an instance; names that the schema does not know are refused.

    Raises:
        ValidationError: it does not fit.
    """
    if schema.model_config.get("extra") in ("allow", "forbid"):
        return schema.model_validate(document)
    if _SUPPORTS_EXTRA:
        return schema.model_validate(document, extra="forbid")
    closed: Any = type(schema.__name__, (schema,), {"model_config": ConfigDict(extra="forbid")})
    found: BaseModel = closed.model_validate(document)
    if unknown := [*_unknown_within(found, document)]:
        raise ValidationError.from_exception_data(
            schema.__name__,
            [{"type": "extra_forbidden", "loc": place, "input": None} for place in unknown],
        )
    return found


def _unknown_within(made: Any, document: Any, *place: int | str) -> Iterator[tuple[int | str, ...]]:
    """The places of names that the documents within do not know, for pydantic below 2.12."""
    if isinstance(made, BaseModel) and isinstance(document, Mapping):
        fields = {
            alias: name
            for name, field in type(made).model_fields.items()
            for alias in names_in_alias(field.validation_alias) or [name]
        }
        for name, inner in document.items():
            if name in fields:
                yield from _unknown_within(getattr(made, fields[name]), inner, *place, name)
            elif type(made).model_config.get("extra") != "allow" and name not in fields.values():
                yield (*place, name)
    elif isinstance(made, list) and isinstance(document, list):
        for at, (one, inner) in enumerate(zip(made, document, strict=False)):
            yield from _unknown_within(one, inner, *place, at)


def sent_values(made: BaseModel) -> dict[str, Any]:
    """The fields that were set, by name, and so in documents within; not written back as JSON."""
    values = {name: getattr(made, name) for name in made.model_fields_set}
    return {name: _opened(value) for name, value in values.items()}


def _opened(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return sent_values(value)
    if isinstance(value, dict):
        return {name: _opened(inner) for name, inner in value.items()}
    return [_opened(inner) for inner in value] if isinstance(value, list) else value


def _without_instances(schema: Any) -> Any:
    """A marshmallow-sqlalchemy schema that gives a dict; any other schema as it is."""
    names = [name for name in ("_load_instance", "load_instance") if getattr(schema, name, None)]
    if names:
        schema = copy.copy(schema)
        for name in names:
            setattr(schema, name, False)
    return schema


def _pydantic_faults(error: ValidationError, document: Any) -> list[FieldError]:
    """One entry for each place: a union tells of each of its alternatives."""
    if (count := error.error_count()) > _MOST_TOLD_APART:
        return [FieldError(detail=f"The body has {count} faults.", pointer="")]
    found: dict[str, FieldError] = {}
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        pointer = json_pointer(*_place(one["loc"], document))
        told = "There is no such field." if one["type"] == "extra_forbidden" else one["msg"]
        found.setdefault(pointer, FieldError(detail=told, pointer=pointer))
    return list(found.values())[:_MOST_ERRORS]


def _place(parts: tuple[Any, ...], document: Any) -> list[Any]:
    """The part of a location that the document has, or that it lacks at its end."""
    place: list[Any] = []
    for part in parts:
        if isinstance(document, dict):
            place.append(part)
            if part not in document:
                break
            document = document[part]
        elif isinstance(document, list) and isinstance(part, int) and part < len(document):
            place.append(part)
            document = document[part]
        else:
            break
    return place


def _faults_of_messages(messages: Any, *parts: Any) -> list[FieldError]:
    """One entry for each field of marshmallow's ``messages``."""
    if isinstance(messages, Mapping):
        return [
            fault
            for name, inner in messages.items()
            for fault in _faults_of_messages(inner, *parts, *([name] if name != "_schema" else []))
        ][:_MOST_ERRORS]
    told = " ".join(map(str, messages)) if isinstance(messages, list | tuple) else str(messages)
    return [FieldError(detail=told, pointer=json_pointer(*parts))]
