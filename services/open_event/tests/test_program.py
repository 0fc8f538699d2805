"""Events, sessions, speakers and parts: each rule in its own words, and nothing half-written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from services.open_event.models import Session, SessionState, Speaker
from services.open_event.rules.events import new_identifier
from services.open_event.rules.states import BY_ORGANIZER, BY_SPEAKER
from services.open_event.tests.asking import EVENT, SLOT, Api, ask, document, told

PUBLISHED, OTHERS, DRAFT = 1, 2, 3
AT = "/data/attributes"


def session_in(db: Any, state: str, event: int = PUBLISHED, who: str | None = None) -> int:
    statement = sa.select(Session.id).where(Session.event_id == event, Session.state == state)
    if who is not None:
        mine = sa.text("creator_id = (SELECT id FROM account WHERE email = :who)")
        statement = statement.where(mine.bindparams(who=f"{who}@example.org"))
    return db.scalars(statement.order_by(Session.id)).first()


# --- events --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"ends-at": "2030-05-01T07:00:00Z"}, "ends-at"),
        ({"ends-at": "2030-06-01T07:00:00Z"}, "ends-at"),
        ({"starts-at": None}, "starts-at"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "localtime"}, "timezone"),
        ({"latitude": 91}, "latitude"),
        ({"longitude": -181}, "longitude"),
        ({"logo-url": "javascript:alert(1)"}, "logo-url"),
        ({"identifier": "abcdef01"}, "identifier"),
    ],
)
def test_an_event_that_cannot_be_is_refused(api: Api, values, place):
    """When it is made and when it is changed; the place is told."""
    made = api.create("events", "bob", **(EVENT | values))
    assert told(made) == (422, "invalid_field", f"{AT}/{place}")
    changed = api.change("events", DRAFT, "owner", **(EVENT | values))
    assert told(changed)[0] == 422
    assert api.get(f"/events/{DRAFT}", "owner").json["data"]["attributes"]["name"] != "New"


def test_an_event_has_an_owner_and_an_identifier(api: Api, db):
    """Whoever makes it; every URL of it takes the identifier as well."""
    made = api.create("events", "bob", **EVENT)
    key, identifier = made.json["data"]["id"], made.json["data"]["attributes"]["identifier"]
    assert len(identifier) == 8
    assert not identifier.isdigit()
    owner = api.get(f"/events/{identifier}/owner", "bob").json["data"]
    assert owner["attributes"]["first-name"] == "Bob"
    track = api.create("tracks", "bob", event=key, name="One", color="#123456")
    assert track.status_code == 201
    assert api.get(f"/events/{identifier}/tracks", "bob").json["meta"]["count"] == 1
    assert api.get(f"/events/{identifier}").status_code == 404
    assert not any(new_identifier().isdigit() for _ in range(100))


def test_publishing_needs_a_verified_address_and_a_name(api: Api, db):
    """403 and 409; unpublishing needs neither."""
    event = api.create("events", "bob", **EVENT).json["data"]["id"]
    assert told(api.change("events", event, "bob", state="published", name=" "))[0] == 409
    db.execute(sa.text("UPDATE account SET is_verified = false WHERE email = 'bob@example.org'"))
    db.commit()
    refused = api.change("events", event, "bob", state="published")
    assert told(refused)[:2] == (403, "address_not_verified")
    db.execute(sa.text("UPDATE account SET is_verified = true"))
    db.commit()
    assert api.change("events", event, "bob", state="published").status_code == 200
    assert told(api.change("events", event, "bob", name=" "))[0] == 409
    assert api.get(f"/events/{event}").status_code == 200
    assert event in {one["id"] for one in api.get("/events/upcoming").json["data"]}


def test_a_private_event_is_in_no_list(api: Api):
    """Whoever has its address sees it."""
    assert api.change("events", PUBLISHED, "owner", privacy="private").status_code == 200
    assert api.get("/events/1").status_code == 200
    listed = {one["id"] for one in api.get("/events").json["data"]}
    topic = {one["id"] for one in api.get("/event-topics/1/events").json["data"]}
    assert "1" not in listed | topic
    assert "1" in {one["id"] for one in api.get("/events", "moderator").json["data"]}


def test_a_feature_that_is_off_takes_nothing_new(api: Api):
    """403, for organizers as well."""
    off = {"is_sponsors_enabled": False, "is_sessions_speakers_enabled": False}
    assert api.change("events", PUBLISHED, "owner", **off).status_code == 200
    for name, values in (
        ("sponsors", {"name": "x"}),
        ("sessions", {"title": "x"}),
        ("speakers", {"name": "x"}),
    ):
        made = api.create(name, "owner", event=PUBLISHED, **values)
        assert told(made)[:2] == (403, "feature_disabled")


def test_what_belongs_to_an_event_in_the_trash_is_gone(api: Api):
    """For everybody but staff, wherever it is asked for, until the event is restored."""
    assert api.delete("/events/1", "owner").status_code == 200
    for path in ("/sessions/3", "/sponsors/1", "/tracks/1", "/speakers/3", "/events/1/tracks"):
        assert api.get(path, "organizer").status_code == 404, path
        assert api.get(path).status_code == 404, path
    assert api.get("/users/5/owner-events", "owner").json["meta"]["count"] == 1
    assert api.ask("POST", "/events/1/restore", "owner").status_code == 200
    assert api.get("/sessions/3").status_code == 200


# --- sessions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", list(SessionState))
def test_the_state_machines_hold(api: Api, db, before):
    """Each transition of organizers and of speakers: done, or 403 with nothing changed."""
    key = session_in(db, "pending", OTHERS, "bob") or session_in(db, "accepted", OTHERS, "bob")
    for who, table in (("alice", BY_ORGANIZER), ("bob", BY_SPEAKER)):
        for after in SessionState:
            db.execute(sa.update(Session).where(Session.id == key).values(state=before))
            db.commit()
            answer = api.change("sessions", key, who, state=after.value)
            is_allowed = after in table[before] or after is before
            assert answer.status_code == (200 if is_allowed else 403), (who, before, after)
            db.expire_all()
            assert db.get(Session, key).state is (after if is_allowed else before)
            db.rollback()
    shown = api.get("/sessions/states").json
    assert shown["organizer"][before] == [one.value for one in BY_ORGANIZER[before]]


def test_a_locked_session_is_for_organizers(api: Api, db):
    """Nobody else changes, deletes, locks or unlocks it."""
    key = session_in(db, "pending", OTHERS, "bob") or session_in(db, "draft", OTHERS, "bob")
    assert told(api.change("sessions", key, "bob", is_locked=True))[:2] == (403, "lock_not_allowed")
    assert api.change("sessions", key, "alice", is_locked=True).status_code == 200
    assert api.change("sessions", key, "bob", title="x").status_code == 403
    assert api.delete(f"/sessions/{key}", "bob").status_code == 403
    (speaker,) = api.get(f"/sessions/{key}/speakers", "bob").json["data"]
    links = f"/speakers/{speaker['id']}/relationships/sessions"
    taken = api.ask("DELETE", links, "bob", [{"type": "session", "id": str(key)}])
    assert taken.status_code == 403  # it was 204, with nothing done
    assert api.change("sessions", key, "alice", is_locked=False, title="y").status_code == 200


def test_sessions_are_proposed_while_the_call_is_open(api: Api, db):
    """By others than organizers; a proposed session is a draft or pending."""
    assert api.create("sessions", "bob", event=PUBLISHED, title="a").status_code == 201
    pending = api.create("sessions", "bob", event=PUBLISHED, title="b", state="pending")
    assert pending.json["data"]["attributes"]["submitted-at"] is not None
    wrong = api.create("sessions", "bob", event=PUBLISHED, title="c", state="accepted")
    assert told(wrong)[:2] == (403, "state_not_allowed")
    db.execute(sa.text("UPDATE speakers_call SET ends_at = '2020-01-01 00:00:00.000000'"))
    db.commit()
    closed = api.create("sessions", "bob", event=PUBLISHED, title="d")
    assert told(closed)[:2] == (403, "call_closed")
    assert api.create("sessions", "owner", event=PUBLISHED, title="e").status_code == 201
    assert api.change("sessions", pending.json["data"]["id"], "bob", title="f").status_code == 200


def test_the_creator_is_the_caller(api: Api):
    """Whatever the body says; staff alone changes it afterwards."""
    data = {
        "type": "session",
        "attributes": {"title": "x"},
        "relationships": {
            "event": {"data": {"type": "event", "id": "1"}},
            "creator": {"data": {"type": "user", "id": "3"}},
        },
    }
    assert api.ask("POST", "/sessions", "bob", data).status_code == 422
    del data["relationships"]["creator"]
    made = api.ask("POST", "/sessions", "bob", data).json["data"]
    assert made["relationships"]["creator"]["data"] == {"type": "user", "id": "3"}
    moved = api.link("sessions", made["id"], "admin", creator=("user", 2))
    assert moved.status_code == 200


def test_parts_are_of_the_sessions_event(api: Api):
    """Neither a track nor a speaker of another event."""
    for name, kind, key in (("track", "track", 4), ("microlocation", "microlocation", 4)):
        refused = api.link("sessions", 3, "admin", **{name: (kind, key)})
        assert told(refused) == (422, "invalid_field", f"/data/relationships/{name}")
    refused = api.link("sessions", 3, "admin", speakers=[("speaker", 11)])
    assert told(refused)[0] == 422


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"slides": [{"name": "a"}]}, "slides"),
        ({"slides": [{"name": "a", "link": "javascript:x"}]}, "slides"),
        ({"slides": [{"name": "a" * 201, "link": "https://example.org"}]}, "slides"),
        ({"starts_at": SLOT["ends_at"], "ends_at": SLOT["starts_at"]}, "ends-at"),
        ({"video_url": "ftp://x"}, "video-url"),
        ({"average_rating": 5}, "average-rating"),
        ({"submitted_at": SLOT["ends_at"]}, "submitted-at"),
    ],
)
def test_a_session_that_cannot_be_is_refused(api: Api, values, place):
    """With its place."""
    assert told(api.change("sessions", 3, "owner", **values)) == (
        *(422, "invalid_field"),
        f"{AT}/{place}",
    )


def test_a_session_is_accepted_by_its_own_event(api: Api, db):
    """Taken to another event, it is pending there, and leaves the parts of the one before."""
    key = session_in(db, "accepted", PUBLISHED, "bob") or session_in(db, "confirmed", 1, "bob")
    moved = api.link("sessions", key, "bob", event=("event", OTHERS)).json["data"]
    assert moved["attributes"]["state"] == "pending"
    assert moved["relationships"]["track"]["data"] is None
    assert api.get(f"/sessions/{key}/speakers", "bob").json["meta"]["count"] == 0
    assert api.get(f"/sessions/{key}").status_code == 404
    db.execute(sa.text("UPDATE speakers_call SET ends_at = '2020-01-01 00:00:00.000000'"))
    db.commit()
    back = api.link("sessions", key, "bob", event=("event", PUBLISHED))
    assert told(back)[:2] == (403, "call_closed")


def test_a_speaker_with_sessions_stays_with_them(api: Api):
    """Else they would be shown by an event that accepted nothing of theirs."""
    moved = api.link("speakers", 1, "bob", event=("event", OTHERS))
    assert told(moved)[0] == 422
    alone = api.create("speakers", "bob", event=PUBLISHED, name="Bob").json["data"]["id"]
    assert api.link("speakers", alone, "bob", event=("event", OTHERS)).status_code == 200


# --- speakers ------------------------------------------------------------------------------------


def test_a_speakers_address_is_their_own(api: Api, db):
    """Unless an organizer writes it; it stands once in an event."""
    made = api.create("speakers", "bob", event=PUBLISHED, name="Bob", email="other@example.org")
    key = made.json["data"]["id"]
    assert made.json["data"]["attributes"]["email"] == "bob@example.org"
    changed = api.change("speakers", key, "bob", email="x@example.org", city="Ulm")
    assert changed.json["data"]["attributes"]["email"] == "bob@example.org"
    again = api.create("speakers", "bob", event=PUBLISHED, name="Bob again")
    assert told(again) == (409, "duplicate_email", f"{AT}/email")
    loud = api.create("speakers", "owner", event=PUBLISHED, name="B", email="BOB@example.org")
    assert told(loud)[1] == "duplicate_email"
    assert api.create("speakers", "bob", event=OTHERS, name="Bob").status_code == 201
    assert db.get(Speaker, int(key)).account_id == 3


def test_of_many_speakers_with_one_address_one_is_made(api: Api):
    """Though all are sent at once; the others are told why."""
    headers, data = api.headers("alice"), document("speakers", {"name": "Alice"}, event=PUBLISHED)

    def make(_number: int) -> Any:
        return ask(api.app.test_client(), "POST", "/v1/speakers", headers, data)

    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(make, range(5)))
    refused = [told(one)[:2] for one in answers if one.status_code != 201]
    assert refused == [(409, "duplicate_email")] * 4


def test_an_address_that_is_not_seen_is_not_written(api: Api, db):
    """A track organizer changes speakers, whose addresses are hidden; nor is it one's own then."""
    for name in ("email", "mobile", "address"):
        refused = api.change("speakers", 3, "track-organizer", **{name: "x@example.org"})
        assert told(refused) == (422, "invalid_field", f"{AT}/{name}")
    assert api.change("speakers", 3, "track-organizer", city="Ulm").status_code == 200
    theirs = api.create("speakers", "owner", event=PUBLISHED, name="Dora").json["data"]["id"]
    assert api.link("sessions", 3, "owner", speakers=[("speaker", theirs)]).status_code == 200
    changed = api.change("speakers", theirs, "bob", email="bob@example.org")
    assert changed.json["data"]["attributes"]["email"] == "owner@example.org"


