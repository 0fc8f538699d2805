"""Invitations to roles, memberships, and who owns an event."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from services.open_event.models import EventRole, Membership, RoleInvite
from services.open_event.tests.asking import Api, told

from licet.authn.accounts.flask import accounts_of
from licet.authn.throttle import Limit

PUBLISHED, OTHERS = 1, 2
ACCEPT = "/role-invites/accept-invite"
ROLES = [role.value for role in EventRole]


def invite(api: Api, who: str, email: str, role: str, event: int = OTHERS) -> Any:
    return api.create("role-invites", who, event=event, email=email, role_name=role)


def token_for(api: Api) -> str:
    """The token of the newest mail."""
    assert accounts_of(api.app).outbox.wait(5)
    folder = Path(api.app.config["LICET_INSTANCE_PATH"]) / "mail"
    mail = max(folder.glob("*.eml")).read_text()
    found = re.search(r'"token": "([^"]+)"', mail)
    assert found is not None
    return found[1]


def accept(api: Api, who: str | None, token: str, path: str = ACCEPT) -> Any:
    return api.ask("POST", path, who, {"token": token})


def roles_of(db: Any, email: str, event: int = OTHERS) -> set[str]:
    db.expire_all()
    statement = sa.select(Membership.role).where(
        Membership.event_id == event,
        Membership.account_id
        == sa.select(sa.text("id"))
        .select_from(sa.text("account"))
        .where(sa.text("email = :email"))
        .scalar_subquery(),
    )
    return {role.value for role in db.scalars(statement, {"email": email})}


def test_an_invitation_is_accepted_once(api: Api, db):
    """By whom it was sent to; the token is stored hashed, and shown nowhere."""
    made = invite(api, "alice", "Bob@Example.org", "moderator")
    assert made.status_code == 201, made.text
    token = token_for(api)
    stored = db.get(RoleInvite, int(made.json["data"]["id"]))
    assert token not in (stored.token_hash, made.text)
    assert api.get("/role-invites", "bob").json["meta"]["count"] == 1
    assert told(accept(api, "carol", token))[:2] == (403, "not_invited")
    done = accept(api, "bob", token, "/role_invites/accept-invite")
    assert (done.status_code, done.json["data"]["attributes"]["status"]) == (200, "accepted")
    assert roles_of(db, "bob@example.org") == {"moderator"}
    assert told(accept(api, "bob", token))[:2] == (409, "invite_answered")
    assert accept(api, "bob", "unknown").status_code == 404
    assert accept(api, "bob", "é").status_code == 400


def test_an_invitation_is_answered_by_its_status(api: Api, db):
    """PATCH by the invited person: the status and nothing else."""
    key = invite(api, "alice", "bob@example.org", "registrar").json["data"]["id"]
    path = ("role-invites", key)
    assert told(api.change(*path, "bob", status="accepted", role_name="owner"))[0] == 403
    assert told(api.change(*path, "bob", email="x@example.org"))[0] == 403
    assert told(api.change(*path, "alice", status="accepted"))[:2] == (403, "not_invited")
    assert api.change(*path, "carol", status="accepted").status_code == 404
    assert roles_of(db, "bob@example.org") == set()
    assert api.change(*path, "bob", status="declined").status_code == 200
    assert told(api.change(*path, "bob", status="accepted"))[:2] == (409, "invite_answered")
    assert api.delete(f"/role-invites/{key}", "alice").status_code == 403
    assert roles_of(db, "bob@example.org") == set()


def test_an_invitation_to_a_role_that_one_has_changes_nothing(api: Api, db):
    """And succeeds."""
    for _ in range(2):
        key = invite(api, "alice", "bob@example.org", "moderator").json["data"]["id"]
        assert api.change("role-invites", key, "bob", status="accepted").status_code == 200
    assert roles_of(db, "bob@example.org") == {"moderator"}


def test_a_stranger_is_told_to_register(api: Api):
    """403 for an address without an account, signed in as another or not at all."""
    invite(api, "alice", "new@example.org", "moderator")
    token = token_for(api)
    for who in (None, "unknown-user"):
        refused = accept(api, who, token)
        assert told(refused)[:2] == (403, "not_registered")
        assert "Register" in refused.json["errors"][0]["detail"]


def test_an_invitation_is_sent_once_more(api: Api, db):
    """With another token: the one before is good no more. Another address gets one, too."""
    key = invite(api, "alice", "bob@example.org", "moderator").json["data"]["id"]
    first = token_for(api)
    assert api.ask("POST", f"/role-invites/{key}/resend", "bob").status_code == 403
    assert api.ask("POST", f"/role-invites/{key}/resend", "carol").status_code == 404
    assert api.ask("POST", f"/role-invites/{key}/resend", "alice").status_code == 200
    second = token_for(api)
    assert accept(api, "bob", first).status_code == 404
    assert api.change("role-invites", key, "alice", email="carol@example.org").status_code == 200
    assert accept(api, "bob", second).status_code == 404
    db.execute(sa.text("UPDATE account SET is_verified = true"))
    db.commit()
    assert accept(api, "carol", token_for(api)).status_code == 200
    assert api.ask("POST", f"/role-invites/{key}/resend", "alice").status_code == 403


def test_an_expired_invitation_is_gone(api: Api, db):
    """410 by token and by status, and nothing is changed."""
    key = invite(api, "alice", "bob@example.org", "moderator").json["data"]["id"]
    token = token_for(api)
    db.execute(sa.text("UPDATE role_invite SET expires_at = '2020-01-01 00:00:00.000000'"))
    db.commit()
    assert told(accept(api, "bob", token))[:2] == (410, "invite_expired")
    assert api.change("role-invites", key, "bob", status="accepted").status_code == 410
    assert roles_of(db, "bob@example.org") == set()


@pytest.mark.parametrize(("who", "first"), [("owner", 0), ("organizer", 2), ("coorganizer", 3)])
def test_a_rank_invites_those_below(api: Api, who, first):
    """The owner also a new owner; siblings invite nobody."""
    for number, role in enumerate(ROLES):
        made = invite(api, who, f"{role}@example.net", role, PUBLISHED)
        assert made.status_code == (201 if number >= first else 403), role
    for sibling in ("moderator", "bob"):
        assert invite(api, sibling, "x@example.org", "registrar", PUBLISHED).status_code == 403
    assert invite(api, None, "x@example.org", "registrar", PUBLISHED).status_code == 401


def test_an_address_gets_few_invitations(api: Api):
    """Whoever sends it more is answered 429."""
    answers = [invite(api, "alice", "y@example.net", "moderator").status_code for _ in range(9)]
    assert answers[0] == 201
    assert answers[-1] == 429


def test_a_role_is_given_by_its_resource_too(api: Api):
    """As by its name; both must be one."""
    data = {
        "type": "role-invite",
        "attributes": {"email": "bob@example.org"},
        "relationships": {"role": {"data": {"type": "role", "id": "5"}}},
    }
    made = api.ask("POST", "/events/2/role-invites", "alice", data)
    assert made.json["data"]["attributes"]["role-name"] == "moderator"
    data["attributes"]["role-name"] = "registrar"
    assert told(api.ask("POST", "/events/2/role-invites", "alice", data))[0] == 422
    data["attributes"] = {"email": "nobody", "role-name": "moderator"}
    assert told(api.ask("POST", "/events/2/role-invites", "alice", data))[0] == 422


def test_an_owner_hands_over(api: Api, db):
    """The owner before is an organizer then; one invitation of an owner waits at a time."""
    key = invite(api, "alice", "bob@example.org", "owner").json["data"]["id"]
    second = invite(api, "alice", "carol@example.org", "owner")
    assert told(second)[:2] == (409, "owner_invite_pending")
    assert api.change("role-invites", key, "bob", status="accepted").status_code == 200
    assert roles_of(db, "bob@example.org") == {"owner"}
    assert roles_of(db, "alice@example.org") == {"organizer"}
    assert api.get("/events/2/owner", "alice").json["data"]["attributes"]["first-name"] == "Bob"


# --- memberships ---------------------------------------------------------------------------------


def member(db: Any, role: str, event: int = PUBLISHED) -> int:
    statement = sa.select(Membership.id).where(
        Membership.event_id == event, Membership.role == EventRole(role)
    )
    return db.scalars(statement).one()


def test_the_owner_cannot_be_deleted(api: Api, db):
    """Nor changed, by anybody, staff and the owner among them."""
    key = member(db, "owner")
    for who in ("owner", "organizer", "admin"):
        assert api.delete(f"/users-events-roles/{key}", who).status_code == 403
        changed = api.change("users-events-roles", key, who, role="registrar")
        assert changed.status_code == 403


@pytest.mark.parametrize(("who", "least"), [("owner", 1), ("organizer", 2), ("coorganizer", 3)])
def test_a_rank_acts_on_those_below(api: Api, db, who, least):
    """Never on the own rank, a sibling's or above, neither before nor after the change."""
    for number, role in enumerate(ROLES[1:], 1):
        key = member(db, role)
        assert api.change("users-events-roles", key, who, role=role).status_code == (
            200 if number >= least else 403
        )
        up = api.change("users-events-roles", key, who, role=who)
        assert up.status_code in ((403,) if role != who else (200, 403))
    registrar = member(db, "registrar")
    assert api.delete(f"/users-events-roles/{registrar}", who).status_code == 200


