"""`use_args` and `use_args_with_pagination`: the view gets the query string's values, checked.

Source: seed document 004; its "GET /permissions/?user_id=" and its pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from itertools import islice
from typing import Any, Final, TypeVar, get_args, get_origin

import pydantic
import sqlalchemy as sa
from flask import request

from licet.authz._places import invalid, require_function
from licet.authz.flask import current_caller
from licet.errors import InvalidRequest
from licet.errors.names import knows_its_options, suggestion, with_article
from licet.errors.places import FieldError
from licet.rest.endpoints.notes import QueryNote
from licet.rest.endpoints.pages import PAGING, STATUS, has_cursors, order_asked
from licet.rest.endpoints.requests import (
    Level,
    as_endpoint,
    begin,
    call_view,
    policy_for,
    session_of_app,
)
from licet.rest.lookup import refused_values_are_told
from licet.rest.ordering import parsed_cursor, sortable_fields
from licet.rest.paging import DEFAULT_SIZE, MAX_SIZE, whole_number
from licet.rest.schemas.annotations import is_pydantic
from licet.rest.schemas.numbers import NOT_FINITE, is_finite
from licet.rest.schemas.owned import model_of_schema
from licet.rest.schemas.reading import fields_schema, validated
from licet.wire.text import unstorable

__all__ = ["use_args", "use_args_with_pagination"]

F = TypeVar("F", bound=Callable[..., Any])
_DIRECTIONS: Final = ("asc", "desc")
_MOST_FAULTS: Final = 20


@knows_its_options
def use_args(schema: Any, *, location: str = "query") -> Callable[[F], F]:
    """Give the view the values of the query string, as its first argument, a dict.

    The dict has the parameters that were sent, and those with a default that is not None.

    Args:
        schema: a dict from names to types, a pydantic class, or anything with ``load``.
        location: only ``query``; bodies are `unmarshal_request`'s.

    The view raises `InvalidRequest` (422) with an entry for each parameter that is wrong, unknown,
    or sent twice.

    Raises:
        InvalidCondition: the schema is none, or the location another.
    """
    if location != "query":
        raise invalid(f"use_args reads the query string, not {location!r}: use unmarshal_request.")
    reader = _QueryReader(schema)

    def decorate(view: F) -> F:
        require_function(view, "use_args")

        @wraps(view)
        def queried(*args: Any, **view_args: Any) -> Any:
            begin()
            found = reader.read(request.args.to_dict(flat=False))
            with refused_values_are_told(session_of_app):
                return call_view(view, *args, found, **view_args)

        note = QueryNote(reader.schema)
        return as_endpoint("use_args", Level.ARGUMENTS, view, queried, note)  # type: ignore[no-any-return]  # a view

    return decorate


@knows_its_options
def use_args_with_pagination(schema: Any, model: Any) -> Callable[[F], F]:
    """Give the view the values of the query string, and which page of a list is asked for.

    The view's argument ``args`` is as `use_args` has it; ``pagination_args`` is a dict for
    `list_page`, or for an app's own query: ``page_num`` from 0, ``page_size`` (25 by default, at
    most 200), ``sort_field`` and ``sort_direction`` (``asc`` or ``desc``), the last two and
    ``cursor`` when they were sent.

    Args:
        schema: as `use_args` takes it; ``{}`` for no parameters beside those of pages.
        model: the mapped class of the list, or a schema of it.

    The view raises `InvalidRequest` (422), also for a field that the caller may not sort by.

    Raises:
        InvalidCondition: `schema` is none, `model` is no mapped class, or the schema has one of the
            parameters of pages.
    """
    listed = model_of_schema(model) or model
    if sa.inspect(listed, raiseerr=False) is None:
        raise invalid(f"use_args_with_pagination takes a mapped class, not {model!r}.")
    reader = _QueryReader(schema)
    if taken := sorted(set(PAGING) & reader.names):
        raise invalid(f"The parameters of pages have the name {taken[0]!r} already.")

    def decorate(view: F) -> F:
        require_function(view, "use_args_with_pagination")

        @wraps(view)
        def queried(*args: Any, **view_args: Any) -> Any:
            begin()
            sent = request.args.to_dict(flat=False)
            paging: dict[str, list[str]] = {n: sent.pop(n) for n in PAGING if n in sent}
            view_args["args"] = reader.read(sent, also=PAGING)
            view_args["pagination_args"] = _pagination(paging, listed)
            with refused_values_are_told(session_of_app):
                return call_view(view, *args, **view_args)

        note = QueryNote(reader.schema, listed)
        return as_endpoint("use_args_with_pagination", Level.ARGUMENTS, view, queried, note)  # type: ignore[no-any-return]  # a view

    return decorate


class _QueryReader:
    """Reads query strings by one schema."""

    def __init__(self, schema: Any) -> None:
        if isinstance(schema, Mapping):
            schema = fields_schema(schema, is_body=False)
        self._schema: Any = schema() if _is_loader_class(schema) else schema
        self.schema = self._schema
        self.is_pydantic = is_pydantic(schema)
        if not self.is_pydantic and not callable(getattr(schema, "load", None)):
            raise invalid(
                "The schema of a query is a dict from names to types, a pydantic class, or has "
                f"load; this is {schema!r}."
            )
        fields = self._schema.model_fields if self.is_pydantic else _loader_fields(self._schema)
        self.names = frozenset(
            (getattr(f, "alias", None) or getattr(f, "data_key", None) or n)
            for n, f in fields.items()
        )
        self._listed = frozenset(
            (getattr(f, "alias", None) or getattr(f, "data_key", None) or n)
            for n, f in fields.items()
            if _takes_many(f)
        )

    def read(self, sent: Mapping[str, list[str]], *, also: Iterable[str] = ()) -> dict[str, Any]:
        """The values.

        Raises:
            InvalidRequest: some are wrong.
        """
        known = self.names | frozenset(also)
        faults = (_fault(n, values, known, self._listed) for n, values in sent.items())
        found = list(islice(filter(None, faults), _MOST_FAULTS))
        if not found:
            given = {n: v if n in self._listed else v[0] for n, v in sent.items()}
            try:
                return self._values(given)
            except pydantic.ValidationError as error:
                found = [_parameter(one["loc"], one["msg"]) for one in error.errors()]
            except Exception as error:
                messages = getattr(error, "messages", None)
                if not isinstance(messages, Mapping):
                    raise
                found = [_parameter((name,), _told(texts)) for name, texts in messages.items()]
        first = {fault.parameter: fault for fault in reversed(found)}
        raise InvalidRequest(errors=reversed(first.values()))

    def _values(self, given: dict[str, Any]) -> dict[str, Any]:
        if not self.is_pydantic:
            return dict(self._schema.load(given))
        made = validated(self._schema, given)
        values = made.model_dump()
        if told := [_parameter((n,), NOT_FINITE) for n, v in values.items() if not is_finite(v)]:
            raise InvalidRequest(errors=told)
        return {n: v for n, v in values.items() if n in made.model_fields_set or v is not None}


def _is_loader_class(schema: Any) -> bool:
    return isinstance(schema, type) and not is_pydantic(schema)


def _loader_fields(schema: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(schema, "fields", None) or {}
    return found


def _takes_many(field: Any) -> bool:
    """Whether a parameter may be sent several times."""
    annotation = getattr(field, "annotation", None)
    kinds = [annotation, *get_args(annotation)]
    return any((get_origin(one) or one) in (list, set, tuple, frozenset) for one in kinds) or (
        hasattr(field, "inner")
    )


def _fault(
    name: str, values: list[str], known: frozenset[str], listed: frozenset[str]
) -> FieldError | None:
    if name not in known:
        safe = name if unstorable(name) is None and len(name) < 100 else ""
        return _parameter((safe,), f"There is no such parameter: {suggestion(safe, known)}")
    if len(values) > 1 and name not in listed:
        return _parameter((name,), "It is sent more than once.")
    what = next(filter(None, map(unstorable, values)), None)
    return None if what is None else _parameter((name,), f"The value holds {with_article(what)}.")


def _parameter(place: tuple[Any, ...], told: str) -> FieldError:
    return FieldError(detail=told, parameter=str(place[0]) if place else "")


def _told(texts: Any) -> str:
    return " ".join(map(str, texts)) if isinstance(texts, list | tuple) else str(texts)


# --- pages ---------------------------------------------------------------------------------------


def _pagination(sent: Mapping[str, list[str]], model: type[Any]) -> dict[str, Any]:
    faults = [
        _parameter((name,), "It is sent more than once.")
        for name, values in sent.items()
        if len(values) > 1
    ]
    if faults:
        raise InvalidRequest(errors=faults)
    given = {name: values[0] for name, values in sent.items()}
    found: dict[str, Any] = {
        "page_num": whole_number("page_num", given.get("page_num", "0"), status=STATUS),
        "page_size": _page_size(given.get("page_size")),
    }
    if "sort_field" in given:
        found["sort_field"] = _sort_field(given["sort_field"], model)
    if "sort_direction" in given:
        found["sort_direction"] = _direction(given["sort_direction"])
    if "cursor" in given:
        if "page_num" in given:
            told = "A page is asked for by page_num or by cursor, not by both."
            raise InvalidRequest(told, errors=[_parameter(("cursor",), told)])
        order = order_asked(model, found)
        if not has_cursors(order, model):
            told = "This list has no cursors for you: ask for pages by page_num."
            raise InvalidRequest(told, errors=[_parameter(("cursor",), told)])
        parsed_cursor(given["cursor"], order, status=STATUS)
        found["cursor"] = given["cursor"]
    return found


def _page_size(text: str | None) -> int:
    if text is None:
        return DEFAULT_SIZE
    return min(whole_number("page_size", text, least=1, status=STATUS), MAX_SIZE)


def _sort_field(name: str, model: type[Any]) -> str:
    policy = policy_for(model)
    known = sortable_fields(model)
    if policy is not None:
        known &= policy.queryable_fields(current_caller())
    if name not in known:
        told = f"The list cannot be sorted by this field: {suggestion('', known)}"
        raise InvalidRequest(told, errors=[_parameter(("sort_field",), told)])
    return name


def _direction(text: str) -> str:
    if text not in _DIRECTIONS:
        told = "Write asc or desc."
        raise InvalidRequest(told, errors=[_parameter(("sort_direction",), told)])
    return text
