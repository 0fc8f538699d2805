"""Programs for the Globus Action Provider toolkit run when only their import root is changed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import globus_sdk
import pytest
import responses
from cachetools import TTLCache
from flask import Blueprint, Flask, jsonify, request
from flask.testing import FlaskClient
from pydantic import BaseModel
from werkzeug import exceptions as werkzeug_exceptions
from werkzeug.test import TestResponse

from licet.authn import embedded_issuer
from licet.compat.globus_action_provider_tools import (
    ActionProviderDescription,
    ActionRequest,
    ActionStatus,
    ActionStatusValue,
    AuthState,
    AuthStateBuilder,
    TokenChecker,
)
from licet.compat.globus_action_provider_tools.authentication import (
    GROUPS_SCOPE,
    group_principal,
    identity_principal,
)
from licet.compat.globus_action_provider_tools.authorization import (
    authorize_action_access_or_404,
    authorize_action_management_or_404,
)
from licet.compat.globus_action_provider_tools.data_types import (
    ActionInactiveDetails,
    ActionLogEntry,
    ActionLogReturn,
    RequestObject,
)
from licet.compat.globus_action_provider_tools.errors import (
    AuthenticationError,
    ConfigurationError,
    UnverifiedAuthenticationError,
)
from licet.compat.globus_action_provider_tools.flask import (
    ActionProviderBlueprint,
    ActionProviderConfig,
    add_action_routes_to_blueprint,
    flask_validate_request,
    flask_validate_response,
)
from licet.compat.globus_action_provider_tools.flask import exceptions as flask_exceptions
from licet.compat.globus_action_provider_tools.flask import helpers as flask_helpers
from licet.compat.globus_action_provider_tools.groups_client import GroupsClient
from licet.compat.globus_action_provider_tools.storage import AbstractActionRepository
from licet.compat.globus_action_provider_tools.testing import fixtures, mocks, patches
from licet.compat.globus_action_provider_tools.utils import shortish_id
from licet.compat.globus_action_provider_tools.validation import (
    ValidationRequest,
    request_validator,
)
from licet.testing import plugin

ROOT = "licet.compat.globus_action_provider_tools"
SCOPE = "https://auth.globus.org/scopes/3f1c7d52-0000-4000-8000-6f2f6d1d0001/count"
SECOND_SCOPE = "https://auth.globus.org/scopes/3f1c7d52-0000-4000-8000-6f2f6d1d0001/second"

# By module: the public names of the original, and the versions (of the seven looked at: 0.10.5,
# 0.11.0, 0.12.0, 0.15.0, 0.18.0, 0.19.1, 0.21.0) that have them.
NAMES: dict[str, dict[str, str]] = {
    "": {
        "0.12.0-0.18.0": "TokenChecker",
        "0.12.0-0.19.1": "now_isoformat principal_urn_regex",
        "0.12.0-0.21.0": (
            "ActionProviderDescription ActionProviderJsonEncoder ActionRequest "
            "ActionStatus ActionStatusValue AuthState"
        ),
        "0.19.1-0.21.0": "AuthStateBuilder",
    },
    "authentication": {
        "0.10.5-0.11.0": "GROUPS_SCOPE",
        "0.10.5-0.18.0": "TokenChecker",
        "0.10.5-0.21.0": "AuthState group_principal identity_principal",
        "0.19.1-0.21.0": "AuthStateBuilder InvalidTokenScopesError",
        "0.21.0": "InactiveTokenError",
    },
    "authorization": {
        "0.10.5-0.21.0": "authorize_action_access_or_404 authorize_action_management_or_404",
    },
    "client_factory": {
        "0.21.0": "ClientFactory",
    },
    "data_types": {
        "0.10.5-0.11.0": "now_isoformat shortish_id",
        "0.10.5-0.15.0": "AutomateBaseEnum",
        "0.10.5-0.21.0": (
            "ActionProviderDescription ActionProviderJsonEncoder ActionRequest "
            "ActionStatus ActionStatusValue EventType ProviderType"
        ),
        "0.11.0-0.21.0": (
            "ActionFailedDetails ActionInactiveDetails ActionLogEntry ActionLogReturn "
            "ExtensibleCodeDescription PaginationWrapper SubscriptableObject"
        ),
        "0.15.0-0.21.0": "RequestObject convert_to_json",
    },
    "errors": {
        "0.10.5-0.11.0": "TokenValidationError",
        "0.10.5-0.12.0": "ConfigurationError",
        "0.10.5-0.21.0": "ActionProviderToolsError AuthenticationError",
        "0.18.0-0.21.0": "UnverifiedAuthenticationError",
    },
    "exceptions": {
        "0.10.5-0.11.0": (
            "ActionConflict ActionNotFound ActionProviderError "
            "ActionProviderToolsException BadActionRequest JSONType "
            "UnauthorizedRequest"
        ),
    },
    "flask": {
        "0.10.5-0.11.0": "ActionStatusReturn",
        "0.10.5-0.19.1": (
            "add_action_routes_to_blueprint blueprint_error_handler "
            "flask_validate_request flask_validate_response"
        ),
        "0.10.5-0.21.0": "ActionProviderBlueprint",
        "0.18.0-0.21.0": "ActionProviderConfig DEFAULT_CONFIG",
    },
    "flask.api_helpers": {
        "0.10.5-0.19.1": (
            "add_action_routes_to_blueprint flask_validate_request flask_validate_response"
        ),
    },
    "flask.apt_blueprint": {
        "0.10.5-0.21.0": "ActionProviderBlueprint",
    },
    "flask.config": {
        "0.18.0-0.21.0": "ActionProviderConfig DEFAULT_CONFIG",
    },
    "flask.exceptions": {
        "0.12.0-0.21.0": (
            "ActionConflict ActionNotFound ActionProviderError "
            "ActionProviderToolsException BadActionRequest JSONType "
            "UnauthorizedRequest"
        ),
        "0.15.0-0.21.0": "RequestValidationError",
    },
    "flask.helpers": {
        "0.10.5-0.18.0": "check_token",
        "0.10.5-0.21.0": (
            "ActionInputValidatorType action_status_return_to_view_return "
            "blueprint_error_handler get_input_body_validator "
            "json_schema_input_validation parse_query_args pydantic_input_validation "
            "query_args_to_enum validate_input"
        ),
        "0.15.0-0.21.0": "assign_json_provider",
        "0.19.1-0.21.0": "FlaskAuthStateBuilder",
    },
    "flask.request_lifecycle_hooks": {
        "0.15.0-0.21.0": "CloudWatchMetricEMFLogger",
    },
    "flask.request_lifecycle_hooks.cloudwatch_metrics": {
        "0.15.0-0.21.0": "CloudWatchMetricEMFLogger CloudWatchUnit",
    },
    "flask.types": {
        "0.10.5": "ActionLogReturn",
        "0.10.5-0.11.0": (
            "ActionCancelType ActionEnumerationType ActionLogType "
            "ActionReleaseType ActionRunType ActionStatusReturn "
            "ActionStatusType"
        ),
        "0.10.5-0.21.0": "ViewReturn",
        "0.12.0-0.21.0": (
            "ActionCallbackReturn ActionCancelCallback ActionEnumerationCallback "
            "ActionLogCallback ActionOperationCallback ActionReleaseCallback "
            "ActionResumeCallback ActionRunCallback ActionStatusCallback"
        ),
    },
    "groups_client": {
        "0.10.5-0.12.0": "GroupsClient",
        "0.12.0": "GROUPS_SCOPE",
    },
    "storage": {
        "0.12.0-0.21.0": "AbstractActionRepository",
    },
    "testing": {},
    "testing.fixtures": {
        "0.10.5-0.18.0": "apt_blueprint_noauth flask_helpers_noauth",
    },
    "testing.mocks": {
        "0.10.5-0.18.0": "mock_authstate mock_tokenchecker",
    },
    "testing.patches": {
        "0.10.5-0.18.0": "flask_api_helpers_tokenchecker_patch flask_blueprint_tokenchecker_patch",
    },
    "utils": {
        "0.12.0-0.15.0": "shortish_id",
        "0.12.0-0.21.0": "now_isoformat principal_urn_regex uuid_regex",
        "0.19.1-0.21.0": "TypedTTLCache",
    },
    "validation": {
        "0.10.5-0.21.0": (
            "ValidationRequest ValidationResult request_validator response_validator validate_data"
        ),
        "0.18.0-0.21.0": "format_validation_error",
    },
}

# What the original has too and a port has to do without, with the reason.
LEFT_OUT = {
    "caching": "0.10 and 0.11: a dogpile region; the caches are class attributes of AuthState",
    "flask.types.ActionLoaderType": "0.10 and 0.11: action_repository took its place in 0.12",
    "flask.types.ActionSaverType": "0.10 and 0.11: action_repository took its place in 0.12",
    "groups_client.GROUPS_API_ENVIRONMENTS": "0.12: the SDK knows its own addresses",
}


class CountInput(BaseModel):
    """What the ported program takes: a text whose words it counts."""

    text: str


COUNT_SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def _description(**changes: Any) -> ActionProviderDescription:
    fields: dict[str, Any] = {
        "globus_auth_scope": SCOPE,
        "title": "Count words",
        "admin_contact": "words@example.org",
        "synchronous": False,
        "input_schema": COUNT_SCHEMA,
        "log_supported": True,
        "visible_to": ["public"],
        "runnable_by": ["all_authenticated_users"],
    }
    return ActionProviderDescription(**(fields | changes))


class CountWords:
    """A small ported program: its callbacks, over a dict that stands for its own storage."""

    def __init__(self) -> None:
        self.actions: dict[str, ActionStatus] = {}

    def _find(self, action_id: str) -> ActionStatus:
        if action_id not in self.actions:
            raise flask_exceptions.ActionNotFound(f"No action {action_id}")
        return self.actions[action_id]

    def run(self, asked: ActionRequest, auth: AuthState) -> ActionStatus:
        status = ActionStatus(
            status=ActionStatusValue.ACTIVE,
            creator_id=str(auth.effective_identity),
            monitor_by=asked.monitor_by or auth.identities,
            manage_by=asked.manage_by or auth.identities,
            start_time=datetime.now(UTC).isoformat(),
            release_after=asked.release_after or "P30D",
            display_status=ActionStatusValue.ACTIVE,
            details={"words": len(asked.body["text"].split())},
        )
        self.actions[status.action_id] = status
        return status

    def status(self, action_id: str, auth: AuthState) -> tuple[ActionStatus, int]:
        status = self._find(action_id)
        authorize_action_access_or_404(status, auth)
        return status, 200

    def cancel(self, action_id: str, auth: AuthState) -> ActionStatus:
        status = self._find(action_id)
        authorize_action_management_or_404(status, auth)
        if status.is_complete():
            raise flask_exceptions.ActionConflict("It is over already")
        status.status = ActionStatusValue.FAILED
        status.display_status = f"Cancelled by {auth.effective_identity}"
        return status

    def release(self, action_id: str, auth: AuthState) -> ActionStatus:
        status = self._find(action_id)
        authorize_action_management_or_404(status, auth)
        if not status.is_complete():
            raise flask_exceptions.ActionConflict("It is not over yet")
        return self.actions.pop(action_id)

    def log(self, action_id: str, auth: AuthState) -> ActionLogReturn:
        entry = ActionLogEntry(code="Counted", description="by blanks", details=dict(request.args))
        return ActionLogReturn(limit=1, has_next_page=False, entries=[entry])

    def enumerate(self, auth: AuthState, params: dict[str, set[Any]]) -> list[ActionStatus]:
        wanted = [a for a in self.actions.values() if a.status in params["statuses"]]
        return [a for a in wanted if auth.check_authorization({a.creator_id})]


def _blueprint(program: CountWords, **options: Any) -> ActionProviderBlueprint:
    given = {"provider_description": _description(input_schema=CountInput), "url_prefix": "/count"}
    blueprint = ActionProviderBlueprint(name="count", import_name=__name__, **(given | options))
    blueprint.action_run(program.run)
    blueprint.action_status(program.status)
    blueprint.action_cancel(program.cancel)
    blueprint.action_release(program.release)
    blueprint.action_log(program.log)
    blueprint.action_enumerate(program.enumerate)
    return blueprint


def _helper_blueprint(program: CountWords) -> Blueprint:
    blueprint = Blueprint("count", __name__, url_prefix="/count")
    add_action_routes_to_blueprint(
        blueprint=blueprint,
        client_id="",
        client_secret="",
        client_name=None,
        provider_description=_description(),
        action_run_callback=program.run,
        action_status_callback=program.status,
        action_cancel_callback=program.cancel,
        action_release_callback=program.release,
        action_log_callback=program.log,
        action_enumeration_callback=program.enumerate,
        additional_scopes=[SECOND_SCOPE],
    )
    return blueprint


class Kept(AbstractActionRepository):
    """A ported program's storage, as the toolkit takes it from 0.12 on."""

    def __init__(self) -> None:
        self.actions: dict[str, ActionStatus] = {}

    def get(self, action_id: str) -> ActionStatus | None:
        return self.actions.get(action_id)

    def store(self, action: ActionStatus) -> None:
        self.actions[action.action_id] = action

    def remove(self, action: ActionStatus) -> None:
        del self.actions[action.action_id]


