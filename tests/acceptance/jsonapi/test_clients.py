"""Clients that others wrote for JSON:API read our documents, and write."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from jsonapi_client import Inclusion, Modifier, Session
from tests.counts import unavailable
from tests.unit.actions.serving import served
from tests.unit.rest.jsonapi.conference import Conference, Event, fill

HERE = Path(__file__).parent
SCHEMA = {
    "events": {"properties": {}},
    "event": {
        "properties": {
            "name": {"type": "string"},
            "parent": {"relation": "to-one", "resource": ["event"]},
        }
    },
}


@pytest.fixture
def conference(tmp_path):
    """A conference whose database several threads use."""
    made = fill(Conference(f"sqlite:///{tmp_path / 'conference.sqlite3'}"))
    yield made
    made.close()


@pytest.fixture
def url(conference):
    with served(conference.app) as found:
        yield f"{found}/v1"


@pytest.fixture
def client(url):
    """PyPI's jsonapi-client."""
    return Session(url, request_kwargs={"headers": {"Caller": "root"}})


def test_jsonapi_client_reads(client):
    """Lists, includes, related resources, and pages by their links."""
    assert [one.name for one in client.get("events").resources][:2] == ["Open", "Closed"]
    (talk, *_) = client.get("talks", Inclusion("event", "speakers")).resources
    assert (talk.event.name, [one.name for one in talk.speakers]) == ("Open", ["Ada", "Bob"])
    event = client.get("events", 1).resource
    assert [one.title for one in event.talks] == ["One", "Two", "Five"]
    walked = client.iterate("talks", Modifier("page[size]=2"))
    assert [one.id for one in walked] == ["1", "2", "3", "5"]


def test_jsonapi_client_writes(client, conference, url):
    """It changes a resource, creates one at its type's name, relates it, and deletes it."""
    event = client.get("events", 1).resource
    event.name = "Renamed"
    event.commit()
    headers = {"headers": {"Caller": "root"}}
    writer = Session(url, schema=SCHEMA, request_kwargs=headers)
    made = writer.create_and_commit("event", name="Made", parent="1")
    rows = conference.rows(Event)
    assert (rows[0]["name"], rows[-1]["name"], rows[-1]["parent_id"]) == ("Renamed", "Made", 1)
    made.delete()
    made.commit()
    assert len(conference.rows(Event)) == 5


def test_kitsu_reads_and_writes(url):
    """So does kitsu of npm, which makes type and URL from one word, in camel case."""
    if shutil.which("node") is None or not (HERE / "node_modules/kitsu").is_dir():
        unavailable("node is not installed, or run: make tests/acceptance/jsonapi/node_modules")
    command = ["node", "kitsu.mjs", url]
    done = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["listed"] == [["5", "Part of hidden", True], ["3", "Part", True]]
    assert (found["count"], found["changed"]) == (5, "/newer")
    assert found["included"] == [["Open", ["Ada", "Bob"]]]
    assert found["errors"][0]["status"] == "404"
