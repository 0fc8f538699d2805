"""Relationships, changed at their own URLs and with their resource."""

import pytest
from tests.unit.rest.jsonapi.conference import Event, File, Speaker, Talk


def identifiers(kind, *keys):
    return {"data": [{"type": kind, "id": str(key)} for key in keys]}


def one(kind, key):
    return {"data": None if key is None else {"type": kind, "id": str(key)}}


def speakers_of(conference, key):
    found = conference.get(f"/v1/talks/{key}/relationships/speakers", "root")
    return [int(each["id"]) for each in found["data"]]


@pytest.mark.parametrize(
    ("method", "given", "status", "after"),
    [
        ("POST", [3], 200, [1, 2, 3]),
        ("POST", [1], 204, [1, 2]),
        ("POST", [], 204, [1, 2]),
        ("POST", [1, 3, 3], 200, [1, 2, 3]),
        ("PATCH", [3], 200, [3]),
        ("PATCH", [], 200, []),
        ("PATCH", [2, 1], 204, [1, 2]),
        ("DELETE", [1], 200, [2]),
        ("DELETE", [3], 204, [1, 2]),
        ("DELETE", [99], 204, [1, 2]),
    ],
)
def test_many_to_many(conference, method, given, status, after):
    """Add, replace and remove; 204 when nothing changes."""
    url = "/v1/talks/1/relationships/speakers"
    response = conference.ask(method, url, "root", document=identifiers("speaker", *given))
    assert response.status_code == status, response.text
    assert speakers_of(conference, 1) == after
    if status == 200:
        assert [int(each["id"]) for each in response.json["data"]] == after


@pytest.mark.parametrize(("given", "after"), [([3], [2, 3]), ([], [2]), ([1, 3], [1, 2, 3])])
def test_what_is_hidden_stays_when_a_list_is_replaced(conference, given, after):
    """A caller replaces what they see; Bob, whom they do not see, is neither told nor removed."""
    url = "/v1/talks/1/relationships/speakers"
    response = conference.ask("PATCH", url, "cid", document=identifiers("speaker", *given))
    assert response.status_code == 200
    assert [int(each["id"]) for each in response.json["data"]] == given
    assert speakers_of(conference, 1) == after


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_hidden_and_absent_members_are_the_same(conference, method):
    """A member that is hidden is answered as one that there is not."""
    url = "/v1/talks/1/relationships/speakers"
    answers = [
        conference.ask(method, url, "cid", document=identifiers("speaker", key)) for key in (2, 99)
    ]
    assert answers[0].data == answers[1].data
    assert [answer.status_code for answer in answers] == (
        [204] * 2 if method == "DELETE" else [404] * 2
    )
    assert speakers_of(conference, 1) == [1, 2]


def test_to_one(conference):
    """Set, set again, and set to null."""
    url = "/v1/events/3/relationships/parent"
    assert conference.ask("PATCH", url, "ann", document=one("event", 1)).status_code == 204
    assert conference.ask("PATCH", url, "ann", document=one("event", None)).status_code == 200
    assert conference.rows(Event)[2]["parent_id"] is None
    again = conference.ask("PATCH", url, "ann", document=one("event", 5))
    assert again.json["data"] == {"type": "event", "id": "5"}


def test_a_required_one_is_never_null(conference):
    """422 with its place, as a relationship and with its resource."""
    url = "/v1/talks/5/relationships/event"
    assert conference.ask("PATCH", url, "ann", document=one("event", None)).status_code == 422
    document = {"data": {"type": "talk", "id": "5", "relationships": {"event": one("event", None)}}}
    response = conference.ask("PATCH", "/v1/talks/5", "ann", document=document)
    assert response.json["errors"][0]["source"] == {"pointer": "/data/relationships/event"}


def test_one_to_many(conference):
    """Members move from their former owner; those that may be without one are let go."""
    conference.add(File(id=3, path="/3"))
    url = "/v1/talks/1/relationships/files"
    added = conference.ask("POST", url, "root", document=identifiers("talk-file", 2, 3))
    assert [each["id"] for each in added.json["data"]] == ["1", "2", "3"]
    assert (
        conference.ask("DELETE", url, "root", document=identifiers("talk-file", 3)).status_code
        == 200
    )
    assert [row["talk_id"] for row in conference.rows(File)] == [1, 1, None]


