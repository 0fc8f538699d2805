"""`register_policies(…, guard_writes=True)`, and what `with_object` guards without it."""

import pytest
import sqlalchemy as sa
from flask import Flask, request
from sqlalchemy.orm import Session, aliased
from tests.unit.authz.writes.library import (
    ANN,
    BEN,
    Book,
    Event,
    Member,
    Seat,
    Shelf,
    Topic,
    book_topic,
    make_books,
)

from licet import Licet
from licet.authz import (
    ALL,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    attr,
    authorize,
    caller,
    predicate,
    register_policies,
    registered,
    with_object,
)
from licet.errors import (
    AccessDenied,
    InvalidCondition,
    ObjectNotFound,
    UnguardedWrite,
    UntranslatableCondition,
    UsageError,
)


def test_a_commit_is_decided(guarded):
    """A plain commit is refused, and rolls back, when a row of it is."""
    with guarded.asked_by("ann") as session:
        guarded.book(1).title = "new"
        session.commit()
        guarded.book(2).title = "new"
        with pytest.raises(ObjectNotFound):
            session.commit()
        assert not session.is_active or session.get_transaction().is_active
        session.rollback()
    assert [row[3] for row in guarded.rows()] == ["new", "Non licet"]


def test_a_session_that_nobody_registered_is_guarded(guarded):
    """Any session that writes during a request is one of the app's."""
    with guarded.asked_by("ann"), Session(guarded.engine) as other:
        other.get(Book, 2).title = "taken"
        with pytest.raises(ObjectNotFound):
            other.commit()


def test_sessions_outside_of_requests_are_left_alone(guarded):
    """Scripts, workers and migrations write what they like."""
    guarded.book(2).title = "by a script"
    guarded.session.execute(sa.update(Book).values(owner="zoe"))
    guarded.session.commit()
    assert [row[2] for row in guarded.rows()] == ["zoe", "zoe"]


def test_another_app_in_the_process_is_left_alone(guarded, library):
    """Only requests of the app that guards are guarded."""
    with library.asked_by("ann") as session:
        session.get(Book, 2).title = "by another app"
        session.commit()
    assert library.rows()[1][3] == "by another app"


def test_the_question_may_come_after_the_change(guarded):
    """A query in between flushes, and the decision still knows what the object was."""
    with guarded.asked_by("ann") as session:
        book = guarded.book(2)
        book.owner = "ann"
        session.scalars(sa.select(Book)).all()
        assert not guarded.books.decide(ANN, UPDATE, book)
        assert not guarded.books.decide(ANN, DELETE, book).visible
        assert not guarded.books.decide(BEN, UPDATE, guarded.book(1))
        with pytest.raises(ObjectNotFound):
            authorize(guarded.books, UPDATE, book)


class TestMoves:
    """Changes that the changed object does not know of."""

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            pytest.param(
                lambda session: session.get(Shelf, 2).books.append(session.get(Book, 3)),
                AccessDenied,
                id="into another's collection",
            ),
            pytest.param(
                lambda session: session.get(Shelf, 1).books.append(session.get(Book, 2)),
                ObjectNotFound,
                id="out of another's collection",
            ),
            pytest.param(
                lambda session: session.get(Shelf, 2).books.append(Book(title="new")),
                AccessDenied,
                id="a draft in another's collection",
            ),
            pytest.param(
                lambda session: session.get(Shelf, 1).books.clear(),
                AccessDenied,
                id="out of the own collection",
            ),
            pytest.param(
                lambda session: session.delete(session.get(Shelf, 1)),
                AccessDenied,
                id="with a parent that is deleted",
            ),
            pytest.param(
                lambda session: session.delete(session.get(Member, 1)),
                AccessDenied,
                id="a membership that is deleted",
            ),
            pytest.param(
                lambda session: session.get(Event, 1).members.pop(0),
                AccessDenied,
                id="a membership that is an orphan",
            ),
            pytest.param(
                lambda session: session.add(Member(event_id=2, name="ann")),
                AccessDenied,
                id="a membership in another's event",
            ),
            pytest.param(
                lambda session: session.get(Event, 2).members.append(session.get(Member, 1)),
                AccessDenied,
                id="a membership that moves",
            ),
        ],
    )
    @pytest.mark.parametrize("is_flushed", [False, True], ids=["", "flushed before"])
    def test_are_decided_by_what_the_session_wrote(self, guarded, change, error, is_flushed):
        """A commit is refused whichever object holds the change."""
        guarded.session.add(Book(id=3, shelf_id=1, owner="ben", title="on ann's shelf"))
        guarded.session.commit()
        was = guarded.rows()
        with guarded.asked_by("ann") as session:
            kept = [session.scalars(sa.select(one)).all() for one in (Shelf, Event, Book, Member)]
            change(session)
            if is_flushed:
                session.flush()
            with pytest.raises(error):
                session.commit()
            del kept  # until now, as a session alone keeps no object
        assert guarded.rows() == was

    def test_that_are_allowed_pass(self, guarded):
        """Books move between shelves of the caller, and another's membership can be deleted."""
        with guarded.asked_by("ann") as session:
            shelf = session.get(Shelf, 3)
            shelf.books.append(guarded.book(1))
            session.delete(session.get(Member, 2))
            session.commit()
        assert guarded.rows()[0][1] == 3