def _failed(action: ActionStatus, _auth: AuthState) -> ActionStatus:
    return action.model_copy(update={"status": ActionStatusValue.FAILED})


MAKERS = {"blueprint": _blueprint, "helper": _helper_blueprint}
RUN = {"request_id": "one", "body": {"text": "to be or not"}}
FORMS = {
    "old": {
        "run": ("POST", "/count/run"),
        "status": ("GET", "/count/{}/status"),
        "log": ("GET", "/count/{}/log"),
        "cancel": ("POST", "/count/{}/cancel"),
        "release": ("POST", "/count/{}/release"),
    },
    "new": {
        "run": ("POST", "/count/actions"),
        "status": ("GET", "/count/actions/{}"),
        "log": ("GET", "/count/actions/{}/log"),
        "cancel": ("POST", "/count/actions/{}/cancel"),
        "release": ("DELETE", "/count/actions/{}"),
    },
}
Caller = Callable[..., TestResponse]


def _app(folder: Path, blueprint: Blueprint, **config: Any) -> Flask:
    app = Flask(__name__, instance_path=str(folder))
    app.config.update({"CLIENT_ID": "", "CLIENT_SECRET": ""} | config)
    app.register_blueprint(blueprint)
    return app


def _caller(app: Flask, user: str, form: str, scope: str = SCOPE) -> Caller:
    """What sends one operation of the interface in `user`'s name."""
    headers = {"Authorization": f"Bearer {embedded_issuer(app).mint(user, [scope])}"}

    def call(operation: str, action_id: str = "") -> TestResponse:
        method, path = FORMS[form][operation]
        body = RUN if operation == "run" else None
        client = app.test_client()
        return client.open(path.format(action_id), method=method, headers=headers, json=body)

    return call


