"""The document of links, and what all documents have in common."""

from __future__ import annotations

from services.open_event.tests.asking import Api

VERSION = {"version": "1.0"}


def test_every_link_leads_somewhere(api: Api):
    """At the service's path, with and without a slash, and at the root of the service alone."""
    found = {path: api.client.get(path).json["links"] for path in ("/v1", "/v1/", "/")}
    assert found["/v1"] == found["/v1/"] == found["/"]
    answers = {
        link: api.client.get(link, headers=api.headers("admin")).status_code
        for link in found["/v1"].values()
    }
    assert len(answers) > 15
    assert set(answers.values()) == {200}


def test_every_document_tells_the_version_of_the_original(api: Api):
    """Of resources, lists, links, errors, deletions, and of views beside the resources."""
    session = {"title": "x"}
    made = api.create("sessions", "bob", event=1, **session)
    key = made.json["data"]["id"]
    answers = [
        made,
        api.get("/"),
        api.get("/events"),
        api.get("/events/99"),
        api.get(f"/sessions/{key}/relationships/speakers", "bob"),
        api.change("sessions", key, "bob", state="accepted"),
        api.delete(f"/sessions/{key}", "bob"),
        api.ask("POST", "/role-invites/accept-invite", "bob", {"token": "none"}),
        api.ask("POST", "/users", None, {"type": "user", "attributes": {}}),
        api.client.get("/v1/events", headers={"Authorization": "JWT none"}),
    ]
    assert [one.status_code for one in answers] == [
        *(201, 200, 200, 404, 200, 403, 200, 404, 422, 401)
    ]
    assert [one.json["jsonapi"] for one in answers] == [VERSION] * len(answers)
