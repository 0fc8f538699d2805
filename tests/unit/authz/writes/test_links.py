"""Rows of association tables: to rows that are not there, changed by the database, of odd types."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    make_transient_to_detached,
    mapped_column,
    relationship,
)
from tests.unit.authz.writes.small import Small, owned

REFUSED = ("AccessDenied", "ObjectNotFound")


class Json(sa.types.TypeDecorator[Any]):
    """Lists and dicts, as text."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value, _dialect):
        return None if value is None else json.dumps(value)

    def process_result_value(self, value, _dialect):
        return None if value is None else json.loads(value)


class Folded(sa.types.TypeDecorator[str]):
    """Reads small letters, whatever is stored."""

    impl = sa.String
    cache_ok = True

    def process_result_value(self, value, _dialect):
        return None if value is None else value.lower()


class App(Small):
    """Books and tags with owners, and links between them, whose classes each test has anew."""

    def __init__(self, *, prefix: str = "", enforces: bool = True, **of_tag: Any) -> None:
        class Base(DeclarativeBase):
            pass

        tag_column = sa.Column(
            f"{prefix}tag", sa.ForeignKey("tag.id", **of_tag), server_default="2", primary_key=True
        )
        link = sa.Table(
            "link",
            Base.metadata,
            sa.Column(f"{prefix}book", sa.ForeignKey("book.id"), primary_key=True),
            tag_column,
            sa.Column("more", Json),
        )

        class Tag(Base):
            __tablename__ = "tag"
            id: Mapped[int] = mapped_column(primary_key=True)
            owner: Mapped[str]

        class Book(Base):
            __tablename__ = "book"
            id: Mapped[int] = mapped_column(primary_key=True)
            owner: Mapped[str]
            price: Mapped[Decimal | None] = mapped_column(sa.Numeric(10, 2))
            label: Mapped[str | None] = mapped_column(Folded)
            tags: Mapped[list[Tag]] = relationship(
                secondary=link, backref="books", passive_deletes="all"
            )

        class Link(Base):
            __table__ = link

        super().__init__(Base.metadata, owned(Book), owned(Tag))
        if not enforces:
            self.run("pragma foreign_keys=off")
        self.book, self.tag, self.link = Book, Tag, Link
        self.store(Tag(id=1, owner="ann"), Tag(id=2, owner="ben"))
        self.store(
            Book(id=1, owner="ann"), Book(id=2, owner="ben", price=Decimal("1.5"), label="a")
        )

    def run(self, text: str) -> None:
        with self.engine.connect() as connection:
            connection.exec_driver_sql(text)
            connection.commit()

    def add(self, session: Session, book: int = 1, tag: int = 1) -> None:
        found, other = session.get(self.book, book), session.get(self.tag, tag)
        found.tags.append(other)

    def links(self) -> list[tuple[Any, ...]]:
        return [row[:2] for row in self.rows("SELECT * FROM link ORDER BY 1, 2")]


class TestRowsThatAreNotThere:
    """Who links a row that does not exist plants a right for the one that will."""

    def plant(self, app, session):
        ghost = app.book(id=7)
        make_transient_to_detached(ghost)
        session.add(ghost)
        tag = session.get(app.tag, 1)
        tag.books.append(ghost)

    def test_a_link_to_one_is_refused(self):
        """Where the database does not see to it."""
        app = App(enforces=False)
        assert app.attempt(lambda session: self.plant(app, session)) in REFUSED
        assert app.links() == []

    def test_so_is_one_that_is_written_as_an_object(self):
        """By the same reason."""
        app = App(enforces=False)
        assert app.attempt(lambda session: session.add(app.link(book=7, tag=1))) in REFUSED
        assert app.links() == []

    def test_one_to_a_row_of_the_same_transaction_is_not(self):
        """It is there when all is decided."""
        app = App(enforces=False)

        def both(session):
            book, tag = app.book(id=7, owner="ann"), session.get(app.tag, 1)
            book.tags.append(tag)
            session.add(book)

        assert app.attempt(both) == "done"
        assert app.links() == [(7, 1)]

    def test_one_that_was_taken_back_is_not(self):
        """With a savepoint, or by another change."""
        app = App(enforces=False)

        def with_savepoint(session):
            nested = session.begin_nested()
            self.plant(app, session)
            session.flush()
            nested.rollback()
            app.add(session)

        def by_hand(session):
            book, tag = session.get(app.book, 1), session.get(app.tag, 1)
            book.tags.remove(tag)
            session.flush()
            book.tags.append(tag)
            session.flush()
            book.tags.remove(tag)

        assert app.attempt(with_savepoint) == "done"
        assert app.links() == [(1, 1)]
        assert app.attempt(by_hand) == "done"
        assert app.links() == []