def test_everybody_but_the_owner_may_leave(api: Api, db):
    """And has no rights in the event any more."""
    for role in ROLES[1:]:
        assert api.delete(f"/users-events-roles/{member(db, role)}", role).status_code == 200
    assert api.change("events", PUBLISHED, "organizer", name="x").status_code == 403
    assert api.ask("POST", "/users-events-roles", "owner", {}).status_code == 405


def test_one_caller_sends_so_many_invitations_a_day(api: Api, monkeypatch):
    """To whomever they are: the service is no relay of a stranger's words."""
    monkeypatch.setattr("services.open_event.rules.invites.MAILS", Limit(attempts=2, seconds=60))
    key = invite(api, "alice", "one@example.net", "moderator").json["data"]["id"]
    assert api.ask("POST", f"/role-invites/{key}/resend", "alice").status_code == 200
    refused = invite(api, "alice", "two@example.net", "moderator")
    assert (told(refused)[:2]) == (429, "too_many_attempts")
    assert int(refused.headers["Retry-After"]) > 0
    assert invite(api, "owner", "two@example.net", "moderator", PUBLISHED).status_code == 201


def test_an_account_that_owns_events_stays(api: Api):
    """409 which names them; when it owns none it can be deleted, and is nobody then."""
    refused = api.delete("/users/2", "admin")
    assert refused.status_code == 409
    assert "Field Days (2)" in refused.json["errors"][0]["detail"]
    assert api.delete("/users/3", "admin").status_code == 200
    assert api.create("sessions", "bob", event=PUBLISHED, title="x").status_code == 403
