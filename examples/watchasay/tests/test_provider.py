"""watchasay without credentials: with callers made of nothing, and with the app's own tokens."""

import json
import uuid
from pathlib import Path

import pytest
from examples.watchasay.app.provider import create_app, description
from flask import Flask
from flask.testing import FlaskClient

from licet.authn import embedded_issuer


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watchasay")


@pytest.fixture(scope="session")
def session_client(flask_helpers_noauth: None, instance: Path) -> FlaskClient:
    return _app(instance).test_client()


@pytest.fixture(scope="module")
def module_client(flask_helpers_noauth: None, instance: Path) -> FlaskClient:
    return _app(instance).test_client()


@pytest.fixture
def function_client(flask_helpers_noauth: None, instance: Path) -> FlaskClient:
    return _app(instance).test_client()


@pytest.fixture
def app(instance: Path) -> Flask:
    return _app(instance)


def _app(instance: Path) -> Flask:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LICET_INSTANCE_PATH", str(instance))
        return create_app()


@pytest.fixture(params=["session_client", "module_client", "function_client"])
def client(request: pytest.FixtureRequest, flask_helpers_noauth: None) -> FlaskClient:
    return request.getfixturevalue(request.param)


def _say(text: str) -> str:
    return json.dumps({"request_id": uuid.uuid4().hex, "body": {"input_string": text}})


def test_it_says_what_you_said(client: FlaskClient):
    """Without client id, secret or token, running gives back the text."""
    response = client.post("/skeleton/run", data=_say("hey"))

    assert response.status_code == 202
    assert response.json["status"] == "SUCCEEDED"
    assert response.json["details"] == {"you_said": "hey"}


def test_every_operation_answers_without_a_token(client: FlaskClient):
    """The action can be looked at, listed, cancelled and released."""
    action_id = client.post("/skeleton/run", data=_say("hey")).json["action_id"]

    listed = client.get("/skeleton/actions?status=succeeded").json
    assert action_id in [action["action_id"] for action in listed]
    assert client.get(f"/skeleton/{action_id}/status").status_code == 200
    assert client.post(f"/skeleton/{action_id}/cancel").json["status"] == "SUCCEEDED"
    assert client.post(f"/skeleton/{action_id}/release").status_code == 200
    assert client.get(f"/skeleton/{action_id}/status").status_code == 404


def test_input_is_checked_all_the_same(client: FlaskClient):
    """What the schema does not take is refused."""
    response = client.post("/skeleton/run", data='{"request_id": "r", "body": {}}')

    assert response.status_code == 422


def test_real_tokens_are_asked_for_otherwise(app: Flask):
    """A test that does not ask for the fixture has authentication."""
    client = app.test_client()

    assert client.get("/skeleton/").status_code == 200
    assert client.post("/skeleton/run", data=_say("hey")).status_code == 401


@pytest.mark.parametrize("scope", ["action_all", "secondary_scope"])
def test_a_real_token_runs_an_action(app: Flask, scope: str):
    """A token of the app's own issuer with either scope is accepted."""
    scope = description.globus_auth_scope.replace("action_all", scope)
    token = embedded_issuer(app).mint("alice", [scope])

    response = app.test_client().post(
        "/skeleton/run", data=_say("hey"), headers={"Authorization": f"Bearer {token}"}
    )

    assert response.status_code == 202


def test_a_hidden_action_looks_like_an_absent_one(app: Flask):
    """Others cannot tell somebody's action from none."""
    client, scopes = app.test_client(), [description.globus_auth_scope]
    alice, bob = (
        {"Authorization": f"Bearer {embedded_issuer(app).mint(user, scopes)}"}
        for user in ("alice", "bob")
    )
    action_id = client.post("/skeleton/run", data=_say("hey"), headers=alice).json["action_id"]

    hidden = client.get(f"/skeleton/{action_id}/status", headers=bob)
    absent = client.get("/skeleton/absent/status", headers=bob)

    assert hidden.status_code == absent.status_code == 404
    assert hidden.text == absent.text.replace("absent", action_id)


def test_log_is_not_offered(client: FlaskClient):
    """The example has no log callback."""
    assert client.get("/skeleton/some/log").status_code == 501
