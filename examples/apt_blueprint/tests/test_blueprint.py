"""apt_blueprint without credentials: with callers made of nothing, and with the app's own tokens.

The tests of both kinds share one blueprint: the fixture is in force only where it is asked for.
"""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from examples.apt_blueprint.app import create_app
from examples.apt_blueprint.blueprint import aptb, description
from flask import Flask
from flask.testing import FlaskClient

from licet.authn import embedded_issuer


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("apt")


def _app(instance: Path) -> Flask:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LICET_INSTANCE_PATH", str(instance))
        patch.setenv("LICET_WORKER_THREADS", "0")  # nothing durable is tried here
        return create_app()


def _client(noauth: Callable[[Any], None], instance: Path) -> FlaskClient:
    noauth(aptb)
    return _app(instance).test_client()


@pytest.fixture(scope="session")
def session_client(apt_blueprint_noauth: Callable[[Any], None], instance: Path) -> FlaskClient:
    return _client(apt_blueprint_noauth, instance)


@pytest.fixture(scope="module")
def module_client(apt_blueprint_noauth: Callable[[Any], None], instance: Path) -> FlaskClient:
    return _client(apt_blueprint_noauth, instance)


@pytest.fixture
def function_client(apt_blueprint_noauth: Callable[[Any], None], instance: Path) -> FlaskClient:
    return _client(apt_blueprint_noauth, instance)


@pytest.fixture(params=["session_client", "module_client", "function_client"])
def client(request: pytest.FixtureRequest, apt_blueprint_noauth: Any) -> FlaskClient:
    return request.getfixturevalue(request.param)


@pytest.fixture
def app(instance: Path) -> Flask:
    return _app(instance)


@pytest.fixture
def alice(app: Flask) -> dict[str, str]:
    token = embedded_issuer(app).mint("alice", [description.globus_auth_scope])
    return {"Authorization": f"Bearer {token}"}


def _ask(offset: Any = 2) -> str:
    return json.dumps({"request_id": uuid.uuid4().hex, "body": {"utc_offset": offset}})


def test_a_clock_starts_without_a_token(client: FlaskClient):
    """Without client id, secret or token, running starts a clock with the asked offset."""
    response = client.post("/apt/run", data=_ask(2))

    assert response.status_code == 202
    assert response.json["status"] == "ACTIVE"
    assert response.json["details"]["started_at"].endswith("+02:00")


def test_a_clock_is_stopped_and_released(client: FlaskClient):
    """Cancel, log, enumerate and release answer without a token too."""
    action_id = client.post("/apt/run", data=_ask()).json["action_id"]

    assert client.post(f"/apt/{action_id}/release").status_code == 409
    assert client.post(f"/apt/{action_id}/cancel").json["status"] == "FAILED"
    assert client.post(f"/apt/{action_id}/cancel").status_code == 409
    codes = [entry["code"] for entry in client.get(f"/apt/{action_id}/log").json["entries"]]
    assert codes == ["STARTED", "CANCELLED"]
    released = client.post(f"/apt/{action_id}/release").json
    assert released["display_status"].startswith("Released by urn:")
    assert client.get(f"/apt/{action_id}/status").status_code == 404


def test_the_caller_s_clocks_are_listed(client: FlaskClient):
    """A running clock is among the active actions."""
    action_id = client.post("/apt/run", data=_ask()).json["action_id"]

    listed = client.get("/apt/actions?roles=creator_id").json

    assert listed[0]["action_id"] == action_id


@pytest.mark.parametrize("offset", ["x", None, 15, -13, 1.5])
def test_impossible_offsets_are_refused(client: FlaskClient, offset: Any):
    """The input class is checked, and the place of the mistake told."""
    response = client.post("/apt/run", data=_ask(offset))

    assert response.status_code == 422
    assert response.json["description"].startswith("Field '$.utc_offset' (category: '")


def test_a_real_token_is_asked_for_otherwise(app: Flask):
    """A test that does not ask for the fixture has authentication."""
    assert app.test_client().post("/apt/run", data=_ask()).status_code == 401


def test_a_real_token_starts_a_clock_once(app: Flask, alice: dict[str, str]):
    """A token of the app's own issuer is accepted; a repeated request finds the same clock."""
    client, asked = app.test_client(), _ask()

    first = client.post("/apt/run", data=asked, headers=alice)
    second = client.post("/apt/run", data=asked, headers=alice)

    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json["action_id"] == second.json["action_id"]


def test_a_hidden_clock_looks_like_an_absent_one(app: Flask, alice: dict[str, str]):
    """Others cannot tell somebody's clock from none."""
    client = app.test_client()
    token = embedded_issuer(app).mint("bob", [description.globus_auth_scope])
    bob = {"Authorization": f"Bearer {token}"}
    action_id = client.post("/apt/run", data=_ask(), headers=alice).json["action_id"]

    hidden = client.get(f"/apt/{action_id}/status", headers=bob)
    absent = client.get("/apt/absent/status", headers=bob)

    assert hidden.status_code == absent.status_code == 404
    assert hidden.text == absent.text.replace("absent", action_id)