def test_a_speaker_is_linked_to_own_sessions_only(api: Api, db):
    """Else 404 with the parameter and the id, whether the session is hidden, seen or absent."""
    for who, state in (("carol", "pending"), ("carol", "accepted"), (None, None)):
        key = 999 if state is None else session_in(db, state, PUBLISHED, who)
        key = key or session_in(db, "confirmed", PUBLISHED, who)
        data = {
            "type": "speaker",
            "attributes": {"name": "x"},
            "relationships": {
                "event": {"data": {"type": "event", "id": "1"}},
                "sessions": {"data": [{"type": "session", "id": str(key)}]},
            },
        }
        refused = api.ask("POST", "/speakers", "bob", data)
        assert told(refused) == (404, "not_found", "session_id")
        assert refused.json["errors"][0]["detail"] == f"Session: {key} not found"
    draft = api.create("speakers", "bob", event=DRAFT, name="x")
    assert told(draft) == (404, "not_found", "event_id")


# --- parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("collection", "values", "place"),
    [
        ("tracks", {"name": "x", "color": "blue"}, "color"),
        ("tracks", {"name": "x"}, "color"),
        ("session-types", {"name": "x", "length": "90"}, "length"),
        ("microlocations", {"name": "x", "latitude": 100}, "latitude"),
        ("sponsors", {"name": "x", "url": "x"}, "url"),
        ("sponsors", {"name": "x", "level": "1"}, "level"),
    ],
)
def test_a_part_that_cannot_be_is_refused(api: Api, collection, values, place):
    """With its place."""
    made = api.create(collection, "owner", event=PUBLISHED, **values)
    assert told(made) == (422, "invalid_field", f"{AT}/{place}")


