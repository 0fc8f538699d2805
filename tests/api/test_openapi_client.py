"""A client that openapi-python-client generates from the conference's document, at work."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services.open_event.app import create_app

from licet.authn import embedded_issuer
from licet.rest.openapi import openapi_of
from licet.testing import served

PACKAGE = "conference_client"


class Person:
    """Somebody who asks by the generated client; what they get is a status and JSON."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __call__(self, tag: str, name: str, *key: str, body: Any = None, **query: Any):
        module = importlib.import_module(f"{PACKAGE}.api.{tag}.{name}")
        if body is not None:
            query["body"] = module.sync_detailed.__annotations__["body"].from_dict(body)
        answer = module.sync_detailed(*key, client=self._client, **query)
        parsed = answer.parsed
        return answer.status_code.value, None if parsed is None else parsed.to_dict()


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Person]]:
    """Everybody of the conference, by name, with a client each; nobody has no token."""
    folder: Path = tmp_path_factory.mktemp("client")
    app = create_app({"LICET_INSTANCE_PATH": str(folder), "LICET_WORKER_THREADS": 0})
    generate(openapi_of(app).document(), folder)
    sys.path.insert(0, str(folder))
    try:
        package = importlib.import_module(PACKAGE)
        issuer = embedded_issuer(app)
        with served(app) as url:
            found = {"nobody": Person(package.Client(base_url=url))}
            for name in ("admin", "alice", "bob", "carol", "owner", "moderator"):
                token = issuer.mint(name, [], ttl_seconds=3600)
                found[name] = Person(package.AuthenticatedClient(base_url=url, token=token))
            yield found
    finally:
        sys.path.remove(str(folder))
        for name in [one for one in sys.modules if one.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


def generate(document: Any, folder: Path) -> None:
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.yaml").write_text("post_hooks: []\n")
    command = ["--path", folder / "openapi.json", "--output-path", folder / PACKAGE]
    command += ["--meta", "none", "--config", folder / "config.yaml"]
    tool = Path(sys.executable).with_name("openapi-python-client")
    done = subprocess.run([tool, "generate", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    omitted = [line for line in done.stdout.splitlines() if line.startswith("WARNING")]
    assert all("/docs/" in line or "/static/" in line for line in omitted), done.stdout


def session(title: str, event: Any = None, **attributes: Any) -> dict[str, Any]:
    data = {"type": "session", "attributes": {"title": title, **attributes}}
    if event is not None:
        related = {"data": {"type": "event", "id": str(event)}}
        data["relationships"] = {"event": related}
    return {"data": data}


def titles(document: Any) -> list[str]:
    return [one["attributes"]["title"] for one in document["data"]]


def submitted(people, title: str = "A talk") -> str:
    status, made = people["bob"](
        "session", "create_session", body=session(title, 1, state="pending")
    )
    assert status == 201
    return made["data"]["id"]


def test_anybody_lists_events(people):
    status, found = people["nobody"]("event", "list_events")
    assert status == 200
    assert [one["attributes"]["name"] for one in found["data"]] == [
        "Bench to Bedside",
        "Field Days",
    ]


def test_anybody_gets_an_event(people):
    status, found = people["nobody"]("event", "get_event", "1")
    assert (status, found["data"]["attributes"]["state"]) == (200, "published")


def test_a_draft_is_not_there_for_anybody(people):
    assert people["nobody"]("event", "get_event", "3")[0] == 404
    assert people["owner"]("event", "get_event", "3")[0] == 200


def test_sessions_are_filtered_by_a_member(people):
    states = importlib.import_module(f"{PACKAGE}.models").ListSessionsFilterstate
    _, found = people["nobody"]("session", "list_sessions", filterstate=states.CONFIRMED)
    assert {one["attributes"]["state"] for one in found["data"]} == {"confirmed"}


def test_sessions_are_filtered_by_conditions(people):
    asked = json.dumps([{"name": "title", "op": "startswith", "val": "Soil"}])
    _, found = people["admin"]("session", "list_sessions", filter_=asked)
    assert found["data"]
    assert all(title.startswith("Soil") for title in titles(found))


def test_pages_are_walked_by_number(people):
    seen = []
    for number in (1, 2, 3):
        _, found = people["admin"](
            "session", "list_sessions", pagesize=9, pagenumber=number, sort="-title"
        )
        seen += titles(found)
    assert len(seen) == 27
    assert seen == sorted(seen, reverse=True)


def test_pages_are_walked_by_cursor(people):
    _, first = people["admin"]("event", "list_events", pagesize=2)
    cursor = first["meta"]["cursors"]["next"].rpartition("=")[2]
    _, second = people["admin"]("event", "list_events", pagesize=2, pageafter=cursor)
    assert second["data"]
    assert not {one["id"] for one in first["data"]} & {one["id"] for one in second["data"]}


def test_related_resources_are_included(people):
    _, found = people["nobody"]("session", "list_sessions", include="event,speakers", pagesize=1)
    assert {one["type"] for one in found["included"]} == {"event", "speaker"}


def test_fields_are_chosen(people):
    _, found = people["nobody"]("session", "list_sessions", fieldssession="title")
    assert set(found["data"][0]["attributes"]) == {"title"}
    assert "relationships" not in found["data"][0]


def test_what_is_related_is_listed(people):
    _, found = people["nobody"]("event", "list_event_sessions", "2")
    assert found["data"]
    _, event = people["nobody"]("session", "get_session_event", found["data"][0]["id"])
    assert event["data"]["id"] == "2"


def test_nobody_submits_no_session(people):
    status, found = people["nobody"]("session", "create_session", body=session("A talk", 1))
    assert (status, found["errors"][0]["code"]) == (401, "missing_token")


def test_bob_submits_a_session_and_changes_it(people):
    key = submitted(people)
    body = session("Another talk")
    body["data"]["id"] = key
    status, found = people["bob"]("session", "update_session", key, body=body)
    assert (status, found["data"]["attributes"]["title"]) == (200, "Another talk")
    assert people["carol"]("session", "update_session", key, body=body)[0] == 404


def test_bob_accepts_no_session(people):
    key = submitted(people)
    body = session("A talk", state="accepted")
    body["data"]["id"] = key
    status, found = people["bob"]("session", "update_session", key, body=body)
    assert (status, found["errors"][0]["code"]) == (403, "state_not_allowed")
    assert people["owner"]("session", "update_session", key, body=body)[0] == 200


def test_bob_deletes_his_session(people):
    key = submitted(people)
    assert people["bob"]("session", "delete_session", key)[0] == 200
    assert people["bob"]("session", "get_session", key)[0] == 404


def test_a_session_is_submitted_to_its_event(people):
    status, found = people["bob"]("event", "create_event_sessions", "2", body=session("Direct"))
    assert status == 201
    _, event = people["bob"]("session", "get_session_event_linkage", found["data"]["id"])
    assert event["data"] == {"type": "event", "id": "2"}


def test_a_speaker_is_added_and_removed(people):
    key, body = submitted(people), {"data": [{"type": "speaker", "id": "1"}]}
    assert people["owner"]("session", "add_session_speakers", key, body=body)[0] == 200
    _, found = people["owner"]("session", "get_session_speakers_linkage", key)
    assert found["data"] == body["data"]
    assert people["owner"]("session", "add_session_speakers", key, body=body) == (204, None)
    _, left = people["owner"]("session", "remove_session_speakers", key, body=body)
    assert left["data"] == []


def test_addresses_are_for_organizers(people):
    _, seen = people["owner"]("speaker", "get_speaker", "4")
    _, shown = people["nobody"]("speaker", "get_speaker", "4")
    assert seen["data"]["attributes"]["email"] == "dee0@example.org"
    hidden = set(seen["data"]["attributes"]) - set(shown["data"]["attributes"])
    assert {"email", "mobile", "address"} <= hidden


def test_events_are_made_with_a_confirmed_address(people):
    days = {"starts-at": "2030-05-01T08:00:00Z", "ends-at": "2030-05-03T18:00:00Z"}
    attributes = {"name": "Summer School", "timezone": "Europe/Berlin", **days}
    body = {"data": {"type": "event", "attributes": attributes}}
    assert people["carol"]("event", "create_event", body=body)[0] == 403
    status, found = people["alice"]("event", "create_event", body=body)
    assert (status, found["data"]["attributes"]["state"]) == (201, "draft")


def test_a_reviewer_is_appointed_and_dismissed(people):
    body = {"account_id": 3, "expires_at": "2100-01-01T00:00:00+00:00"}
    assert people["moderator"]("reviewer", "appoint_reviewer", 3, body=body)[0] == 403
    status, made = people["admin"]("reviewer", "appoint_reviewer", 3, body=body)
    assert status == 201
    assert people["admin"]("reviewer", "dismiss_reviewer", 3, made["id"]) == (204, None)


def test_a_repeated_request_creates_once(people):
    asked = {"body": session("Once", 1), "idempotency_key": "a-key-of-bob"}
    first, second = (people["bob"]("session", "create_session", **asked) for _ in range(2))
    assert first == second


def test_a_wrong_parameter_is_told(people):
    status, found = people["nobody"]("event", "list_events", sort="secret")
    assert (status, found["errors"][0]["source"]) == (400, {"parameter": "sort"})


def test_a_missing_parent_is_told(people):
    status, found = people["bob"]("session", "create_session", body=session("A talk", 999))
    assert (status, found["errors"][0]["source"]) == (404, {"parameter": "event_id"})
