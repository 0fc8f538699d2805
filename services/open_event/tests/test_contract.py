"""The examples of the conference's document, replayed: each with rows of its own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from services.open_event.app import create_app
from services.open_event.models import Account, Event, EventState, Session, SessionState, Speaker
from services.open_event.policies import events

from licet.authn import embedded_issuer
from licet.authz.grants import give
from licet.testing import Contract, ContractBroken, Given

STANDS_FOR = {Event: "7001", Session: "7002", Speaker: "7003", Account: "7004"}
STARTS_AT = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def contract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    app = create_app({"LICET_INSTANCE_PATH": str(folder), "LICET_WORKER_THREADS": 0})
    token = embedded_issuer(app).mint("admin", [], ttl_seconds=3600)
    made = Contract(app, headers={"Authorization": f"Bearer {token}"})
    database = app.extensions["open_event"]
    database.prepare()

    def stored(rows):
        with sa.orm.Session(database.engine) as session:
            session.add_all(rows)
            session.commit()
            return {STANDS_FOR[type(one)]: one.id for one in rows}

    @made.setup("*_event*", "*_session*", "*_speaker*")
    def linked(_case):
        event = an_event()
        session, speaker = a_session(event), a_speaker(event)
        session.speakers.append(speaker)
        return stored([event, session, speaker])

    @made.setup("add_*", "replace_*")
    def apart(_case):
        event, other = an_event(), an_event()
        return stored([other, event, a_session(other), a_speaker(other)]) | stored([an_event()])

    @made.setup("appoint_reviewer", "dismiss_reviewer")
    def appointed(case):
        account = Account(subject=case.operation_id, email=f"{case.operation_id}@example.org")
        values = stored([an_event(), account])
        with app.test_request_context(headers=made.headers):
            session = database.session()
            event = session.get(Event, values["7001"])
            principal = session.get(Account, values["7004"]).principal
            given = give(events, event, "reviewer", to=principal, expires_at=STARTS_AT)
            session.commit()
            return Given(values={**values, "a-grant": given.id})

    return made


def an_event():
    return Event(name="Some name", state=EventState.DRAFT, starts_at=STARTS_AT)


def a_session(event):
    return Session(title="Some title", state=SessionState.DRAFT, event=event)


def a_speaker(event):
    values = {name: f"Some {name}" for name in ("name", "mobile", "address", "biography")}
    return Speaker(**values, email="ada@example.org", event=event)


def test_every_example_is_what_the_server_does(contract):
    """Over HTTP, as an administrator; the ids of the rows are others than the examples'."""
    broken = []
    with contract.served() as live:
        for case in contract.cases():
            try:
                live.replay(case)
            except ContractBroken as error:
                broken.append(str(error))
    assert not broken, "\n".join(broken)


def test_every_operation_has_an_example(contract):
    """But for the documents themselves, and second rules of what has one."""
    without = {
        one["operationId"]
        for _, _, one in contract.operations()
        if "x-licet-examples" not in one and "x-licet-alias-of" not in one
    }
    own = {name for name in without if not name.startswith(("licet_", "get_docs"))}
    assert own == {"get_openapi", "static_get"}
