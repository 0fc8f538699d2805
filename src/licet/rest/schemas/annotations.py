"""The types of the fields of pydantic classes, taken apart."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

__all__ = ["alternatives", "fields_of_class", "is_pydantic"]


def is_pydantic(schema: object) -> bool:
    """Whether it is a pydantic class."""
    return isinstance(schema, type) and issubclass(schema, BaseModel)


def fields_of_class(schema: type[BaseModel]) -> dict[str, Any]:
    """The fields by name, of which each type is known: also of a class that was named before it."""
    if not schema.__pydantic_complete__:
        schema.model_rebuild(raise_errors=False)
    return schema.model_fields


def alternatives(annotation: Any) -> list[Any]:
    """The types of a union, without what is noted about them."""
    annotation = getattr(annotation, "__value__", annotation)  # of `type X = …`
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in alternatives(part)]
    return [annotation]
