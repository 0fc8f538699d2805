"""The reference site on PostgreSQL: the same code, one setting."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from services.site import create_app

from licet.actions import durable_runtime
from licet.actions.interface.flask import provider_scopes
from licet.authn import embedded_issuer
from licet.db import database_of


@pytest.fixture
def client(postgresql_schema_url: str, tmp_path: Path):
    """A client of the site that sends alice's token."""
    app = create_app(
        {
            "LICET_DATABASE_URL": postgresql_schema_url,
            "LICET_INSTANCE_PATH": str(tmp_path),
            "LICET_MIGRATE_AT_START": True,
        }
    )
    token = embedded_issuer(app).mint("alice", provider_scopes(app), groups=["staff"])
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    yield client
    durable_runtime(app).stop(0)
    database_of(app).close()


def run(client: FlaskClient, provider: str, body: dict, **options: object):
    return client.post(f"/{provider}/run", json={"request_id": "r", "body": body} | options)


def test_a_clock_lives_and_ends(client: FlaskClient):
    """Run, repeat, conflict, log, cancel, release: as on SQLite."""
    started = run(client, "apt", {"utc_offset": 3}, monitor_by=["urn:licet:group:staff"])
    path = f"/apt/actions/{started.json['action_id']}"

    assert started.status_code == 202
    again = run(client, "apt", {"utc_offset": 3}, monitor_by=["urn:licet:group:staff"])
    assert (again.status_code, again.json) == (200, started.json)
    assert run(client, "apt", {"utc_offset": 4}).status_code == 409
    assert client.delete(path).status_code == 409
    assert client.post(f"{path}/cancel").json["status"] == "FAILED"
    assert [e["code"] for e in client.get(f"{path}/log").json["entries"]] == [
        "STARTED",
        "CANCELLED",
    ]
    assert client.delete(path).status_code == 200
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("roles", ["creator_id", "monitor_by", "creator_id,monitor_by,manage_by"])
def test_actions_are_enumerated_by_role(client: FlaskClient, roles: str):
    """A caller finds an action by creating it, and by a group that may monitor it."""
    said = run(
        client, "skeleton", {"input_string": "hey \u0394"}, monitor_by=["urn:licet:group:staff"]
    )
    found = client.get(f"/skeleton/actions?status=succeeded&roles={roles}")
    assert found.json == [said.json]