class TestWhatTheDatabaseDoes:
    @pytest.mark.parametrize("as_object", [False, True])
    def test_a_trigger_that_links_another_row(self, as_object):
        """The link is not found as it was written, and nobody was asked about the other."""
        app = App()
        app.run(
            "CREATE TRIGGER t AFTER INSERT ON link BEGIN"
            " UPDATE link SET tag = 2 WHERE book = new.book AND tag = new.tag; END"
        )

        def change(session):
            if as_object:
                session.add(app.link(book=1, tag=1))
            else:
                app.add(session)

        assert app.attempt(change) in REFUSED
        assert app.links() == []

    def test_a_default_that_links_another_row(self):
        """A deletion that moves links is refused, not decided."""
        app = App(ondelete="SET DEFAULT")
        assert app.attempt(app.add) == "done"
        assert app.attempt(lambda s: s.delete(s.get(app.tag, 1))) == "UnguardedWrite"
        assert app.links() == [(1, 1)]

    def test_links_that_go_with_a_row(self):
        """It is the owner's of both ends."""
        app = App(ondelete="CASCADE")
        assert app.attempt(app.add) == "done"
        assert app.attempt(lambda s: s.delete(s.get(app.tag, 1))) == "done"
        assert app.links() == []

    def test_made_and_gone_with_a_row(self):
        """In one transaction."""
        app = App(ondelete="CASCADE")

        def both(session):
            app.add(session)
            session.flush()
            session.delete(session.get(app.tag, 1))

        assert app.attempt(both) == "done"
        assert app.links() == []


class TestSavepoints:
    def test_a_savepoint_that_is_released_commits_nothing(self):
        """Python's driver would take it for the transaction where it is the first statement."""
        app = App()

        def change(session):
            with session.begin_nested():
                app.add(session, tag=2)

        assert app.attempt(change) in REFUSED
        assert app.links() == []


class TestNames:
    def test_columns_that_begin_as_former_values_are_marked(self):
        """SQLAlchemy's mark for the former values of a link that moves is ``old_``."""
        app = App(prefix="old_")
        assert app.attempt(app.add) == "done"
        assert app.links() == [(1, 1)]
        assert app.attempt(lambda session: app.add(session, tag=2)) in REFUSED
        assert app.attempt(lambda session: session.get(app.book, 1).tags.clear()) in (
            "done",
            "ObjectDereferencedError",
        )


class TestValues:
    def test_a_link_with_a_list(self):
        """Values without a hash are in nobody's way, nor do they hide a link."""
        app = App()

        def change(session):
            session.get(app.link, (1, 1)).more = {"n": 2}

        assert app.attempt(lambda s: s.add(app.link(book=1, tag=1, more=[1, 2]))) == "done"
        assert app.attempt(change) == "done"
        assert app.rows("SELECT more FROM link") == [('{"n": 2}',)]
        assert app.attempt(lambda s: s.add(app.link(book=1, tag=2, more=[1]))) in REFUSED
        assert app.attempt(lambda s: s.delete(s.get(app.link, (1, 1)))) == "done"
        assert app.links() == []

    @pytest.mark.parametrize(
        ("name", "value"), [("price", Decimal("1.501")), ("label", "A"), ("price", Decimal(2))]
    )
    def test_a_change_that_reads_as_none(self, name, value):
        """What the database has is another value."""
        app = App()

        def change(session):
            setattr(session.get(app.book, 2), name, value)

        assert app.attempt(change) in REFUSED
        assert app.rows("SELECT price, label FROM book WHERE id = 2") == [(1.5, "a")]

    @pytest.mark.parametrize(("name", "value"), [("price", Decimal(2)), ("label", "b")])
    def test_a_change_that_is_taken_back(self, name, value):
        """Though a flush wrote it in between."""
        app = App()

        def change(session):
            book = session.get(app.book, 2)
            former = getattr(book, name)
            setattr(book, name, value)
            session.flush()
            setattr(book, name, former)

        assert app.attempt(change) == "done"
