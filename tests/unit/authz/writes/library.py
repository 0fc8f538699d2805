"""A library whose sessions are guarded: shelves with curators, and what stands on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from flask import Flask, request
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

from licet import Licet
from licet.authz import (
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    attr,
    caller,
    register_policies,
    registered,
)


class Base(DeclarativeBase):
    pass


book_topic = sa.Table(
    "book_topic",
    Base.metadata,
    sa.Column("book_id", sa.ForeignKey("book.id"), primary_key=True),
    sa.Column("topic_id", sa.ForeignKey("topic.id"), primary_key=True),
)


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    curator: Mapped[str]
    is_open: Mapped[bool] = mapped_column(default=False)
    room: Mapped[str | None]
    books: Mapped[list[Book]] = relationship()


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    owner: Mapped[str] = mapped_column(server_default="ben")
    title: Mapped[str] = mapped_column(default="untitled")
    kind: Mapped[str] = mapped_column(default="book")
    shelf: Mapped[Shelf | None] = relationship(overlaps="books")
    topics: Mapped[list[Topic]] = relationship(secondary=book_topic, back_populates="books")

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "book"}  # noqa: RUF012


class Atlas(Book):
    __tablename__ = "atlas"
    id: Mapped[int] = mapped_column(sa.ForeignKey("book.id"), primary_key=True)
    scale: Mapped[int]

    __mapper_args__ = {"polymorphic_identity": "atlas"}  # noqa: RUF012


class Topic(Base):
    __tablename__ = "topic"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    books: Mapped[list[Book]] = relationship(secondary=book_topic, back_populates="topics")


class Event(Base):
    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    members: Mapped[list[Member]] = relationship(cascade="all, delete-orphan")


class Member(Base):
    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    name: Mapped[str]


class Seat(Base):
    __tablename__ = "seat"
    row: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column("nr", primary_key=True)
    owner: Mapped[str]


class Who:
    is_authenticated = True

    def __init__(self, principal: str) -> None:
        self.principal = principal


ANN, BEN = Who("ann"), Who("ben")


def make_books() -> Policy:
    """Ann and ben change what is theirs, or is on a shelf of theirs."""
    books = Policy(Book, name="books")
    own = (attr("owner") == caller.principal) | (attr("shelf.curator") == caller.principal)
    books.allow(registered, VIEW | LIST | UPDATE | CREATE | DELETE, when=own)
    books.readonly("id", "owner")
    return books


def make_seats() -> Policy:
    seats = Policy(Seat, name="seats")
    seats.allow(registered, VIEW)
    return seats.allow(registered, UPDATE | DELETE, when=attr("owner") == caller.principal)


def make_events() -> Policy:
    """Events of which the caller is a member; members have no policy of their own."""
    events = Policy(Event, name="events").allow(registered, VIEW)
    return events.allow(
        registered, UPDATE | DELETE, when=attr("members").any(attr("name") == caller.principal)
    )


def make_topics() -> Policy:
    topics = Policy(Topic, name="topics").allow(registered, VIEW)
    return topics.allow(
        registered, CREATE | UPDATE | DELETE, when=attr("owner") == caller.principal
    )


POLICIES = (
    make_books(),
    make_seats(),
    make_events(),
    make_topics(),
)  # built once, as that takes longest


class Library:
    """The app, its policies, and a session."""

    def __init__(self, **options: Any) -> None:
        self.engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        Base.metadata.create_all(self.engine)
        self.session = Session(self.engine)
        self.app = Flask("library")
        Licet(self.app)
        self.books, self.seats, self.events, self.topics = POLICIES
        register_policies(
            self.app,
            self.books,
            self.seats,
            self.events,
            self.topics,
            session=lambda: self.session,
            caller=lambda: BEN if request.headers.get("Caller") == "ben" else ANN,
            **options,
        )
        self.session.add_all([Shelf(id=1, curator="ann"), Shelf(id=2, curator="ben")])
        self.session.add_all([Shelf(id=3, curator="ann"), Seat(row=1, number="a", owner="ann")])
        self.session.add(Book(id=1, shelf_id=1, owner="ann", title="Licet"))
        self.session.add(Book(id=2, shelf_id=2, owner="ben", title="Non licet"))
        self.session.add(Event(id=1, members=[Member(id=1, name="ann"), Member(id=2, name="ben")]))
        self.session.add(Event(id=2, members=[Member(id=3, name="ben")]))
        both = [self.book(1), self.book(2)]
        self.session.add_all([Topic(id=1, owner="ann", books=both), Topic(id=2, owner="ben")])
        self.session.commit()

    @contextmanager
    def asked_by(self, name: str) -> Iterator[Session]:
        """A request of somebody's."""
        with self.app.test_request_context(headers={"Caller": name}):
            yield self.session
        self.session.rollback()

    def book(self, key: int) -> Any:
        return self.session.get(Book, key)

    def rows(self) -> list[tuple[Any, ...]]:
        """What is committed of the books."""
        self.session.rollback()
        text = sa.text("SELECT id, shelf_id, owner, title FROM book ORDER BY id")
        found = [tuple(row) for row in self.session.execute(text)]
        self.session.rollback()
        return found

    def close(self) -> None:
        self.session.close()
        self.engine.dispose()
