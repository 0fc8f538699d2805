"""Rows that others are changing at the same time, on PostgreSQL."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.unit.authz.writes.small import Small, owned

WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    title: Mapped[str] = mapped_column(default="t")


BOOKS = owned(Book, "books")


@pytest.fixture
def small(postgresql_schema_url):
    made = Small(Base.metadata, BOOKS, url=postgresql_schema_url)
    made.store(Book(id=1, owner="ann"))
    yield made
    made.session.close()
    made.engine.dispose()


def rename(session):
    session.get(Book, 1).title = "ann's"


def delete(session):
    session.delete(session.get(Book, 1))


@pytest.mark.parametrize("change", [rename, delete])
@pytest.mark.parametrize(("owner", "outcome"), [("ben", "ObjectNotFound"), ("ann", "done")])
def test_a_change_is_decided_on_what_it_waited_for(small, change, owner, outcome):
    """The row is given away while ann's change of it is under way: it is not hers any more."""
    giving = sa.text("UPDATE book SET owner = :owner WHERE id = 1")
    with ThreadPoolExecutor(1) as pool, small.engine.connect() as other:
        other.execute(giving, {"owner": owner})
        found = pool.submit(small.attempt, change)
        wait_until_somebody_waits(small.engine)
        other.commit()
        assert found.result(timeout=30) == outcome


def wait_until_somebody_waits(engine):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        until = time.monotonic() + 30
        while not connection.scalar(WAITING):
            assert time.monotonic() < until, "nothing waits for the row"
            time.sleep(0.01)
