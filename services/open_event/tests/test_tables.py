"""The permission tables of the handbook by requests, from tables written here by hand.

Source: seed document 003. Letters are the verbs: List, View, Update, Delete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from services.open_event.app import create_app
from services.open_event.models import Account, Event, Session, Speaker
from services.open_event.tests.asking import EVENT, ask, document, event_of, listed
from services.open_event.tests.saved import restorer

from licet.authn import embedded_issuer
from licet.authn.tokens.issuer import subject_of

STATES = ("draft", "pending", "accepted", "confirmed", "rejected", "canceled", "withdrawn")
SHOWN = ("accepted", "confirmed")
MEMBERS = ("owner", "organizer", "coorganizer", "track-organizer", "moderator", "registrar")
CALLERS = ("nobody", "alice", "bob", "carol", *MEMBERS, "admin")
PUBLISHED, OTHER, DRAFT = "Bench to Bedside", "Field Days", "Winter School"

# Who has a role has it in the published and in the draft event; the other published one is alice's.
EVENT_TABLE = {
    PUBLISHED: dict.fromkeys(CALLERS, "LV")
    | dict.fromkeys(("owner", "organizer", "coorganizer", "admin"), "LVUD"),
    OTHER: dict.fromkeys(CALLERS, "LV") | dict.fromkeys(("alice", "admin"), "LVUD"),
    DRAFT: dict.fromkeys(CALLERS, "")
    | dict.fromkeys(("owner", "organizer", "coorganizer", "admin"), "LVUD")
    | dict.fromkeys(("track-organizer", "moderator", "registrar"), "LV"),
}

# Of sessions and speakers: (event, shown to the public) → what each caller may do who is not the
# one who submitted it; that one may list, view, update and delete it anywhere.
STAFFED = {
    **dict.fromkeys(("owner", "organizer", "coorganizer", "admin"), "LVUD"),
    "track-organizer": "LVU",
    "moderator": "LV",
}
PART_TABLE = {
    (PUBLISHED, True): dict.fromkeys(CALLERS, "LV") | STAFFED,
    (PUBLISHED, False): dict.fromkeys(CALLERS, "") | STAFFED,
    (DRAFT, True): dict.fromkeys(CALLERS, "") | STAFFED,
    (DRAFT, False): dict.fromkeys(CALLERS, "") | STAFFED,
    (OTHER, True): dict.fromkeys(CALLERS, "LV") | dict.fromkeys(("alice", "admin"), "LVUD"),
    (OTHER, False): dict.fromkeys(CALLERS, "") | dict.fromkeys(("alice", "admin"), "LVUD"),
}
SUBMITTER = "LVUD"

# What creating in an event gets: 404 where the event is none of the caller's business.
CREATE_TABLE = {
    PUBLISHED: dict.fromkeys(CALLERS, 201) | {"nobody": 401},
    OTHER: dict.fromkeys(CALLERS, 201) | {"nobody": 401},
    DRAFT: dict.fromkeys(CALLERS, 404)
    | {"nobody": 401}
    | dict.fromkeys(("owner", "organizer", "coorganizer", "admin"), 201)
    | dict.fromkeys(("track-organizer", "moderator", "registrar"), 403),
}
PRIVATE = {"email", "mobile", "address"}
SEES_PRIVATE = ("owner", "organizer", "coorganizer", "admin")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app({"LICET_INSTANCE_PATH": str(tmp_path_factory.mktemp("conference"))})


@pytest.fixture(scope="module")
def tokens(app: Flask) -> dict[str, dict[str, str]]:
    issuer = embedded_issuer(app)
    signed_in = {
        who: {"Authorization": f"Bearer {issuer.mint(who, ['any'])}"} for who in CALLERS[1:]
    }
    return {"nobody": {}, **signed_in}


@pytest.fixture(scope="module")
def restore(app: Flask) -> Callable[[], None]:
    return restorer(app)


@pytest.fixture
def db(app: Flask, restore: Callable[[], None]) -> Iterator[sa.orm.Session]:
    restore()
    with sa.orm.Session(app.extensions["open_event"].engine) as session:
        yield session


@pytest.fixture
def client(app: Flask, db: sa.orm.Session) -> FlaskClient:
    return app.test_client()


def event_id(db: sa.orm.Session, name: str) -> int:
    return db.scalars(sa.select(Event.id).where(Event.name == name)).one()


def session_id(db: sa.orm.Session, event: str, state: str, creator: str) -> int | None:
    chosen = (
        sa.select(Session.id)
        .join(Session.event)
        .join(Account, Account.id == Session.creator_id)
        .where(Event.name == event, Session.state == state)
        .where(Account.subject == subject_of(creator))
    )
    return db.scalars(chosen).first()


def wanted_status(verb: str, allowed: str, who: str) -> int:
    """Done; 401 or 403 when the object may be known; else 404."""
    if verb[0] in allowed:
        return 200
    if "V" in allowed:
        return 401 if who == "nobody" else 403
    return 404


def check_row(
    client: FlaskClient, tokens: Any, collection: str, key: int, body: Any, row: dict[str, str]
) -> None:
    """Every verb for every caller on one object; deletions last, which are put back by the test."""
    for who, allowed in row.items():
        sent = tokens[who]
        assert (key in listed(client, collection, sent)) is ("L" in allowed), (who, "LIST")
        for method, verb in (("GET", "VIEW"), ("HEAD", "VIEW"), ("PATCH", "UPDATE")):
            given = document(collection, body, key=key) if method == "PATCH" else None
            response = ask(client, method, f"/v1/{collection}/{key}", sent, given)
            assert response.status_code == wanted_status(verb, allowed, who), (who, method)


def check_deletion(
    client: FlaskClient, tokens: Any, path: str, key: int, row: dict[str, str], restore: Any
) -> None:
    for who, allowed in row.items():
        response = client.delete(f"{path}/{key}", headers=tokens[who])
        assert response.status_code == wanted_status("DELETE", allowed, who), (who, "DELETE")
        if response.status_code == 200:
            assert client.get(f"{path}/{key}", headers=tokens["admin"]).status_code == 404
            restore()


def part_row(event: str, submitter: str, *, is_shown: bool) -> dict[str, str]:
    return PART_TABLE[event, is_shown] | {submitter: SUBMITTER}


CASES = [
    *(("events", event, None, None) for event in EVENT_TABLE),
    *(
        ("sessions", event, state, ("bob", "carol")[number % 2])
        for event in (PUBLISHED, OTHER, DRAFT)
        for number, state in enumerate(STATES)
    ),
    *(
        ("speakers", event, is_shown, creator)
        for event in (PUBLISHED, OTHER, DRAFT)
        for is_shown in (True, False)
        for creator in ("bob", "carol")
    ),
]


@pytest.mark.parametrize(("resource", "event", "state", "creator"), CASES)
def test_the_tables_are_what_requests_get(
    client, tokens, db, restore, resource, event, state, creator
):
    """Each role, verb and state of events, sessions and speakers."""
    if resource == "events":
        key, body, row = event_id(db, event), {"name": event}, EVENT_TABLE[event]
    elif resource == "sessions":
        key = session_id(db, event, state, creator)
        body, row = {"title": "New"}, part_row(event, creator, is_shown=state in SHOWN)
    else:
        key = speaker_id(db, event, creator, is_shown=state)
        body, row = {"name": "New"}, part_row(event, creator, is_shown=state)
    assert key is not None

    check_row(client, tokens, resource, key, body, row)
    check_deletion(client, tokens, f"/v1/{resource}", key, row, restore)


def speaker_id(db: sa.orm.Session, event: str, creator: str, *, is_shown: bool) -> int | None:
    for speaker in db.scalars(sa.select(Speaker).join(Speaker.event).where(Event.name == event)):
        accounts = {db.get(Account, one.creator_id).subject for one in speaker.sessions}
        shown = any(one.state.value in SHOWN for one in speaker.sessions)
        if accounts == {subject_of(creator)} and shown is is_shown:
            return speaker.id
    return None


def test_the_conference_has_every_kind(db: sa.orm.Session):
    """Or the tables would not be proved: no more than these are missing."""
    missing = [
        (event, state, creator)
        for event in (PUBLISHED, OTHER, DRAFT)
        for state in STATES
        for creator in ("bob", "carol")
        if session_id(db, event, state, creator) is None
    ]
    assert missing == [(OTHER, "withdrawn", "carol"), (DRAFT, "withdrawn", "carol")]
    for event in (PUBLISHED, OTHER, DRAFT):
        for is_shown in (True, False):
            assert any(speaker_id(db, event, who, is_shown=is_shown) for who in ("bob", "carol"))


@pytest.mark.parametrize("event", CREATE_TABLE)
@pytest.mark.parametrize("who", CALLERS)
def test_who_may_create_in_which_event(client, tokens, db, event: str, who: str):
    """Sessions and speakers; a hidden event is answered like one that is not there."""
    number = event_id(db, event)
    for path, body in (("sessions", {"title": "New"}), ("speakers", {"name": "New"})):
        sent = tokens[who]
        response = ask(client, "POST", f"/v1/{path}", sent, document(path, body, event=number))
        absent = ask(client, "POST", f"/v1/{path}", sent, document(path, body, event=999))
        assert response.status_code == CREATE_TABLE[event][who]
        assert absent.status_code == (401 if who == "nobody" else 404)
        if response.status_code == 404:
            named = f"Event: {number} ".encode()
            assert response.data.replace(named, b"Event: 999 ") == absent.data


@pytest.mark.parametrize("who", CALLERS)
def test_who_may_create_events(client, tokens, who: str):
    """Whoever has verified their address, and staff; they own what they made."""
    sent = tokens[who]
    response = ask(client, "POST", "/v1/events", sent, document("events", EVENT))

    assert response.status_code == {"nobody": 401, "carol": 403}.get(who, 201)
    if response.status_code == 201:
        path, key = response.headers["Location"], response.json["data"]["id"]
        newer = document("events", {"name": "Newer"}, key=key)
        assert ask(client, "PATCH", path, sent, newer).status_code == 200
        assert client.get(path, headers=tokens["carol"]).status_code == 404


def test_a_good_token_of_an_unknown_user(app, client, db):
    """The user sees what everybody sees; more is refused as not registered, not as no token."""
    sent = {"Authorization": f"Bearer {embedded_issuer(app).mint('mallory', [])}"}
    seen, hidden = (f"/v1/events/{event_id(db, name)}" for name in (PUBLISHED, DRAFT))

    assert client.get(seen, headers=sent).status_code == 200
    for answer in (
        ask(client, "PATCH", seen, sent, {}),
        ask(client, "DELETE", seen, sent),
        ask(client, "POST", "/v1/events", sent, document("events", EVENT)),
    ):
        code = answer.json["errors"][0]["code"]
        assert (answer.status_code, code) == (403, "not_registered")
    assert ask(client, "PATCH", hidden, sent, {}).status_code == 404


@pytest.mark.parametrize("who", CALLERS)
def test_private_fields_are_for_those_who_need_them(client, tokens, db, who: str):
    """In a view and in a list: address, mail and phone of a speaker of a shown session by bob."""
    key = speaker_id(db, PUBLISHED, "bob", is_shown=True)
    viewed = client.get(f"/v1/speakers/{key}", headers=tokens[who]).json["data"]
    in_list = listed(client, "speakers", tokens[who])[key]

    wanted = PRIVATE if who in (*SEES_PRIVATE, "bob") else set()
    assert viewed["attributes"].keys() & PRIVATE == wanted
    assert in_list["attributes"].keys() & PRIVATE == wanted


# --- flaws of the original ------------------------------------------------------------------------


def test_every_term_of_an_alternative_counts(client, tokens, db):
    """Flaw 1: ``a == x or a == y`` kept one term, and a filter on another table let all through."""
    answer = client.get("/v1/sessions?page[size]=0").json["data"]
    shown = {(one["attributes"]["state"], event_of(one)) for one in answer}

    events = {event_id(db, PUBLISHED), event_id(db, OTHER)}
    assert shown == {(state, number) for state in SHOWN for number in events}
    keys = [one["id"] for one in answer]
    assert len(keys) == len(set(keys))


def test_nobody_sees_no_more_than_somebody(client, tokens):
    """Flaw 2: only signed-in callers were filtered; pages are filtered before they are cut."""
    for path in ("events", "sessions", "speakers"):
        public = set(listed(client, path, {}))
        for who in CALLERS:
            assert public <= set(listed(client, path, tokens[who]))
        second = listed(client, path, {}, "page[size]=1&page[number]=2")
        assert list(second) == sorted(public)[1:2]


def test_two_rules_both_count(client, tokens, db):
    """Flaw 3: of two stacked decorators the second was ignored; a PATCH asks for both here."""
    own = session_id(db, PUBLISHED, "pending", "bob")
    bob = tokens["bob"]

    def change(**attributes: Any) -> int:
        given = document("sessions", attributes, key=own)
        return ask(client, "PATCH", f"/v1/sessions/{own}", bob, given).status_code

    assert change(title="x") == 200
    assert change(state="accepted") == 403
    for attributes in ({"title": "x", "creator_id": 1}, {"id": 3}):
        assert change(**attributes) == 422


@pytest.mark.parametrize("title", ["a\0", "\ud800"])
def test_text_that_cannot_be_stored_is_refused(client, tokens, db, title: str):
    """NUL and lone surrogates, which JSON can hold and a database cannot, are a 422."""
    own = session_id(db, PUBLISHED, "pending", "bob")
    given = document("sessions", {"title": title}, key=own)
    changed = ask(client, "PATCH", f"/v1/sessions/{own}", tokens["bob"], given)
    assert changed.status_code == 422


@pytest.mark.parametrize("who", CALLERS)
def test_head_is_get(client, tokens, db, who: str):
    """Flaw 4: HEAD passed every check; the status and headers are those of GET, and no body."""
    hidden = session_id(db, DRAFT, "accepted", "bob")
    for path in (f"/v1/events/{event_id(db, DRAFT)}", f"/v1/sessions/{hidden}", "/v1/sessions"):
        got = client.get(path, headers=tokens[who])
        head = client.head(path, headers=tokens[who])
        assert head.status_code == got.status_code
        assert head.data == b""
        drop = {"Date"}
        assert [h for h in head.headers if h[0] not in drop] == [
            h for h in got.headers if h[0] not in drop
        ]


@pytest.mark.parametrize(
    ("who", "target", "status"),
    [
        ("owner", OTHER, 403),  # out of the own event into a published one of somebody else
        ("owner", DRAFT, 200),  # between two own events
        ("alice", OTHER, 403),  # out of somebody else's event into the own one
        ("track-organizer", OTHER, 403),
        ("bob", OTHER, 200),  # one's own session, wherever it may be seen
        ("bob", DRAFT, 404),  # into an event that is none of bob's business
        ("admin", DRAFT, 200),
    ],
)
def test_a_change_of_the_event_is_one_of_both(client, tokens, db, who, target, status):
    """Flaw 6: a relationship in a PATCH body moved things into another's event."""
    key = session_id(db, PUBLISHED, "accepted", "bob")
    number = event_id(db, target)

    given = document("sessions", {}, key=key, event=number)
    response = ask(client, "PATCH", f"/v1/sessions/{key}", tokens[who], given)

    assert response.status_code == status
    db.expire_all()
    assert (db.get(Session, key).event_id == number) is (status == 200)


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize(
    "path", ["speakers?sort=email", "speakers?sort=mobile", "sessions?sort=speakers.email"]
)
def test_hidden_values_order_nothing(client, tokens, path: str, who: str):
    """Flaw 8: any column could be named; one that is hidden on some row is refused, like none."""
    refused = client.get(f"/v1/{path}", headers=tokens[who])
    asked, column = path.split("=")
    unknown = client.get(f"/v1/{asked}=nothing", headers=tokens[who])

    is_order = who == "admin" and "." not in column
    assert refused.status_code == (200 if is_order else 400)
    assert unknown.status_code == 400
    if not is_order:
        assert refused.text.replace(column, "nothing") == unknown.text


def test_no_list_tells_of_a_draft(client, tokens, db):
    """Flaw 9: lists leaked what belongs to a draft event."""
    number = event_id(db, DRAFT)
    for who in ("nobody", "alice"):
        for path in ("sessions", "speakers"):
            found = listed(client, path, tokens[who], "page[size]=0&include=event")
            # bob's and carol's own are theirs in a draft, too, and tell nothing of it
            assert number not in {event_of(one) for one in found.values()}
        assert number not in listed(client, "events", tokens[who])


# --- bodies and queries that make no sense --------------------------------------------------------


@pytest.mark.parametrize("body", [{}, {"title": None}])
def test_a_missing_field_is_told(client, tokens, db, body: dict[str, Any]):
    """To whoever may create; the others learn that they may not."""
    given = document("sessions", body, event=event_id(db, PUBLISHED))
    response = ask(client, "POST", "/v1/sessions", tokens["bob"], given)
    assert response.status_code == 422
    assert response.json["errors"][0]["source"] == {"pointer": "/data/attributes/title"}
