"""The four ways of making a provider, behind one face, for the contract suite."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, request
from werkzeug.test import TestResponse

from licet.actions import (
    AbstractActionRepository,
    ActionLogReturn,
    ActionProviderBlueprint,
    ActionProviderDescription,
    ActionRequest,
    ActionStatus,
    ActionStatusValue,
    AuthState,
    action_store,
    add_action_routes_to_blueprint,
    authorize_action_access_or_404,
    authorize_action_management_or_404,
    parse_log_query,
)
from licet.actions.enumeration import EnumerationQuery
from licet.authn import embedded_issuer
from licet.authn.tokens.issuer import subject_of
from licet.errors import ActionConflict, ActionNotFound

KINDS = ("callbacks", "store", "repository", "helper")
SCOPE = "https://auth.example/scopes/provider/action_all"
SECOND_SCOPE = "https://auth.example/scopes/provider/second"
THIRD_SCOPE = "https://auth.example/scopes/provider/third"
PREFIX = "/p"
SCHEMA = {
    "type": "object",
    "properties": {"echo": {"type": "string"}, "state": {"type": "string"}},
    "required": ["echo"],
}
ROUTES = {
    "old": {
        "run": ("POST", "/run"),
        "status": ("GET", "/{id}/status"),
        "cancel": ("POST", "/{id}/cancel"),
        "release": ("POST", "/{id}/release"),
        "resume": ("POST", "/{id}/resume"),
        "log": ("GET", "/{id}/log"),
    },
    "new": {
        "run": ("POST", "/actions"),
        "status": ("GET", "/actions/{id}"),
        "cancel": ("POST", "/actions/{id}/cancel"),
        "release": ("DELETE", "/actions/{id}"),
        "resume": ("POST", "/actions/{id}/resume"),
        "log": ("GET", "/actions/{id}/log"),
    },
}
for _routes in ROUTES.values():
    _routes["enumerate"] = ("GET", "/actions")
    _routes["introspect"] = ("GET", "/")
ON_ONE_ACTION = ("status", "cancel", "release", "resume", "log")
NOBODY = "urn:globus:auth:identity:11111111-2222-3333-4444-555555555555"
STATUS_KEYS = {
    "action_id",
    "status",
    "creator_id",
    "details",
    "start_time",
    "completion_time",
    "label",
    "display_status",
    "monitor_by",
    "manage_by",
    "release_after",
}


def describe(**changes: Any) -> ActionProviderDescription:
    """A description that takes `SCHEMA`."""
    fields: dict[str, Any] = {
        "globus_auth_scope": SCOPE,
        "title": "Echo",
        "admin_contact": "support@echo.example",
        "synchronous": False,
        "input_schema": SCHEMA,
        "log_supported": True,
    }
    return ActionProviderDescription(**fields | changes)


def assert_error(response: Any, status: int, code: str) -> None:
    """The response is the interface's error document."""
    assert (response.status_code, response.json["code"]) == (status, code), response.text
    assert response.content_type == "application/json"
    assert isinstance(response.json["description"], str)


def urn(user: str) -> str:
    """The principal of one of the app's own users."""
    return f"urn:licet:identity:{subject_of(user)}"


def begun(asked: ActionRequest, auth: AuthState) -> ActionStatus:
    """The action that a request starts: in the state that its body names."""
    return ActionStatus(
        status=ActionStatusValue(asked.body.get("state", "ACTIVE")),
        creator_id=auth.effective_identity,
        label=asked.label,
        monitor_by=asked.monitor_by,
        manage_by=asked.manage_by,
        release_after=asked.release_after or "P30D",
        details={"you_said": asked.body["echo"]},
    )


