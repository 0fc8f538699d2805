"""When a change is decided, for whom, and as which verb."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask, Response
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, with_loader_criteria
from tests.unit.authz.writes.library import ANN, BEN
from tests.unit.authz.writes.small import OWN, Small, owned

from licet import Licet
from licet.authz import (
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Verb,
    public,
    registered,
    write,
)
from licet.errors import ObjectNotFound


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    title: Mapped[str] = mapped_column(default="t")


PUBLISH = Verb("PUBLISH")
BOOKS = owned(Book, "books")
PUBLISHED = (
    Policy(Book, name="books")
    .allow(registered, VIEW | LIST | PUBLISH)
    .allow(registered, CREATE | UPDATE | DELETE, when=OWN)
)


def made_with(policy):
    made = Small(Base.metadata, policy)
    made.store(Book(id=1, owner="ann"), Book(id=2, owner="ben"), Book(id=3, owner="ben"))
    return made


@pytest.fixture
def small():
    made = made_with(BOOKS)
    yield made
    made.session.close()


@pytest.fixture
def publishing():
    made = made_with(PUBLISHED)
    yield made
    made.session.close()


TITLES = "SELECT title FROM book ORDER BY id"


class TestCallers:
    """A block of somebody else's decides about what it wrote, and about nothing else."""

    @pytest.mark.parametrize(
        ("key", "outcome"), [(1, "done"), (2, "ObjectNotFound"), (3, "ObjectNotFound")]
    )
    def test_what_follows_the_block_is_the_callers_own(self, small, key, outcome):
        """Ann may change hers after a block of ben's, and none of his."""

        def change(session):
            with write(BOOKS, UPDATE, session.get(Book, 2), identity=BEN, commit=False) as block:
                block.object.title = "ben's"
            book = session.get(Book, key)
            book.title = "ann's"

        assert small.attempt(change) == outcome

    def test_a_block_within_another(self, small):
        """Each is decided for its own caller."""

        def change(session, inner):
            with write(BOOKS, UPDATE, session.get(Book, 1)) as block:
                block.object.title = "outer"
                with write(BOOKS, UPDATE, session.get(Book, 2), identity=BEN) as inside:
                    inside.object.title = "inner"
                book = session.get(Book, inner)
                book.title += "!"

        assert small.attempt(lambda session: change(session, 1)) == "done"
        assert small.attempt(lambda session: change(session, 2)) == "ObjectNotFound"
        assert [row[0] for row in small.rows(TITLES)] == ["outer!", "inner", "t"]

    def test_a_savepoint_takes_a_block_back(self, small):
        """What was touched before it is decided as before."""

        def change(session):
            book = session.get(Book, 1)
            book.owner = "ben"
            session.flush()
            savepoint = session.begin_nested()
            book.owner = "ann"
            with write(BOOKS, UPDATE, session.get(Book, 2), identity=BEN) as block:
                block.object.title = "x"
            savepoint.rollback()

        assert small.attempt(change) == "AccessDenied"


@pytest.mark.parametrize("is_released", [True, False])
def test_a_savepoint_takes_back_what_is_not_kept(is_released):
    """Of a row with JSON nobody knows whether it is as it was; rolled back, it was not written."""

    class Own(DeclarativeBase):
        pass

    class Note(Own):
        __tablename__ = "note"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner: Mapped[str]
        words: Mapped[list[str]] = mapped_column(sa.JSON)

    small = Small(Own.metadata, owned(Note))
    small.store(Note(id=1, owner="ann", words=[]), Note(id=2, owner="ben", words=[]))

    def change(session):
        session.get(Note, 1).words = ["mine"]
        session.flush()
        savepoint = session.begin_nested()
        session.get(Note, 2).words = ["his"]
        session.flush()
        (savepoint.commit if is_released else savepoint.rollback)()

    assert small.attempt(change) == ("ObjectNotFound" if is_released else "done")
    small.session.close()


class TestVerbs:
    """A verb of the app's own stands for UPDATE in its block alone."""

    def test_before_the_block(self, publishing):
        """What was changed of the object before is an UPDATE."""

        def change(session):
            book = session.get(Book, 2)
            book.owner = "ann"
            with write(PUBLISHED, PUBLISH, book):
                book.title = "published"

        assert publishing.attempt(change) == "AccessDenied"

    def test_after_the_block(self, publishing):
        """What is changed of it afterwards in the transaction is one, too."""

        def change(session):
            with write(PUBLISHED, PUBLISH, session.get(Book, 2), commit=False) as block:
                block.object.title = "published"
            block.object.owner = "ann"

        assert publishing.attempt(change) == "AccessDenied"

    @pytest.mark.parametrize("is_flushed", [True, False])
    def test_within_another_block(self, publishing, is_flushed):
        """The inner block's verb counts, whatever was written before the outer one."""

        def change(session):
            mine = session.get(Book, 1)
            if is_flushed:
                mine.title = "before"
                session.flush()
            with write(PUBLISHED, UPDATE, mine):
                mine.title = "outer"
                with write(PUBLISHED, PUBLISH, session.get(Book, 2)) as block:
                    block.object.title = "published"

        assert publishing.attempt(change) == "done"