def test_the_question_after_an_unguarded_flush_is_an_error(library):
    """Where nothing tells what the object was, nothing is allowed for what it has become."""
    with library.asked_by("ann") as session:
        book = library.book(2)
        shelf = session.get(Shelf, 1)
        shelf.books.append(book)  # the book itself is not marked as changed
        session.flush()
        authorize(library.books, VIEW, book)
        with pytest.raises(UsageError, match="changed and flushed"):
            authorize(library.books, UPDATE, book)
        session.rollback()
        authorize(library.books, UPDATE, library.book(1))
        library.book(1).title = "new"
        session.commit()
        authorize(library.books, UPDATE, library.book(1))


class TestAssociationTables:
    """A link is a change of the rows at both of its ends."""

    @pytest.mark.parametrize(
        "change",
        [
            lambda session: session.get(Book, 1).topics.append(session.get(Topic, 2)),
            lambda session: session.get(Topic, 2).books.append(session.get(Book, 1)),
            lambda session: session.get(Topic, 1).books.remove(session.get(Book, 2)),
            lambda session: session.get(Book, 2).topics.clear(),
            lambda session: session.add(Topic(owner="ann", books=[session.get(Book, 2)])),
        ],
    )
    def test_one_end_that_is_denied_is_enough(self, guarded, change):
        """Neither a topic of ben's nor a book of his is linked or unlinked by ann."""
        with guarded.asked_by("ann") as session:
            kept = [session.scalars(sa.select(one)).all() for one in (Book, Topic)]
            change(session)
            with pytest.raises((AccessDenied, ObjectNotFound)):
                session.commit()
            del kept

    def test_both_ends_allow(self, guarded):
        """Her own book is taken out of her own topic, and put into it."""
        for change in ("remove", "append"):
            with guarded.asked_by("ann") as session:
                topic = session.get(Topic, 1)
                getattr(topic.books, change)(guarded.book(1))
                session.commit()

    def test_a_link_that_came_and_went_is_no_change(self, guarded):
        """Ann links ben's topic and takes it off; takes his book out of hers, and puts it back."""
        with guarded.asked_by("ann") as session:
            book, topics = guarded.book(1), [session.get(Topic, n) for n in (1, 2)]
            other = next(one for one in topics[0].books if one is not book)
            for _ in range(2):
                book.topics.append(topics[1])
                session.flush()
                book.topics.remove(topics[1])
                session.flush()
            topics[0].books.remove(other)
            session.flush()
            topics[0].books.append(other)
            session.commit()
            topics[0].books.remove(other)
            session.flush()
            book.topics.append(topics[1])
            session.flush()
            book.topics.remove(topics[1])
            with pytest.raises((AccessDenied, ObjectNotFound)):
                session.commit()

    def test_a_link_goes_with_the_row_at_its_end(self, guarded):
        """Ann deletes her topic, which is one of a book of ben's; it is no change of his book."""
        with guarded.asked_by("ann") as session:
            session.delete(session.get(Topic, 1))
            session.commit()
            session.delete(session.get(Topic, 2))
            with pytest.raises(AccessDenied):
                session.commit()

    def test_a_statement_is_refused(self, guarded):
        """Links are made by relationships."""
        with guarded.asked_by("ann") as session, pytest.raises(UnguardedWrite, match="book_topic"):
            session.execute(sa.insert(book_topic).values(book_id=1, topic_id=2))