def test_members_that_always_belong_to_one_are_not_removed(conference):
    """403: a talk is moved from its own side, or deleted."""
    url = "/v1/events/1/relationships/talks"
    removed = conference.ask("DELETE", url, "root", document=identifiers("talk", 1))
    assert removed.status_code == 403
    assert conference.ask("PATCH", url, "root", document=identifiers("talk")).status_code == 403
    moved = conference.ask("POST", url, "root", document=identifiers("talk", 3))
    assert moved.status_code == 200
    assert [row["event_id"] for row in conference.rows(Talk)] == [1] * 5


def test_members_are_changed_by_who_may_change_them(conference):
    """Moving another's talk is that talk's UPDATE, which ann does not have."""
    conference.add(Event(id=20, name="Ben's", owner="ben"))
    conference.add(Talk(id=20, event_id=20, title="x", state="shown", creator="zoe"))
    url = "/v1/events/1/relationships/talks"
    response = conference.ask("POST", url, "ann", document=identifiers("talk", 20))
    assert response.status_code == 403
    assert conference.rows(Talk)[-1]["event_id"] == 20


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_to_one_has_no_members(conference, method):
    """405."""
    url = "/v1/talks/1/relationships/event"
    assert conference.ask(method, url, "root", document=one("event", 1)).status_code == 405


@pytest.mark.parametrize(
    ("document", "status", "pointer"),
    [
        ({"data": None}, "400", "/data"),
        ({"data": {"type": "speaker", "id": "1"}}, "400", "/data"),
        ({"data": [1]}, "400", "/data/0"),
        ({"data": [{"type": "speaker"}]}, "400", "/data/0"),
        ({"data": [{"type": "speaker", "id": "1", "attributes": {}}]}, "400", "/data/0"),
        ({"data": [{"type": "talk", "id": "1"}]}, "409", "/data/0/type"),
        ({"data": [{"type": "speaker", "id": "\x00"}]}, "422", "/data/0/id"),
        ({"data": [{"type": "speaker", "id": "\ud800"}]}, "422", "/data/0/id"),
        ({"data": [{"type": "speaker", "id": "1"}] * 1001}, "400", "/data"),
    ],
)
def test_wrong_linkage_is_refused_with_its_place(conference, document, status, pointer):
    """400, 409 or 422, with a pointer; nothing is changed."""
    url = "/v1/talks/1/relationships/speakers"
    response = conference.ask("PATCH", url, "root", document=document)
    (error,) = response.json["errors"]
    assert (error["status"], error["source"]["pointer"]) == (status, pointer)
    assert speakers_of(conference, 1) == [1, 2]


def test_a_list_is_replaced_with_its_resource(conference):
    """A PATCH of the resource replaces a relationship that it names."""
    document = {
        "data": {
            "type": "talk",
            "id": "5",
            "attributes": {"title": "Y"},
            "relationships": {"speakers": identifiers("speaker", 1)},
        }
    }
    assert conference.ask("PATCH", "/v1/talks/5", "ann", document=document).status_code == 200
    assert (speakers_of(conference, 5), conference.rows(Talk)[4]["title"]) == ([1], "Y")
    assert conference.rows(Speaker)


def test_hooks_of_a_resource_run_when_its_relationships_change(conference):
    """A relationship is its resource's."""
    seen = []
    conference.resources["talk"].after_update(lambda talk: seen.append(talk.id))
    url = "/v1/talks/1/relationships/speakers"
    conference.ask("POST", url, "root", document=identifiers("speaker", 3))
    assert seen == [1]


@pytest.mark.parametrize("path", ["/v1/events/1", "/v1/events/1/relationships/parent"])
def test_nothing_is_its_own_parent(conference, path):
    """409: one change cannot store what depends on itself; nothing is changed."""
    document = one("event", 1)
    if "relationships" not in path:
        document = {"data": {"type": "event", "id": "1", "relationships": {"parent": document}}}
    response = conference.ask("PATCH", path, "ann", document=document)
    assert response.status_code == 409
    assert conference.rows(Event)[0]["parent_id"] is None