class TestAfterTheRequest:
    """What a request leaves to be written."""

    @pytest.fixture
    def client(self, small):
        self.small = small

        @small.app.post("/change/<int:key>")
        @public
        def change(key):
            self.book = small.session.get(Book, key)
            self.book.title = "changed"
            return "ok"

        @small.app.post("/stream/<int:key>")
        @public
        def stream(key):
            def parts():
                yield "first"
                book = small.session.get(Book, key)
                book.title = "streamed"
                small.session.commit()

            return Response(parts())

        def commit(_error):
            try:
                small.session.commit()
            finally:
                small.session.rollback()

        small.app.teardown_appcontext(commit)
        return small.app.test_client()

    def outcome(self, client, path):
        try:
            client.post(path).get_data()
        except Exception as error:  # noqa: BLE001 - the outcome is its name
            self.small.session.rollback()
            return type(error).__name__
        return "done"

    def test_a_commit_with_the_end_of_the_context(self, client):
        """`teardown_appcontext` commits what the caller of the request may write."""
        assert self.outcome(client, "/change/1") == "done"
        assert self.outcome(client, "/change/2") == "ObjectNotFound"
        assert [row[0] for row in self.small.rows(TITLES)] == ["changed", "t", "t"]

    def test_a_streamed_answer(self, client):
        """A generator writes what the caller of its request may write."""
        assert self.outcome(client, "/stream/1") == "done"
        assert self.outcome(client, "/stream/2") == "ObjectNotFound"
        assert [row[0] for row in self.small.rows(TITLES)] == ["streamed", "t", "t"]

    def test_the_session_is_left_alone_afterwards(self, client):
        """A script that uses it after the request asks nobody."""
        self.outcome(client, "/change/1")
        self.small.session.get(Book, 3).title = "by a script"
        self.small.session.commit()
        assert self.small.rows(TITLES)[2] == ("by a script",)

    def test_a_commit_by_a_program(self, small):
        """What waits in the session is still the change of the request's caller."""

        @small.app.post("/change/<int:key>")
        @public
        def change(key):
            self.book = small.session.get(Book, key)
            self.book.title = "changed"
            return "ok"

        small.app.test_client().post("/change/2")
        with pytest.raises(ObjectNotFound):
            small.session.commit()
        small.session.rollback()
        small.app.test_client().post("/change/1")
        small.session.commit()
        assert [row[0] for row in small.rows(TITLES)] == ["changed", "t", "t"]


def test_another_apps_context(small):
    """The request's app guards, whatever app's context a view has pushed."""
    other = Flask("other")
    Licet(other)

    def change(session, key):
        book = session.get(Book, key)
        book.title = "x"
        with other.app_context():
            session.commit()

    assert small.attempt(lambda session: change(session, 2), commit=False) == "ObjectNotFound"
    assert small.attempt(lambda session: change(session, 1), commit=False) == "done"


def test_a_listener_that_never_comes_to_an_end(small):
    """SQLAlchemy's own limit ends a commit of which each flush adds something."""

    def add(session, _context):
        session.add(Book(owner="ann"))

    def change(session):
        sa.event.listen(session, "after_flush", add)
        session.get(Book, 1).title = "x"

    try:
        assert small.attempt(change) == "FlushError"
    finally:
        sa.event.remove(small.session, "after_flush", add)


@pytest.mark.parametrize("has_block", [True, False])
def test_a_listener_before_the_commit(small, has_block):
    """What it writes is decided, in a session that was clean until then as well."""

    def late(session):
        book = session.get(Book, 2)
        book.title = "late"
        session.info["kept"] = book

    def change(session):
        sa.event.listen(session, "before_commit", late, once=True)
        if has_block:
            with write(BOOKS, UPDATE, session.get(Book, 1)):
                pass

    assert small.attempt(change) == "ObjectNotFound"


def test_a_commit_within_a_block(small):
    """Rules of fields are asked before it, and nothing is stored where they refuse."""
    strict = Policy(Book, name="strict").allow(registered, VIEW | UPDATE)
    strict.readonly("title", unless=[OWN])

    def change(session):
        with write(strict, UPDATE, session.get(Book, 1)) as block:
            block.object.owner = "ben"
            block.apply({"title": "given away"})
            session.commit()

    other = Small(Base.metadata, strict)
    other.store(Book(id=1, owner="ann"))
    assert other.attempt(change) == "InvalidRequest"
    assert other.rows("SELECT owner FROM book") == [("ann",)]


