"""What the blueprint takes: its arguments, decorators, hooks, and one builder for each app."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Blueprint, Flask, Response
from tests.api.providers import SCOPE, DictRepository, Site, begun, describe, make_store, urn

from licet.actions import ActionProviderBlueprint, ActionProviderConfig
from licet.authn.auth_state import StateBuilder
from licet.authn.flask import IdentityStateBuilder
from licet.authn.globus import ClientFactory, FlaskAuthStateBuilder
from licet.errors import ConfigurationError, RequestValidationError
from licet.testing import mock_authstate, mock_tokenchecker

CLIENT_ID = "0e57d793-f1ac-4eeb-a30f-643b082d68ec"
SECRET = "s3cr3t-never-to-be-seen"


def make(**options: Any) -> ActionProviderBlueprint:
    """A blueprint called `apt`."""
    return ActionProviderBlueprint("apt", __name__, "/apt", describe(), **options)


def test_a_description_is_needed():
    """The error names the provider."""
    with pytest.raises(ConfigurationError, match="'apt' has no provider_description"):
        ActionProviderBlueprint("apt", __name__)


@pytest.mark.parametrize("schema", ["{", '{"type": 5}', {"$ref": "https://x.example/s.json"}])
def test_an_unusable_schema_is_told_at_once(schema: Any):
    """A schema that is none fails where the blueprint is made, and nothing is fetched."""
    with pytest.raises(ConfigurationError, match="input_schema is not usable"):
        ActionProviderBlueprint("apt", __name__, "/apt", describe(input_schema=schema))


def test_an_unusable_deadline_is_told_at_once():
    """A limit that is no duration fails where the blueprint is made, with its value."""
    with pytest.raises(ConfigurationError, match="maximum_deadline is 'soon': it must be an ISO"):
        ActionProviderBlueprint("apt", __name__, "/apt", describe(maximum_deadline="soon"))


def test_a_state_builder_in_a_misconfigured_app_tells_what_is_wrong(app: Flask):
    """The setting's own error comes through."""
    app.config["LICET_MAX_BODY_BYTES"] = "many"
    with app.app_context(), pytest.raises(ConfigurationError, match="LICET_MAX_BODY_BYTES"):
        _ = make().state_builder


def test_it_is_a_flask_blueprint_with_its_options(tmp_path: Path):
    """Further options are Flask's own."""
    blueprint = make(static_folder=str(tmp_path), subdomain=None)

    assert isinstance(blueprint, Blueprint)
    assert blueprint.static_folder == str(tmp_path)
    assert blueprint.url_prefix == "/apt"


@pytest.mark.parametrize(
    "name", ["run", "status", "cancel", "release", "resume", "log", "enumerate"]
)
def test_decorators_return_the_function(name: str):
    """A decorated function can still be called by its name."""

    def function(*_args: Any) -> None:
        """Do nothing."""

    assert getattr(make(), f"action_{name}")(function) is function


def test_what_it_was_made_with_can_be_read():
    """Description, scopes, repository and validator are there."""
    repository = DictRepository()
    blueprint = make(additional_scopes=["x"], action_repository=repository)

    assert blueprint.provider_description.globus_auth_scope == SCOPE
    assert blueprint.additional_scopes == ("x",)
    assert blueprint.action_repo is repository
    with pytest.raises(RequestValidationError):
        blueprint.input_body_validator({})


def test_each_app_has_its_own_state_builder(make_app: Callable[..., Flask], tmp_path: Path):
    """A blueprint in two apps knows the callers of each."""
    blueprint = make()
    first = make_app()
    second = make_app(LICET_INSTANCE_PATH=str(tmp_path / "b"), CLIENT_ID=CLIENT_ID)
    second.config["CLIENT_SECRET"] = SECRET
    for app in (first, second):
        app.register_blueprint(blueprint)

    with first.app_context():
        assert isinstance(blueprint.state_builder, IdentityStateBuilder)
    with second.app_context():
        assert isinstance(blueprint.state_builder, FlaskAuthStateBuilder)


def test_registered_twice_it_answers_twice(tmp_path: Path):
    """One app may have the same blueprint under two names and prefixes."""
    site = Site("store", blueprint := make_store(describe()), tmp_path)
    site.app.register_blueprint(blueprint, name="again", url_prefix="/again")

    token = {"Authorization": f"Bearer {site.token('alice')}"}
    assert site.client.get("/again/actions", headers=token).json == []


