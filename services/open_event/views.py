"""Events, sessions and speakers over HTTP, as plain JSON.

Every view asks its policy; none decides anything itself. Bodies hold the models' column names.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue

from licet.authz import (
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    authorize,
    find_object,
    guarded_by,
    list_objects,
    with_object,
    write,
)
from licet.authz.flask import current_caller, current_session
from licet.authz.grants import give, revoke
from licet.wire.text import is_storable

from . import policies
from .models import Account, EventRole, Membership, Session

blueprint = Blueprint("open_event", __name__)
PAGE, MOST = 50, 2**31 - 1


def _columns(policy: Policy) -> dict[str, Any]:
    return {column.key: column for column in sa.inspect(policy.model).columns}


def _shown(policy: Policy, owner: Any, fields: frozenset[str]) -> dict[str, Any]:
    values = {name: getattr(owner, name) for name in _columns(policy) if name in fields}
    return {name: _as_json(value) for name, value in values.items()}


def _as_json(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if hasattr(value, "isoformat") else value


def _read_body(policy: Policy) -> dict[str, Any]:
    """The body's members as values of the model's columns; 422 for what does not fit."""
    body = request.get_json()
    columns = _columns(policy)
    if not isinstance(body, dict) or not body.keys() <= columns.keys():
        abort(422, f"The body is an object with members of {', '.join(columns)}.")
    return {name: _converted(columns[name], value) for name, value in body.items()}


def _converted(column: sa.Column[Any], value: Any) -> Any:
    if value is None:
        return None if column.nullable else abort(422, f"{column.key} must not be null.")
    wanted = column.type.python_type
    if issubclass(wanted, Enum):
        try:
            return wanted(value)
        except ValueError:
            abort(422, f"{column.key} is one of {', '.join(m.value for m in wanted)}.")
    if type(value) is not wanted or (isinstance(value, str) and not is_storable(value)):
        abort(422, f"{column.key} must be of type {wanted.__name__}.")
    if wanted is int and not -MOST <= value <= MOST:
        abort(422, f"{column.key} is out of range.")
    return value


def _write(policy: Policy, owner: Any, values: dict[str, Any]) -> None:
    """Set fields that the caller may write; the rest is a 403 that names them."""
    if "event_id" in values:  # into an event that the caller may not see: it is not there
        find_object(policies.events, values["event_id"], VIEW)
        if sa.inspect(owner).transient:  # what a draft lets one write depends on its event
            owner.event_id = values["event_id"]
    writable = policy.writable_fields(current_caller(), owner, session=current_session())
    if refused := sorted(values.keys() - writable):
        abort(403, f"You may not write {', '.join(refused)}.")
    for name, value in values.items():
        setattr(owner, name, value)


def _require_all(policy: Policy, values: dict[str, Any]) -> None:
    for name, column in _columns(policy).items():
        is_given = column.nullable or column.primary_key or column.default is not None
        if not is_given and name not in values:
            abort(422, f"{name} must be given.")


def _one(policy: Policy, owner: Any) -> ResponseReturnValue:
    return jsonify(_shown(policy, owner, policy.visible_fields(current_caller(), owner)))


def _add_routes(policy: Policy) -> None:
    """List, view, create, update and delete objects of one policy."""
    name, model = policy.name, policy.model

    @blueprint.get(f"/{name}", endpoint=f"{name}_list")
    @guarded_by(policy, LIST)
    def list_all() -> ResponseReturnValue:
        sort = request.args.get("sort", "id")
        if sort not in _columns(policy) or sort not in policy.queryable_fields(current_caller()):
            abort(400, f"{name} cannot be sorted by {sort}.")
        statement = sa.select(model).order_by(getattr(model, sort), model.id).limit(PAGE)
        offset = min(max(request.args.get("offset", 0, type=int), 0), MOST)
        statement = statement.offset(offset)
        rows = list_objects(
            policy, current_session(), statement, current_caller(), may=(UPDATE, DELETE)
        )
        return jsonify(
            [
                _shown(policy, row.object, row.visible_fields) | {"may": sorted(row.verbs)}
                for row in rows
            ]
        )

    @blueprint.post(f"/{name}", endpoint=f"{name}_create")
    @guarded_by(policy, CREATE)
    def create() -> ResponseReturnValue:
        draft, values = model(), _read_body(policy)
        with write(policy, CREATE, draft):
            if isinstance(draft, Session):
                draft.creator_id = current_caller().account_id
            _write(policy, draft, values)
            authorize(policy, CREATE, draft)  # what is missing is not told to others
            _require_all(policy, values)
            if model is policies.events.model:
                owner = current_caller().account_id
                draft.memberships.append(Membership(account_id=owner, role=EventRole.OWNER))
        return _one(policy, draft), 201

    @blueprint.get(f"/{name}/<int:key>", endpoint=f"{name}_view")
    @with_object(policy, VIEW, "key")
    def view(owner: Any) -> ResponseReturnValue:
        return _one(policy, owner)

    @blueprint.patch(f"/{name}/<int:key>", endpoint=f"{name}_update")
    @with_object(policy, UPDATE, "key")
    def update(owner: Any) -> ResponseReturnValue:
        with write(policy, UPDATE, owner):
            _write(policy, owner, _read_body(policy))
        return _one(policy, owner)

    @blueprint.delete(f"/{name}/<int:key>", endpoint=f"{name}_delete")
    @with_object(policy, DELETE, "key")
    def delete(owner: Any) -> ResponseReturnValue:
        with write(policy, DELETE, owner):
            pass
        return "", 204


for each in (policies.events, policies.sessions, policies.speakers):
    _add_routes(each)


@blueprint.post("/events/<int:key>/reviewers")
@with_object(policies.events, policies.GRANT_REVIEWER, "key")
def appoint_reviewer(event: Any) -> ResponseReturnValue:
    """Let an account read all sessions of the event, until a moment."""
    body = request.get_json()
    try:
        key, expires_at = body["account_id"], datetime.fromisoformat(body["expires_at"])
    except (KeyError, TypeError, ValueError):
        abort(422, "The body has an account_id, and the moment expires_at with its time zone.")
    if expires_at.utcoffset() is None or expires_at <= datetime.now(UTC):
        abort(422, "expires_at is a moment to come, with its time zone.")
    is_key = type(key) is int and abs(key) <= MOST
    account = current_session().get(Account, key) if is_key else None
    if account is None:
        abort(422, f"There is no account {key!r}.")
    given = give(policies.events, event, "reviewer", to=account.principal, expires_at=expires_at)
    current_session().commit()
    return jsonify({"id": given.id, "expires_at": given.expires_at.isoformat()}), 201


@blueprint.delete("/events/<int:key>/reviewers/<grant_id>")
@guarded_by(policies.events, policies.GRANT_REVIEWER)
def dismiss_reviewer(key: int, grant_id: str) -> ResponseReturnValue:
    event = find_object(policies.events, key, policies.GRANT_REVIEWER)
    revoke(policies.events, event, grant_id)
    current_session().commit()
    return "", 204
