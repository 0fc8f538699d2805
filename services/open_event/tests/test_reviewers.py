"""Reviewers of an event: who may appoint them, what they see, and until when."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from services.open_event.app import create_app
from services.open_event.models import Account, Session
from services.open_event.policies import sessions

from licet.authn import embedded_issuer
from licet.authn.tokens.issuer import subject_of
from licet.authz import VIEW

PUBLISHED, DRAFT = 1, 3


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = create_app({"LICET_INSTANCE_PATH": str(tmp_path)})
    app.extensions["open_event"].prepare()
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def sent_by(app: Flask, who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {embedded_issuer(app).mint(who, [])}"}


def account_id(app: Flask, who: str) -> int:
    with sa.orm.Session(app.extensions["open_event"].engine) as db:
        return db.scalars(sa.select(Account.id).where(Account.subject == subject_of(who))).one()


def hidden_session(app: Flask) -> int:
    """One of the draft event."""
    with sa.orm.Session(app.extensions["open_event"].engine) as db:
        return db.scalars(sa.select(Session.id).where(Session.event_id == DRAFT)).first()


def appoint(app: Flask, client: FlaskClient, by: str, event: int, **body: Any) -> Any:
    given = {"account_id": account_id(app, "alice"), "expires_at": "2100-01-01T00:00:00Z"} | body
    return client.post(f"/v1/events/{event}/reviewers", json=given, headers=sent_by(app, by))


@pytest.mark.parametrize(("who", "status"), [("reviewer", 200), ("former-reviewer", 404)])
def test_a_grant_counts_until_it_expires(app, client, who: str, status: int):
    """In a request, and in the list of who may."""
    key = hidden_session(app)
    response = client.get(f"/v1/sessions/{key}", headers=sent_by(app, who))
    assert response.status_code == status
    with app.test_request_context():
        database = app.extensions["open_event"].session()
        found = database.scalars(sessions.who_can(VIEW, database.get(Session, key)))
        assert (subject_of(who) in {one.subject for one in found}) is (status == 200)


def test_an_owner_appoints_and_dismisses(app, client):
    """Of a draft; whoever was appointed sees its sessions until dismissed."""
    key, alice = hidden_session(app), sent_by(app, "alice")
    assert client.get(f"/v1/sessions/{key}", headers=alice).status_code == 404
    made = appoint(app, client, "owner", DRAFT)
    assert made.status_code == 201, made.text
    assert client.get(f"/v1/sessions/{key}", headers=alice).status_code == 200

    where = f"/v1/events/{DRAFT}/reviewers/{made.json['id']}"
    assert client.delete(where, headers=alice).status_code == 404
    assert client.delete(where, headers=sent_by(app, "owner")).status_code == 204
    assert client.get(f"/v1/sessions/{key}", headers=alice).status_code == 404


@pytest.mark.parametrize(
    ("by", "event", "status"),
    [("owner", PUBLISHED, 403), ("admin", PUBLISHED, 201), ("bob", DRAFT, 404), ("bob", 1, 403)],
)
def test_published_events_get_no_new_reviewers(app, client, by: str, event: int, status: int):
    """It is forbidden to owners as well, and staff is spared."""
    assert appoint(app, client, by, event).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        {"account_id": "x"},
        {"account_id": 999},
        {"account_id": None},
        {"account_id": True},
        {"account_id": 10**30},
        {"expires_at": "soon"},
        {"expires_at": "2100-01-01T00:00:00"},
        {"expires_at": 5},
        {"expires_at": "9999-12-31T23:59:59-23:59"},
        {"expires_at": "2020-01-01T00:00:00Z"},
    ],
)
def test_a_malformed_appointment_is_422(app, client, body: dict[str, Any]):
    """No such account, no moment, and a moment that has passed."""
    assert appoint(app, client, "owner", DRAFT, **body).status_code == 422