@pytest.fixture(params=MAKERS)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Flask:
    """The ported program with blank credentials, made in either of the toolkit's two ways."""
    return _app(tmp_path, MAKERS[request.param](CountWords()))


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """The spelling of the routes."""
    return request.param


@pytest.mark.parametrize("module", NAMES)
def test_a_module_exports_what_the_originals_did(module: str) -> None:
    """Every public name of every version looked at can be imported from where it was."""
    found = importlib.import_module(f"{ROOT}.{module}".rstrip("."))

    wanted = {name for names in NAMES[module].values() for name in names.split()}

    assert {name for name in wanted if not hasattr(found, name)} == set()
    assert wanted <= set(getattr(found, "__all__", ()))


@pytest.mark.parametrize("path", LEFT_OUT)
def test_the_list_of_what_is_left_out_is_true(path: str) -> None:
    """A name on the list of those left out is not there."""
    module, _, name = path.rpartition(".")

    found = importlib.import_module(f"{ROOT}.{module}".rstrip("."))

    assert not hasattr(found, name)
    assert importlib.util.find_spec(f"{ROOT}.caching") is None


def test_public_introspection_needs_no_token(app: Flask) -> None:
    """A public provider tells anybody what it takes."""
    answer = app.test_client().get("/count")

    assert answer.status_code == 200
    assert answer.json["input_schema"]["properties"]["text"]["type"] == "string"


