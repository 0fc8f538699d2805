"""The flaws of the original, each attacked.

Source: seed document 003 and the public sources of the original, by observation of what they do.
"""

from __future__ import annotations

import sqlalchemy as sa
from services.open_event.access import has_access
from services.open_event.models import EventRole, Membership, Session, SessionState
from services.open_event.rules.invites import LASTS
from services.open_event.tests.asking import Api, told

from licet.authn.secret import digest_of

PUBLISHED, OTHERS, DRAFT = 1, 2, 3
SHOWN = {"accepted", "confirmed"}


def ids(answer) -> set[int]:
    assert answer.status_code == 200, answer.text
    return {int(one["id"]) for one in answer.json["data"]}


def sessions_of(db, event: int, state: SessionState, who: str | None = None) -> list[int]:
    statement = sa.select(Session.id).where(Session.event_id == event, Session.state == state)
    if who is not None:
        account = sa.text("SELECT id FROM account WHERE email = :email")
        key = db.scalar(account, {"email": f"{who}@example.org"})
        statement = statement.where(Session.creator_id == key)
    return list(db.scalars(statement.order_by(Session.id)))


def test_flaw_01_both_terms_of_an_alternative_count(api: Api):
    """`a == x or a == y` kept one term, and an unjoined table let any row through."""
    rows = api.get("/sessions?page[size]=0").json["data"]
    assert {one["attributes"]["state"] for one in rows} == SHOWN
    assert len({one["id"] for one in rows}) == len(rows)


def test_flaw_02_anonymous_callers_are_filtered_too(api: Api):
    """They saw more than others, as the filter ran after loading, for signed-in users alone."""
    for path in ("/events", "/sessions", "/speakers", "/sponsors", "/tracks"):
        public = ids(api.get(f"{path}?page[size]=0"))
        assert public <= ids(api.get(f"{path}?page[size]=0", "alice"))
        count = api.get(f"{path}?page[size]=1").json["meta"]["count"]
        assert count == len(public)


def test_flaw_03_every_rule_of_an_endpoint_counts(api: Api, db):
    """A second stacked decorator was ignored: creating an event asks for more than a sign-in."""
    assert api.get("/custom-forms").status_code == 401
    field = {"form": "x", "type": "text", "field_identifier": "y"}
    assert api.create("custom-forms", "bob", event=PUBLISHED, **field).status_code == 403


def test_flaw_04_head_is_guarded_as_get_is(api: Api):
    """HEAD passed every check."""
    paths = ("/events/3", "/events/3/sessions", "/role-invites/1", "/users/1", "/settings")
    for path in paths:
        for who in (None, "bob", "owner"):
            got, head = api.get(path, who), api.ask("HEAD", path, who)
            assert (head.status_code, head.data) == (got.status_code, b"")


def test_flaw_05_relationships_are_guarded(api: Api, db):
    """Anybody linked speakers to sessions and events to topics, and gave roles."""
    session = sessions_of(db, PUBLISHED, SessionState.ACCEPTED)[0]
    attempts = (
        (f"/sessions/{session}/relationships/speakers", [{"type": "speaker", "id": "2"}]),
        ("/speakers/2/relationships/sessions", [{"type": "session", "id": str(session)}]),
        ("/event-topics/1/relationships/events", [{"type": "event", "id": "2"}]),
        ("/events/1/relationships/organizers", [{"type": "user", "id": "2"}]),
    )
    for path, data in attempts:
        for method in ("POST", "PATCH", "DELETE"):
            for who in (None, "alice"):
                answer = api.ask(method, path, who, data)
                assert answer.status_code in (401, 403, 404, 422), (method, path, who)
    by_owner = api.ask("POST", *(attempts[3][0], "owner", [{"type": "user", "id": "9"}]))
    assert by_owner.status_code == 422


