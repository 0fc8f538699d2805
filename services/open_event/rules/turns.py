"""One at a time: whoever takes an event's turn is alone with its schedule and its roles."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from licet.authz.flask import current_session
from services.open_event.models import event_lock


def take_turn(event_id: int) -> None:
    """Wait for the transactions that have the event's turn, and have it until this one ends.

    Concurrency: the UPDATE locks its row on PostgreSQL and the database on SQLite. A SELECT that
    follows sees what the transactions before have committed.
    """
    session = current_session()
    turn = (
        sa.update(event_lock)
        .where(event_lock.c.event_id == event_id)
        .values(turns=event_lock.c.turns + 1)
    )
    connection = session.connection()
    if connection.execute(turn).rowcount:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(insert(event_lock).values(event_id=event_id).on_conflict_do_nothing())
    connection.execute(turn)