def test_a_ported_program_runs_an_action(app: Flask, form: str) -> None:
    """A run is accepted with the token of the app's own issuer and answered with eleven members."""
    answer = _caller(app, "alice", form)("run")

    assert (answer.status_code, len(answer.json)) == (202, 11)
    assert answer.json["details"] == {"words": 4}


def test_a_ported_program_tells_status_and_log(app: Flask, form: str) -> None:
    """What the status and log callbacks return is what the caller gets."""
    call = _caller(app, "alice", form)
    action_id = call("run").json["action_id"]

    assert call("status", action_id).json["status"] == "ACTIVE"
    assert call("log", action_id).json["entries"][0]["code"] == "Counted"


def test_a_ported_program_ends_an_action(app: Flask, form: str) -> None:
    """Release is refused while the action runs, works after cancel, and leaves nothing behind."""
    call = _caller(app, "alice", form)
    action_id = call("run").json["action_id"]

    codes = [call(name, action_id).status_code for name in ("release", "cancel", "cancel")]
    codes += [call(name, action_id).status_code for name in ("release", "status")]

    assert codes == [409, 200, 409, 200, 404]


@pytest.mark.parametrize("operation", ["status", "cancel", "release"])
def test_a_ported_program_hides_actions_of_others(app: Flask, form: str, operation: str) -> None:
    """The authorize functions answer 404 to somebody whom the action does not list."""
    action_id = _caller(app, "alice", form)("run").json["action_id"]

    answer = _caller(app, "bob", form)(operation, action_id)

    assert (answer.status_code, answer.json["code"]) == (404, "ActionNotFound")


@pytest.mark.parametrize(("query", "count"), [("", 1), ("?status=succeeded", 0), ("?roles=x", 1)])
def test_a_ported_program_enumerates(app: Flask, query: str, count: int) -> None:
    """The enumeration callback gets statuses as enum members, the defaults where none is valid."""
    token = embedded_issuer(app).mint("alice", [SCOPE])
    _caller(app, "alice", "old")("run")

    headers = {"Authorization": f"Bearer {token}"}
    answer = app.test_client().get(f"/count/actions{query}", headers=headers)

    assert len(answer.json) == count


@pytest.mark.parametrize(("scope", "code"), [(SCOPE, 202), (SECOND_SCOPE, 202), ("other", 403)])
def test_the_helper_takes_any_of_its_scopes(tmp_path: Path, scope: str, code: int) -> None:
    """A token passes with the provider's scope or an additional one, and with no other."""
    app = _app(tmp_path, _helper_blueprint(CountWords()))

    assert _caller(app, "alice", "old", scope)("run").status_code == code


def test_a_run_without_a_token_is_refused(app: Flask) -> None:
    """Blank credentials do not mean that everybody is let in."""
    assert app.test_client().post("/count/run", json=RUN).status_code == 401


def test_a_client_name_is_accepted(tmp_path: Path) -> None:
    """The blueprint's argument of 0.10 to 0.18 for old Globus Auth clients does no harm."""
    blueprint = _blueprint(CountWords(), globus_auth_client_name="words")

    assert _caller(_app(tmp_path, blueprint), "alice", "old")("run").status_code == 202


def test_a_ported_test_replaces_the_state_builder(tmp_path: Path) -> None:
    """Tests remove `_create_state_builder` by its name and assign a state builder of their own."""
    blueprint = _blueprint(CountWords())
    deferred = blueprint.deferred_functions
    (made,) = [f for f in deferred if getattr(f, "__name__", "") == "_create_state_builder"]
    deferred.remove(made)
    blueprint.state_builder = SimpleNamespace(build_from_request=mocks.mock_authstate)

    app = _app(tmp_path, blueprint, LICET_EMBEDDED_ISSUER=False)

    assert app.test_client().post("/count/run", json=RUN).status_code == 202


