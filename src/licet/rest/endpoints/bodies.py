"""`unmarshal_request`: the view gets what the body holds, as an object or as a dict.

Source: seed document 004.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa
from flask import request
from sqlalchemy.orm import Session

from licet.authz import CREATE, Policy
from licet.authz._places import invalid, require_function
from licet.authz.flask import caller_beside
from licet.errors import InvalidRequest
from licet.errors.names import knows_its_options
from licet.errors.places import FieldError
from licet.rest.body import read_json
from licet.rest.endpoints.lookups import all_looked_up, looked_up
from licet.rest.endpoints.notes import BodyNote
from licet.rest.endpoints.repeats import answered_once, once
from licet.rest.endpoints.requests import (
    Level,
    as_endpoint,
    begin,
    call_view,
    policy_for,
    read_body,
    require_as_written,
    session_of_app,
)
from licet.rest.lookup import checked_as_written, refused_values_are_told, told_by_validator
from licet.rest.schemas.reading import Reader, reader_of
from licet.rest.schemas.rows import is_mapped
from licet.rest.written import changed_fields, refuse_fields

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
            ``owner``; within documents that the body holds with their path, such as ``parts.id``.

    The view raises `MalformedRequest` (400), `BodyTooLarge` (413), `UnsupportedBody` (415), and
    `InvalidRequest` (422) with one entry for each field that is wrong, unknown, or that the policy
    does not let the caller write; and `ConflictingValues` (409) when the database refuses what the
    view writes, because a value has to be unique or refers to a row that is not there.

    Raises:
        InvalidCondition: the schema is none, or has no mapped class and `load_sqla` is set; or it
            does not decorate a function.
    """
    kept = tuple(client_owned)
    reader = reader_of(schema, client_owned=kept, makes_objects=load_sqla)
    note = BodyNote(reader)
    if load_sqla and reader.is_pydantic and reader.model is None:
        raise invalid(
            "unmarshal_request makes an object of the schema's mapped class, and this pydantic "
            "class has none: make it with schema_for(Model), or write load_sqla=False for a dict."
        )

    def decorate(view: F) -> F:
        require_function(view, "unmarshal_request")

        @wraps(view)
        def loaded(*args: Any, **view_args: Any) -> Any:
            begin()
            raw = read_body()

            def answer() -> Any:
                with refused_values_are_told(session_of_app), _validators_are_told(reader.model):
                    value = view_args[kwarg] = _value(reader, raw, makes_object=load_sqla)
                    with _guard(value):
                        return call_view(view, *args, **view_args)

            return answered_once(raw, answer)

        return as_endpoint("unmarshal_request", Level.BODY, view, once(loaded), note)  # type: ignore[no-any-return]  # a view

    return decorate


@contextmanager
def _validators_are_told(model: type[Any] | None) -> Iterator[None]:
    """Answer what a model's validator (``@validates``) refuses, here or in the view, by its text.

    Raises:
        InvalidRequest: a validator raised ValueError.
    """
    try:
        yield
    except ValueError as error:
        models = {type(owner) for owner in all_looked_up()} | ({model} if model else set())
        told = told_by_validator(error, models)
        if told is None:
            raise
        raise InvalidRequest(told, errors=[FieldError(detail=told, pointer="")]) from error


def _guard(value: Any) -> AbstractContextManager[None]:
    """A block for the view, at whose end, or commit, CREATE is decided on the object it stored."""
    policy = policy_for(type(value)) if is_mapped(value) else None
    if policy is None:
        return nullcontext()
    return _created(session_of_app(), policy, value)


@contextmanager
def _created(session: Session, policy: Policy, draft: Any) -> Iterator[None]:
    """Decide CREATE on the draft, or on the copy of it that `Session.merge` has stored."""
    copies: list[Any] = []

    def before_flush(_session: Session, *_: Any) -> None:
        if sa.inspect(draft).transient:
            copies.extend(one for one in session.new if type(one) is type(draft))
            _refuse_merged(session, draft)

    def check() -> None:
        for one in (draft, *copies):
            if sa.inspect(one).persistent:
                require_as_written(policy, CREATE, one)

    sa.event.listen(session, "before_flush", before_flush)
    try:
        with checked_as_written(session, check):
            yield
    finally:
        sa.event.remove(session, "before_flush", before_flush)


def _refuse_merged(session: Session, draft: Any) -> None:
    """Refuse a draft whose key is a stored row's, which `Session.merge` has changed.

    Raises:
        InvalidRequest: it is one.
    """
    key = tuple(sa.inspect(type(draft)).primary_key_from_instance(draft))
    for one in session.dirty:
        if type(one) is type(draft) and sa.inspect(one).identity == key:
            _refuse_as_stored()


def _value(reader: Reader, raw: bytes, *, makes_object: bool) -> Any:
    headers = request.headers
    document = read_json(
        raw, headers.get("Content-Type"), content_encoding=headers.get("Content-Encoding")
    )
    with _stored_rows_are_kept(reader):
        found = reader.read(document)
    owner = looked_up(reader.model)
    policy = policy_for(reader.model if owner is None else type(owner))
    if isinstance(found, dict):
        if policy is not None and owner is not None:
            _refuse_unwritable(policy, owner, found)
        if makes_object and reader.model is not None:
            draft = reader.model(**found)
            if policy is not None:
                _refuse_unwritable(policy, draft, found)
            return draft
    elif reader.model is not None and isinstance(found, reader.model) and policy is not None:
        _refuse_unwritable(policy, found, changed_fields(found))
    return found


def _refuse_unwritable(policy: Policy, owner: Any, names: Iterable[str]) -> None:
    """Refuse fields that the caller may not write.

    Raises:
        InvalidRequest: with an entry for each.
    """
    asking = caller_beside(owner)
    writable = policy.writable_fields(asking, owner, session=session_of_app())
    known = policy.shown.names
    refuse_fields([name for name in names if name in known and name not in writable])


@contextmanager
def _stored_rows_are_kept(reader: Reader) -> Iterator[None]:
    """Refuse a body in which a schema finds stored objects by their keys, and changes them.

    Raises:
        InvalidRequest: it is one; the objects are as they were.
    """
    session = None if reader.is_pydantic else reader.session()
    if session is None:
        yield
        return
    before = [*session.dirty]
    with session.no_autoflush:
        yield
        changed = [
            one
            for one in session.dirty
            if not any(one is other for other in before)
            and session.is_modified(one, include_collections=False)
        ]
    if changed:
        for one in changed:
            session.expire(one)
        _refuse_as_stored()


def _refuse_as_stored() -> NoReturn:
    told = "There is an object with this key already."
    raise InvalidRequest(told, errors=[FieldError(detail=told, pointer="")])
