"""What constraints of the database tell of rows that the caller may not see."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tests.unit.authz.writes.small import OWN, Small, owned

from licet.authz import ALL, CREATE, UPDATE, Policy, attr, caller, registered, write


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    curator: Mapped[str]


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    isbn: Mapped[str] = mapped_column(unique=True)
    is_open: Mapped[bool] = mapped_column(default=False)
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship()


class Atlas(Base):
    __tablename__ = "atlas"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(server_default="ann")
    isbn: Mapped[str] = mapped_column(unique=True)


class Loan(Base):
    __tablename__ = "loan"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    shelf_id: Mapped[int] = mapped_column(
        sa.ForeignKey("shelf.id", deferrable=True, initially="DEFERRED")
    )
    shelf: Mapped[Shelf] = relationship()


BOOKS = Policy(Book, name="books").allow(registered, ALL, when=OWN)
BOOKS.allow(registered, ALL, when=attr("shelf.curator") == caller.principal)
BOOKS.readonly("isbn", unless=[attr("is_open").is_true() | OWN])
ATLASES = owned(Atlas, "atlases")
LOANS = Policy(Loan, name="loans").allow(registered, ALL, when=OWN)
LOANS.allow(registered, ALL, when=attr("shelf.curator") == caller.principal)


@pytest.fixture
def small():
    """Ann's book has the numbers 1 and a, ben's has 2 and b."""
    made = Small(Base.metadata, BOOKS, ATLASES, LOANS)
    made.store(Shelf(id=1, curator="ann"), Shelf(id=2, curator="ben"))
    made.store(Book(id=1, owner="ann", isbn="a"), Book(id=2, owner="ben", isbn="b"))
    made.store(Atlas(owner="ben", isbn="b"))
    yield made
    made.session.close()


def by_block(draft):
    def change(_session):
        with write(BOOKS, CREATE, draft()):
            pass

    return change


def by_commit(draft):
    return lambda session: session.add(draft())


TAKEN = [{"isbn": "a"}, {"isbn": "b"}, {"isbn": "free", "id": 1}, {"isbn": "free", "id": 2}]


@pytest.mark.parametrize("way", [by_block, by_commit])
class TestTaken:
    """Values that another row has, hidden or not."""

    @pytest.mark.parametrize("values", [*TAKEN, {"isbn": "free"}])
    def test_of_a_row_that_may_not_be_made(self, small, way, values):
        """Ann may not make a book of ben's, and learns no more of it."""
        assert small.attempt(way(lambda: Book(owner="ben", **values))) == "AccessDenied"
        on_shelf = Book(owner="ben", shelf_id=2, **values)
        assert small.attempt(way(lambda: on_shelf)) == "AccessDenied"

    @pytest.mark.parametrize("values", TAKEN)
    def test_of_a_row_that_may_be_made(self, small, way, values):
        """She is told that hers has a value which is taken, in the same way for each row."""
        assert small.attempt(way(lambda: Book(owner="ann", **values))) == "IntegrityError"
        on_shelf = Book(owner="ben", shelf_id=1, **values)
        assert small.attempt(way(lambda: on_shelf)) == "IntegrityError"

    def test_in_the_same_transaction_as_what_gives_the_right(self, small, way):
        """Whether it is denied cannot be asked without the shelf, which is rolled back, too."""

        def change(session):
            session.add(Shelf(id=9, curator="ann"))
            session.flush()
            way(lambda: Book(owner="ben", shelf_id=9, isbn="b"))(session)

        assert small.attempt(change) == "IntegrityError"


@pytest.mark.parametrize("has_block", [True, False])
@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"isbn": "b"}, "IntegrityError"),
        ({"id": 2}, "IntegrityError"),
        ({"isbn": "b", "owner": "ben"}, "AccessDenied"),
        ({"isbn": "free", "owner": "ben"}, "AccessDenied"),
        ({"isbn": "b", "owner": "ben", "shelf_id": 1}, "IntegrityError"),
    ],
)
def test_a_change(small, has_block, fields, outcome):
    """UPDATE after the change is asked before the conflict is told."""

    def change(session):
        book = session.get(Book, 1)
        if has_block:
            with write(BOOKS, UPDATE, book) as block:
                for name, value in fields.items():
                    setattr(block.object, name, value)
        for name, value in fields.items():
            setattr(book, name, value)

    assert small.attempt(change) == outcome
    assert small.rows("SELECT owner, isbn FROM book WHERE id = 1") == [("ann", "a")]


@pytest.mark.parametrize("isbn", ["b", "free"])
def test_rules_of_the_fields_of_a_draft(small, isbn):
    """A field that may not be written in the new state is told, and not that its value is taken."""

    def change(session):
        draft = Book(owner="zoe", shelf=session.get(Shelf, 1))
        with write(BOOKS, CREATE, draft) as block:
            block.apply({"isbn": isbn})

    assert small.attempt(change) == "InvalidRequest"


def test_a_default_of_the_database(small):
    """It is not known without the row, so that the conflict is told."""
    assert small.attempt(lambda session: session.add(Atlas(isbn="b"))) == "IntegrityError"


def test_a_savepoint_of_the_program(small):
    """What the program tries in a savepoint is told as ever: nothing is written."""

    def get_or_create(session):
        try:
            with session.begin_nested():
                session.add(Book(owner="ben", isbn="b"))
        except IntegrityError:
            session.info["found"] = session.scalars(sa.select(Book).filter_by(isbn="b")).one()

    assert small.attempt(get_or_create) == "done"


@pytest.mark.parametrize("key", [2, 99])
def test_a_constraint_that_is_deferred_to_the_commit(small, key):
    """A row that is absent is answered like one that is hidden."""
    draft = Loan(owner="ben", shelf_id=key)
    assert small.attempt(lambda session: session.add(draft)) == "AccessDenied"


def test_an_absent_row_that_gives_no_right_is_answered_when_it_is_committed(small):
    """Ann may make any loan of her own, but none on a shelf that is not there."""
    draft = Loan(owner="ann", shelf_id=99)
    assert small.attempt(lambda session: session.add(draft)) == "AccessDenied"
    assert small.rows("SELECT * FROM loan") == []


@pytest.mark.parametrize(
    ("verb", "change"),
    [
        ("CREATE", lambda session: session.add(Book(owner="ann", isbn="free", shelf_id=99))),
        ("UPDATE", lambda session: setattr(session.get(Book, 1), "shelf_id", 99)),
    ],
)
def test_the_log_tells_what_was_denied(small, caplog, verb, change):
    """A row that would refer to none is denied as it is written: made, or changed."""
    caplog.set_level("INFO", logger="licet.authz.decisions")
    assert small.attempt(change) == "AccessDenied"
    (line,) = [record.licet for record in caplog.records if hasattr(record, "licet")]
    assert (line["verb"], line["resource"]) == (verb, "books")
