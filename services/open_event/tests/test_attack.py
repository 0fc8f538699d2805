"""One organizer against another: every id of a draft event, by every method and relationship."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import sqlalchemy as sa
from services.open_event.models import Membership
from services.open_event.resources import RESOURCES
from services.open_event.tests.asking import Api
from tests.counts import count

from licet.authz import CREATE, DELETE, UPDATE, VIEW

MINE, THEIRS = 2, 3  # alice owns one; she knows nothing of the other


def rows_of(db: Any, model: Any) -> list[Any]:
    """What belongs to the other's event; a quick run takes some."""
    own = model.id if model.__tablename__ == "event" else getattr(model, "event_id", None)
    if own is None:
        return []
    statement = sa.select(model).where(own == THEIRS)
    if model is Membership:  # she sees her own account's, which has none there
        statement = statement.order_by(model.id)
    return list(db.scalars(statement).all())[: count(quick=2, full=None)]


def test_another_organizer_finds_nothing_of_a_draft(api: Api, db):
    """Each answer is 404, or 405 for what nobody does; nothing is changed."""
    statuses: Counter[int] = Counter()

    def attack(method: str, path: str, data: Any = None) -> Any:
        answer = api.ask(method, path, "alice", data)
        statuses[answer.status_code] += 1
        assert answer.status_code in (404, 405), (method, path, answer.text)
        return answer

    for resource in RESOURCES:
        for row in rows_of(db, resource.model):
            at = f"/{resource.url}/{row.id}"
            named = {"type": resource.type, "id": str(row.id)}
            for verb, method in ((VIEW, "GET"), (UPDATE, "PATCH"), (DELETE, "DELETE")):
                if resource.verbs.covers(verb.name):
                    attack(method, at, named if verb is UPDATE else None)
            for name in resource.relationships:
                member = name.replace("_", "-")
                attack("GET", f"{at}/{member}")
                attack("GET", f"{at}/relationships/{member}")
                if resource.verbs.covers(UPDATE.name):
                    attack("PATCH", f"{at}/relationships/{member}", [])
        if resource.verbs.covers(CREATE.name) and "event" in resource.relationships:
            event = {"event": {"data": {"type": "event", "id": str(THEIRS)}}}
            attack("POST", f"/{resource.url}", {"type": resource.type, "relationships": event})
    sys.stdout.write(f"{statuses.total()} requests: {dict(statuses)}\n")
    assert statuses[404] > 100


def test_own_things_are_not_moved_to_another(api: Api, db):
    """Nor are another's brought to one's own event: by a relationship in a PATCH."""
    for resource in RESOURCES:
        if "event" not in resource.relationships or not resource.verbs.covers(UPDATE.name):
            continue
        own = db.scalars(
            sa.select(resource.model).where(resource.model.event_id == MINE).limit(1)
        ).first()
        moved = api.link(resource.url, own.id, "alice", event=("event", THEIRS))
        assert moved.status_code in (403, 404, 422), (resource, moved.text)
        db.expire_all()
        assert db.get(resource.model, own.id).event_id == MINE


def test_lists_and_includes_hold_nothing_of_a_draft(api: Api, db):
    """Of every collection that lists what belongs to events."""
    for resource in RESOURCES:
        if not resource.verbs.covers("LIST") or not hasattr(resource.model, "event_id"):
            continue
        include = "&include=event" if "event" in resource.relationships else ""
        answer = api.get(f"/{resource.url}?page[size]=0{include}", "alice")
        theirs = {str(row.id) for row in rows_of(db, resource.model)}
        assert not theirs & {one["id"] for one in answer.json["data"]}, resource
        events = {one["id"] for one in answer.json.get("included", ()) if one["type"] == "event"}
        assert str(THEIRS) not in events, resource


def test_an_include_holds_what_the_related_list_holds(api: Api):
    """For each caller, also when others asked before, of whom the policies know something else."""
    callers = (None, "bob", "alice", "owner", "moderator", "registrar", "carol", "admin")
    for who in (*callers, *reversed(callers)):
        for path, name in (("/events/1", "sessions"), ("/events/1", "speakers")):
            included = api.get(f"{path}?include={name}", who).json["included"]
            listed = api.get(f"{path}/{name}?page[size]=0", who).json["data"]
            assert {one["id"] for one in included} == {one["id"] for one in listed}, (who, name)
            assert listed
