"""The examples of the conference's document, replayed: each with rows of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from services.open_event.app import create_app
from services.open_event.models import Account, Event, EventRole, Membership, Role, Setting
from services.open_event.policies import events
from services.open_event.resources import RESOURCES
from services.open_event.tests.saved import restorer
from tests.counts import count

from licet.authn import embedded_issuer
from licet.authn.accounts.credentials import create_account
from licet.authn.accounts.documents import SignUp
from licet.authn.accounts.flask import accounts_of
from licet.authn.secret import digest_of
from licet.authn.tokens.issuer import subject_of
from licet.authz.grants import give
from licet.rest.jsonapi.mapping import bind_all
from licet.rest.jsonapi.resource import Bound
from licet.rest.jsonapi.values import read
from licet.rest.openapi.resources.values import sample_of
from licet.testing import Case, Contract, ContractBroken, Given

BOUNDS = {bound.type: bound for bound in bind_all(RESOURCES)}
IDS = {name: str(7001 + number) for number, name in enumerate(BOUNDS)}
IN_EVENT = (
    *("session", "speaker", "sponsor", "track", "session-type", "microlocation"),
    *("speakers-call", "custom-form", "role-invite"),
)
LINKS = (
    *((("session", name), name) for name in ("track", "session-type", "microlocation")),
    *((("event", name), name) for name in ("event-type", "event-topic", "event-sub-topic")),
    (("event-sub-topic", "event-topic"), "event-topic"),
    (("session", "creator"), "user"),
    (("speaker", "user"), "user"),
    (("role-invite", "role"), "role"),
)
ADA, TOKEN, PASSWORD = "ada", "a-token-of-the-mail", "seven small otters"


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    folder = tmp_path_factory.mktemp("contract")
    app = create_app({"LICET_INSTANCE_PATH": str(folder), "LICET_WORKER_THREADS": 0})
    token = embedded_issuer(app).mint("admin", [], ttl_seconds=3600)
    sent = {"Authorization": f"Bearer {token}"}
    made = Contract(app, headers=sent, reset=restorer(app))
    _of_people(made)
    _of_reviewers(made)
    made.setup("*")(lambda case: _stored(app, case))
    return made


def _of_people(contract: Contract) -> None:
    @contract.setup("create_user", "get_session_states")
    def nothing(_case: Case) -> None:
        return None

    @contract.setup("log_in")
    def an_account(_case: Case) -> None:
        asked = SignUp(email="ada@example.org", password=PASSWORD)
        create_account(accounts_of(contract.app), asked, is_admin=False)

    @contract.setup("accept_role_invite")
    def an_invitation(case: Case) -> Given:
        values = _stored(contract.app, case)
        token = embedded_issuer(contract.app).mint(ADA, [], ttl_seconds=3600)
        return Given(values=values, headers={"Authorization": f"Bearer {token}"})


def _of_reviewers(contract: Contract) -> None:
    @contract.setup("appoint_reviewer", "dismiss_reviewer")
    def appointed(case: Case) -> dict[str, str]:
        values = _stored(contract.app, case)
        with contract.app.test_request_context(headers=contract.headers):
            session = contract.app.extensions["open_event"].session()
            event = session.get(Event, int(values[IDS["event"]]))
            account = session.get(Account, int(values[IDS["user"]]))
            ends_at = datetime(2030, 1, 31, tzinfo=UTC)
            given = give(events, event, "reviewer", to=account.principal, expires_at=ends_at)
            session.commit()
            return {**values, "a-grant": given.id}


def _stored(app: Flask, case: Case) -> dict[str, str]:
    """One row of each resource, as the examples have them, and what stands for their ids.

    What the case creates is not there yet, and what it links is not linked yet.
    """
    how, _, about = case.operation_id.partition("_")
    rows = {name: _row(bound) for name, bound in BOUNDS.items()}
    if how == "create" and case.answer is not None:
        del rows[case.answer["data"]["type"]]
    if how == "restore":
        rows[about.replace("_", "-")].deleted_at = datetime.now(UTC)
    is_apart = how in ("add", "replace")
    with sa.orm.Session(app.extensions["open_event"].engine, autoflush=False) as session:
        _keep_the_known(session, rows)
        own = rows["users-events-roles"]
        event = _event_of(rows, is_apart=is_apart and about.endswith("_event"))
        session.add_all([event, *(row for row in rows.values() if row is not own)])
        if not is_apart:
            _link(rows)
        _give_roles(rows["user"], event, owns=case.operation_id != "delete_user")
        session.flush()
        own.event, own.user = event, rows["user"]
        session.add(own)
        session.commit()
        return {IDS[name]: str(row.id) for name, row in rows.items()}


def _keep_the_known(session: sa.orm.Session, rows: dict[str, Any]) -> None:
    """Roles and settings are there from the start."""
    rows["role"] = session.scalar(sa.select(Role).order_by(Role.id.desc()))
    settings = session.scalar(sa.select(Setting))
    for name in BOUNDS["setting"].attributes:
        setattr(settings, name, getattr(rows["setting"], name))
    rows["setting"] = settings
    rows["user"].subject = subject_of(ADA)


def _row(bound: Bound) -> Any:
    """The sample of a resource."""
    columns = (one for one in bound.attributes.values() if one.is_column)
    values = {one.name: read(one.value_type, sample_of(bound, one)) for one in columns}
    return bound.model(**values)


def _event_of(rows: dict[str, Any], *, is_apart: bool) -> Event:
    """The event that the rows are put into: the case's, or another one."""
    event = rows.get("event")
    if event is None or is_apart:
        event = _row(BOUNDS["event"])
        event.identifier = "anotherone"
    for name in IN_EVENT:
        if name in rows:
            rows[name].event = event
    if "role-invite" in rows:
        rows["role-invite"].token_hash = digest_of(TOKEN)
    return event


def _give_roles(user: Account, event: Event, *, owns: bool) -> None:
    """Let the user have every role in the event but that of the example."""
    for role in EventRole:
        if role is not EventRole.MODERATOR and (owns or role is not EventRole.OWNER):
            event.memberships.append(Membership(user=user, role=role))


def _link(rows: dict[str, Any]) -> None:
    for (owner, link), target in LINKS:
        if owner in rows and target in rows:
            setattr(rows[owner], link.replace("-", "_"), rows[target])
    if "session" in rows and "speaker" in rows:
        rows["session"].speakers.append(rows["speaker"])


def test_every_example_is_what_the_server_does(contract: Contract) -> None:
    """Over HTTP, as an administrator; the ids of the rows are others than the examples'.

    A quick run replays one in four.
    """
    cases = [one for one in contract.cases() if one.path.startswith("/v1")]
    assert len(cases) >= 300
    broken = []
    with contract.served() as live:
        for case in cases[:: count(quick=4, full=1)]:
            try:
                live.replay(case)
            except ContractBroken as error:
                broken.append(str(error))
    assert not broken, "\n".join(broken)


def test_every_operation_has_an_example(contract: Contract) -> None:
    """But for pages, the documents themselves, and second rules of what has one."""
    without = {
        one["operationId"]
        for _, _, one in contract.operations()
        if "x-licet-examples" not in one and "x-licet-alias-of" not in one
    }
    own = {name for name in without if not name.startswith(("licet_", "get_docs"))}
    assert own == {"get_openapi", "static_get"}