def test_an_older_ported_test_replaces_the_checker(tmp_path: Path) -> None:
    """Tests of 0.10 to 0.18 assign a checker, and then say what its `check_token` gives."""
    blueprint = _blueprint(CountWords())
    blueprint.checker = Mock()
    blueprint.checker.check_token.return_value = mocks.mock_authstate()

    client = _app(tmp_path, blueprint).test_client()
    answer = client.post("/count/run", json=RUN, headers={"Authorization": "Bearer abc"})

    assert answer.status_code == 202
    blueprint.checker.check_token.assert_called_once_with("abc")


def test_the_checker_is_the_state_builder_otherwise(tmp_path: Path) -> None:
    """A blueprint that was given no checker shows what knows its callers."""
    blueprint = _blueprint(CountWords())

    with _app(tmp_path, blueprint).app_context():
        assert blueprint.checker is blueprint.state_builder


def test_a_repository_hands_actions_to_the_callbacks(tmp_path: Path) -> None:
    """With an `action_repository` callbacks get the action, and release takes it out."""
    kept = Kept()
    blueprint = _blueprint(CountWords(), action_repository=kept)
    blueprint.action_cancel(_failed)
    blueprint.action_release(lambda action, _auth: action)
    call = _caller(_app(tmp_path, blueprint), "alice", "old")
    action_id = call("run").json["action_id"]

    answers = [call(operation, action_id) for operation in ("cancel", "release", "cancel")]

    assert [answer.status_code for answer in answers] == [200, 200, 404]
    assert kept.actions == {}


def test_the_fixture_frees_a_blueprint(
    apt_blueprint_noauth: Callable[[ActionProviderBlueprint], None], tmp_path: Path
) -> None:
    """`apt_blueprint_noauth` lets a blueprint take requests without a token."""
    blueprint = _blueprint(CountWords())
    apt_blueprint_noauth(blueprint)

    answer = _app(tmp_path, blueprint).test_client().post("/count/run", json=RUN)

    assert answer.json["creator_id"] == mocks.mock_authstate().effective_identity


@pytest.mark.usefixtures("flask_helpers_noauth")
def test_the_fixture_frees_the_helper(tmp_path: Path) -> None:
    """`flask_helpers_noauth` does the same for apps made with the helper."""
    app = _app(tmp_path, _helper_blueprint(CountWords()))

    assert app.test_client().post("/count/run", json=RUN).status_code == 202


def test_the_fixtures_are_the_plugins() -> None:
    """Importing the fixtures from `testing.fixtures` gives those that are there anyway."""
    assert fixtures.apt_blueprint_noauth is plugin.apt_blueprint_noauth
    assert fixtures.flask_helpers_noauth is plugin.flask_helpers_noauth


@pytest.mark.parametrize(
    ("maker", "patch"),
    [
        ("blueprint", patches.flask_blueprint_tokenchecker_patch),
        ("helper", patches.flask_api_helpers_tokenchecker_patch),
    ],
)
def test_a_patch_frees_an_app_made_under_it(tmp_path: Path, maker: str, patch: Any) -> None:
    """The patches of 0.10 let an app take requests without a token."""
    with patch:
        app = _app(tmp_path, MAKERS[maker](CountWords()))

        assert app.test_client().post("/count/run", json=RUN).status_code == 202


def test_a_patch_ends(tmp_path: Path) -> None:
    """An app made after the patch asks for tokens as ever."""
    with patches.flask_blueprint_tokenchecker_patch:
        pass

    app = _app(tmp_path, _blueprint(CountWords()))

    assert app.test_client().post("/count/run", json=RUN).status_code == 401


def test_mocks_are_of_the_ported_classes() -> None:
    """A mocked checker gives a mocked state, each an instance of the class that it stands for."""
    checker = mocks.mock_tokenchecker("id", "secret", anything="else")

    assert isinstance(checker, TokenChecker)
    assert isinstance(checker.check_token(None), AuthState)
    with pytest.raises(AttributeError):
        _ = checker.no_such_method


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("BadActionRequest", werkzeug_exceptions.BadRequest),
        ("RequestValidationError", werkzeug_exceptions.UnprocessableEntity),
        ("UnauthorizedRequest", werkzeug_exceptions.Unauthorized),
        ("ActionNotFound", werkzeug_exceptions.NotFound),
        ("ActionConflict", werkzeug_exceptions.Conflict),
        ("ActionProviderError", werkzeug_exceptions.InternalServerError),
    ],
)
def test_an_apps_own_handler_gets_the_error(
    name: str, standard: type[werkzeug_exceptions.HTTPException]
) -> None:
    """A handler for werkzeug's error is called for the toolkit's, with its status and text."""
    app = Flask(__name__)
    app.register_error_handler(standard, lambda error: (f"seen: {error.description}", error.code))
    error = getattr(flask_exceptions, name)("why")
    app.add_url_rule("/", "index", lambda: _raise(error))

    answer = app.test_client().get("/")

    assert (answer.text, answer.status_code) == ("seen: why", error.code)


def _raise(error: Exception) -> str:
    raise error


def test_an_error_is_its_own_json_response() -> None:
    """Raised where there is no handler, an error of the toolkit answers in JSON."""
    body = flask_exceptions.ActionConflict("why").get_response().get_data()

    assert json.loads(body) == {"code": "ActionConflict", "description": "why"}


