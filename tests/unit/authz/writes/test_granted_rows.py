"""The table of grants is guarded, and a grant ends with its object."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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


def test_a_moved_object_has_the_grants_of_neither_key(small):
    """A changed primary key ends what was granted on the object, and on its new key's last one."""
    assert give_ann(small) == "done"
    with small.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM book WHERE id = 2")

    def move(session):
        session.get(Book, 1).id = 2

    assert small.attempt(move) == "done"
    assert all(row[0] for row in small.rows("SELECT revoked_at FROM licet_grant"))


class TestTimeBoxes:
    """A right to give that comes of a grant with an end."""

    END = datetime.now(UTC) + timedelta(hours=1)

    @pytest.fixture
    def small(self):
        """Ben has the right of ann's book until an hour from now."""
        books = Policy(Book, name="books").allow(registered, VIEW | grant_verb("editor"), when=OWN)
        books.allow(Role("editor", granted("editor")), VIEW | grant_verb("editor"))
        made = Small(Base.metadata, books)
        grant.create(made.engine)
        made.store(Book(id=1, owner="ann"))
        made.books = books
        given = self.giving(made, "ben", self.END)
        assert made.attempt(given, "ann") == "done"
        return made

    def giving(self, small, to, expires_at):
        return lambda session: give(
            small.books, session.get(Book, 1), "editor", to=to, expires_at=expires_at
        )

    @pytest.mark.parametrize(
        ("expires_at", "outcome"),
        [
            (None, "AccessDenied"),
            (END + timedelta(microseconds=1), "AccessDenied"),
            (END, "done"),
            (END - timedelta(minutes=1), "done"),
        ],
    )
    @pytest.mark.parametrize("to", ["ben", "zoe"])
    def test_are_not_lengthened(self, small, to, expires_at, outcome):
        """Neither for the giver nor for another; whose right has no end gives for ever."""
        assert small.attempt(self.giving(small, to, expires_at), "ben") == outcome
        assert small.attempt(self.giving(small, to, None), "ann") == "done"


@pytest.mark.parametrize("key", ["02", " 2", 2.0])
def test_a_key_in_another_form_is_the_same(small, key):
    """The next object ends the grants on its key, however it was given that."""
    assert give_ann(small) == "done"
    with small.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM book WHERE id = 2")
    small.session.add(Book(id=key, owner="ben"))
    small.session.commit()
    assert all(row[0] for row in small.rows("SELECT revoked_at FROM licet_grant"))


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
