"""Custom forms, and how they bind sessions and speakers; the requests of seed document 003."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from services.open_event.tests.asking import TYPE, Api, told

PUBLISHED = 1
AT = "/data/attributes"


def field(api: Api, identifier: str, form: str = "session", **values: Any) -> Any:
    given = {"form": form, "field_identifier": identifier, "type": "text", **values}
    return api.create("custom-forms", "owner", event=PUBLISHED, **given)


def propose(api: Api, who: str = "bob", **values: Any) -> Any:
    return api.create("sessions", who, event=PUBLISHED, title="New", **values)


def test_the_seeds_requests_work_as_they_are_typed(api: Api):
    """POST with a sort and a filter, ``custom_form`` and booleans as texts; PATCH; DELETE; GET."""
    raw = """{
     "data": {
       "type": "custom_form",
       "attributes": {
         "form": "form",
         "type": "text",
         "field-identifier": "abc123",
         "is-required": "true",
         "is-included": "false",
         "is-fixed": "false"
       }
     }
    }"""
    headers = {"Authorization": api.headers("owner")["Authorization"].replace("Bearer", "JWT")}
    made = api.client.post(
        "/v1/events/1/custom-forms?sort=type&filter=[]",
        data=raw,
        content_type=TYPE,
        headers=headers,
    )
    assert made.status_code == 201, made.text
    shown = made.json["data"]
    assert shown["attributes"]["is-required"] is True
    assert shown["attributes"]["type"] == "text"
    assert shown["relationships"]["event"]["links"]["related"].endswith("/event")
    key = shown["id"]
    assert api.change("custom-forms", key, "owner", name="Name").status_code == 200
    assert api.delete(f"/custom-forms/{key}", "owner").status_code == 200
    assert api.get("/event-topics/1/events").json["meta"]["count"] == 2


def test_required_fields_are_required(api: Api):
    """Standard and complex ones, all of them told; fields that are not included are not asked."""
    field(api, "shortAbstract2", is_required=True, is_included=True, name="Outline")
    field(api, "level", is_required=True, is_included=True)
    field(api, "track", is_required=True, is_included=True)
    field(api, "language", is_required=True)
    refused = propose(api)
    places = {one["source"]["pointer"] for one in refused.json["errors"]}
    assert refused.status_code == 422
    assert places == {
        f"{AT}/complex-field-values/shortAbstract2",
        f"{AT}/level",
        "/data/relationships/track",
    }
    data = {
        "type": "session",
        "attributes": {
            "title": "x",
            "level": "all",
            "complex-field-values": {"shortAbstract2": "why"},
        },
        "relationships": {
            "event": {"data": {"type": "event", "id": "1"}},
            "track": {"data": {"type": "track", "id": "1"}},
        },
    }
    assert api.ask("POST", "/sessions", "bob", data).status_code == 201


def test_organizers_change_what_the_form_does_not_ask(api: Api):
    """A field that became required since stops their other changes not, and a speaker's do."""
    key = propose(api).json["data"]["id"]
    field(api, "level", is_required=True, is_included=True)
    assert api.change("sessions", key, "owner", is_locked=False).status_code == 200
    assert api.change("sessions", key, "bob", subtitle="x").status_code == 422
    assert api.change("sessions", key, "owner", level="").status_code == 422
    assert api.change("sessions", key, "bob", level="all").status_code == 200


@pytest.mark.parametrize(
    ("options", "good", "bad"),
    [
        ({"type": "number", "min": 1, "max": 5}, 3, 6),
        ({"type": "number"}, 2.5, "2"),
        ({"type": "boolean"}, True, "true"),
        ({"type": "checkbox"}, False, 0),
        ({"type": "email"}, "a@example.org", "a"),
        ({"type": "year", "min": 1990}, "1999", "1980"),
        ({"type": "text", "max": 3}, "abc", "abcd"),
        ({"type": "file"}, "https://example.org/a", "a"),
        ({"type": "select", "options": [{"value": "a"}]}, "a", "b"),
        ({"type": "paragraph"}, "a", ["a"]),
    ],
)
def test_complex_values_are_of_their_fields_type(api: Api, options, good, bad):
    """Anything else is 422 with its place."""
    assert field(api, "extra", is_included=True, **options).status_code == 201
    assert propose(api, complex_field_values={"extra": good}).status_code == 201
    refused = propose(api, complex_field_values={"extra": bad})
    assert told(refused) == (422, "invalid_field", f"{AT}/complex-field-values/extra")


