"""What many do at once, on both databases: no overlap, one membership, one owner."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from services.open_event.app import create_app
from services.open_event.models import (
    EventRole,
    InviteStatus,
    Membership,
    Microlocation,
    RoleInvite,
    Session,
    SpeakersCall,
)
from services.open_event.tests.asking import TYPE, Api

from licet.authn.secret import digest_of

THREADS = 8
EVENT = 2
BEGIN = datetime(2030, 1, 1, 8, tzinfo=UTC)


@pytest.fixture
def api(tmp_path: Path, database_url: str) -> Iterator[Api]:
    app = create_app(
        {
            "LICET_INSTANCE_PATH": str(tmp_path),
            "LICET_DATABASE_URL": database_url,
            "LICET_MIGRATE_AT_START": True,
        }
    )
    app.extensions["open_event"].prepare()
    yield Api(app)
    app.extensions["open_event"].engine.dispose()


def at_once(number: int, send: Callable[[Any, int], Any]) -> Counter[int]:
    """The statuses of that many requests, each of its own client, of eight threads."""
    barrier = threading.Barrier(THREADS)
    waiting = threading.local()

    def run(turn: int) -> int:
        if not hasattr(waiting, "begun"):
            waiting.begun = True
            barrier.wait(30)
        return send(turn)

    with ThreadPoolExecutor(THREADS) as pool:
        return Counter(pool.map(run, range(number)))


def sent(api: Api, method: str, path: str, headers: dict[str, str], data: Any) -> int:
    client = api.app.test_client()
    body = json.dumps({"data": data})
    answer = client.open(f"/v1{path}", method=method, headers=headers, data=body, content_type=TYPE)
    return int(answer.status_code)


def test_moves_at_once_leave_no_overlap(api: Api) -> None:
    """200 moves of eight sessions into the same few hours of one room."""
    with sa.orm.Session(api.engine) as db:
        keys = list(db.scalars(sa.select(Session.id).where(Session.event_id == EVENT).limit(8)))
        rooms = sa.select(Microlocation.id).where(Microlocation.event_id == EVENT)
        room = db.scalars(rooms).first()
        db.execute(
            sa.update(Session)
            .where(Session.event_id == EVENT)
            .values(microlocation_id=room, starts_at=None, ends_at=None, state="pending")
        )
        db.commit()
    headers = api.headers("alice")

    def move(turn: int) -> int:
        begin = BEGIN + timedelta(minutes=20 * (turn * 7 % 12))
        values = {"starts-at": begin, "ends-at": begin + timedelta(minutes=45)}
        data = {
            "type": "session",
            "id": str(keys[turn % 8]),
            "attributes": {name: moment.isoformat() for name, moment in values.items()},
        }
        return sent(api, "PATCH", f"/sessions/{data['id']}", headers, data)

    statuses = at_once(200, move)

    assert set(statuses) == {200, 409}, statuses
    assert sum(statuses.values()) == 200
    with sa.orm.Session(api.engine) as db:
        placed = sa.select(Session.starts_at, Session.ends_at).where(
            Session.microlocation_id == room, Session.starts_at.is_not(None)
        )
        slots = sorted((one.starts_at, one.ends_at) for one in db.execute(placed))
    assert len(slots) >= 2
    assert all(end <= begin for (_, end), (begin, _) in pairwise(slots))


def add_invite(api: Api, role: EventRole, email: str = "bob@example.org") -> tuple[int, str]:
    with sa.orm.Session(api.engine) as db:
        invite = RoleInvite(
            event_id=EVENT,
            email=email,
            role_name=role,
            status=InviteStatus.PENDING,
            token_hash=digest_of(f"{role} {email}"),
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        db.add(invite)
        db.commit()
        return invite.id, f"{role} {email}"


def roles_in_event(api: Api) -> list[tuple[int, EventRole]]:
    with sa.orm.Session(api.engine) as db:
        rows = sa.select(Membership.account_id, Membership.role)
        return [
            (one.account_id, one.role)
            for one in db.execute(rows.where(Membership.event_id == EVENT))
        ]


def test_an_invitation_accepted_at_once_is_accepted_once(api: Api) -> None:
    """50 acceptances, by the token and by the status: one membership, and one success."""
    key, token = add_invite(api, EventRole.MODERATOR)
    headers = api.headers("bob")
    status = {"type": "role-invite", "id": str(key), "attributes": {"status": "accepted"}}

    def answer(turn: int) -> int:
        if turn % 2:
            return sent(api, "PATCH", f"/role-invites/{key}", headers, status)
        return sent(api, "POST", "/role-invites/accept-invite", headers, {"token": token})

    statuses = at_once(50, answer)

    assert set(statuses) <= {200, 409}, statuses
    assert statuses[409] >= 24
    assert roles_in_event(api).count((3, EventRole.MODERATOR)) == 1


def test_there_is_one_owner_while_an_event_is_handed_over(api: Api) -> None:
    """While the owner before writes, and others read who owns it."""
    _, token = add_invite(api, EventRole.OWNER)
    alice, bob = api.headers("alice"), api.headers("bob")
    owners: list[int] = []

    def act(turn: int) -> int:
        if turn % 4 == 0:
            rows = roles_in_event(api)
            owners.append([role for _, role in rows].count(EventRole.OWNER))
            return 200
        if turn % 4 == 1:
            return sent(api, "POST", "/role-invites/accept-invite", bob, {"token": token})
        data = {"type": "event", "id": str(EVENT), "attributes": {"description": str(turn)}}
        return sent(api, "PATCH", f"/events/{EVENT}", alice, data)

    statuses = at_once(40, act)

    assert set(statuses) <= {200, 409}, statuses
    assert set(owners) == {1}
    assert sorted(roles_in_event(api)) == [(2, EventRole.ORGANIZER), (3, EventRole.OWNER)]


def test_an_event_gets_one_call(api: Api) -> None:
    """Of many who make it at once, one does."""
    with sa.orm.Session(api.engine) as db:
        db.execute(sa.delete(SpeakersCall).where(SpeakersCall.event_id == EVENT))
        db.commit()
    headers = api.headers("alice")
    data = {
        "type": "speakers-call",
        "attributes": {"starts-at": "2026-01-01T00:00:00Z", "ends-at": "2026-02-01T00:00:00Z"},
        "relationships": {"event": {"data": {"type": "event", "id": str(EVENT)}}},
    }
    statuses = at_once(16, lambda _: sent(api, "POST", "/speakers-calls", headers, data))
    assert statuses == {201: 1, 409: 15}
