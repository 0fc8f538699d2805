"""The conference's access matrix, proved by requests, and held to the page in docs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from services.open_event import policies
from services.open_event.app import create_app
from services.open_event.models import Event, EventRole, Session
from services.open_event.policies import GRANT_REVIEWER
from services.open_event.tests.asking import ask, document, listed
from services.open_event.tests.saved import restorer
from tests.counts import count

from licet.authn import embedded_issuer
from licet.authz import CREATE, DELETE, LIST, UPDATE, VIEW, Policy
from licet.testing import MatrixCases, request_to, verify_matrix

CALLERS = (
    *("admin", "alice", "bob", "carol", "unknown-user", "reviewer", "former-reviewer"),
    *(role.value for role in EventRole),
)
APPOINTED = {"account_id": 2, "expires_at": "2100-01-01T00:00:00+00:00"}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = create_app({"LICET_INSTANCE_PATH": str(tmp_path)})
    app.extensions["open_event"].prepare()
    return app


def cases(
    app: Flask,
    policy: Policy,
    objects: dict[str, Any],
    drafts: dict[str, Any],
    body: Any,
    restore: Callable[[], None],
):
    issuer = embedded_issuer(app)
    callers = {who: {"Authorization": f"Bearer {issuer.mint(who, ['site'])}"} for who in CALLERS}
    path, more = f"/v1/{policy.name}", {}

    def send(method: str):
        def sent(client: Any, headers: Any, key: Any) -> Any:
            if isinstance(key, dict):
                return ask(client, method, path, headers, key)
            given = document(policy.name, body, key=key) if method == "PATCH" else None
            return ask(client, method, f"{path}/{key}", headers, given)

        return sent

    if policy is policies.events:
        more = {GRANT_REVIEWER: request_to("POST", f"{path}/{{key}}/reviewers", APPOINTED)}
    return MatrixCases(
        policy=policy,
        callers={"nobody": {}, **callers},
        objects=objects,
        drafts=drafts,
        requests={
            LIST: lambda client, headers, _key: set(listed(client, policy.name, headers)),
            VIEW: send("GET"),
            CREATE: send("POST"),
            UPDATE: send("PATCH"),
            DELETE: send("DELETE"),
            **more,
        },
        reset=restore,
    )


def in_event(model: type[Any], number: int) -> Any:
    def make() -> tuple[Any, dict[str, Any]]:
        name = "title" if model is Session else "name"
        collection = "sessions" if model is Session else "speakers"
        return model(**{name: "New", "event_id": number}), document(
            collection, {name: "New"}, event=number
        )

    return make


def keys_of(app: Flask) -> dict[str, dict[str, int]]:
    """One object of each state: of each policy, by what it is called; a quick run takes some."""
    with sa.orm.Session(app.extensions["open_event"].engine) as db:
        events = dict(
            zip(("published", "alice's", "draft"), db.scalars(sa.select(Event.id)), strict=True)
        )
        sessions, speakers = {}, {}
        for session in db.scalars(sa.select(Session).order_by(Session.id)):
            name = f"{session.state.value} session in {session.event.name}"
            sessions.setdefault(name, session.id)
            speakers.setdefault(f"speaker of {name}", session.speakers[0].id)
    step = count(quick=3, full=1)
    some = (dict(list(found.items())[::step]) for found in (sessions, speakers))
    return {"events": events, **dict(zip(("sessions", "speakers"), some, strict=True))}


def test_every_cell_of_the_matrix_is_what_requests_get(app: Flask):
    """Every role, verb and state: done, 401, 403 or a 404 like that of nothing."""
    keys, restore = keys_of(app), restorer(app)
    numbers = keys["events"].values()
    drafts = {
        policy.name: {f"into event {n}": in_event(policy.model, n) for n in numbers}
        for policy in (policies.sessions, policies.speakers)
    }
    drafts["events"] = {
        "a new event": lambda: (Event(name="New"), document("events", {"name": "New"}))
    }
    report = verify_matrix(
        app,
        [
            cases(app, policy, keys[policy.name], drafts[policy.name], body, restore)
            for policy, body in (
                (policies.events, {"name": "Renamed"}),
                (policies.sessions, {"title": "Renamed"}),
                (policies.speakers, {"name": "Renamed"}),
            )
        ],
    )
    assert report.requests > count(quick=1_000, full=2_000)
    assert {"200", "201", "401", "403", "404", "listed", "not listed"} <= set(report.outcomes)