def test_a_block_within_a_context_manager_of_the_session(small):
    """`with session.begin()` commits; the object can be read after the block."""

    def change(session):
        with session.begin():
            book = session.get(Book, 1)
            with write(BOOKS, UPDATE, book):
                book.title = "x"
            assert book.title == "x"

    small.session.close()
    assert small.attempt(change, commit=False) == "done"
    assert small.rows(TITLES)[0] == ("x",)


def test_many_rows(small):
    """A statement about what was asks for few of the rows that were changed."""
    small.store(*(Book(id=key, owner="ann") for key in range(10, 4010)))

    def change(session):
        books = session.scalars(sa.select(Book).where(Book.id >= 10)).all()
        for book in books[:-1]:
            book.title = "x"
        session.flush()
        books[-1].title = "x"
        books[0].title = "y"

    assert small.attempt(change) == "done"


def test_sessions_with_a_database_for_each_class(small):
    """A session that is bound by classes finds the database of each table."""
    bound = Session(binds={Base: small.engine})
    book = bound.get(Book, 2)
    with small.app.test_request_context():
        book.title = "x"
        with pytest.raises(Exception, match="no such object"):
            bound.commit()
    bound.close()


class Routing(Session):
    """Reads from a replica, and writes to the first database, as SQLAlchemy's own recipe does."""

    def get_bind(self, mapper=None, *, clause=None, **_options):
        is_change = isinstance(clause, sa.Insert | sa.Update | sa.Delete)
        return self.info["first" if self._flushing or is_change else "replica"]


@pytest.mark.parametrize("way", ["commit", "block", "statement"])
@pytest.mark.parametrize(("owner", "outcome"), [("ann", "done"), ("ben", "AccessDenied")])
def test_a_session_that_reads_from_a_replica(small, way, owner, outcome):
    """What was written is asked of the database that has it."""
    replica = Small(Base.metadata)
    replica.store(Book(id=1, owner="ann"), Book(id=2, owner="ben"))
    small.session = Routing(info={"first": small.engine, "replica": replica.engine})

    def change(session):
        book = session.get(Book, 1)
        if way == "statement":
            everything = sa.update(Book).values(owner=owner, title="x")
            session.execute(BOOKS.filter(everything, ANN, UPDATE))
        elif way == "block":
            with write(BOOKS, UPDATE, book):
                book.owner, book.title = owner, "x"
        else:
            book.owner, book.title = owner, "x"

    assert small.attempt(change) == outcome
    assert small.rows(TITLES)[0] == (("x",) if outcome == "done" else ("t",))


def test_a_session_that_narrows_what_it_selects(small):
    """A statement's rows are those that it writes, whatever a listener leaves out of SELECTs."""

    def narrow(state):
        if state.is_select:
            seen = with_loader_criteria(Book, Book.title == "seen")
            state.statement = state.statement.options(seen)

    def change(session):
        sa.event.listen(session, "do_orm_execute", narrow)
        session.execute(BOOKS.filter(sa.update(Book).values(owner="ben"), ANN, UPDATE))

    try:
        assert small.attempt(change) == "AccessDenied"
    finally:
        sa.event.remove(small.session, "do_orm_execute", narrow)


class TestConnections:
    """A commit that is not the session's."""

    def test_of_the_sessions_connection(self, small):
        """Rows that nobody decided about are not committed."""

        def change(session, key):
            book = session.get(Book, key)
            book.title = "x"
            session.flush()
            session.connection().commit()

        for key in (1, 2):
            outcome = small.attempt(lambda s, key=key: change(s, key), commit=False)
            assert outcome == "UnguardedWrite"
        assert {row[0] for row in small.rows(TITLES)} == {"t"}

    def test_around_the_session(self, small):
        """A transaction around a session is refused where that only flushes."""

        def change(key, end):
            with small.engine.begin() as connection, Session(connection) as inner:
                book = inner.get(Book, key)
                book.title = "x"
                getattr(inner, end)()

        small.session.close()
        assert small.attempt(lambda _: change(1, "flush"), commit=False) == "UnguardedWrite"
        assert small.attempt(lambda _: change(2, "commit"), commit=False) == "ObjectNotFound"
        assert small.attempt(lambda _: change(1, "commit"), commit=False) == "done"
        assert [row[0] for row in small.rows(TITLES)] == ["x", "t", "t"]

    def test_a_savepoint_around_the_session(self, small):
        """What the inner session rolled back is no reason to refuse."""

        def change():
            with small.engine.begin() as connection:
                mode = "create_savepoint"
                with Session(connection, join_transaction_mode=mode) as inner:
                    book = inner.get(Book, 1)
                    book.title = "x"
                    inner.flush()
                    inner.rollback()
                connection.execute(sa.select(Book))

        small.session.close()
        assert small.attempt(lambda _: change(), commit=False) == "done"