def test_an_event_has_one_call_that_ends_before_it_starts(api: Api):
    """A second is 409; it has no list, and its hash is nowhere."""
    call = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-02-01T00:00:00Z"}
    assert told(api.create("speakers-calls", "owner", event=PUBLISHED, **call))[0] == 409
    assert api.get("/speakers-calls").status_code in (404, 405)
    shown = api.get("/events/1/speakers-call").json["data"]
    assert "hash" not in shown["attributes"]
    late = api.change("speakers-calls", shown["id"], "owner", ends_at="2099-01-01T00:00:00Z")
    assert told(late) == (422, "invalid_field", f"{AT}/ends-at")
    event = api.create("events", "bob", **EVENT).json["data"]["id"]
    backwards = {"starts_at": call["ends_at"], "ends_at": call["starts_at"]}
    assert told(api.create("speakers-calls", "bob", event=event, **backwards))[0] == 422
    assert api.create("speakers-calls", "bob", event=event, **call).status_code == 201


def test_an_event_does_not_start_before_its_call_ends(api: Api):
    """Nor is it moved there later, until the call is."""
    early = {"starts_at": "2027-02-01T08:00:00Z", "ends_at": "2027-02-03T18:00:00Z"}
    refused = api.change("events", PUBLISHED, "owner", **early)
    assert told(refused) == (422, "invalid_field", f"{AT}/starts-at")
    call = api.get("/events/1/speakers-call", "owner").json["data"]["id"]
    assert (
        api.change("speakers-calls", call, "owner", ends_at=early["starts_at"]).status_code == 200
    )
    assert api.change("events", PUBLISHED, "owner", **early).status_code == 200


