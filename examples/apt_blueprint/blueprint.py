"""The blueprint: what time is it, that many hours from UTC?

An action is a clock that runs until it is cancelled; its log says what happened to it.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from flask import request
from pydantic import BaseModel, ConfigDict, Field

from examples.apt_blueprint.backend import store
from licet.actions import (
    ActionLogReturn,
    ActionProviderBlueprint,
    ActionProviderDescription,
    ActionRequest,
    ActionStatus,
    ActionStatusValue,
    AuthState,
    authorize_action_access_or_404,
    authorize_action_management_or_404,
    parse_log_query,
)
from licet.actions.enumeration import Page, parse_enumeration
from licet.actions.types import ActionCallbackReturn
from licet.errors import ActionConflict, ActionNotFound


class ActionProviderInput(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"utc_offset": 10}})

    utc_offset: int = Field(
        ge=-12, le=14, title="UTC offset", description="Hours ahead of UTC, from -12 to 14"
    )


description = ActionProviderDescription(
    globus_auth_scope=(
        "https://auth.globus.org/scopes/0e57d793-f1ac-4eeb-a30f-643b082d68ec/action_all"
    ),
    title="What Time Is It Right Now?",
    admin_contact="support@whattimeisrightnow.example",
    synchronous=False,
    input_schema=ActionProviderInput,
    subtitle="A clock for every hour of the map",
    keywords=["time", "clock"],
    visible_to=["public"],
    runnable_by=["all_authenticated_users"],
    administered_by=["support@whattimeisrightnow.example"],
    log_supported=True,
)

aptb = ActionProviderBlueprint(
    name="apt",
    import_name=__name__,
    url_prefix="/apt",
    provider_description=description,
)


@aptb.action_run
def my_action_run(action_request: ActionRequest, auth: AuthState) -> ActionCallbackReturn:
    """Start a clock; asking twice with one request_id starts one."""
    offset = timedelta(hours=action_request.body["utc_offset"])
    status = ActionStatus(
        status=ActionStatusValue.ACTIVE,
        creator_id=auth.effective_identity,
        label=action_request.label,
        monitor_by=action_request.monitor_by,
        manage_by=action_request.manage_by,
        release_after=action_request.release_after or "P30D",
        display_status=ActionStatusValue.ACTIVE,
        details={"started_at": datetime.now(timezone(offset)).isoformat(timespec="seconds")},
    )
    began = f"A clock at UTC{offset / timedelta(hours=1):+g}"
    submission = store.submit(action_request, status, log=[("STARTED", began)])
    return submission.status, 202 if submission.created else 200


@aptb.action_status
def my_action_status(action_id: str, auth: AuthState) -> ActionCallbackReturn:
    """The clock as it stands."""
    action_status = _find(action_id)
    authorize_action_access_or_404(action_status, auth)
    return action_status


@aptb.action_cancel
def my_action_cancel(action_id: str, auth: AuthState) -> ActionCallbackReturn:
    """Stop the clock; a stopped one cannot be stopped again."""
    action_status = _find(action_id)
    authorize_action_management_or_404(action_status, auth)
    if action_status.is_complete():
        raise ActionConflict("Cannot cancel complete action")
    action_status.status = ActionStatusValue.FAILED
    action_status.display_status = f"Cancelled by {auth.effective_identity}"
    action_status.completion_time = datetime.now(UTC)
    store.store(action_status, log=[("CANCELLED", f"By {auth.effective_identity}")])
    return action_status


@aptb.action_release
def my_action_release(action_id: str, auth: AuthState) -> ActionCallbackReturn:
    """Forget a stopped clock."""
    action_status = _find(action_id)
    authorize_action_management_or_404(action_status, auth)
    if not action_status.is_complete():
        raise ActionConflict("Cannot release incomplete Action")
    store.remove(action_status)
    action_status.display_status = f"Released by {auth.effective_identity}"
    return action_status


@aptb.action_log
def my_action_log(action_id: str, auth: AuthState) -> ActionLogReturn:
    """What happened to the clock, a page at a time."""
    authorize_action_access_or_404(_find(action_id), auth)
    return store.read_log(action_id, parse_log_query(request))


@aptb.action_enumerate
def action_enumeration(auth: AuthState, _params: dict[str, set[Any]]) -> Page:
    """The caller's clocks, newest first; `parse_enumeration` also reads which page is asked for."""
    return store.enumerate(auth.principals, parse_enumeration(request))


def _find(action_id: str) -> ActionStatus:
    action_status = store.get(action_id)
    if action_status is None:
        raise ActionNotFound(f"No Action with id {action_id}")
    return action_status
