"""Reviewers of an event, who are appointed for a time; `resources` has the rest, over JSON:API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import AwareDatetime, BaseModel

from licet.authz import find_object, guarded_by, with_object
from licet.authz.flask import current_session
from licet.authz.grants import give, revoke
from licet.rest.openapi import Example, documented
from services.open_event import policies
from services.open_event.models import Account

blueprint = Blueprint("open_event_reviewers", __name__)
MOST = 2**31 - 1
UNTIL = "2100-01-01T00:00:00+00:00"  # of the examples


class Appointment(BaseModel):
    account_id: int
    expires_at: AwareDatetime


class Appointed(BaseModel):
    id: str
    expires_at: AwareDatetime


@blueprint.post("/events/<int:key>/reviewers")
@with_object(policies.events, policies.GRANT_REVIEWER, "key")
@documented(
    "Let an account read all sessions of the event, until a moment.",
    name="appoint_reviewer",
    tag="reviewer",
    body=Appointment,
    answer=Appointed,
    status=201,
    refusals={
        400: "The body is no JSON.",
        415: "The body is not application/json.",
        422: "There is no such account, or the moment is past or has no time zone.",
    },
    examples=[
        Example(
            path={"key": "7001"},
            body={"account_id": 7004, "expires_at": UNTIL},
            status=201,
            answer={"expires_at": UNTIL},
        )
    ],
)
def appoint_reviewer(event: Any) -> ResponseReturnValue:
    """Let an account read all sessions of the event, until a moment."""
    body = request.get_json()
    try:
        key, expires_at = body["account_id"], datetime.fromisoformat(body["expires_at"])
        is_aware = expires_at.utcoffset() is not None
        expires_at = expires_at.astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        abort(422, "The body has an account_id, and the moment expires_at with its time zone.")
    if not is_aware or expires_at <= datetime.now(UTC):
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
@documented(
    "Take an appointment back.",
    name="dismiss_reviewer",
    tag="reviewer",
    status=204,
    examples=[Example(path={"key": "7001", "grant_id": "a-grant"}, status=204)],
)
def dismiss_reviewer(key: int, grant_id: str) -> ResponseReturnValue:
    event = find_object(policies.events, key, policies.GRANT_REVIEWER)
    revoke(policies.events, event, grant_id)
    current_session().commit()
    return "", 204