def test_a_handler_of_500_may_look_for_the_cause() -> None:
    """The error for a provider's failure has the attribute that Flask's documentation names."""
    assert flask_exceptions.ActionProviderError("why").original_exception is None


def test_an_app_writes_documents_with_jsonify(tmp_path: Path) -> None:
    """After `assign_json_provider` a view of the app's own can return a document."""
    app = Flask(__name__)
    flask_helpers.assign_json_provider(app)
    status = CountWords().run(
        ActionRequest(request_id=1, body={"text": "a"}), mocks.mock_authstate()
    )

    with app.app_context():
        written = jsonify(status).json

    assert written["release_after"] == "P30D"
    assert written["monitor_by"] == [status.creator_id]


@pytest.mark.parametrize(
    ("found", "code"), [(lambda status: status, 202), (lambda status: (status, 200), 200)]
)
def test_a_callbacks_result_becomes_a_view_result(found: Callable[..., Any], code: int) -> None:
    """An action status alone gets the default HTTP status, a pair its own."""
    asked = ActionRequest(request_id="1", body={"text": "a"})
    status = CountWords().run(asked, mocks.mock_authstate())

    response, given = flask_helpers.action_status_return_to_view_return(found(status), 202)

    assert (response.json["action_id"], given) == (status.action_id, code)


@pytest.mark.parametrize(("scrubbed", "shown"), [(True, False), (False, True)])
def test_the_config_decides_whether_messages_show_input(scrubbed: bool, shown: bool) -> None:
    """`ActionProviderConfig` reaches the validator that `flask.helpers` makes."""
    config = ActionProviderConfig(scrub_validation_errors=scrubbed)
    validator = flask_helpers.get_input_body_validator(_description(), config)

    with pytest.raises(flask_exceptions.BadActionRequest) as caught:
        validator({"text": 8675309})

    assert ("8675309" in caught.value.description) is shown


def test_check_token_passes_the_bearer_token_on() -> None:
    """`flask.helpers.check_token` asks the checker about the token without its scheme."""
    checker = mocks.mock_tokenchecker()
    asked = SimpleNamespace(headers={"Authorization": "Bearer abc.def"})

    state = flask_helpers.check_token(asked, checker)

    assert isinstance(state, AuthState)
    checker.check_token.assert_called_once_with("abc.def")


@pytest.mark.parametrize("headers", [{}, {"Authorization": " "}, {"Authorization": "A" * 100}])
def test_a_bogus_header_is_refused_without_asking(headers: dict[str, str]) -> None:
    """No token, or none of the right form, never reaches Globus Auth."""
    builder = flask_helpers.FlaskAuthStateBuilder(SimpleNamespace(), [SCOPE])

    with pytest.raises(UnverifiedAuthenticationError):
        builder.build_from_request(request=SimpleNamespace(headers=headers))


@pytest.mark.parametrize(
    ("path", "body", "valid"),
    [
        ("/run", RUN, True),
        ("/run", {"body": {}}, False),
        ("/run", None, False),
        ("/x/status", None, True),
    ],
)
def test_flask_validate_request_reads_runs_only(path: str, body: Any, valid: bool) -> None:
    """A request to run must hold an action request; nothing is asked of others."""
    with Flask(__name__).test_request_context(path, json=body):
        result = flask_validate_request(request)

    assert (not result.errors, result.error_msg is None) == (valid, valid)


@pytest.mark.parametrize(
    ("path", "code", "valid"),
    [("/x/status", 200, False), ("/x/status", 404, True), ("/", 200, True)],
)
def test_flask_validate_response_reads_successes(path: str, code: int, valid: bool) -> None:
    """A successful answer about an action must hold its status; nothing is asked of others."""
    app = Flask(__name__)
    with app.test_request_context(path):
        response = app.make_response(({"status": "ACTIVE"}, code))
        result = flask_validate_response(request, response)

    assert (not result.errors) is valid


@pytest.mark.parametrize(
    ("kind", "document", "count"),
    [
        ("ActionRequest", RUN, 0),
        ("ActionRequest", {}, 2),
        ("ActionStatus", {"status": "ACTIVE", "details": {}}, 1),
        ("NoSuchKind", {}, 0),
    ],
)
def test_request_validator_names_each_field(kind: str, document: Any, count: int) -> None:
    """There is one message for each field that is wrong, and none for kinds that are not known."""
    result = request_validator(ValidationRequest(kind, document))

    assert len(result.errors) == count
    assert (result.error_msg is None) is (count == 0)


def test_details_can_be_read_like_a_dict() -> None:
    """Open and declared fields are indexed, counted and taken out like a dict's."""
    details = ActionInactiveDetails(code="Ask", description="why", extra=1)

    assert (details["extra"], details["code"], details["none"]) == (1, "Ask", None)
    assert (details.pop("extra"), details.pop("required_scope"), details.pop("no", 5)) == (
        1,
        None,
        5,
    )
    with pytest.raises(KeyError):
        details.pop("extra")


