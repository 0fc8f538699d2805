"""A believable conference: three events, forty sessions in every state, an account of each role."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session as OrmSession

from licet.authn.tokens.issuer import subject_of

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

ACCOUNTS = ("admin", "alice", "bob", "carol", *(role.value for role in EventRole))
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
