"""The trash: what is in it, who sees it, and how it comes out."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.rest.jsonapi.conference import File, Speaker, Talk

from licet.actions.durable.runtime import durable_runtime
from licet.rest.store.keys import KEPT_SECONDS
from licet.settings.state import app_state


def ids(document):
    return [one["id"] for one in document["data"]]


def test_a_deleted_resource_is_in_the_trash(conference):
    """Its row stays; nobody sees it where the others are."""
    assert conference.ask("DELETE", "/v1/talks/5", "ann").status_code == 200
    assert conference.rows(Talk)[4]["deleted_at"] is not None
    for caller in ("nobody", "ann", "root"):
        assert "5" not in ids(conference.get("/v1/talks", caller))
        assert conference.ask("GET", "/v1/talks/5", caller).status_code == 404
        included = conference.get("/v1/events/1", caller, include="talks")["included"]
        assert "5" not in [one["id"] for one in included]


@pytest.mark.parametrize(
    ("caller", "expected"),
    [("nobody", []), ("zoe", []), ("eve", ["4"]), ("ann", ["4"]), ("root", ["4"])],
)
def test_the_trash_is_seen_by_who_may_delete(conference, caller, expected):
    """filter[deleted]=true lists it, for them alone; what they ask besides counts as well."""
    query = {"filter[deleted]": "true"}
    found = conference.get("/v1/talks", caller, **query)
    assert (ids(found), found["meta"]["count"]) == (expected, len(expected))
    assert conference.ask("GET", "/v1/talks/4", caller, query_string=query).status_code == (
        200 if expected else 404
    )
    node = json.dumps([{"name": "title", "op": "eq", "val": "One"}])
    assert ids(conference.get("/v1/talks", caller, filter=node, **query)) == []
    assert ids(conference.get("/v1/talks", "root", **{"filter[deleted]": "false"})) == [
        "1",
        "2",
        "3",
        "5",
    ]


@pytest.mark.parametrize("node", [{"name": "deleted-at", "op": "isnot", "val": None}])
def test_no_query_brings_the_trash_back(conference, node):
    """Whatever is asked of the column, trashed rows are not there."""
    for caller in ("nobody", "eve", "root"):
        assert ids(conference.get("/v1/talks", caller, filter=json.dumps([node]))) == []
        asked = json.dumps([{"name": "talks", "op": "any", "val": node}])
        assert ids(conference.get("/v1/events", caller, filter=asked)) == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_what_is_in_the_trash_is_not_changed(conference, method):
    """404 for whoever it is."""
    document = {"data": {"type": "talk", "id": "4", "attributes": {"title": "x"}}}
    assert conference.ask(method, "/v1/talks/4", "root", document=document).status_code == 404


@pytest.mark.parametrize(
    ("caller", "status"), [("nobody", 404), ("zoe", 404), ("eve", 200), ("root", 200)]
)
def test_restore(conference, caller, status):
    """Who may delete it takes it out again; for others it is not there."""
    response = conference.ask("POST", "/v1/talks/4/restore", caller)
    assert response.status_code == status
    if status == 200:
        assert response.json["data"]["attributes"]["deleted-at"] is None
        assert "4" in ids(conference.get("/v1/talks"))
    else:
        assert response.data == conference.ask("POST", "/v1/talks/98/restore", caller).data


def test_what_is_not_in_the_trash_is_not_restored(conference):
    """404."""
    assert conference.ask("POST", "/v1/talks/1/restore", "root").status_code == 404


def test_links_to_the_trash_lead_nowhere(conference):
    """A to-one link to a trashed row is null."""
    conference.add(File(id=9, talk_id=4, path="x"))
    found = conference.get("/v1/talk-files/9", "root", include="talk")
    assert found["data"]["relationships"]["talk"]["data"] is None
    assert found["included"] == []
    assert conference.get("/v1/talk-files/9/talk", "root")["data"] is None


def test_nothing_is_linked_to_the_trash(conference):
    """404 with its place."""
    document = {"data": {"type": "talk", "id": "4"}}
    url = "/v1/talk-files/1/relationships/talk"
    assert conference.ask("PATCH", url, "root", document=document).status_code == 404


def test_who_may_delete_need_not_be_allowed_to_update(conference):
    """Soft deletion is decided as a deletion."""
    from tests.unit.rest.jsonapi.conference import Conference, Policies

    from licet.authz import DELETE, LIST, VIEW, Policy, registered

    class Deleters(Policies):
        def __init__(self):
            super().__init__()
            self.talks = Policy(Talk, name="talks").allow(registered, DELETE | VIEW | LIST)

    conference.close()
    other = Conference(policies=Deleters())
    from tests.unit.rest.jsonapi.conference import fill

    fill(other)
    try:
        assert other.ask("DELETE", "/v1/talks/1", "zoe").status_code == 200
        document = {"data": {"type": "talk", "id": "2", "attributes": {"title": "x"}}}
        assert other.ask("PATCH", "/v1/talks/2", "zoe", document=document).status_code == 403
        assert other.ask("POST", "/v1/talks/1/restore", "zoe").status_code == 200
    finally:
        other.close()


@pytest.mark.parametrize("value", ["", "yes", "True", "1"])
def test_a_wrong_question_for_the_trash_is_refused(conference, value):
    """400: it is true or false."""
    response = conference.ask("GET", "/v1/talks", query_string={"filter[deleted]": value})
    assert response.json["errors"][0]["source"] == {"parameter": "filter[deleted]"}


def test_a_sweep_purges_what_is_in_it_for_30_days(conference):
    """With the links of it; what only refers to it stays, and the young trash does."""
    old = datetime.now(UTC) - timedelta(days=31)
    speaker = Speaker(id=9, name="Old")
    trashed = Talk(id=9, event_id=1, title="Old", deleted_at=old, speakers=[speaker])
    conference.add(trashed, File(id=9, talk_id=9, path="x"))
    assert conference.ask("DELETE", "/v1/talks/5", "ann").status_code == 200
    sweeper = durable_runtime(conference.app).make_sweeper()
    assert sweeper.sweep_once().purged == 1
    assert [one["id"] for one in conference.rows(Talk)] == [1, 2, 3, 4, 5]
    assert conference.rows(File)[-1] == {"id": 9, "talk_id": None, "path": "x"}
    assert "9" in ids(conference.get("/v1/speakers", "root"))
    assert sweeper.sweep_once().purged == 0


def test_a_sweep_purges_old_keys(conference, monkeypatch):
    """Idempotency-Keys of yesterday are not kept."""
    document = {"data": {"type": "event", "attributes": {"name": "New"}}}
    headers = {"Idempotency-Key": "k"}
    for status in (201, 201):
        made = conference.ask("POST", "/v1/events", "ann", document=document, headers=headers)
        assert made.status_code == status
    sweeper = durable_runtime(conference.app).make_sweeper()
    assert sweeper.sweep_once().purged == 0
    keys = app_state(conference.app).get_or_build("rest.keys", None)
    monkeypatch.setattr(keys, "_clock", lambda: time.time() + KEPT_SECONDS + 1)
    assert sweeper.sweep_once().purged == 1