def test_nested_it_answers_below_its_parent(make_app: Callable[..., Flask]):
    """A blueprint may hold the provider's."""
    parent = Blueprint("parent", __name__, url_prefix="/parent")
    parent.register_blueprint(make())
    app = make_app()
    app.register_blueprint(parent)

    assert app.test_client().get("/parent/apt/").status_code == 200
    assert app.test_client().get("/parent/apt/actions").status_code == 401


def test_a_given_state_builder_counts_until_it_is_deleted(app: Flask):
    """Tests put one in place of every app's own, and take it away."""
    blueprint, checker = make(), mock_tokenchecker()
    app.register_blueprint(blueprint)
    blueprint.state_builder = checker
    assert blueprint.state_builder is checker

    del blueprint.state_builder

    with app.app_context():
        assert isinstance(blueprint.state_builder, IdentityStateBuilder)


def test_a_state_builder_is_read_inside_an_app():
    """Outside of any app there is none to tell."""
    with pytest.raises(ConfigurationError, match="inside a request"):
        _ = make().state_builder


def test_an_app_without_a_builder_says_so(app: Flask):
    """A blueprint that was registered without its deferred function cannot know its callers."""
    blueprint = make()
    blueprint.deferred_functions = [
        function
        for function in blueprint.deferred_functions
        if function.__name__ != "_create_state_builder"
    ]
    app.register_blueprint(blueprint)

    with app.app_context(), pytest.raises(ConfigurationError, match="given no state_builder"):
        _ = blueprint.state_builder


def test_neither_way_of_knowing_callers_fails_registration(make_app: Callable[..., Flask]):
    """The error names the credentials and the issuer's setting."""
    with pytest.raises(ConfigurationError, match=r"APT_CLIENT_ID(?s:.)*LICET_EMBEDDED_ISSUER"):
        make_app(LICET_EMBEDDED_ISSUER=False).register_blueprint(make())


@pytest.mark.parametrize("prefix", ["APT_", ""])
def test_credentials_come_from_the_app_s_config(make_app: Callable[..., Flask], prefix: str):
    """Both spellings of the keys reach the client factory."""
    factory = Mock(spec=ClientFactory)
    blueprint = make(config=ActionProviderConfig(client_factory=factory))
    app = make_app(**{f"{prefix}CLIENT_ID": CLIENT_ID, f"{prefix}CLIENT_SECRET": SECRET})

    app.register_blueprint(blueprint)

    factory.make_confidential_app_auth_client.assert_called_once_with(CLIENT_ID, SECRET)


def test_the_provider_s_own_credentials_come_first(make_app: Callable[..., Flask]):
    """With both in the config, those under the blueprint's name are used."""
    factory = Mock(spec=ClientFactory)
    blueprint = make(config=ActionProviderConfig(client_factory=factory))

    make_app(
        CLIENT_ID="general", CLIENT_SECRET="x", APT_CLIENT_ID=CLIENT_ID, APT_CLIENT_SECRET=SECRET
    ).register_blueprint(blueprint)

    factory.make_confidential_app_auth_client.assert_called_once_with(CLIENT_ID, SECRET)


def test_no_part_of_a_secret_is_logged(
    make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
):
    """Registering, and refusing a request, logs nothing of the secret."""
    caplog.set_level(logging.DEBUG)
    app = make_app(CLIENT_ID=CLIENT_ID, CLIENT_SECRET=SECRET)
    app.logger.setLevel(logging.DEBUG)
    app.register_blueprint(make())

    app.test_client().get("/apt/actions", headers={"Authorization": "Basic x"})

    assert not [i for i in range(len(SECRET) - 3) if SECRET[i : i + 4] in caplog.text]