@pytest.mark.parametrize("given", [{"unknown": 1}, {"title": "x"}, {"needsVisa": True}])
def test_unknown_complex_fields_are_refused(api: Api, given):
    """Names that no field has, those of standard fields, and those of another form."""
    refused = propose(api, complex_field_values=given)
    assert told(refused)[0] == 422
    assert propose(api, complex_field_values=[1]).status_code == 422


def test_speakers_are_bound_as_well(api: Api):
    """By the form that is called speaker."""
    field(api, "city", "speaker", is_required=True, is_included=True)
    assert told(api.create("speakers", "bob", event=1, name="x")) == (
        *(422, "invalid_field"),
        f"{AT}/city",
    )
    made = api.create(
        "speakers", "bob", event=1, name="x", city="Ulm", complex_field_values={"needsVisa": True}
    )
    assert made.status_code == 201


def test_a_fixed_field_stays(api: Api):
    """It is neither changed nor deleted, by anybody."""
    for who in ("owner", "admin"):
        assert told(api.change("custom-forms", 1, who, name="x"))[:2] == (409, "fixed_field")
        assert told(api.delete("/custom-forms/1", who))[:2] == (409, "fixed_field")


def test_a_field_that_cannot_be_is_refused(api: Api):
    """A second of one name, options of no list, bounds that cross, and what the server says."""
    assert told(field(api, "title"))[0] == 409
    assert field(api, "title", "attendee").status_code == 201
    assert told(field(api, "a", type="select"))[2] == f"{AT}/options"
    assert told(field(api, "a", options=[{"value": "x"}]))[2] == f"{AT}/options"
    for option in ({"name": "x"}, {"value": "x" * 201}, {"value": "x", "position": "first"}):
        assert told(field(api, "a", type="select", options=[option]))[2] == f"{AT}/options"
    assert told(field(api, "a", translations=["x" * 10_000]))[2] == f"{AT}/translations"
    assert told(field(api, "a", min=2, max=1))[2] == f"{AT}/max"
    assert told(field(api, " "))[2] == f"{AT}/field-identifier"
    assert told(field(api, "a", is_complex=True))[2] == f"{AT}/is-complex"
    assert field(api, "long_abstract").json["data"]["attributes"]["is-complex"] is False
    assert field(api, "mine").json["data"]["attributes"]["is-complex"] is True


def test_a_form_has_at_most_thirty_fields_of_its_own(api: Api):
    """The thirty-first is 409; standard fields are not counted."""
    answers = [field(api, f"own{number}").status_code for number in range(30)]
    assert answers == [201] * 29 + [409]  # the seed has one
    assert field(api, "subtitle").status_code == 201


def test_the_service_is_an_app(service: tuple[Flask, Any]):
    """It serves the states of sessions to everybody."""
    app, _ = service
    assert app.test_client().get("/v1/sessions/states").json["speaker"]["draft"] == ["pending"]


def test_required_speakers_are_not_taken_away_from_their_side(api: Api):
    """The form of the session counts as it does when the session itself is changed."""
    field(api, "speakers", is_required=True, is_included=True)
    at = "/data/relationships/speakers"
    links = "/speakers/3/relationships/sessions"
    taken = api.ask("DELETE", links, "bob", [{"type": "session", "id": "3"}])
    assert told(taken) == (422, "invalid_field", at)
    assert told(api.link("speakers", 3, "bob", sessions=[]))[0] == 422
    assert api.get("/sessions/3/speakers", "bob").json["meta"]["count"] == 1
