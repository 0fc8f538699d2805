"""A believable conference: three events, forty sessions in every state, an account of each role."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session as OrmSession

from licet.authn.tokens.issuer import subject_of
from licet.authz.grants.tables import grant

from .models import (
    Account,
    Base,
    Event,
    EventRole,
    EventState,
    Membership,
    Session,
    SessionState,
    Speaker,
)

REVIEWERS = {
    "reviewer": datetime(2100, 1, 1, tzinfo=UTC),
    "former-reviewer": datetime(2026, 1, 1, tzinfo=UTC),
}
ACCOUNTS = ("admin", "alice", "bob", "carol", *(role.value for role in EventRole), *REVIEWERS)
TOPICS = ("Peptides", "Soil sensors", "Open hardware", "Rare diseases", "Trial design")
NAMES = ("Ada", "Ben", "Chi", "Dee", "Eli", "Fay", "Gus", "Hoa", "Ida", "Jun")


def prepare(engine: Engine) -> None:
    """Make the tables and fill them, once, however many processes start together."""
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7204)")
        Base.metadata.create_all(connection)
        if not connection.scalar(sa.select(sa.func.count()).select_from(Event)):
            add_conference(connection)
            if sa.inspect(connection).has_table(grant.name):
                add_reviewers(connection)


def add_conference(connection: Connection) -> None:
    """Accounts, events, sessions and speakers."""
    with OrmSession(connection, join_transaction_mode="create_savepoint") as session:
        accounts = {name: _account(name) for name in ACCOUNTS}
        session.add_all(accounts.values())
        session.flush()
        for number, (name, state) in enumerate(
            (
                ("Bench to Bedside", EventState.PUBLISHED),
                ("Field Days", EventState.PUBLISHED),
                ("Winter School", EventState.DRAFT),
            )
        ):
            event = Event(
                name=name, state=state, starts_at=datetime(2027, 3 + number, 1, tzinfo=UTC)
            )
            # the accounts named for their roles have them in the first event and in the draft
            for role in EventRole if number != 1 else (EventRole.OWNER,):
                who = accounts[role.value] if number != 1 else accounts["alice"]
                event.memberships.append(Membership(account_id=who.id, role=role))
            session.add(event)
            _fill(event, number, [accounts["bob"].id, accounts["carol"].id])
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
        is_admin=name == "admin",
        is_verified=name != "carol",
    )


def _fill(event: Event, number: int, creators: list[int]) -> None:
    states = list(SessionState)
    speakers = [
        Speaker(
            name=f"{NAMES[index]} {event.name.split()[0]}",
            email=f"{NAMES[index].lower()}{number}@example.org",
            mobile=f"+49 30 {1000 + 10 * number + index}",
            address=f"{index + 1} Lane, Town {number}",
        )
        for index in range(10)
    ]
    event.speakers.extend(speakers)
    for index in range(14 if number == 0 else 13):
        event.sessions.append(
            Session(
                title=f"{TOPICS[index % len(TOPICS)]} {index + 1}",
                state=states[index % len(states)],
                creator_id=creators[index % 2],
                speakers=[speakers[index % 10]],
            )
        )