class DictRepository(AbstractActionRepository):
    """A user's own storage; what it gives out is a copy."""

    def __init__(self) -> None:
        self.actions: dict[str, ActionStatus] = {}
        self.removed: list[str] = []

    def get(self, action_id: str) -> ActionStatus | None:
        found = self.actions.get(action_id)
        return found and found.model_copy(deep=True)

    def store(self, action: ActionStatus) -> None:
        self.actions[action.action_id] = action.model_copy(deep=True)

    def remove(self, action: ActionStatus) -> None:
        self.removed.append(action.action_id)
        del self.actions[action.action_id]


@dataclass
class StoreCallbacks:
    """Six callbacks over the store, written as the seed documents write theirs."""

    store: Any = field(default_factory=lambda: action_store("callbacks"))

    def run(self, asked: ActionRequest, auth: AuthState) -> Any:
        submission = self.store.submit(asked, begun(asked, auth))
        if not submission.created:
            return submission.status, 200
        self.store.append_log(submission.status.action_id, "STARTED", "It began")
        return submission.status

    def find(self, action_id: str) -> ActionStatus:
        status: ActionStatus | None = self.store.get(action_id)
        if status is None:
            raise ActionNotFound(f"No Action with id {action_id}")
        return status

    def status(self, action_id: str, auth: AuthState) -> ActionStatus:
        status = self.find(action_id)
        authorize_action_access_or_404(status, auth)
        return status

    def cancel(self, action_id: str, auth: AuthState) -> Any:
        authorize_action_management_or_404(self.find(action_id), auth)
        return self.store.cancel(action_id, auth.effective_identity), 200

    def release(self, action_id: str, auth: AuthState) -> ActionStatus:
        status = self.find(action_id)
        authorize_action_management_or_404(status, auth)
        if not status.is_complete():
            raise ActionConflict("Action is not complete")
        self.store.remove(status)
        return status

    def resume(self, action_id: str, auth: AuthState) -> ActionStatus:
        status = self.find(action_id)
        authorize_action_management_or_404(status, auth)
        status.status = ActionStatusValue.ACTIVE
        self.store.store(status)
        return status

    def log(self, action_id: str, auth: AuthState) -> ActionLogReturn:
        authorize_action_access_or_404(self.find(action_id), auth)
        return self.store.read_log(action_id, parse_log_query(request))

    def enumerate(self, auth: AuthState, params: dict[str, set[Any]]) -> list[ActionStatus]:
        query = EnumerationQuery(
            statuses=frozenset(params["statuses"]), roles=frozenset(params["roles"])
        )
        return self.store.enumerate(auth.principals, query).actions


def make_callbacks(description: ActionProviderDescription, **options: Any) -> Blueprint:
    """A blueprint whose decorators took all seven callbacks."""
    blueprint = ActionProviderBlueprint("p", __name__, PREFIX, description, **options)
    functions = StoreCallbacks()
    for name in ("run", "status", "cancel", "release", "resume", "log", "enumerate"):
        getattr(blueprint, f"action_{name}")(getattr(functions, name))
    return blueprint


def make_store(description: ActionProviderDescription, **options: Any) -> Blueprint:
    """A blueprint with the toolkit's store and nothing but `action_run`."""
    store = action_store("store")
    blueprint = ActionProviderBlueprint(
        "p", __name__, PREFIX, description, action_repository=store, **options
    )
    blueprint.action_run(begun)
    return blueprint


