"""Requests of JSON:API, and what their answers hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from licet.authn import embedded_issuer

TYPE = "application/vnd.api+json"
TYPES = {"users-events-roles": "users-events-roles"}
EVENT = {
    "name": "New",
    "starts_at": "2030-05-01T08:00:00Z",
    "ends_at": "2030-05-03T18:00:00Z",
    "timezone": "Europe/Berlin",
}
SLOT = {"starts_at": "2030-01-01T10:00:00Z", "ends_at": "2030-01-01T11:00:00Z"}


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
    """Everything that the caller may list, by id; nothing where nobody may list anything."""
    answer = client.get(f"/v1/{collection}?{query}", headers=dict(headers))
    if answer.status_code in (401, 403):  # nobody, or a token of no user
        return {}
    if answer.status_code != 200:
        raise AssertionError(answer.text)
    return {int(one["id"]): one for one in answer.json["data"]}


def event_of(resource: Mapping[str, Any]) -> int | None:
    found = resource["relationships"]["event"]["data"]
    return None if found is None else int(found["id"])


class Api:
    """The service as a caller asks it: by the names of the seeded accounts, or as nobody."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()
        self.engine = app.extensions["open_event"].engine

    def headers(self, who: str | None) -> dict[str, str]:
        if who is None:
            return {}
        return {"Authorization": f"Bearer {embedded_issuer(self.app).mint(who, ['site'])}"}

    def ask(self, method: str, path: str, who: str | None = None, data: Any = None) -> Any:
        """The answer to a document with this data, if there is any."""
        given = None if data is None else {"data": data}
        return ask(self.client, method, f"/v1{path}", self.headers(who), given)

    def get(self, path: str, who: str | None = None) -> Any:
        return self.ask("GET", path, who)

    def delete(self, path: str, who: str | None = None) -> Any:
        return self.ask("DELETE", path, who)

    def create(self, collection: str, who: str | None, *, event: Any = None, **values: Any) -> Any:
        """POST of a resource with these attributes, in an event if one is given."""
        data = document(collection, _dashed(values), event=event)["data"]
        return self.ask("POST", f"/{collection}", who, data)

    def change(self, collection: str, key: Any, who: str | None, **values: Any) -> Any:
        """PATCH of these attributes."""
        data = document(collection, _dashed(values), key=key)["data"]
        return self.ask("PATCH", f"/{collection}/{key}", who, data)

    def link(self, collection: str, key: Any, who: str | None, **links: Any) -> Any:
        """PATCH of these relationships: a (type, id), a list of them, or None."""
        data = document(collection, {}, key=key)["data"]
        data["relationships"] = {
            name.replace("_", "-"): {"data": linked(given)} for name, given in links.items()
        }
        return self.ask("PATCH", f"/{collection}/{key}", who, data)


def linked(given: Any) -> Any:
    """Resource identifiers of (type, id)."""
    if given is None:
        return None
    if isinstance(given, list):
        return [linked(one) for one in given]
    kind, key = given
    return {"type": kind, "id": str(key)}


def _dashed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in values.items()}


def told(answer: Any) -> tuple[int, str, Any]:
    """Status, code and place of the first error."""
    (first, *_) = answer.json["errors"]
    source = first.get("source", {})
    return answer.status_code, first["code"], next(iter(source.values()), None)
