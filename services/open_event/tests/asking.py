"""Requests of JSON:API, and what their answers hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask.testing import FlaskClient

TYPE = "application/vnd.api+json"
TYPES = {"users-events-roles": "users-events-roles"}
EVENT = {
    "name": "New",
    "starts_at": "2030-05-01T08:00:00Z",
    "ends_at": "2030-05-03T18:00:00Z",
    "timezone": "Europe/Berlin",
}


def ask(
    client: FlaskClient, method: str, path: str, headers: Mapping[str, str], document: Any = None
) -> Any:
    options = {} if document is None else {"data": json.dumps(document), "content_type": TYPE}
    return client.open(path, method=method, headers=dict(headers), **options)


def document(
    collection: str, attributes: Mapping[str, Any], *, key: int | None = None, event: Any = None
) -> dict[str, Any]:
    """A resource with these attributes, of this id and in this event if they are given."""
    kind = TYPES.get(collection, collection.removesuffix("s"))
    found: dict[str, Any] = {"type": kind, "attributes": dict(attributes)}
    if key is not None:
        found["id"] = str(key)
    if event is not None:
        found["relationships"] = {"event": {"data": {"type": "event", "id": str(event)}}}
    return {"data": found}


def listed(
    client: FlaskClient, collection: str, headers: Mapping[str, str], query: str = "page[size]=0"
) -> dict[int, dict[str, Any]]:
    """Everything that the caller may list, by id."""
    answer = client.get(f"/v1/{collection}?{query}", headers=dict(headers))
    if answer.status_code != 200:
        raise AssertionError(answer.text)
    return {int(one["id"]): one for one in answer.json["data"]}


def event_of(resource: Mapping[str, Any]) -> int | None:
    found = resource["relationships"]["event"]["data"]
    return None if found is None else int(found["id"])
