"""Mapped objects within the fields of a pydantic class, by the types that the fields have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel

from licet.authz._places import invalid
from licet.errors.names import with_article
from licet.rest.schemas.annotations import alternatives, fields_of_class, is_pydantic
from licet.rest.schemas.rows import Mask, See, holds_rows, is_many, is_mapped

__all__ = ["Nested", "schema_in"]

Dump = Callable[[type[BaseModel], Any, Mask], dict[str, Any]]


def schema_in(annotation: Any) -> type[BaseModel] | None:
    """The pydantic class in a type such as ``list[Speaker] | None``."""
    if is_pydantic(annotation):
        found: type[BaseModel] = annotation
        return found
    return next(filter(None, map(schema_in, get_args(annotation))), None)


class Nested:
    """Dumps what a field holds.

    Args:
        name: the field's.
        see: what the reader sees of a mapped object.
        dump: dumps an object by a pydantic class.
    """

    def __init__(self, name: str, see: See, dump: Dump) -> None:
        self._name, self._see, self._dump = name, see, dump

    def plain(self, value: Any, annotation: Any) -> Any:
        """The value without mapped objects and dictionaries: each by the class at its place.

        Objects that the reader may not see are null, and are left out of containers.

        Raises:
            InvalidCondition: the type names no pydantic class for one.
        """
        return (
            self._plain(value, annotation) if holds_rows(value) else self._known(value, annotation)
        )

    def _known(self, value: Any, annotation: Any) -> Any:
        """A value without mapped objects, whose dictionaries have what their class names alone."""
        is_listed = isinstance(value, list | tuple | set | frozenset)
        if not (is_listed or isinstance(value, Mapping)) or schema_in(annotation) is None:
            return value
        kinds = alternatives(annotation)
        if is_listed:
            return [
                self.plain(one, _union(_at(kind, n) for kind in kinds))
                for n, one in enumerate(value)
            ]
        if any(map(_takes_mappings, kinds)):
            inner = _union(get_args(kind)[-1:] for kind in kinds)
            return {key: self.plain(one, inner) for key, one in value.items()}
        schemas = [kind for kind in kinds if is_pydantic(kind)]
        fitting = (one for one in schemas if _required(one) <= value.keys())
        schema = next(fitting, next(iter(schemas), None))
        return value if schema is None else self._dump(schema, value, None)

    def _plain(self, value: Any, annotation: Any) -> Any:
        kinds = alternatives(annotation)
        if is_mapped(value):
            is_seen, mask = self._see(value)
            return self._related(value, annotation, mask) if is_seen else None
        schema = next(filter(is_pydantic, kinds), None)
        if schema is not None and not is_many(value):
            return self._dump(schema, value, None)
        if isinstance(value, Mapping):
            inner = _union(get_args(kind)[-1:] for kind in kinds)
            found = ((key, one, self.plain(one, inner)) for key, one in value.items())
            return {key: shown for key, one, shown in found if not _is_left_out(one, shown)}
        if is_many(value):
            return self._each(value, kinds)
        return (
            self._dump(type(value), value, None)
            if isinstance(value, BaseModel)
            else self._related(value, annotation, None)
        )

    def _each(self, value: Any, kinds: list[Any]) -> list[Any]:
        pairs = (
            (one, self.plain(one, _union(_at(kind, n) for kind in kinds)))
            for n, one in enumerate(value)
        )
        return [shown for one, shown in pairs if not _is_left_out(one, shown)]

    def _related(self, owner: Any, annotation: Any, mask: Mask) -> dict[str, Any]:
        schema = schema_in(annotation)
        if schema is None:
            raise invalid(
                f"The field {self._name} holds {with_article(type(owner).__name__)}: give it a "
                "pydantic class as its type, which says what of that is shown."
            )
        return self._dump(schema, owner, mask)


def _takes_mappings(kind: Any) -> bool:
    """Whether a type has a dictionary for its value, with whatever keys."""
    origin = get_origin(kind) or kind
    if kind is Any or kind is object or not isinstance(origin, type):
        return True
    return issubclass(origin, Mapping | RootModel)


def _required(schema: type[BaseModel]) -> set[str]:
    return {name for name, field in fields_of_class(schema).items() if field.is_required()}


def _is_left_out(value: Any, shown: Any) -> bool:
    return shown is None and value is not None


def _union(parts: Any) -> Any:
    kinds = tuple(kind for some in parts for kind in some)
    return Union[kinds] if kinds else Any  # noqa: UP007 - of a tuple


def _at(kind: Any, place: int) -> tuple[Any, ...]:
    """The type of the element at a place of a container, if the type says it."""
    args = get_args(kind)
    if get_origin(kind) is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        return args[place : place + 1]
    return args[:1]
