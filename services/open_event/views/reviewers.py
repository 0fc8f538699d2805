"""Reviewers of an event, who are appointed for a time; `resources` has the rest, over JSON:API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue

from licet.authz import find_object, guarded_by, with_object
from licet.authz.flask import current_session
from licet.authz.grants import give, revoke
from services.open_event import policies
from services.open_event.models import Account

blueprint = Blueprint("open_event_reviewers", __name__)
MOST = 2**31 - 1


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
