"""Two accounts: whatever mallory sends, nothing of the victim's is told or changed."""

import itertools
import json

import pytest
from tests.unit.rest.jsonapi.conference import Conference, Event, File, Speaker, Talk

MARK = "VICTIM"
HIDDEN = {"events": 1, "talks": 1, "speakers": 1, "talk-files": 1}
ABSENT = 98
TYPES = {"events": "event", "talks": "talk", "speakers": "speaker", "talk-files": "talk-file"}


@pytest.fixture
def attacked():
    """All of the victim's is hidden; mallory has an event, a talk, and a speaker that all see."""
    conference = Conference()
    event = Event(id=1, name=f"{MARK} event", owner="victim", is_open=False, budget=1)
    own = Event(id=2, name="own", owner="mallory")
    ghost = Speaker(id=1, name=f"{MARK} speaker", email=f"{MARK}@x", is_public=False)
    shown = Speaker(id=2, name="shown", email=f"{MARK}@y")
    conference.add(
        event,
        own,
        Event(id=3, name=f"{MARK} part", owner="victim", is_open=False, parent_id=2),
        Event(id=4, name="part of it", owner="mallory", parent_id=1),
        Talk(
            id=1,
            event=event,
            title=f"{MARK} talk",
            creator="victim",
            note=MARK,
            speakers=[ghost, shown],
        ),
        Talk(id=2, event=own, title="own", creator="mallory", speakers=[ghost, shown]),
        Talk(id=3, event=own, title="guest", creator="victim", state="shown", note=f"{MARK} note"),
        File(id=1, talk_id=1, path=f"{MARK} path"),
        File(id=2, talk_id=2, path=f"{MARK} path"),
    )
    yield conference
    conference.close()


def state(conference):
    tables = [conference.rows(model) for model in (Event, Talk, Speaker, File)]
    with conference.engine.connect() as connection:
        links = connection.exec_driver_sql("SELECT * FROM speaking ORDER BY 1, 2").all()
    return json.dumps([tables, [tuple(link) for link in links]], default=str)


def operations(conference):
    """Every rule and method of the resources."""
    for rule in conference.app.url_map.iter_rules():
        if rule.rule.startswith("/v1/") and rule.rule.split("/")[2] in HIDDEN:
            for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
                yield rule.rule, method


def bodies(collection, key, rule):
    """Documents that fit the operation, and try to reach the victim's rows."""
    victims = {
        "event": {"data": {"type": "event", "id": "1"}},
        "parent": {"data": {"type": "event", "id": "1"}},
        "talk": {"data": {"type": "talk", "id": "1"}},
        "talks": {"data": [{"type": "talk", "id": "1"}]},
        "parts": {"data": [{"type": "event", "id": "3"}]},
        "speakers": {"data": [{"type": "speaker", "id": "1"}]},
        "files": {"data": [{"type": "talk-file", "id": "1"}]},
    }
    end = rule.rsplit("/", 1)[1]
    if "relationships" in rule:
        yield victims[end]
        return
    target = victims.get(end, {"data": {"type": TYPES[collection]}})["data"]
    kind = target[0]["type"] if isinstance(target, list) else target["type"]
    resource = {"type": kind, "attributes": {}, "relationships": {}}
    if "<id>" in rule and end == "<id>":
        resource["id"] = str(key)
    yield {"data": resource}
    known = {"event": ("parent", "talks", "parts"), "talk": ("event", "speakers", "files")}
    for name in known.get(kind, ("talks",) if kind == "speaker" else ("talk",)):
        yield {"data": {**resource, "relationships": {name: victims[name]}}}


@pytest.mark.parametrize("caller", ["mallory", "nobody"])
def test_every_operation_on_hidden_rows_is_as_on_absent_ones(attacked, caller):
    """The same bytes, and nothing is changed."""
    before, n_tried = state(attacked), 0
    for rule, method in operations(attacked):
        if "<id>" not in rule:
            continue
        collection = rule.split("/")[2]
        answers = []
        for key in (HIDDEN[collection], ABSENT):
            url = rule.replace("<id>", str(key))
            for body in bodies(collection, key, rule):
                options = {} if method == "GET" else {"document": body}
                response = attacked.ask(method, url, caller, **options)
                assert response.status_code in (401, 403, 404, 405), (method, url, response.text)
                answers.append((response.status_code, response.data))
                assert MARK not in response.text
                n_tried += 1
        half = len(answers) // 2
        assert answers[:half] == answers[half:], (method, rule)
    assert state(attacked) == before
    assert n_tried > 100


def test_no_write_of_their_own_reaches_the_victims_rows(attacked):
    """Own rows cannot be linked to hidden ones, on any path, and answers tell nothing."""
    hidden = [row for row in json.loads(state(attacked))[0][0] if MARK in row["name"]]
    for rule, method in operations(attacked):
        if method == "GET" or "restore" in rule or method == "DELETE":
            continue
        collection = rule.split("/")[2]
        url = rule.replace("<id>", "2")
        for body in bodies(collection, 2, rule):
            response = attacked.ask(method, url, "mallory", document=body)
            assert MARK not in response.text, (method, url)
            assert response.status_code < 500
    after = json.loads(state(attacked))
    assert [row for row in after[0][0] if MARK in row["name"]] == hidden
    assert [row["event_id"] for row in after[0][1] if row["creator"] == "victim"] == [1, 2]
    assert [1, 1] in after[1]
    assert not any(row["talk_id"] == 1 for row in after[0][3] if row["id"] != 1)


INCLUDES = {
    "events": [
        "talks.speakers.talks",
        "talks.files",
        "parent.talks",
        "parts.parent",
        "parts.talks",
    ],
    "talks": ["event.parent.parts", "speakers.talks.event", "files.talk", "event.talks.speakers"],
    "speakers": ["talks.event.parts", "talks.files"],
    "talk-files": ["talk.speakers.talks", "talk.event.parent"],
}


@pytest.mark.parametrize("caller", ["mallory", "nobody"])
def test_no_read_tells_anything_hidden(attacked, caller):
    """Lists, details, includes, related resources and relationships, each with every include."""
    n_tried = 0
    for rule, method in operations(attacked):
        if method != "GET":
            continue
        url = rule.replace("<id>", "2")
        for paths in INCLUDES.values():
            for path in paths:
                response = attacked.ask("GET", url, caller, query_string={"include": path})
                assert MARK not in response.text, (url, path)
                # a collection of which nobody may list anything asks who they are
                refused = {401} if caller == "nobody" and "<id>" not in rule else set()
                assert response.status_code in {200, 400, 404} | refused
                n_tried += response.status_code == 200
    assert n_tried > 20


@pytest.mark.parametrize(
    ("field", "value"), list(itertools.product(["owner", "id", "parent_id"], ["mallory", 1]))
)
def test_nothing_is_taken_by_its_fields(attacked, field, value):
    """Neither an owner nor a key is taken from a body."""
    before = state(attacked)
    document = {"data": {"type": "event", "id": "1", "attributes": {field: value}}}
    assert attacked.ask("PATCH", "/v1/events/1", "mallory", document=document).status_code == 404
    document["data"]["id"] = "2"
    response = attacked.ask("PATCH", "/v1/events/2", "mallory", document=document)
    assert response.status_code in (200, 422)
    assert state(attacked) == before
