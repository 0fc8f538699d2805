"""The documents of licet's providers beside the published Action Provider Interface.

Source: the interface's OpenAPI document, version 2020-02-05.1; the differences are listed in
docs/reference/action-provider-interface.md.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from licet import Licet
from licet.actions import ActionProviderBlueprint, ActionProviderDescription
from licet.rest.openapi import About, document_of

PAGE = Path(__file__).parents[2] / "docs/reference/action-provider-interface.md"
PUBLISHED = {
    "GET /": {200, 401, 403, 404},
    "POST /run": {200, 202, 400, 401, 403},
    "GET /{action_id}/status": {200, 401, 403, 404},
    "POST /{action_id}/cancel": {200, 400, 401, 403, 404, 409},
    "POST /{action_id}/release": {200, 401, 403, 404, 409},
}
MEMBERS = {
    "ActionRequest": (
        "request_id body label monitor_by manage_by allowed_clients deadline release_after"
    ),
    "ActionStatus": (
        "action_id status creator_id label monitor_by manage_by start_time completion_time "
        "release_after display_status details"
    ),
    "ActionProvider": (
        "types api_version globus_auth_scope title subtitle description keywords visible_to "
        "runnable_by administered_by admin_contact synchronous log_supported maximum_deadline "
        "input_schema event_types"
    ),
}


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    app = Flask("tides", instance_path=str(tmp_path_factory.mktemp("tides")))
    app.config["LICET_WORKER_THREADS"] = 0
    Licet(app)
    description = ActionProviderDescription(
        globus_auth_scope="https://auth.globus.org/scopes/tides",
        title="Tides",
        admin_contact="a@example.org",
        synchronous=False,
        input_schema={"type": "object"},
    )
    blueprint = ActionProviderBlueprint(
        "tides", __name__, url_prefix="/tides", provider_description=description
    )
    blueprint.durable()(lambda action, body: {})
    app.register_blueprint(blueprint)
    return document_of(app, About(title="tests"))


@pytest.fixture(scope="module")
def operations(document):
    """The statuses of each operation of the provider, by method and path below its own."""
    return {
        f"{method.upper()} {path.removeprefix('/tides')}": {int(s) for s in one["responses"]}
        for path, item in document["paths"].items()
        if path.startswith("/tides/")
        for method, one in item.items()
    }


def table(title):
    """The rows of a table of the page, each as its cells."""
    part = PAGE.read_text("utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ") for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.split("|")] for row in rows]


def statuses(cell):
    return {int(text) for text in re.findall(r"\d{3}", cell)}


def test_the_page_lists_the_operations_that_are_not_published(operations):
    """And every published one is served."""
    assert PUBLISHED.keys() <= operations.keys()
    listed = {row[0].strip("`") for row in table("Operations")}
    assert operations.keys() - PUBLISHED.keys() == listed


def test_the_page_lists_the_statuses_that_differ(operations):
    """Of each published operation, those of one document alone."""
    listed = {row[0].strip("`"): (statuses(row[1]), statuses(row[2])) for row in table("Statuses")}
    assert listed == {
        name: (published - operations[name], operations[name] - published)
        for name, published in PUBLISHED.items()
    }


def test_every_published_member_is_there(document):
    """And no other one."""
    schemas = document["components"]["schemas"]
    body = document["paths"]["/tides/run"]["post"]["requestBody"]["content"]["application/json"]
    found = {**schemas, "ActionRequest": body["schema"]}
    for name, members in MEMBERS.items():
        assert set(found[name]["properties"]) == set(members.split()), name


def test_a_duration_is_answered_in_days_and_years(document):
    """P703D comes back as P1Y338D, which JSON Schema's format, of RFC 3339, does not take."""
    released = document["components"]["schemas"]["ActionStatus"]["properties"]["release_after"]
    assert released["type"] == ["string", "null"]
    assert "format" not in released


def test_the_page_lists_the_differences_of_documents(document):
    """Each claim of the table that a schema can show."""
    schemas = document["components"]["schemas"]
    body = document["paths"]["/tides/run"]["post"]["requestBody"]["content"]["application/json"]
    request, status = body["schema"], schemas["ActionStatus"]
    assert request.get("additionalProperties", True) is True
    assert request["properties"]["allowed_clients"]["items"] == {"type": "string"}
    assert "urn:licet:" in status["properties"]["creator_id"]["pattern"]
    assert len(status["required"]) == 11
    kinds = [one.get("type") for one in status["properties"]["details"]["anyOf"]]
    assert "string" in kinds
    provider = schemas["ActionProvider"]["properties"]
    assert provider["types"]["items"]["enum"] == ["ACTION", "EVENT"]
    assert schemas["ActionError"]["required"] == ["code", "description"]
    assert len(table("Documents")) == 8
