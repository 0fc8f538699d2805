"""Lists, single resources, related ones and relationships, as a caller sees them."""

import pytest
from tests.unit.rest.jsonapi.conference import Event, Talk


def ids(document):
    return [one["id"] for one in document["data"]]


def test_a_list_has_what_its_caller_may_list(conference):
    """Rows that the policy hides are in no list, and are not counted."""
    found = conference.get("/v1/events")
    assert (ids(found), found["meta"]["count"]) == (["1", "3", "5"], 3)
    assert ids(conference.get("/v1/events", "ben")) == ["1", "2", "3", "4", "5"]


def test_a_resource_has_its_fields_and_links(conference):
    """Type, id, dashed attributes, links of itself and of each relationship."""
    found = conference.get("/v1/events/1", "ann")["data"]
    assert (found["type"], found["id"], found["links"]) == ("event", "1", {"self": "/v1/events/1"})
    assert found["attributes"] == {
        "name": "Open",
        "owner": "ann",
        "is-open": True,
        "budget": 100,
        "starts-on": "2030-01-31",
        "starts-at": "2030-01-31T12:00:00Z",
        "price": "12.50",
        "extra": {"a": [1]},
    }
    assert found["relationships"]["talks"] == {
        "links": {"self": "/v1/events/1/relationships/talks", "related": "/v1/events/1/talks"}
    }
    assert found["relationships"]["parent"]["data"] is None


def test_a_masked_field_is_absent(conference):
    """A field that the caller may not see is in no document, whatever they ask for."""
    assert "budget" not in conference.get("/v1/events/1")["data"]["attributes"]
    found = conference.get("/v1/events/1", **{"fields[event]": "budget"})
    assert "attributes" not in found["data"]
    shown = {one["id"]: one["attributes"] for one in conference.get("/v1/talks", "cid")["data"]}
    assert ("note" in shown["2"], "note" in shown["5"]) == (True, False)


@pytest.mark.parametrize("key", ["2", "99", "01", "1.0", "-1", "x", "9" * 30, "%00", "1%2f2", "１"])
def test_hidden_and_absent_are_the_same(conference, key):
    """404, byte for byte, of whatever there is not for the caller."""
    response = conference.ask("GET", f"/v1/events/{key}")
    assert response.status_code == 404
    if "2f" not in key:
        assert response.data == conference.ask("GET", "/v1/events/98").data


def test_to_one_links_lead_to_what_the_caller_sees(conference):
    """A related resource that is hidden is as none; one that is seen is linked."""
    assert conference.get("/v1/events/5")["data"]["relationships"]["parent"]["data"] is None
    found = conference.get("/v1/events/5", "root")["data"]["relationships"]["parent"]["data"]
    assert found == {"type": "event", "id": "2"}


def test_related_resources_are_listed(conference):
    """A to-many link is a list like any other: filtered, sorted and paged."""
    found = conference.get("/v1/events/1/talks", **{"sort": "-title", "page[size]": "1"})
    assert (ids(found), found["meta"]["count"]) == (["1"], 2)
    assert ids(conference.get("/v1/talks/1/speakers")) == ["1"]
    assert ids(conference.get("/v1/events/1/parts", "root")) == ["3", "4"]


def test_a_related_resource_is_shown(conference):
    """A to-one link is one resource, or null."""
    assert conference.get("/v1/talks/1/event")["data"]["id"] == "1"
    assert conference.get("/v1/events/5/parent")["data"] is None


def test_relationships_are_listed_as_identifiers(conference):
    """A relationship's own URL has types and ids, its links, and pages."""
    many = conference.get("/v1/events/1/relationships/talks")
    assert many["data"] == [{"type": "talk", "id": "1"}, {"type": "talk", "id": "5"}]
    assert many["links"]["related"] == "/v1/events/1/talks"
    assert many["meta"]["count"] == 2
    one = conference.get("/v1/talks/1/relationships/event")
    assert one["data"] == {"type": "event", "id": "1"}
    assert one["links"]["self"] == "/v1/talks/1/relationships/event"
    assert conference.get("/v1/events/1/relationships/parent")["data"] is None


@pytest.mark.parametrize("path", ["talks", "relationships/talks", "parent", "relationships/parent"])
def test_links_of_a_hidden_resource_are_not_found(conference, path):
    """What belongs to a hidden resource is as absent as the resource."""
    hidden = conference.ask("GET", f"/v1/events/2/{path}")
    assert hidden.status_code == 404
    assert hidden.data == conference.ask("GET", f"/v1/events/98/{path}").data


def test_fields_are_chosen_by_type(conference):
    """A sparse fieldset leaves out all else, relationships included."""
    query = {"fields[talk]": "title,event", "fields[event]": "", "include": "event"}
    found = conference.get("/v1/talks/1", **query)
    assert found["data"]["attributes"] == {"title": "One"}
    assert list(found["data"]["relationships"]) == ["event"]
    assert found["included"] == [{"type": "event", "id": "1", "links": {"self": "/v1/events/1"}}]


def test_sparse_fields_take_other_spellings(conference):
    """Underscores and the URL's name are understood."""
    found = conference.get("/v1/events/1", **{"fields[event]": "is_open,startsOn"})
    assert found["data"]["attributes"] == {"is-open": True, "starts-on": "2030-01-31"}


def test_includes_are_each_there_once_and_linked(conference):
    """Full linkage: what is included is named by a relationship, and stands once."""
    found = conference.get("/v1/talks", include="event,speakers.talks")
    assert [(one["type"], one["id"]) for one in found["included"]] == [
        ("event", "1"),
        ("speaker", "1"),
        ("speaker", "3"),
    ]
    named = {
        (one["type"], one["id"])
        for resource in [*found["data"], *found["included"]]
        for relation in resource["relationships"].values()
        for one in (
            relation["data"] if isinstance(relation.get("data"), list) else [relation.get("data")]
        )
        if one
    }
    assert {(one["type"], one["id"]) for one in found["included"]} <= named


def test_included_lists_are_as_seen(conference):
    """Hidden speakers and trashed talks are in no include."""
    found = conference.get("/v1/events/1", include="talks.speakers")
    assert found["data"]["relationships"]["talks"]["data"] == [
        {"type": "talk", "id": "1"},
        {"type": "talk", "id": "5"},
    ]
    assert [one["id"] for one in found["included"]] == ["1", "5", "1", "3"]
    assert all("email" not in one["attributes"] for one in found["included"])


def test_an_empty_include_is_an_empty_list(conference):
    """`included` is there when it was asked for, and only then."""
    assert conference.get("/v1/events/3", include="talks")["included"] == []
    assert "included" not in conference.get("/v1/events/3")
    assert "included" not in conference.get("/v1/events/3", include="")


def test_more_than_500_included_are_refused(conference):
    """400 names the limit; a smaller page is answered."""
    conference.add(Event(id=9, name="Big", owner="ann"))
    conference.add(*(Talk(event_id=9, title=str(n), state="shown") for n in range(501)))
    response = conference.ask("GET", "/v1/events/9", query_string={"include": "talks"})
    assert response.status_code == 400
    assert "500" in response.json["errors"][0]["detail"]
    assert response.json["errors"][0]["source"] == {"parameter": "include"}


@pytest.mark.parametrize(
    "include", ["nope", "talks.nope", "talks.event.parts.talks", "talks,", "."]
)
def test_wrong_includes_are_refused(conference, include):
    """400 with the parameter; depth is at most three."""
    response = conference.ask("GET", "/v1/events", query_string={"include": include})
    assert response.status_code == 400
    assert response.json["errors"][0]["source"] == {"parameter": "include"}
