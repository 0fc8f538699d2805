"""The provider: six callbacks over the action store, and the app that serves them.

Alone: ``python app/provider.py`` in examples/watchasay, then http://localhost:5000/skeleton.
"""

import json
import sys
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, request

if __package__ in {None, ""}:  # started as a script: make the examples package importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from examples.watchasay.app import config
from licet import Licet
from licet.actions import (
    ActionProviderDescription,
    ActionRequest,
    ActionStatus,
    ActionStatusValue,
    AuthState,
    action_store,
    add_action_routes_to_blueprint,
    authorize_action_access_or_404,
    authorize_action_management_or_404,
)
from licet.actions.enumeration import Page, parse_enumeration
from licet.actions.types import ActionStatusReturn
from licet.errors import ActionConflict, ActionNotFound

store = action_store("skeleton")

description = ActionProviderDescription(
    globus_auth_scope=config.our_scope,
    title="skeleton_action_provider",
    admin_contact="support@watchasay.example",
    synchronous=True,
    input_schema=json.loads(Path(__file__).with_name("schema.json").read_text("utf-8")),
    log_supported=False,
    visible_to=["public"],
)


def action_run(action_request: ActionRequest, auth: AuthState) -> ActionStatusReturn:
    """Say it back: the work is done at once, and its result stored before the answer."""
    status = ActionStatus(
        status=ActionStatusValue.SUCCEEDED,
        creator_id=auth.effective_identity,
        label=action_request.label,
        monitor_by=action_request.monitor_by,
        manage_by=action_request.manage_by,
        release_after=action_request.release_after or "P30D",
        display_status=ActionStatusValue.SUCCEEDED,
        details={"you_said": action_request.body["input_string"]},
    )
    submission = store.submit(action_request, status)
    return submission.status, 202 if submission.created else 200


def action_status(action_id: str, auth: AuthState) -> ActionStatusReturn:
    status = _find(action_id)
    authorize_action_access_or_404(status, auth)
    return status


def action_cancel(action_id: str, auth: AuthState) -> ActionStatusReturn:
    """A synchronous action has always ended, and ended actions stay as they are."""
    status = _find(action_id)
    authorize_action_management_or_404(status, auth)
    return store.cancel(action_id, auth.effective_identity)


def action_release(action_id: str, auth: AuthState) -> ActionStatusReturn:
    status = _find(action_id)
    authorize_action_management_or_404(status, auth)
    if not status.is_complete():
        raise ActionConflict("Action is not complete")
    store.remove(status)
    return status


def action_enumerate(auth: AuthState, _params: dict[str, set[Any]]) -> Page:
    """A page; `parse_enumeration` also reads which one is asked for."""
    return store.enumerate(auth.principals, parse_enumeration(request))


def _find(action_id: str) -> ActionStatus:
    status = store.get(action_id)
    if status is None:
        raise ActionNotFound(f"No Action with id {action_id}")
    return status


def create_blueprint() -> Blueprint:
    blueprint = Blueprint("skeleton", __name__, url_prefix="/skeleton")
    add_action_routes_to_blueprint(
        blueprint=blueprint,
        client_id=config.client_id,
        client_secret=config.client_secret,
        client_name=None,
        provider_description=description,
        action_run_callback=action_run,
        action_status_callback=action_status,
        action_cancel_callback=action_cancel,
        action_release_callback=action_release,
        action_enumeration_callback=action_enumerate,
        additional_scopes=[config.secondary_scope],
    )
    return blueprint


def create_app() -> Flask:
    app = Flask(__name__)
    licet = Licet(app)
    app.register_blueprint(create_blueprint())
    licet.protect(app)
    return app


if __name__ == "__main__":
    create_app().run(port=5000)