def test_rights_may_go_with_a_row_whose_own_policy_allows_that(guarded):
    """Nobody gives UPDATE of an event to themselves, but may leave it."""
    mine = attr("name") == caller.principal
    register_policies(guarded.app, Policy(Member).allow(registered, ALL, when=mine))
    with guarded.asked_by("ann") as session:
        other = session.get(Member, 2)
        other.name, other.name = "ann", "ben"  # which changes nothing
        session.delete(session.get(Member, 1))
        session.commit()
        session.add(Member(event_id=2, name="ann"))
        with pytest.raises(AccessDenied):
            session.commit()


def test_text_is_not_decided(guarded):
    """What is written past SQLAlchemy's constructs is the program's own affair."""
    with guarded.asked_by("ann") as session:
        session.execute(sa.text("UPDATE book SET owner = 'ann'"))
        session.connection().exec_driver_sql("UPDATE book SET title = 'x'")
        session.commit()
    assert {row[2:] for row in guarded.rows()} == {("ann", "x")}


def test_changes_of_another_request_are_not_continued(guarded):
    """A transaction belongs to one request, as its caller is one."""
    with guarded.app.test_request_context(headers={"Caller": "ann"}):
        guarded.book(1).title = "new"
        guarded.session.flush()
    with guarded.app.test_request_context(headers={"Caller": "ben"}):
        guarded.book(1).title = "newer"
        with pytest.raises(UsageError, match="another request"):
            guarded.session.flush()
    guarded.session.rollback()


def test_a_listener_that_writes_while_the_commit_is_decided_is_decided_too(guarded):
    """What another listener adds to the commit is not overlooked."""

    def add(session):
        session.get(Book, 2).title = "by a listener"

    sa.event.listen(guarded.session, "before_commit", add)
    with guarded.asked_by("ann") as session:
        guarded.book(1).title = "new"
        with pytest.raises(ObjectNotFound):
            session.commit()
    assert [row[3] for row in guarded.rows()] == ["Licet", "Non licet"]


def test_a_trigger_counts(guarded):
    """What the database makes of a row is what is decided."""
    with guarded.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER gift AFTER UPDATE OF title ON book WHEN NEW.title = 'gift' "
            "BEGIN UPDATE book SET owner = 'ben', shelf_id = 2 WHERE id = NEW.id; END"
        )
    with guarded.asked_by("ann") as session:
        guarded.book(1).title = "gift"
        with pytest.raises(AccessDenied):
            session.commit()


def test_what_only_seems_to_be_changed_is_not_asked(guarded):
    """An attribute that is set to what it was writes nothing."""
    with guarded.asked_by("ann") as session:
        book = guarded.book(2)
        book.title = str(book.title)
        book.owner, book.owner = "ann", "ben"
        session.commit()


def test_a_python_function_stops_the_app(guarded):
    """A policy that SQL cannot ask is refused when writes are to be guarded."""
    app = Flask("other")
    Licet(app)
    policy = Policy(Shelf).allow(registered, UPDATE, when=predicate(lambda *_: True))
    with pytest.raises(UntranslatableCondition, match="cannot guard writes"):
        register_policies(app, policy, guard_writes=True)