def test_small_helpers() -> None:
    """Ids are UUIDs, and a request object holds a dict whose keys are text."""
    assert uuid.UUID(shortish_id()).version == 4
    assert RequestObject.model_validate({"a": 1}).root == {"a": 1}


SUBJECT = "9b8f3c1e-0000-4000-8000-2d4b6c8e0a01"
GROUP = "6a1d2c3b-0000-4000-8000-7f5e3d1b9c02"
OTHER_SCOPE = "urn:globus:auth:scope:other.example.org:all"
INTROSPECT = "https://auth.globus.org/v2/oauth2/token/introspect"
TOKEN = "https://auth.globus.org/v2/oauth2/token"
GROUPS = "https://groups.api.globus.org/v2/groups/my_groups"
CACHES = ("introspect_cache", "group_membership_cache", "dependent_tokens_cache")


def _granted(seconds: int) -> list[dict[str, Any]]:
    token = {"access_token": "t", "token_type": "Bearer", "resource_server": "groups"}
    return [token | {"scope": GROUPS_SCOPE, "expires_in": seconds}]


class Globus:
    """Globus Auth and Groups as `responses` plays them, and how often each was asked."""

    def __init__(self, mocked: responses.RequestsMock) -> None:
        self.mocked = mocked
        self.now = 0.0
        self.grant_lasts(172_800)
        mocked.get(GROUPS, json=[{"id": GROUP, "my_memberships": [{"role": "member"}]}])
        active = {"active": True, "sub": SUBJECT, "scope": SCOPE, "identity_set": [SUBJECT]}
        mocked.post(INTROSPECT, json=active | {"exp": time.time() + 10**6})

    def grant_lasts(self, seconds: int) -> None:
        """Have dependent tokens run out after so many seconds."""
        self.mocked.upsert("POST", TOKEN, json=_granted(seconds))

    def asked(self) -> tuple[int, int, int]:
        """The number of introspections, grants and group lists so far."""
        urls = [call.request.url.partition("?")[0] for call in self.mocked.calls]
        return urls.count(INTROSPECT), urls.count(TOKEN), urls.count(GROUPS)


