"""The conference that the service begins with."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from services.open_event.models import (
    Account,
    Event,
    EventRole,
    EventState,
    Membership,
    Session,
    SessionState,
    Speaker,
)
from services.open_event.seed import prepare
from services.open_event.tests.asking import Api

from licet.errors import ConfigurationError


def test_it_has_what_a_conference_has(api: Api, db):
    """Three events with one draft, forty sessions in all states, thirty speakers, each role."""

    def number(model: type) -> int:
        return db.scalar(sa.select(sa.func.count()).select_from(model))

    assert (number(Event), number(Session), number(Speaker)) == (3, 40, 30)
    assert list(db.scalars(sa.select(Event.state))).count(EventState.DRAFT) == 1
    assert set(db.scalars(sa.select(Session.state))) == set(SessionState)
    assert set(db.scalars(sa.select(Membership.role))) == set(EventRole)
    assert number(Account) == 12


def test_every_published_session_of_the_program_has_its_place(api: Api):
    """No two of them meet."""
    shown = api.get("/sessions?page[size]=0&include=microlocation").json["data"]
    places = [
        (one["relationships"]["microlocation"]["data"]["id"], one["attributes"]["starts-at"])
        for one in shown
    ]
    assert len(places) == len(set(places)) > 5


def test_tables_of_an_older_version_are_refused(tmp_path: Path):
    """In words that say what to do; nothing is changed."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'old.sqlite3'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE event (id INTEGER PRIMARY KEY, name TEXT)")
    with pytest.raises(ConfigurationError, match="older version"):
        prepare(engine)
    assert sa.inspect(engine).get_table_names() == ["event"]
    engine.dispose()