class TestStatements:
    """INSERT, UPDATE and DELETE on guarded tables."""

    @pytest.mark.parametrize(
        "write",
        [
            lambda session: session.execute(sa.update(Book).values(owner="ann")),
            lambda session: session.execute(sa.delete(Book)),
            lambda session: session.execute(sa.insert(Book).values(owner="ann")),
            lambda session: session.execute(sa.insert(Book), [{"owner": "ann"}]),
            lambda session: session.execute(sa.update(Book), [{"id": 2, "owner": "ann"}]),
            lambda session: session.execute(sa.update(Book.__table__).values(owner="ann")),
            lambda session: session.execute(sa.update(aliased(Book)).values(owner="ann")),
            lambda session: session.connection().execute(sa.delete(Book.__table__)),
            lambda session: session.bulk_insert_mappings(Book, [{"owner": "ann"}]),
            lambda session: session.bulk_update_mappings(Book, [{"id": 2, "owner": "ann"}]),
            lambda session: session.bulk_save_objects([Book(owner="ann")]),
            lambda session: session.query(Book).delete(),
            lambda session: session.execute(
                sa.dialects.sqlite.insert(Book)
                .values(id=2)
                .on_conflict_do_update(index_elements=["id"], set_={"owner": "ann"})
            ),
            lambda session: session.execute(
                sa.insert(Book).from_select(["owner"], sa.select(Book.owner))
            ),
            lambda session: session.scalars(
                sa.select(Book).from_statement(sa.update(Book).values(owner="ann").returning(Book))
            ),
            lambda session: session.execute(
                sa.lambda_stmt(lambda: sa.update(Book).values(owner="ann"))
            ),
            lambda session: session.connection().execute(
                sa.lambda_stmt(lambda: sa.delete(Book.__table__)) + (lambda of: of.where(sa.true()))
            ),
        ],
    )
    def test_are_refused(self, guarded, write):
        """Each way to write rows that no policy was asked about is refused before it writes."""
        was = guarded.rows()
        with guarded.asked_by("ann") as session:
            with pytest.raises(UnguardedWrite, match="licet_unguarded"):
                write(session)
            if session.is_active:  # bulk_* are flushes, which roll back
                session.commit()
        assert guarded.rows() == was

    def test_on_a_connection_of_the_engine_are_refused(self, guarded):
        """A connection of its own is no way around."""
        with guarded.asked_by("ann"), guarded.engine.connect() as connection:
            with pytest.raises(UnguardedWrite):
                connection.execute(sa.update(Book.__table__).values(owner="ann"))

    def test_of_a_hook_during_a_flush_are_refused(self, guarded):
        """A listener of the app's that writes rows of its own is not taken for the flush."""

        def take(_mapper, connection, _target):
            connection.execute(sa.update(Book.__table__).values(owner="ann"))

        sa.event.listen(Book, "before_update", take)
        try:
            with guarded.asked_by("ann") as session:
                guarded.book(1).title = "new"
                with pytest.raises(UnguardedWrite):
                    session.commit()
        finally:
            sa.event.remove(Book, "before_update", take)
        assert guarded.rows()[1][2] == "ben"

    def test_that_are_filtered_pass_and_are_decided_after(self, guarded):
        """The policy's UPDATE chooses the rows, and decides about them as written."""
        every = sa.update(Book)
        with guarded.asked_by("ann") as session:
            statement = guarded.books.filter(every.values(title="hers"), ANN, UPDATE)
            assert session.execute(statement).rowcount == 1
            session.commit()
            session.execute(guarded.books.filter(every.values(shelf_id=2), ANN, UPDATE))
            session.commit()  # she still is the owner
            away = every.values(shelf_id=2, owner="ben")
            session.execute(guarded.books.filter(away, ANN, UPDATE))
            with pytest.raises(AccessDenied):
                session.commit()
            session.rollback()
            assert session.execute(guarded.books.filter(sa.delete(Book), ANN, DELETE)).rowcount == 1
            session.commit()
        assert guarded.rows() == [(2, 2, "ben", "Non licet")]

    def test_that_are_wrapped_are_what_they_wrap(self, guarded, caplog):
        """A SELECT of what an UPDATE returns is restricted, or marked, as the UPDATE is."""
        titles = sa.update(Book).values(title="hers").returning(Book)
        with guarded.asked_by("ann") as session:
            hers = guarded.books.filter(titles, ANN, UPDATE)
            found = session.scalars(sa.select(Book).from_statement(hers)).all()
            assert [book.id for book in found] == [1]
            session.commit()
            every = titles.execution_options(licet_unguarded="a new catalogue")
            assert len(session.scalars(sa.select(Book).from_statement(every)).all()) == 2
            session.commit()
        assert "a new catalogue" in caplog.text

    def test_that_change_a_primary_key_are_refused(self, guarded):
        """The rows could not be found again."""
        with guarded.asked_by("ann") as session, pytest.raises(UnguardedWrite, match="primary key"):
            session.execute(guarded.books.filter(sa.update(Book).values(id=9), ANN, UPDATE))

    def test_that_are_marked_pass_and_are_logged(self, guarded, caplog):
        """The reason is in the log; no reason is none."""
        with guarded.asked_by("ann") as session:
            update = sa.update(Book).values(title="x")
            session.execute(update.execution_options(licet_unguarded="monthly cleaning"))
            session.connection().execute(
                sa.update(Book.__table__).values(title="y"),
                execution_options={"licet_unguarded": "again"},
            )
            session.commit()
            for reason in ("", None, True):
                with pytest.raises(UnguardedWrite):
                    session.execute(update.execution_options(licet_unguarded=reason))
        assert "monthly cleaning" in caplog.text
        assert "again" in caplog.text
        assert {row[3] for row in guarded.rows()} == {"y"}

    def test_on_other_tables_pass(self, guarded):
        """Tables that no policy is about, and that give no rights, are the app's own."""
        with guarded.asked_by("ann") as session:
            session.execute(sa.update(Shelf).values(curator="zoe"))
            session.commit()


