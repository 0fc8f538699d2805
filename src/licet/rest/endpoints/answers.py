"""`marshal_response`: what the view gives, as JSON, with the fields that the caller may see.

Source: seed document 004; RFC 9110 sections 8.8.3 and 15.4.5 (304).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Response, current_app, jsonify, request
from pydantic import BaseModel
from sqlalchemy.orm import object_session

from licet.authz import VIEW, Policy, list_objects
from licet.authz._places import invalid, require_function
from licet.authz.flask import authorize, current_caller
from licet.errors import UsageError
from licet.errors.names import knows_its_options, with_article
from licet.rest.endpoints.lookups import was_viewed
from licet.rest.endpoints.notes import AnswerNote
from licet.rest.endpoints.repeats import note_others, note_shown
from licet.rest.endpoints.requests import (
    Level,
    as_endpoint,
    begin,
    call_view,
    policy_for,
    session_of_app,
)
from licet.rest.endpoints.uncommitted import listen_to_sessions, warn_if_never_committed
from licet.rest.etag import is_unchanged, quoted
from licet.rest.schemas.dumping import (
    Unshowable,
    dump_list,
    dump_object,
    require_dumpable,
    shows_others,
    tag_of,
)
from licet.rest.schemas.rows import Mask, is_mapped, refuse_columns

__all__ = ["ListPage", "marshal_response"]

log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])
_BATCH = 500


class ListPage(dict[str, Any]):
    """``{"_items": […], "_meta": {…}}`` whose items the policy has filtered; `masks` has theirs."""

    masks: list[Mask]


@knows_its_options
def marshal_response(schema: Any, status: int = 200, *, commit: bool = False) -> Callable[[F], F]:
    """Answer with what the view gives, under the mask of the caller.

    The shape follows from the value: an object (or a dict) is an object, a list is a list, and
    ``{"_items": […], "_meta": {…}}`` is that. An object with a version has its tag in ``ETag`` and
    ``_etag``, and ``If-None-Match`` is answered with 304; one whose schema shows related objects,
    too, has ``_etag`` alone. A response of the view's own, or a tuple
    with a status, is left alone.

    Where the app has a policy for the class, fields that the caller may not see are left out, and
    so are the rows of a list that they may not LIST: the log has a warning, because their number
    is in the list's total all the same. The view should filter, by ``policy.filter`` or
    `list_page`.

    Args:
        schema: a pydantic class, one of `schema_for`, whose answers have the columns that the
            server owns, too; or anything with ``dump``, such as a marshmallow schema, of one
            object or of a list.
        status: of the answer.
        commit: the app's session is flushed before the answer is made, and committed with it, so
            that the view need not; rolled back when there is no answer, or one of 400 or more.

    An object that the caller may not VIEW is answered as if it were not there; after a write, which
    is done, by an empty object.

    The view raises `UsageError`, which names the endpoint, the schema and the field, when its value
    has nothing for a field that the answer needs.

    Raises:
        InvalidCondition: the schema is none, or it does not decorate a function.
    """
    require_dumpable(schema)
    listen_to_sessions()

    def decorate(view: F) -> F:
        require_function(view, "marshal_response")

        @wraps(view)
        def marshalled(*args: Any, **view_args: Any) -> Any:
            begin()
            with _committed() if commit else nullcontext(_same) as finish:
                value = call_view(view, *args, **view_args)
                if isinstance(value, Response | tuple | str | bytes):
                    _refuse_unmasked(value)
                    return finish(value)
                if commit:
                    session_of_app().flush()
                return finish(_response(schema, _as_list(value), status))

        note = AnswerNote(schema, status)
        return as_endpoint("marshal_response", Level.ANSWER, view, marshalled, note)  # type: ignore[no-any-return]  # a view

    return decorate


def _same(answer: Any) -> Any:
    return answer


@contextmanager
def _committed() -> Iterator[Callable[[Any], Response]]:
    """A block whose function commits with an answer; without, nothing is written."""
    session = session_of_app()

    def finish(answer: Any) -> Response:
        response = current_app.make_response(answer)
        if response.status_code < 400:
            session.commit()
        else:
            session.rollback()
        return response

    try:
        yield finish
    except BaseException:
        session.rollback()
        raise


def _refuse_unmasked(value: Any) -> None:
    if isinstance(value, tuple) and value and is_mapped(value[0]):
        raise invalid(
            f"The view gives {with_article(type(value[0]).__name__)} and a status: give the object "
            "alone, and the status to marshal_response."
        )


def _as_list(value: Any) -> Any:
    """The rows of a query that the view gives as they come; any other value as it is.

    Raises:
        InvalidCondition: it is nothing, or a row of columns.
    """
    if value is None:
        raise invalid(
            f"The view of {request.endpoint} gives None, and marshal_response shows objects: "
            'raise ObjectNotFound, or give ("", 204).'
        )
    refuse_columns(value)
    is_one = isinstance(value, Mapping | BaseModel) or is_mapped(value)
    return list(value) if isinstance(value, Iterable) and not is_one else value


def _response(schema: Any, value: Any, status: int) -> Response:
    """The value as an answer.

    Raises:
        UsageError: it has nothing for a field, or something that is no JSON.
    """
    try:
        return _shown(schema, value, status)
    except Unshowable as error:
        raise UsageError(
            f"The view of {request.endpoint} gives an answer that cannot be shown: {error}. Have "
            "the view give the field, or the schema a default or another type."
        ) from error


def _shown(schema: Any, value: Any, status: int) -> Response:
    if isinstance(value, list):
        found: Any = _listed(schema, {"_items": value})["_items"]
    elif isinstance(value, Mapping) and "_items" in value:
        found = _listed(schema, value)
    else:
        return _of_object(schema, value, status)
    response = jsonify(found)
    response.status_code = status
    return response


def _of_object(schema: Any, owner: Any, status: int) -> Response:
    policy = policy_for(type(owner)) if is_mapped(owner) else None
    is_read = request.method in ("GET", "HEAD")
    if is_mapped(owner) and not is_read:
        _flush(owner)  # the key and the tag are of what is written
    if policy is not None and not _may_view(policy, owner, is_read=is_read):
        response = jsonify({})  # what the caller wrote, and may not read
        response.status_code = status
        note_others()
        return response
    mask = _mask(owner)
    tag = None if shows_others(schema) else tag_of(owner, mask)
    is_asked = tag is not None and is_read and status == 200
    key = sa.inspect(owner).identity if policy is not None else None
    if policy is not None and key is not None:
        note_shown(policy, key, mask or ())
    if tag and is_asked and is_unchanged(request.headers.get("If-None-Match"), tag):
        response = Response(status=304)
        del response.headers["Content-Type"]
    else:
        response = jsonify(dump_object(schema, owner, mask, _see))
        response.status_code = status
    if tag is not None:
        response.headers["ETag"] = quoted(tag)
    return response


def _flush(owner: Any) -> None:
    session = object_session(owner)
    if session is None:
        return
    warn_if_never_committed(session)
    if owner in session.dirty or owner in session.new:
        session.flush()


def _may_view(policy: Policy, owner: Any, *, is_read: bool) -> bool:
    """Whether the caller may be shown an object that is stored.

    Raises:
        ObjectNotFound, AccessDenied, AuthenticationError: they may not, and only read.
    """
    state = sa.inspect(owner)
    if not state.persistent or was_viewed(owner):
        return True
    if is_read:
        authorize(policy, VIEW, owner)
        return True
    return bool(policy.decide(current_caller(), VIEW, owner))


def _mask(owner: Any) -> Mask:
    policy = policy_for(type(owner)) if is_mapped(owner) else None
    if policy is None:
        return None
    session = object_session(owner) or session_of_app()
    return policy.visible_fields(current_caller(), owner, session=session)


def _listed(schema: Any, value: Mapping[str, Any]) -> Any:
    owners = list(value["_items"])
    if isinstance(value, ListPage):
        masks = value.masks
    else:
        owners, masks = _kept(owners)
    if any(mask is not None for mask in masks):
        note_others()
    return dump_list(schema, {**value, "_items": owners}, masks, _see)


def _kept(owners: list[Any]) -> tuple[list[Any], list[Mask]]:
    """The rows that the caller may list, and their masks, by one query for each class."""
    for one in owners:
        refuse_columns(one)
    policies = {
        model: policy_for(model) for model in {type(one) for one in owners if is_mapped(one)}
    }
    masks: dict[int, Mask] = {}
    for policy in {policy for policy in policies.values() if policy is not None}:
        of_policy = [one for one in owners if policies.get(type(one)) is policy]
        masks |= _masks_of(policy, of_policy)
    kept = [one for one in owners if policies.get(type(one)) is None or id(one) in masks]
    if len(kept) < len(owners):
        log.warning(
            "%d rows of a list of %s are left out, which the caller may not LIST: filter the "
            "view's query by the policy.",
            len(owners) - len(kept),
            request.endpoint,
        )
    return kept, [masks.get(id(one)) for one in kept]


def _masks_of(policy: Policy, owners: list[Any]) -> dict[int, Mask]:
    session, asking = session_of_app(), current_caller()
    session.flush()
    by_key = {sa.inspect(one).identity: one for one in owners}
    columns = sa.inspect(policy.model).primary_key
    key = columns[0] if len(columns) == 1 else sa.tuple_(*columns)
    keys = [one[0] if len(columns) == 1 else one for one in by_key if one is not None]
    found: dict[int, Mask] = {}
    for begin_at in range(0, len(keys), _BATCH):
        statement = sa.select(policy.model).where(key.in_(keys[begin_at : begin_at + _BATCH]))
        for one in list_objects(policy, session, statement, asking):
            owner = by_key.get(sa.inspect(one.object).identity)
            if owner is not None:
                found[id(owner)] = one.visible_fields
    return found


def _see(owner: Any) -> tuple[bool, Mask]:
    """Whether the caller may see a related object, and what of it."""
    policy = policy_for(type(owner)) if is_mapped(owner) else None
    if policy is None:
        return True, None
    note_others()
    is_seen = bool(policy.decide(current_caller(), VIEW, owner))
    return is_seen, _mask(owner) if is_seen else ()