@pytest.fixture
def globus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Globus]:
    """Globus, empty caches, and a clock for them that stands still until a test moves it."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        playing = Globus(mocked)
        for name in CACHES:
            cache = getattr(AuthState, name)
            fresh = TTLCache(maxsize=8, ttl=cache._cache.ttl, timer=lambda: playing.now)
            monkeypatch.setattr(cache, "_cache", fresh)
        yield playing


def _state(token: str = "token") -> AuthState:
    client = globus_sdk.ConfidentialAppAuthClient("client", "secret")
    return AuthStateBuilder(client, [SCOPE]).build(token)


def test_globus_vouches_for_a_caller(globus: Globus) -> None:
    """Identities and groups are the URNs of what Globus says."""
    state = _state()

    assert state.effective_identity == identity_principal(SUBJECT)
    assert state.principals == {identity_principal(SUBJECT), group_principal(GROUP)}


def test_each_service_is_asked_once(globus: Globus) -> None:
    """Any number of states of one token cost one introspection, one grant and one group list."""
    for _ in range(5):
        state = _state()
        assert state.check_authorization([group_principal(GROUP)])

    assert globus.asked() == (1, 1, 1)


def test_groups_are_asked_for_only_when_a_list_names_one(globus: Globus) -> None:
    """A decision about identities alone costs one introspection."""
    assert not _state().check_authorization([identity_principal(str(uuid.uuid4()))])

    assert globus.asked() == (1, 0, 0)


def test_another_token_is_asked_about_anew(globus: Globus) -> None:
    """What is known of one token is never an answer about another."""
    _ = _state("one").groups, _state("two").groups

    assert globus.asked() == (2, 2, 2)


@pytest.mark.parametrize(
    ("seconds", "asked"),
    [
        (29, (1, 1, 1)),
        (31, (2, 1, 1)),
        (299, (2, 1, 1)),
        (301, (2, 1, 2)),
        (47 * 3600 + 1, (2, 2, 2)),
    ],
)
def test_answers_are_kept_for_their_time(
    globus: Globus, seconds: int, asked: tuple[int, int, int]
) -> None:
    """Introspection is kept for 30 seconds, groups for 300 and dependent tokens for 47 hours."""
    _ = _state().groups
    globus.now += seconds

    _ = _state().groups

    assert globus.asked() == asked


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (CACHES[:1], (2, 1, 1)),
        (CACHES[1:2], (1, 1, 2)),
        (CACHES[2:], (1, 1, 1)),
        (CACHES[1:], (1, 2, 2)),
        (CACHES, (2, 2, 2)),
    ],
)
def test_tests_clear_the_caches(
    globus: Globus, names: tuple[str, ...], asked: tuple[int, int, int]
) -> None:
    """Each class-level cache has `clear`, after which its service is asked again."""
    _ = _state().groups
    for name in names:
        getattr(AuthState, name).clear()

    _ = _state().groups

    assert globus.asked() == asked


def test_a_provider_with_credentials_asks_globus_once(globus: Globus, tmp_path: Path) -> None:
    """Requests with one token to a blueprint with credentials cost one introspection."""
    app = _app(tmp_path, _blueprint(CountWords()), COUNT_CLIENT_ID="c", COUNT_CLIENT_SECRET="s")
    client: FlaskClient = app.test_client()
    headers = {"Authorization": "Bearer token"}

    answers = [client.post("/count/run", json=RUN, headers=headers) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202] * 3
    assert globus.asked() == (1, 0, 0)


def test_an_authorizer_is_made_from_a_cached_grant(globus: Globus) -> None:
    """Asking for the same scope again, with the arguments of 0.12, costs no second grant."""
    state = _state()

    made = [
        state.get_authorizer_for_scope(GROUPS_SCOPE),
        state.get_authorizer_for_scope(GROUPS_SCOPE, required_authorizer_expiration_time=600),
    ]

    assert [authorizer.access_token for authorizer in made] == ["t", "t"]
    assert globus.asked() == (1, 1, 0)


@pytest.mark.parametrize(("seconds", "grants"), [(30, 2), (600, 1)])
def test_a_token_about_to_run_out_is_asked_for_again(
    globus: Globus, seconds: int, grants: int
) -> None:
    """A cached dependent token with less than a minute left is replaced by a new one."""
    globus.grant_lasts(seconds)
    state = _state()
    state.get_authorizer_for_scope(GROUPS_SCOPE)

    state.get_authorizer_for_scope(GROUPS_SCOPE)

    assert globus.asked() == (1, grants, 0)


def test_the_cached_grant_can_be_passed_over(globus: Globus) -> None:
    """`bypass_dependent_token_cache` asks for a new grant whatever is cached."""
    state = _state()
    state.get_authorizer_for_scope(GROUPS_SCOPE)

    state.get_authorizer_for_scope(GROUPS_SCOPE, bypass_dependent_token_cache=True)

    assert globus.asked() == (1, 2, 0)


@pytest.mark.parametrize(("cached", "grants"), [(False, 1), (True, 2)])
def test_a_scope_that_is_not_granted(globus: Globus, cached: bool, grants: int) -> None:
    """A scope missing from a cached grant is asked for once more, from a fresh one never."""
    state = _state()
    if cached:
        state.get_dependent_tokens()

    with pytest.raises(ValueError, match=r"other\.example\.org"):
        state.get_authorizer_for_scope(OTHER_SCOPE)

    assert globus.asked() == (1, grants, 0)


def test_a_local_caller_has_no_dependent_tokens(tmp_path: Path) -> None:
    """With blank credentials, asking for an authorizer says how to get one."""
    program = CountWords()
    blueprint = _blueprint(program)
    seen: list[AuthState] = []
    blueprint.action_status(lambda action_id, auth: seen.append(auth) or program._find(action_id))
    call = _caller(_app(tmp_path, blueprint), "alice", "old")

    call("status", call("run").json["action_id"])

    with pytest.raises(ConfigurationError, match="CLIENT_ID"):
        seen[0].get_authorizer_for_scope(GROUPS_SCOPE, required_authorizer_expiration_time=1)


def test_a_token_checker_takes_the_older_arguments(globus: Globus) -> None:
    """`TokenChecker` is made without asking Globus, and accepts audience and cache settings."""
    checker = TokenChecker("c", "s", [SCOPE], "audience", cache_config={"timeout": 5})

    assert globus.asked() == (0, 0, 0)
    assert checker.check_token("token").effective_identity == identity_principal(SUBJECT)
    assert checker.expected_audience == "audience"


def test_an_auth_state_takes_an_audience(globus: Globus) -> None:
    """The argument of 0.10 to 0.18 is kept where programs read it."""
    client = globus_sdk.ConfidentialAppAuthClient("client", "secret")

    assert AuthState(client, "token", [SCOPE], expected_audience="a").expected_audience == "a"


def test_a_token_with_another_scope_is_refused(globus: Globus) -> None:
    """The error is an `AuthenticationError` and, as in the original, a ValueError."""
    client = globus_sdk.ConfidentialAppAuthClient("client", "secret")

    with pytest.raises(AuthenticationError) as caught:
        AuthStateBuilder(client, [SECOND_SCOPE]).build("token")

    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(("roles", "count"), [(None, 1), ({"member"}, 1), ({"admin"}, 0)])
def test_the_groups_client_lists_by_role(globus: Globus, roles: Any, count: int) -> None:
    """`list_groups` gives the groups in which the caller has one of the roles."""
    client = GroupsClient(authorizer=globus_sdk.AccessTokenAuthorizer("t"))

    listed = client.list_groups() if roles is None else client.list_groups(roles)

    assert len(listed) == count


def test_the_groups_client_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the Globus SDK the module is there, and its class says what to install."""
    monkeypatch.setitem(sys.modules, "globus_sdk", None)
    monkeypatch.delitem(sys.modules, f"{ROOT}.groups_client")

    module = importlib.import_module(f"{ROOT}.groups_client")

    assert module.GROUPS_SCOPE.startswith("urn:globus:")
    with pytest.raises(ConfigurationError, match=r"licet\[globus\]"):
        _ = module.GroupsClient
    with pytest.raises(AttributeError, match="nothing"):
        _ = module.nothing
