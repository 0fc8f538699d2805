"""The table of grants is guarded, and a grant ends with its object."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.unit.authz.writes.library import ANN
from tests.unit.authz.writes.small import OWN, Small

from licet.authz import CREATE, DELETE, UPDATE, VIEW, Policy, Role, registered
from licet.authz.grants import give, grant_verb, granted, list_grants, revoke
from licet.authz.grants.tables import grant
from licet.errors import InvalidCondition, UsageError


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    title: Mapped[str] = mapped_column(default="t")


BOOKS = (
    Policy(Book, name="books")
    .allow(registered, VIEW | UPDATE | CREATE | DELETE | grant_verb("editor"), when=OWN)
    .allow(Role("editor", granted("editor")), VIEW | UPDATE)
)


@pytest.fixture(params=[True, False], ids=["guarded", "unguarded"])
def small(request):
    made = Small(Base.metadata, BOOKS, guard_writes=request.param)
    grant.create(made.engine)
    made.store(Book(id=1, owner="ann"), Book(id=2, owner="ben"))
    yield made
    made.session.close()


def give_ann(small):
    """Ben gives ann his book."""

    def change(session):
        give(BOOKS, session.get(Book, 2), "editor", to="ann")

    return small.attempt(change, "ben")


def take(session):
    book = session.get(Book, 2)
    book.title = "changed"


def test_statements_cannot_give():
    """A row of the table of grants comes from `give`, which asks who may."""
    small = Small(Base.metadata, BOOKS)
    grant.create(small.engine)
    small.store(Book(id=2, owner="ben"))
    row = {"id": "1", "grantee": "ann", "role": "editor", "object_type": "book"}
    row |= {"object_id": "2", "giver": "ann", "given_at": datetime.now(UTC)}
    made = sa.insert(grant).values(row)
    assert small.attempt(lambda session: session.execute(made)) == "UnguardedWrite"
    assert small.attempt(take) == "ObjectNotFound"
    assert give_ann(small) == "done"
    assert small.attempt(take) == "done"


def test_the_service_takes_back(small):
    """`revoke` is the service's, too."""
    assert give_ann(small) == "done"

    def change(session):
        book = session.get(Book, 2)
        revoke(BOOKS, book, list_grants(BOOKS, book)[0].id)

    assert small.attempt(change, "ben") == "done"


@pytest.mark.parametrize("is_statement", [True, False])
def test_the_next_object_with_the_key_has_no_grants(small, is_statement):
    """What was granted on a deleted object is worth nothing on another."""
    assert give_ann(small) == "done"
    if is_statement:  # which nothing tells of
        with small.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM book WHERE id = 2")
    else:
        assert small.attempt(lambda s: s.delete(s.get(Book, 2)), "ben") == "done"
        assert all(row[0] for row in small.rows("SELECT revoked_at FROM licet_grant"))
    assert small.attempt(lambda s: s.add(Book(id=2, owner="ben")), "ben") == "done"
    with small.app.test_request_context():
        assert not BOOKS.decide(ANN, VIEW, small.session.get(Book, 2))
        assert all(row[0] for row in small.rows("SELECT revoked_at FROM licet_grant"))
    small.session.rollback()


def test_objects_of_two_schemas_are_two():
    """A grant on an object of one is none on that of another with its key."""

    class Own(DeclarativeBase):
        metadata = sa.MetaData(schema="lib")

    class Other(Own):
        __tablename__ = "book"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner: Mapped[str]

    others = Policy(Other, name="others").allow(registered, VIEW, when=OWN)
    others.allow(Role("editor of others", granted("editor")), VIEW)
    small = Small(Own.metadata, BOOKS, others)
    Base.metadata.create_all(small.engine)
    grant.create(small.engine)
    small.store(Book(id=2, owner="ben"), Other(id=2, owner="zoe"))
    assert give_ann(small) == "done"

    def look(session):
        assert BOOKS.decide(ANN, VIEW, session.get(Book, 2))
        assert not others.decide(ANN, VIEW, session.get(Other, 2))

    assert small.attempt(look) == "done"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"to": {"a": 1}}, UsageError),
        ({"to": "a\0"}, UsageError),
        ({"to": "x", "reason": {"a": 1}}, UsageError),
        ({"to": "x", "reason": "\0"}, UsageError),
        (
            {"to": "x", "expires_at": datetime.fromisoformat("9999-12-31T23:59:00-05:00")},
            InvalidCondition,
        ),
    ],
)
def test_what_cannot_be_stored_is_told(small, given, error):
    """An argument that the database could not hold is no error of the database."""

    def change(session):
        with pytest.raises(error):
            give(BOOKS, session.get(Book, 2), "editor", **given)

    assert small.attempt(change, "ben") == "done"