def test_settings_are_one_row_with_secrets(api: Api):
    """Twelve fields for everybody, more for staff, and secrets for nobody."""
    public = api.get("/settings").json["data"]
    assert len(public["attributes"]) == 12
    given = {"type": "setting", "id": public["id"], "attributes": {"smtp-password": "new one"}}
    assert api.ask("PATCH", "/settings", "owner", given).status_code == 403
    changed = api.ask("PATCH", "/settings", "admin", given)
    assert changed.status_code == 200
    assert "smtp-host" in changed.json["data"]["attributes"]
    assert "password" not in changed.text
    with sa.orm.Session(api.engine) as db:
        assert db.scalar(sa.text("SELECT smtp_password FROM setting")) == "new one"


def test_topics_get_a_slug(api: Api):
    """From their name, and another one where that is taken."""
    slugs = [
        api.create("event-topics", "admin", name=name).json["data"]["attributes"]["slug"]
        for name in ("Film & Media", "Film, Media!", "Überall é", "日本語")
    ]
    assert slugs == ["film-media", "film-media-1", "uberall-e", "topic"]


@pytest.mark.parametrize(
    ("collection", "name"),
    [
        *((one, "name") for one in ("sponsors", "tracks", "session-types", "microlocations")),
        *(("speakers", "name"), ("event-topics", "name"), ("sessions", "title")),
    ],
)
def test_blanks_are_no_name(api: Api, collection, name):
    """Of what has to have one, whoever writes it."""
    blank = api.change(collection, 1, "admin", **{name: " \n"})
    assert told(blank) == (422, "invalid_field", f"{AT}/{name}")
