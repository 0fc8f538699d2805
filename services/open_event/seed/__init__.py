"""A believable conference: three events, forty sessions in every state, an account of each role."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session as OrmSession

from licet.authn.tokens.issuer import subject_of
from licet.authz.grants.tables import grant
from licet.errors import ConfigurationError
from services.open_event.models import Account, Base, Event, EventRole, EventState, Membership

from .catalogue import add_catalogue
from .content import fill

REVIEWERS = {
    "reviewer": datetime(2100, 1, 1, tzinfo=UTC),
    "former-reviewer": datetime(2026, 1, 1, tzinfo=UTC),
}
ACCOUNTS = ("admin", "alice", "bob", "carol", *(role.value for role in EventRole), *REVIEWERS)
EVENTS = (
    ("Bench to Bedside", EventState.PUBLISHED),
    ("Field Days", EventState.PUBLISHED),
    ("Winter School", EventState.DRAFT),
)
ALICES = 1  # the number of the event that alice owns; the accounts named for roles have the others


def prepare(engine: Engine) -> None:
    """Make the tables and fill them, once, however many processes start together."""
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7204)")
        _require_new(connection)
        Base.metadata.create_all(connection)
        if not connection.scalar(sa.select(sa.func.count()).select_from(Event)):
            add_conference(connection)
            if sa.inspect(connection).has_table(grant.name):
                add_reviewers(connection)


def _require_new(connection: Connection) -> None:
    """Refuse the tables of the example that this service was once, which had other columns."""
    found = sa.inspect(connection)
    if not found.has_table(Event.__tablename__):
        return
    columns = {one["name"] for one in found.get_columns(Event.__tablename__)}
    if missing := sorted(set(Event.__table__.columns.keys()) - columns):
        raise ConfigurationError(
            f"The table event of this database has no column {missing[0]}: it was made by an older "
            "version of the conference. Delete its tables, or give another LICET_DATABASE_URL."
        )


def add_conference(connection: Connection) -> None:
    """Accounts, events, and all that belongs to them."""
    with OrmSession(connection, join_transaction_mode="create_savepoint") as session:
        accounts = {name: _account(name) for name in ACCOUNTS}
        session.add_all(accounts.values())
        session.flush()
        catalogue = add_catalogue(session)
        for number, (name, state) in enumerate(EVENTS):
            event = Event(name=name, state=state)
            for role in EventRole if number != ALICES else (EventRole.OWNER,):
                who = accounts[role.value] if number != ALICES else accounts["alice"]
                event.memberships.append(Membership(account_id=who.id, role=role))
            session.add(event)
            fill(event, number, [accounts["bob"].id, accounts["carol"].id], catalogue)
        session.commit()


def add_reviewers(connection: Connection) -> None:
    """Grants on every event: one that lasts, and one that has expired."""
    given_at = datetime(2025, 1, 1, tzinfo=UTC)
    for key in connection.scalars(sa.select(Event.id)).all():
        for name, expires_at in REVIEWERS.items():
            row = {
                "id": str(uuid.uuid4()),
                "grantee": f"urn:licet:identity:{subject_of(name)}",
                "role": "reviewer",
                "object_type": "event",
                "object_id": str(key),
                "giver": f"urn:licet:identity:{subject_of('admin')}",
                "given_at": given_at,
                "expires_at": expires_at,
            }
            connection.execute(sa.insert(grant).values(row))


def _account(name: str) -> Account:
    return Account(
        subject=subject_of(name),
        email=f"{name}@example.org",
        first_name=name.capitalize(),
        is_admin=name == "admin",
        is_verified=name != "carol",
    )
