"""Requests, states and logs for the tests of actions, each with a sensible default."""

import uuid
from typing import Any

from licet.actions.documents import ActionRequest, ActionStatus, ActionStatusValue
from licet.actions.enumeration import EnumerationQuery, LogQuery
from licet.authn.auth_state import AuthState
from licet.authn.identity import Identity

ALICE = "urn:licet:identity:00000000-0000-4000-8000-00000000a11c"
BOB = "urn:licet:identity:00000000-0000-4000-8000-000000000b0b"
TEAM = "urn:licet:group:team"
EVERY_STATUS = frozenset(ActionStatusValue)


def make_request(request_id: str = "r-1", **fields: Any) -> ActionRequest:
    return ActionRequest.model_validate({"request_id": request_id, "body": {"n": 1}} | fields)


def make_status(status: str = "ACTIVE", **fields: Any) -> ActionStatus:
    return ActionStatus.model_validate(
        {"status": status, "creator_id": ALICE, "details": {"n": 1}} | fields
    )


def make_caller(*principals: str) -> AuthState:
    return AuthState(
        Identity(
            issuer="test",
            subject="s",
            principal=principals[0] if principals else "",
            principals=frozenset(principals),
        )
    )


def make_query(roles: str = "creator_id", **fields: Any) -> EnumerationQuery:
    return EnumerationQuery(
        **{"statuses": EVERY_STATUS, "roles": frozenset(roles.split(","))} | fields
    )


def new_request_id() -> str:
    return str(uuid.uuid4())


def make_log_query(**fields: Any) -> LogQuery:
    return LogQuery(**{"limit": 1000} | fields)
