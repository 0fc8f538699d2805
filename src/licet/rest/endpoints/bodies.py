"""`unmarshal_request`: the view gets what the body holds, as an object or as a dict.

Source: seed document 004.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial, wraps
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import request

from licet.authz import CREATE, Policy
from licet.authz._places import invalid
from licet.authz.flask import caller_beside
from licet.errors import InvalidRequest
from licet.errors.names import knows_its_options
from licet.errors.places import FieldError, json_pointer
from licet.rest.body import read_json
from licet.rest.endpoints.lookups import looked_up
from licet.rest.endpoints.repeats import answered_once
from licet.rest.endpoints.requests import (
    begin,
    call_view,
    policy_for,
    read_body,
    require_as_written,
    session_of_app,
)
from licet.rest.lookup import checked_as_written, refused_values_are_told
from licet.rest.schemas.reading import Reader, reader_of
from licet.rest.schemas.rows import is_mapped

__all__ = ["unmarshal_request"]

F = TypeVar("F", bound=Callable[..., Any])


@knows_its_options
def unmarshal_request(
    schema: Any,
    kwarg: str,
    load_sqla: bool = True,  # noqa: FBT001, FBT002 - seed document 004's signature
    *,
    client_owned: Iterable[str] = (),
) -> Callable[[F], F]:
    """Give the view what the body holds, as the argument `kwarg`.

    A POST with an ``Idempotency-Key`` of somebody who is signed in is done once; the same request
    again gets the first answer, if its sender still may see what it shows.

    Args:
        schema: a pydantic class, one of `schema_for`, a dict from names to types, or anything with
            ``load``, such as a marshmallow schema.
        kwarg: the view's argument.
        load_sqla: the view gets a new object of the schema's mapped class, which is in no session
            yet; where the app has a policy for the class, CREATE is decided when the view commits
            it. Else the view gets a dict of the fields that were sent.
        client_owned: names that a body may set although they look like the server's, such as
            ``owner``.

    The view raises `MalformedRequest` (400), `BodyTooLarge` (413), `UnsupportedBody` (415), and
    `InvalidRequest` (422) with one entry for each field that is wrong, unknown, or that the policy
    does not let the caller write; and `ConflictingValues` (409) when the database refuses what the
    view writes, because a value has to be unique or refers to a row that is not there.

    Raises:
        InvalidCondition: the schema is none, or has no mapped class and `load_sqla` is set; or it
            does not decorate a function.
    """
    reader = reader_of(schema, client_owned=tuple(client_owned), makes_objects=load_sqla)
    if load_sqla and reader.is_pydantic and reader.model is None:
        raise invalid(
            "unmarshal_request makes an object of the schema's mapped class, and this pydantic "
            "class has none: make it with schema_for(Model), or write load_sqla=False for a dict."
        )

    def decorate(view: F) -> F:
        if not inspect.isfunction(view):
            raise invalid(f"unmarshal_request decorates view functions and methods, not {view!r}.")

        @wraps(view)
        def loaded(*args: Any, **view_args: Any) -> Any:
            begin()
            raw = read_body()

            def answer() -> Any:
                value = view_args[kwarg] = _value(reader, raw, makes_object=load_sqla)
                with refused_values_are_told(session_of_app), _guard(value):
                    return call_view(view, *args, **view_args)

            return answered_once(raw, answer)

        return loaded  # type: ignore[return-value]  # without the argument that is loaded

    return decorate


def _guard(value: Any) -> AbstractContextManager[None]:
    """A block for the view, at whose end, or commit, CREATE is decided on the object it stored."""
    policy = policy_for(type(value)) if is_mapped(value) else None
    if policy is None:
        return nullcontext()
    check = partial(require_as_written, policy, CREATE, value)
    return checked_as_written(session_of_app(), value, check)


def _value(reader: Reader, raw: bytes, *, makes_object: bool) -> Any:
    headers = request.headers
    document = read_json(
        raw, headers.get("Content-Type"), content_encoding=headers.get("Content-Encoding")
    )
    found = reader.read(document)
    policy, owner = policy_for(reader.model), looked_up(reader.model)
    if isinstance(found, dict):
        if policy is not None and owner is not None:
            _refuse_unwritable(policy, owner, found)
        if makes_object and reader.model is not None:
            draft = reader.model(**found)
            if policy is not None:
                _refuse_unwritable(policy, draft, found)
            return draft
    elif reader.model is not None and isinstance(found, reader.model):
        _refuse_stored(found)
    return found


def _refuse_unwritable(policy: Policy, owner: Any, names: Iterable[str]) -> None:
    """Refuse fields that the caller may not write.

    Raises:
        InvalidRequest: with an entry for each.
    """
    asking = caller_beside(owner)
    writable = policy.writable_fields(asking, owner, session=session_of_app())
    told = "You may not write this field."
    faults = [
        FieldError(detail=told, pointer=json_pointer(name))
        for name in names
        if name in policy.shown.names and name not in writable
    ]
    if faults:
        raise InvalidRequest(errors=faults)


def _refuse_stored(owner: Any) -> None:
    """Refuse an object that the schema found in the database by the body's key, and changed.

    Raises:
        InvalidRequest: it is one.
    """
    state = sa.inspect(owner)
    if state.persistent:
        state.session.expire(owner)
        told = "There is an object with this key already."
        raise InvalidRequest(told, errors=[FieldError(detail=told, pointer="")])