def make_repository(description: ActionProviderDescription, **options: Any) -> Blueprint:
    """A blueprint with a user's own repository; what that cannot answer are callbacks."""
    repository = DictRepository()
    blueprint = ActionProviderBlueprint(
        "p", __name__, PREFIX, description, action_repository=repository, **options
    )
    requests: dict[tuple[str, str], tuple[ActionRequest, str]] = {}

    @blueprint.action_run
    def run(asked: ActionRequest, auth: AuthState) -> Any:
        key = (auth.effective_identity, asked.request_id)
        earlier, action_id = requests.get(key, (None, ""))
        if earlier is None or action_id not in repository.actions:
            status = begun(asked, auth)
            requests[key] = (asked, status.action_id)
            return status
        if earlier != asked:
            raise ActionConflict("The request_id was used for something else")
        return repository.get(action_id), 200

    @blueprint.action_resume
    def resume(action: ActionStatus, auth: AuthState) -> ActionStatus:
        action.status = ActionStatusValue.ACTIVE
        return action

    @blueprint.action_log
    def log(action_id: str, auth: AuthState) -> ActionLogReturn:
        return ActionLogReturn(entries=[{"code": "STARTED", "description": "It began"}])

    @blueprint.action_enumerate
    def enumerate_actions(auth: AuthState, params: dict[str, set[Any]]) -> list[ActionStatus]:
        newest_first = reversed(repository.actions.values())
        return [a for a in newest_first if a.status in params["statuses"] and _has(a, auth, params)]

    return blueprint


def _has(action: ActionStatus, auth: AuthState, params: dict[str, set[Any]]) -> bool:
    allowed: set[str] = set()
    for role in params["roles"]:
        listed = getattr(action, role)
        allowed |= {listed} if isinstance(listed, str) else listed
    return auth.check_authorization(allowed)


def make_helper(description: ActionProviderDescription, **options: Any) -> Blueprint:
    """A plain Flask blueprint with the helper's routes."""
    blueprint = Blueprint("p", __name__, url_prefix=PREFIX)
    functions = StoreCallbacks(action_store("helper"))
    add_action_routes_to_blueprint(
        blueprint=blueprint,
        client_id=None,
        client_secret=None,
        client_name=None,
        provider_description=description,
        action_run_callback=functions.run,
        action_status_callback=functions.status,
        action_cancel_callback=functions.cancel,
        action_release_callback=functions.release,
        action_log_callback=functions.log,
        action_enumeration_callback=functions.enumerate,
        **options,
    )
    return blueprint


MAKERS: Mapping[str, Callable[..., Blueprint]] = {
    "callbacks": make_callbacks,
    "store": make_store,
    "repository": make_repository,
    "helper": make_helper,
}


class Site:
    """An app with one provider, and a client that knows both spellings of its routes."""

    def __init__(self, kind: str, blueprint: Blueprint, instance: Path, **config: Any) -> None:
        self.kind = kind
        self.app = Flask(__name__, instance_path=str(instance))
        self.app.config.update(LICET_INSTANCE_PATH=str(instance), **config)
        self.app.register_blueprint(blueprint)
        self.client = self.app.test_client()

    def token(self, user: str, scopes: Any = (SCOPE,), groups: Any = ()) -> str:
        """A real token of the app's own issuer."""
        return embedded_issuer(self.app).mint(user, scopes, groups=groups)

    def call(
        self,
        operation: str,
        *,
        by: str | None = "alice",
        action_id: str = "none",
        spelling: str = "old",
        groups: Any = (),
        **options: Any,
    ) -> TestResponse:
        """One request; `by` is the caller, None for one without a token."""
        method, path = ROUTES[spelling][operation]
        headers = options.pop("headers", {})
        if by is not None and "Authorization" not in headers:
            headers = {**headers, "Authorization": f"Bearer {self.token(by, groups=groups)}"}
        url = PREFIX + path.format(id=action_id) + options.pop("suffix", "")
        return self.client.open(url, method=method, headers=headers, **options)

    def run(self, by: str = "alice", **fields: Any) -> TestResponse:
        """Ask for an action; `state`, `echo`, `spelling` and every field may be given."""
        spelling = fields.pop("spelling", "old")
        body = {"echo": "hey", "state": fields.pop("state", "ACTIVE")}
        asked = {"request_id": uuid.uuid4().hex, "body": body} | fields
        return self.call("run", by=by, spelling=spelling, data=json.dumps(asked))

    def started(self, by: str = "alice", **fields: Any) -> str:
        """The id of a new action."""
        response = self.run(by, **fields)
        assert response.status_code == 202, response.text
        return str(response.json["action_id"])
