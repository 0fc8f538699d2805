"""When and where sessions are: who says so, and what never meets."""

from __future__ import annotations

from typing import Any

from services.open_event.models import Session, SessionState, Speaker
from services.open_event.tests.asking import EVENT, SLOT, Api, told

PUBLISHED = 1
AT = "/data/attributes"


def slotted(api: Api, who: str, title: str, room: int | None, **values: Any) -> Any:
    data = {
        "type": "session",
        "attributes": {"title": title, **{k.replace("_", "-"): v for k, v in values.items()}},
        "relationships": {"event": {"data": {"type": "event", "id": "1"}}},
    }
    if room is not None:
        data["relationships"]["microlocation"] = {
            "data": {"type": "microlocation", "id": str(room)}
        }
    return api.ask("POST", "/sessions", who, data)


def test_sessions_in_one_room_do_not_overlap(api: Api):
    """When they are made, moved, accepted anew, or restored; the end may be another's begin."""
    assert slotted(api, "owner", "a", 1, **SLOT).status_code == 201
    meeting = slotted(api, "owner", "b", 1, **SLOT)
    assert told(meeting) == (409, "overlap", f"{AT}/starts-at")
    assert "“a”" in meeting.json["errors"][0]["detail"]
    after = {"starts_at": "2030-01-01T11:00:00Z", "ends_at": "2030-01-01T12:00:00Z"}
    other = slotted(api, "owner", "d", 1, **after).json["data"]["id"]
    assert told(api.change("sessions", other, "owner", **SLOT))[1] == "overlap"
    elsewhere = slotted(api, "owner", "e", 2, **SLOT).json["data"]["id"]
    moved = api.link("sessions", elsewhere, "owner", microlocation=("microlocation", 1))
    assert moved.status_code == 409
    assert api.get(f"/sessions/{other}", "owner").json["data"]["attributes"]["title"] == "d"


def test_only_organizers_place_sessions(api: Api):
    """Else whoever proposes one takes rooms from others, and learns when hidden sessions are."""
    at = "/data/attributes/starts-at"
    for room in (None, 1):
        assert slotted(api, "bob", "c", room, **SLOT).status_code == 422
    assert told(api.change("sessions", 3, "bob", starts_at=SLOT["starts_at"])) == (
        *(422, "invalid_field"),
        at,
    )
    assert told(api.link("sessions", 3, "bob", microlocation=("microlocation", 2)))[0] == 422
    assert api.change("sessions", 3, "track-organizer", **SLOT).status_code == 200


def test_an_overlap_does_not_name_what_is_hidden(api: Api):
    """Bob's speaker is in a pending session of the organizer's, which he does not see."""
    hidden = slotted(api, "owner", "a", 1, state="pending", **SLOT).json["data"]["id"]
    assert api.link("sessions", hidden, "owner", speakers=[("speaker", 1)]).status_code == 200
    own = slotted(api, "bob", "b", None).json["data"]["id"]
    assert api.change("sessions", own, "owner", **SLOT).status_code == 200
    met = api.link("sessions", own, "bob", speakers=[("speaker", 1)])
    assert told(met)[1] == "overlap"
    assert "another session" in met.json["errors"][0]["detail"]


def test_a_session_that_is_off_takes_no_room(api: Api):
    """It does again when its state changes, and is refused then."""
    first = slotted(api, "owner", "a", 1, state="accepted", **SLOT).json["data"]["id"]
    assert api.change("sessions", first, "owner", state="canceled").status_code == 200
    assert slotted(api, "owner", "b", 1, **SLOT).status_code == 201
    assert told(api.change("sessions", first, "owner", state="accepted"))[1] == "overlap"


def test_a_speaker_is_in_one_place(api: Api):
    """Whether the speaker is given a session, or the session a speaker."""
    first = slotted(api, "owner", "a", None, **SLOT).json["data"]["id"]
    second = slotted(api, "owner", "b", None, **SLOT).json["data"]["id"]
    assert api.link("sessions", first, "owner", speakers=[("speaker", 1)]).status_code == 200
    assert told(api.link("sessions", second, "owner", speakers=[("speaker", 1)]))[1] == "overlap"
    path = "/speakers/1/relationships/sessions"
    added = api.ask("POST", path, "owner", [{"type": "session", "id": second}])
    assert told(added)[1] == "overlap"
    assert api.delete(f"/sessions/{first}", "owner").status_code == 200
    assert api.ask("POST", path, "owner", [{"type": "session", "id": second}]).status_code == 200
    assert told(api.ask("POST", f"/sessions/{first}/restore", "owner"))[1] == "overlap"


def test_what_organizers_give_is_not_brought_along(api: Api, db):
    """Neither a place nor a rank nor another's address, from an event of one's own."""
    own = api.create("events", "bob", **EVENT, state="published").json["data"]["id"]
    ranks = {"is_featured": True, "order": -5, "is_email_overridden": True}
    known = {"name": "Eve", "email": "eve@example.com"}
    speaker = api.create("speakers", "bob", event=own, **known, **ranks).json["data"]["id"]
    assert api.link("speakers", speaker, "bob", event=("event", PUBLISHED)).status_code == 200
    moved = db.get(Speaker, int(speaker))
    assert (moved.email, moved.is_featured, moved.order) == ("bob@example.org", False, 0)
    assert not moved.is_email_overridden
    told_of = {"title": "x", "state": "accepted", "is_mail_sent": True}
    session = api.create("sessions", "bob", event=own, **told_of, **SLOT).json["data"]["id"]
    assert api.link("sessions", session, "bob", event=("event", PUBLISHED)).status_code == 200
    there = db.get(Session, int(session))
    assert (there.state, there.starts_at, there.ends_at) == (SessionState.PENDING, None, None)
    assert not there.is_mail_sent
