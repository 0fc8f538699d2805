"""The conference's access matrix, proved by requests, and held to the page in docs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from services.open_event import policies
from services.open_event.app import create_app
from services.open_event.models import Account, Event, EventRole, Membership, Session
from services.open_event.policies import GRANT_REVIEWER
from services.open_event.tests.asking import EVENT, ask, document, listed
from services.open_event.tests.saved import restorer
from tests.counts import count

from licet.authn import embedded_issuer
from licet.authn.tokens.issuer import subject_of
from licet.authz import CREATE, DELETE, LIST, UPDATE, VIEW, Policy
from licet.testing import MatrixCases, MatrixReport, request_to, verify_matrix

CALLERS = (
    *("admin", "super-admin", "alice", "bob", "carol", "unknown-user"),
    *("reviewer", "former-reviewer"),
    *(role.value for role in EventRole),
)
APPOINTED = {"account_id": 2, "expires_at": "2100-01-01T00:00:00+00:00"}
INVITE = {"email": "new@example.org", "role-name": "moderator"}
CALL = {"starts-at": "2026-01-01T00:00:00Z", "ends-at": "2026-02-01T00:00:00Z"}
FIELD = {"form": "attendee", "type": "text", "field-identifier": "new"}
# What a PATCH changes, and what a POST into an event gives, of each policy.
CHANGES: dict[str, dict[str, Any]] = {
    "events": {"name": "Renamed"},
    "sessions": {"title": "Renamed"},
    "speakers": {"city": "Pune"},
    "sponsors": {"name": "Renamed"},
    "tracks": {"name": "Renamed"},
    "session-types": {"name": "Renamed"},
    "microlocations": {"name": "Renamed"},
    "speakers-calls": {"announcement": "Renamed"},
    "custom-forms": {"name": "Renamed"},
    "role-invites": {},
    "users-events-roles": {},
    "users": {"first-name": "Renamed"},
    "roles": {"title-name": "Renamed"},
    "event-types": {"name": "Renamed"},
    "event-topics": {"name": "Renamed"},
    "event-sub-topics": {"name": "Renamed"},
    "settings": {"tagline": "Renamed"},
}
DRAFTS: dict[str, dict[str, Any]] = {
    "sessions": {"title": "New"},
    "speakers": {"name": "New"},
    "sponsors": {"name": "New"},
    "tracks": {"name": "New", "color": "#fff"},
    "session-types": {"name": "New", "length": "00:30"},
    "microlocations": {"name": "New"},
    "custom-forms": FIELD,
    "role-invites": INVITE,
}
# A quick run has these callers of the policies that know no other roles.
FEW = {
    **dict.fromkeys(("events", "sessions", "speakers"), ("admin", "bob", "reviewer", *EventRole)),
    **dict.fromkeys(("role-invites", "users-events-roles"), ("admin", "bob", *EventRole)),
    "users": ("admin", "super-admin", "bob", "coorganizer", "moderator"),
}
ALONE = ("event-types", "event-topics", "event-sub-topics")
NO_LIST = ("speakers-calls", "settings")
READ_ONLY = ("roles",)
NO_DELETE = ("settings", "roles")


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = create_app({"LICET_INSTANCE_PATH": str(tmp_path)})
    database = app.extensions["open_event"]
    database.prepare()
    with sa.orm.Session(database.engine) as db:  # so that a call can be made
        db.execute(sa.text("DELETE FROM speakers_call WHERE event_id = 3"))
        db.execute(sa.text("UPDATE speakers_call SET privacy = 'private' WHERE event_id = 2"))
        # whose invitation is their own
        db.execute(
            sa.text("UPDATE role_invite SET email_key = 'bob@example.org' WHERE event_id = 2")
        )
        db.execute(sa.text("UPDATE custom_form SET is_fixed = false"))
        name = "super-admin"
        above = Account(subject=subject_of(name), email=f"{name}@example.org", is_super_admin=True)
        db.add(above)
        db.commit()
    return app


def draft(policy: Policy, values: dict[str, Any], number: int | None) -> Callable[[], Any]:
    """A proposed object, and the document that proposes it."""

    def make() -> tuple[Any, dict[str, Any]]:
        columns = sa.inspect(policy.model).columns
        known = {name.replace("-", "_"): value for name, value in values.items()}
        fields = {name: value for name, value in known.items() if not name.endswith("_at")}
        for name in ("role_name", "type"):
            kind = columns[name].type if name in columns else None
            if name in fields and isinstance(kind, sa.Enum):
                fields[name] = kind.enum_class(fields[name])
        if policy.name == "role-invites":
            fields["status"] = columns["status"].default.arg
        own = {} if number is None else {"event_id": number}
        return policy.model(**fields, **own), document(policy.name, values, event=number)

    return make


def cases(
    app: Flask, policy: Policy, objects: dict[str, Any], restore: Callable[[], None]
) -> MatrixCases:
    issuer = embedded_issuer(app)
    few = FEW.get(policy.name, ("admin", "bob", "coorganizer", "moderator"))
    callers = {
        who: {"Authorization": f"Bearer {issuer.mint(who, ['site'])}"}
        for who in count(quick=few, full=CALLERS)
    }
    path = f"/v1/{policy.name}"

    def send(method: str) -> Callable[..., Any]:
        def sent(client: Any, headers: Any, key: Any) -> Any:
            if isinstance(key, dict):
                return ask(client, method, path, headers, key)
            is_change = method == "PATCH"
            given = document(policy.name, CHANGES[policy.name], key=key) if is_change else None
            at = path if policy is policies.settings else f"{path}/{key}"
            return ask(client, method, at, headers, given)

        return sent

    requests: dict[Any, Any] = {VIEW: send("GET")}
    if policy.name not in NO_LIST:
        requests[LIST] = lambda client, headers, _key: set(listed(client, policy.name, headers))
    if policy.name not in READ_ONLY:
        requests[UPDATE] = send("PATCH")
    if policy.name not in NO_DELETE:
        requests[DELETE] = send("DELETE")
    drafts = dict(drafts_of(policy))
    if drafts:
        requests[CREATE] = send("POST")
    if policy is policies.events:
        requests[GRANT_REVIEWER] = request_to("POST", f"{path}/{{key}}/reviewers", APPOINTED)
    return MatrixCases(
        policy=policy,
        callers={"nobody": {}, **callers},
        objects=objects,
        drafts=drafts,
        requests=requests,
        reset=restore,
    )


def drafts_of(policy: Policy) -> Iterator[tuple[str, Callable[[], Any]]]:
    if policy is policies.events:
        yield "a new event", lambda: (Event(name="New"), document("events", EVENT))
    elif policy.name in ALONE:
        yield "a new one", draft(policy, {"name": "New"}, None)
    elif policy is policies.speakers_calls:
        yield "into the draft", draft(policy, CALL, 3)
    for number in count(quick=(1, 3), full=(1, 2, 3)) if policy.name in DRAFTS else ():
        yield f"into event {number}", draft(policy, DRAFTS[policy.name], number)


def keys_of(app: Flask, policy: Policy) -> dict[str, int]:
    """One object of each kind, by what it is called; a quick run takes some sessions."""
    with sa.orm.Session(app.extensions["open_event"].engine) as db:
        rows = db.scalars(sa.select(policy.model).order_by(policy.model.id)).all()
        if policy is policies.users:  # owners of events stay, whoever may delete users
            is_owner = sa.select(Membership.account_id).where(Membership.role == EventRole.OWNER)
            owners = set(db.scalars(is_owner))
            rows = [row for row in rows if row.id not in owners]
        found: dict[str, int] = {}
        for row in rows:
            event = getattr(row, "event_id", None)
            if policy in (policies.sessions, policies.speakers):
                state = (row if isinstance(row, Session) else row.sessions[0]).state
                found.setdefault(f"{state} in event {event}", row.id)
            elif policy is policies.users or policy is policies.memberships:
                found[str(getattr(row, "subject", f"{row.id}"))] = row.id
            elif policy is policies.events:
                found[row.name] = row.id
            else:
                found.setdefault(f"one of event {event}", row.id)
    steps = {"sessions": 5, "speakers": 10, "users": 5, "users-events-roles": 3}
    return dict(list(found.items())[:: count(quick=steps.get(policy.name, 1), full=1)])


def prove(app: Flask, chosen: list[Policy]) -> MatrixReport:
    """Prove these policies; the others of the app are left to other tests."""
    restore = restorer(app)
    found = [cases(app, policy, keys_of(app, policy), restore) for policy in chosen]
    return verify_matrix(app, found)


def test_every_cell_of_the_matrix_is_what_requests_get(app: Flask) -> None:
    """Every role, verb and state: done, 401, 403 or a 404 like that of nothing."""
    report = prove(app, list(policies.POLICIES))
    sys.stdout.write(f"{report.requests} requests: {dict(report.outcomes)}\n")
    assert report.requests > count(quick=900, full=4_000)
    assert {"200", "201", "401", "403", "404", "listed", "not listed"} <= set(report.outcomes)