def test_flaw_06_includes_and_moves_are_authorized(api: Api):
    """`include` was never asked about, and a PATCH moved a sponsor into another's event."""
    found = api.get("/speakers?include=sessions&page[size]=0").json
    states = {one["attributes"]["state"] for one in found["included"]}
    assert states <= SHOWN
    moved = api.link("sponsors", 1, "owner", event=("event", OTHERS))
    assert moved.status_code == 403
    assert api.link("sponsors", 1, "alice", event=("event", OTHERS)).status_code == 403
    assert api.get("/sponsors/1/event").json["data"]["id"] == str(PUBLISHED)


def test_flaw_07_trash_and_admin_rights_are_kept(api: Api):
    """`get_trashed=true` was open to all, and is-admin was taken from the body."""
    assert api.delete("/sessions/3", "owner").status_code == 200
    for query in ("get_trashed=true", "filter[deleted]=true"):
        answer = api.get(f"/sessions?{query}&page[size]=0", "alice")
        assert answer.status_code == 400 or 3 not in ids(answer)
    assert 3 in ids(api.get("/sessions?filter[deleted]=true", "owner"))
    bob = api.get("/users", "bob").json["data"][0]["id"]
    assert told(api.change("users", bob, "bob", is_admin=True))[0] == 422
    names = {"email": "n@example.org", "password": "a long password", "is-admin": True}
    made = api.ask("POST", "/users", None, {"type": "user", "attributes": names})
    assert told(made) == (422, "invalid_field", "/data/attributes/is-admin")


def test_flaw_08_filters_name_no_hidden_column(api: Api):
    """Any column could be named, and hidden values be probed."""
    for path, name in (("speakers", "email"), ("users", "subject"), ("role-invites", "token-hash")):
        query = f'[{{"name":"{name}","op":"like","val":"a%"}}]'
        hidden = api.get(f"/{path}?filter={query}", "bob")
        unknown = api.get(f"/{path}?filter={query.replace(name, 'nothing')}", "bob")
        assert hidden.status_code == unknown.status_code == 400
        assert hidden.text.replace(name, "nothing") == unknown.text


def test_flaw_09_no_list_tells_of_a_draft(api: Api):
    """Lists of topics, types and groups told of draft events."""
    for path in ("/event-topics/2/events", "/event-types/2/events", "/events", "/events/upcoming"):
        assert DRAFT not in ids(api.get(path))
        assert DRAFT not in ids(api.get(path, "alice"))
    included = api.get("/event-types/2?include=events").json.get("included", [])
    assert str(DRAFT) not in {one["id"] for one in included}


def test_flaw_10_nothing_is_written_before_it_is_refused(api: Api, db):
    """The version was compared after the write; here nothing of a refused change stays."""
    before = api.get("/sessions/3", "owner").json["data"]
    headers = {**api.headers("owner"), "If-Match": '"0-nothing"'}
    document = {"data": {"type": "session", "id": "3", "attributes": {"title": "Lost"}}}
    refused = api.client.patch(
        "/v1/sessions/3", headers=headers, json=document, content_type="application/vnd.api+json"
    )
    assert refused.status_code == 412
    both = api.change("sessions", 3, "owner", title="Lost", state="draft")
    assert both.status_code == 403
    assert api.get("/sessions/3", "owner").json["data"] == before


def test_flaw_11_an_invitation_is_for_one_person_and_one_day(api: Api, db):
    """Anybody accepted it, its token stood in the GET, and it never expired."""
    mine = "UPDATE role_invite SET token_hash = :hash, email_key = 'bob@example.org' WHERE id = 1"
    db.execute(sa.text(mine), {"hash": digest_of("secret")})
    db.commit()
    shown = api.get("/role-invites/1", "owner")
    assert "token" not in shown.text
    assert digest_of("secret") not in shown.text
    accept = "/role-invites/accept-invite"
    assert api.ask("POST", accept, "alice", {"token": "secret"}).status_code == 403
    assert api.ask("POST", accept, None, {"token": "secret"}).status_code == 401
    db.execute(sa.text("UPDATE role_invite SET expires_at = '2020-01-01 00:00:00.000000'"))
    db.commit()
    assert told(api.ask("POST", accept, "bob", {"token": "secret"}))[:2] == (410, "invite_expired")
    assert LASTS.total_seconds() == 24 * 3600