@pytest.mark.parametrize(
    ("statement", "verb"),
    [
        (sa.update(Shelf), UPDATE),
        (sa.update(Book), LIST),
        (sa.delete(Book), LIST),
        (sa.insert(Book), UPDATE),
        (sa.update(aliased(Book)), UPDATE),
    ],
)
def test_filter_takes_changes_of_its_own_class_only(statement, verb):
    """What a policy cannot restrict is refused when the statement is made."""
    with pytest.raises(InvalidCondition):
        make_books().filter(statement, ANN, verb)


def test_filter_restricts_an_update_outside_of_requests(library):
    """Without a guard it is a criterion in the statement, and nothing else."""
    update = library.books.filter(sa.update(Book).values(title="x"), BEN, UPDATE)
    assert library.session.execute(update).rowcount == 1
    core = library.books.filter(sa.update(Book.__table__).values(title="y"), BEN, UPDATE)
    with pytest.raises(InvalidCondition, match="seat"):
        library.books.filter(sa.delete(Seat), BEN, DELETE)
    assert "EXISTS" in str(core) or "IN" in str(core)


class TestWithObject:
    """Without `guard_writes`, what a view does with the object that it was given for UPDATE."""

    @pytest.fixture
    def client(self, library):
        @library.app.patch("/books/<int:book_id>")
        @with_object(library.books, UPDATE, "book_id")
        def change(book):
            for name, value in request.json.items():
                setattr(book, name, value)
            library.session.commit()
            return {"id": book.id}

        return library.app.test_client()

    def test_is_decided_when_it_is_committed(self, library, client):
        """The guide's way of UPDATE does not move a book to where its caller has no say."""
        assert client.patch("/books/1", json={"title": "new"}).status_code == 200
        answer = client.patch("/books/1", json={"shelf_id": 2, "owner": "ben"})
        assert answer.status_code == 403
        assert library.book(1).title == "new"  # the session can be used again
        assert library.rows()[0] == (1, 1, "ann", "new")

    def test_other_rows_are_left_alone(self, library, client):
        """Only the object itself is."""

        @library.app.patch("/both/<int:book_id>")
        @with_object(library.books, UPDATE, "book_id")
        def both(book):
            book.title = library.book(2).title = "both"
            library.session.commit()
            return {}

        assert client.patch("/both/1").status_code == 200
        assert {row[3] for row in library.rows()} == {"both"}


def test_guarded_sessions_of_flask_sqlalchemy():
    """The scoped session of Flask-SQLAlchemy is guarded like any other."""
    from licet.authz import write

    app = Flask("shop")
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    Licet(app)
    db = pytest.importorskip("flask_sqlalchemy").SQLAlchemy(app)

    class Order(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        owner = db.Column(db.String(50))

    orders = Policy(Order).allow(registered, ALL, when=attr("owner") == caller.principal)
    register_policies(
        app, orders, session=lambda: db.session, caller=lambda: ANN, guard_writes=True
    )
    with app.app_context():
        db.create_all()
        db.session.add_all([Order(id=1, owner="ann"), Order(id=2, owner="ben")])
        db.session.commit()
    with app.test_request_context():
        with write(orders, UPDATE, db.session.get(Order, 1)):
            pass
        db.session.get(Order, 1).owner = "ben"
        with pytest.raises(AccessDenied):
            db.session.commit()
        db.session.rollback()
        db.session.delete(db.session.get(Order, 2))
        with pytest.raises(ObjectNotFound):
            db.session.commit()
        db.session.remove()
    with app.app_context():
        db.engine.dispose()