class Hook:
    """Notes what it is called for."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls

    def before_request(self) -> None:
        self.calls.append(f"before {self.name}")

    def after_request(self, response: Response) -> Response:
        self.calls.append(f"after {self.name} {response.status_code}")
        return response

    def teardown_request(self, _error: BaseException | None) -> None:
        self.calls.append(f"teardown {self.name}")


@pytest.mark.parametrize(("path", "status"), [("/apt/", 200), ("/apt/actions", 401)])
def test_hooks_embrace_every_request(app: Flask, path: str, status: int):
    """Before in the order given, after and teardown in reverse; refused requests count."""
    calls: list[str] = []
    app.register_blueprint(make(request_lifecycle_hooks=[Hook("a", calls), Hook("b", calls)]))

    app.test_client().get(path)

    assert calls == [
        "before a",
        "before b",
        f"after b {status}",
        f"after a {status}",
        "teardown b",
        "teardown a",
    ]


def test_a_hook_may_have_only_some_of_the_methods(app: Flask):
    """What a hook does not have is not called."""
    seen: list[int] = []

    class OnlyAfter:
        def after_request(self, response: Response) -> Response:
            seen.append(response.status_code)
            return response

    app.register_blueprint(make(request_lifecycle_hooks=[OnlyAfter(), object()]))
    app.test_client().get("/apt/")

    assert seen == [200]


def test_hooks_see_failures(app: Flask):
    """A callback that raises is a 500 to the hooks too."""
    calls: list[str] = []
    blueprint = make(request_lifecycle_hooks=[Hook("a", calls)])
    blueprint.action_status(lambda *_: 1 / 0)
    blueprint.state_builder = mock_tokenchecker()
    app.register_blueprint(blueprint)

    app.test_client().get("/apt/x/status")

    assert calls == ["before a", "after a 500", "teardown a"]


@pytest.mark.parametrize("operation", ["status", "cancel", "release", "resume"])
def test_with_a_repository_callbacks_get_the_action(tmp_path: Path, operation: str):
    """Instead of an id they get the `ActionStatus`, and what they return is kept."""
    repository = DictRepository()
    blueprint = make(action_repository=repository)
    blueprint.action_run(begun)

    @getattr(blueprint, f"action_{operation}")
    def callback(action: Any, _auth: Any) -> Any:
        action.display_status = f"seen {action.action_id}"
        return action

    site = RepositorySite(blueprint, tmp_path)
    action_id = site.post("/apt/run", {"request_id": "r", "body": {"echo": "x"}}).json["action_id"]
    method, path = ("get" if operation == "status" else "post"), f"/apt/{action_id}/{operation}"
    response = site.send(method, path)

    assert response.json["display_status"] == f"seen {action_id}"
    kept = repository.actions.get(action_id)
    assert (kept is None) == (operation == "release")
    assert kept is None or kept.display_status == f"seen {action_id}"


class RepositorySite:
    """An app with one blueprint, and Alice as its only caller."""

    def __init__(self, blueprint: Blueprint, instance: Path) -> None:
        app = Flask("app", instance_path=str(instance))
        auth = mock_authstate()
        auth.effective_identity = urn("alice")
        builder = Mock(spec=StateBuilder)
        builder.build_from_request.return_value = auth
        blueprint.state_builder = builder
        app.register_blueprint(blueprint)
        self.client = app.test_client()

    def post(self, path: str, document: dict[str, Any]) -> Any:
        return self.client.post(path, json=document)

    def send(self, method: str, path: str) -> Any:
        return self.client.open(path, method=method.upper())


def test_release_removes_what_the_original_forgets(tmp_path: Path):
    """With a repository a released action is removed from it, once."""
    repository = DictRepository()
    blueprint = make(action_repository=repository)
    blueprint.action_run(begun)
    blueprint.action_release(lambda action, _auth: action)
    site = RepositorySite(blueprint, tmp_path)
    asked = {"request_id": "r", "body": {"echo": "x", "state": "FAILED"}}
    action_id = site.post("/apt/run", asked).json["action_id"]

    assert site.send("post", f"/apt/{action_id}/release").status_code == 200
    assert repository.removed == [action_id]
    assert site.send("post", f"/apt/{action_id}/release").status_code == 404


def test_a_release_callback_may_remove_the_action_itself(tmp_path: Path):
    """Programs ported from the original do; it is not removed twice."""
    repository = DictRepository()
    blueprint = make(action_repository=repository)
    blueprint.action_run(begun)
    blueprint.action_release(lambda action, _auth: repository.remove(action) or action)
    site = RepositorySite(blueprint, tmp_path)
    asked = {"request_id": "r", "body": {"echo": "x", "state": "FAILED"}}
    action_id = site.post("/apt/run", asked).json["action_id"]

    assert site.send("post", f"/apt/{action_id}/release").status_code == 200
    assert repository.removed == [action_id]


@pytest.mark.parametrize("changed", [True, False])
def test_what_a_callback_changed_is_stored(tmp_path: Path, changed: bool):
    """An unchanged action is not written again."""
    repository = DictRepository()
    blueprint = make(action_repository=repository)
    blueprint.action_run(begun)

    @blueprint.action_status
    def status(action: Any, _auth: Any) -> Any:
        action.label = "new" if changed else None
        return action

    site = RepositorySite(blueprint, tmp_path)
    asked = {"request_id": "r", "body": {"echo": "x"}}
    action_id = site.post("/apt/run", asked).json["action_id"]
    before = repository.actions[action_id]
    site.send("get", f"/apt/{action_id}/status")

    assert (repository.actions[action_id] is not before) == changed