def test_flaw_12_a_deleted_account_is_nobody(api: Api, db):
    """The token of an expired or blocked user still worked."""
    assert api.change("sessions", 9, "bob", title="x").status_code in (200, 403, 404)
    db.execute(
        sa.text(
            "UPDATE account SET deleted_at = '2026-01-01 00:00:00.000000' WHERE email LIKE 'bob@%'"
        )
    )
    db.commit()
    own = sessions_of(db, PUBLISHED, SessionState.PENDING, "bob")
    hidden = [*sessions_of(db, PUBLISHED, SessionState.DRAFT, "bob"), *own]
    assert all(api.get(f"/sessions/{key}", "bob").status_code == 404 for key in hidden)
    assert api.create("sessions", "bob", event=PUBLISHED, title="x").status_code == 403
    broken = {"Authorization": "JWT not-a-token"}
    assert api.client.get("/v1/events", headers=broken).status_code == 401


def test_flaw_13_no_speaker_accepts_a_session(api: Api, db):
    """A speaker could accept their own by leaving its end empty: the state was not checked then."""
    (own, *_) = sessions_of(db, PUBLISHED, SessionState.PENDING, "bob") or sessions_of(
        db, OTHERS, SessionState.PENDING, "bob"
    )
    for values in (
        {"state": "accepted"},
        {"state": "accepted", "ends_at": None},
        {"state": "confirmed", "starts_at": None},
    ):
        assert told(api.change("sessions", own, "bob", **values))[:2] == (403, "state_not_allowed")
    assert db.get(Session, own).state is SessionState.PENDING


def test_flaw_14_moderators_are_answered(api: Api):
    """Every moderator got a 500."""
    for path in ("/sessions", "/speakers", "/events/1/sessions", "/events/3", "/events/1/tracks"):
        assert (
            api.get(
                f"{path}?include=event" if path == "/sessions" else path, "moderator"
            ).status_code
            == 200
        )
    with api.app.test_request_context(headers=api.headers("moderator")):
        assert has_access("is_moderator", event_id=PUBLISHED)
        assert not has_access("is_registrar", event_id=PUBLISHED)


def test_flaw_15_an_include_tells_no_state(api: Api, db):
    """Somebody else's session, with its state, stood in an include."""
    linked = (
        "INSERT INTO speaking (session_id, speaker_id) SELECT session.id, 1 FROM session JOIN "
        "account ON account.id = creator_id WHERE event_id = 1 AND email = 'carol@example.org'"
    )
    db.execute(sa.text(linked))
    db.commit()
    found = api.get("/speakers/1?include=sessions", "bob").json
    carol = db.scalar(sa.text("SELECT id FROM account WHERE email = 'carol@example.org'"))
    theirs = {
        one["attributes"]["state"]
        for one in found["included"]
        if db.get(Session, int(one["id"])).creator_id == carol
    }
    assert theirs <= SHOWN


def test_flaw_16_counts_are_without_the_trash(api: Api):
    """Counts included deleted rows."""
    before = api.get("/events/1/sessions", "owner").json["meta"]["count"]
    assert api.delete("/sessions/3", "owner").status_code == 200
    assert api.get("/events/1/sessions", "owner").json["meta"]["count"] == before - 1
    assert len(ids(api.get("/events/1/sessions?page[size]=0", "owner"))) == before - 1


def test_flaw_17_a_change_changes_what_it_names(api: Api):
    """PATCH reset what was not sent."""
    before = api.get("/events/1", "owner").json["data"]
    changed = api.change("events", 1, "owner", description="Talks.").json["data"]
    assert changed["attributes"] == before["attributes"] | {"description": "Talks."}
    assert changed["relationships"] == before["relationships"]
    assert EventRole.OWNER in {one.role for one in _members(api)}


def _members(api: Api) -> list[Membership]:
    with sa.orm.Session(api.engine) as session:
        return list(session.scalars(sa.select(Membership).where(Membership.event_id == PUBLISHED)))
