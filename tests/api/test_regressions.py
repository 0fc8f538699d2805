"""What once was wrong between the parts of a provider, and must stay right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from services.site import create_app
from tests.api.providers import SCOPE, describe

from licet import Licet
from licet.actions import ActionProviderBlueprint, ActionStatus, action_store
from licet.actions.interface.flask import provider_scopes
from licet.authn import embedded_issuer
from licet.db import database_of

SOMEBODY = "urn:licet:identity:00000000-0000-4000-8000-00000000beef"


def client_of(app: Flask, *scopes: str):
    """A client that sends alice's token."""
    client = app.test_client()
    token = embedded_issuer(app).mint("alice", scopes or provider_scopes(app))
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def make_app(tmp_path: Path, blueprint: ActionProviderBlueprint) -> Flask:
    app = Flask("regressions", instance_path=str(tmp_path))
    Licet(app)
    app.register_blueprint(blueprint)
    return app


def test_a_hidden_provider_is_hidden_from_tokens_of_other_scopes(tmp_path: Path):
    """Introspection by one who may not know of the provider is 404, whatever the token lacks."""
    blueprint = ActionProviderBlueprint("p", __name__, "/p", describe(visible_to=[SOMEBODY]))
    app = make_app(tmp_path, blueprint)
    of_another_scope = client_of(app, "https://other.example/scope").get("/p/")
    not_listed = client_of(app, SCOPE).get("/p/")
    assert (of_another_scope.status_code, of_another_scope.data) == (404, not_listed.data)
    assert "WWW-Authenticate" not in of_another_scope.headers


def test_a_callback_cannot_name_another_creator(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """An action of somebody else's would be given to whoever repeats the request_id."""
    blueprint = ActionProviderBlueprint(
        "p", __name__, "/p", describe(), action_repository=action_store("p")
    )

    @blueprint.action_run
    def absent_minded(_asked: Any, _auth: Any) -> ActionStatus:
        return ActionStatus(status="SUCCEEDED", creator_id=SOMEBODY, details="x")

    body = {"request_id": "r", "body": {"echo": "x"}}
    response = client_of(make_app(tmp_path, blueprint)).post("/p/run", json=body)
    assert response.status_code == 500
    assert "absent_minded named somebody else as the creator" in caplog.text


def test_an_unfinished_action_s_release_is_refused_before_the_callback(tmp_path: Path):
    """With the store the toolkit decides, and the callback may rely on it."""
    calls = []
    blueprint = ActionProviderBlueprint(
        "p", __name__, "/p", describe(), action_repository=action_store("p")
    )
    blueprint.action_run(
        lambda _asked, auth: ActionStatus(
            status="ACTIVE", creator_id=auth.effective_identity, details="x"
        )
    )
    blueprint.action_release(lambda action, _auth: calls.append(action) or action)
    client = client_of(make_app(tmp_path, blueprint))
    run = client.post("/p/run", json={"request_id": "r", "body": {"echo": "x"}})
    assert client.post(f"/p/{run.json['action_id']}/release").status_code == 409
    assert calls == []


@pytest.fixture
def site(tmp_path: Path) -> Flask:
    return create_app({"LICET_INSTANCE_PATH": str(tmp_path), "LICET_WORKER_THREADS": 0})


@pytest.mark.parametrize(
    ("provider", "body"), [("apt", {"utc_offset": 1}), ("skeleton", {"input_string": "x"})]
)
def test_the_examples_page_their_enumeration(site: Flask, provider: str, body: dict[str, Any]):
    """Every action is reached by following the links, however many there are."""
    client = client_of(site)
    for number in range(5):
        client.post(f"/{provider}/run", json={"request_id": str(number), "body": body})
    url, found = f"/{provider}/actions?status=active,succeeded&limit=2", []
    while url:
        page = client.get(url)
        found += [action["action_id"] for action in page.json]
        url = page.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert len(set(found)) == len(found) == 5


def test_a_clock_and_its_first_log_line_are_stored_together(site: Flask):
    """When the line cannot be written, neither is the action: the repeated request starts it."""
    client, body = client_of(site), {"request_id": "r", "body": {"utc_offset": 1}}
    with site.app_context(), database_of(site).read() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON licet_action_log"
            " BEGIN SELECT RAISE(ABORT, ''); END"
        )
        assert client.post("/apt/run", json=body).status_code == 503
        connection.exec_driver_sql("DROP TRIGGER full")
    started = client.post("/apt/run", json=body)
    log = client.get(f"/apt/{started.json['action_id']}/log").json
    assert (started.status_code, [entry["code"] for entry in log["entries"]]) == (202, ["STARTED"])


def test_a_newer_database_is_used_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """While a newer version is rolled out, the older one keeps answering."""
    config = {"LICET_INSTANCE_PATH": str(tmp_path), "LICET_WORKER_THREADS": 0}
    site = create_app(config)
    with site.app_context(), database_of(site).read() as connection:
        connection.exec_driver_sql("UPDATE licet_alembic_version SET version_num = '9999'")
    older = create_app(config)
    assert client_of(older).get("/apt/actions").json == []
    assert "revision 9999, which is newer than this code" in caplog.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LICET_DATABASE_URL", "mysql://a/b"),
        ("LICET_DATABASE_URL", "::::"),
        ("LICET_DATABASE_URL", "postgresql+nosuch://a/b"),
        ("LICET_DATABASE_URL", "sqlite://"),
        ("LICET_ISSUER", "not a url"),
        ("LICET_ISSUER", "ftp://example.org"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_start(tmp_path: Path, name: str, value: str):
    """It is told when licet is attached, with the setting's name, and not at a request."""
    with pytest.raises(ValueError, match=name):
        create_app({"LICET_INSTANCE_PATH": str(tmp_path), name: value})


@pytest.mark.parametrize("header", ["Basic dXNlcjpwdw==", "Bearer a b c"])
def test_a_checker_gets_bearer_tokens_only(tmp_path: Path, header: str):
    """Another scheme's credentials are never passed on as a token."""
    blueprint = ActionProviderBlueprint("p", __name__, "/p", describe(visible_to=[SOMEBODY]))
    seen: list[str] = []
    blueprint.checker = type(
        "Checker", (), {"check_token": lambda _self, token: seen.append(token)}
    )()
    response = (
        make_app(tmp_path, blueprint).test_client().get("/p/", headers={"Authorization": header})
    )
    assert (response.status_code, seen) == (401, [])
