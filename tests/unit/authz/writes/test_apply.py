"""What a block may set of its object, and what a row may refer to."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import request
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    mapped_column,
    relationship,
    validates,
)
from tests.unit.authz.writes.small import OWN, Small, owned

from licet.authz import CREATE, UPDATE, VIEW, Policy, attr, caller, guarded_by, registered, write
from licet.errors import InvalidRequest


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"))


class Event(Base):
    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    title: Mapped[str] = mapped_column(default="t")
    place: Mapped[str] = mapped_column(default="here")
    notes: Mapped[list[Note]] = relationship()

    @validates("place")
    def has_place(self, _key, value):
        if value == "nowhere":
            raise ValueError("nowhere is no place")
        return value


of_event = sa.select(sa.func.count(Note.id)).where(Note.event_id == Event.id)
Event.n_notes = column_property(of_event.correlate_except(Note).scalar_subquery())  # type: ignore[attr-defined]
EVENTS = owned(Event, "events")


@pytest.mark.parametrize(
    "fields", [{"notes": None}, {"notes": []}, {"notes": {}}, {"notes": [1]}, {"n_notes": 5}]
)
def test_what_json_cannot_set(fields):
    """Relationships have no value in JSON, null and [] among them; expressions have none at all."""
    small = Small(Base.metadata, EVENTS)
    small.store(Event(id=1, owner="ann", notes=[Note(id=1)]))

    def change(session):
        with write(EVENTS, UPDATE, session.get(Event, 1)) as block:
            block.apply(fields)

    assert small.attempt(change) == "InvalidRequest"
    assert small.rows("SELECT event_id FROM note") == [(1,)]


def test_objects_set_relationships():
    """Rows of the session are related by the name of the relationship."""
    small = Small(Base.metadata, EVENTS)
    small.store(Event(id=1, owner="ann"), Note(id=1))

    def change(session):
        with write(EVENTS, UPDATE, session.get(Event, 1)) as block:
            block.apply({"notes": [session.get(Note, 1)]})

    assert small.attempt(change) == "done"
    assert small.rows("SELECT event_id FROM note") == [(1,)]


def test_all_fields_or_none():
    """A validator that refuses one leaves the others as they were."""
    small = Small(Base.metadata, EVENTS)
    small.store(Event(id=1, owner="ann"))

    def change(session):
        with write(EVENTS, UPDATE, session.get(Event, 1)) as block:
            with pytest.raises(ValueError, match="no place"):
                block.apply({"title": "half", "place": "nowhere"})
            assert block.object.title == "t"
            with pytest.raises(InvalidRequest):
                block.apply({"unknown": 1})

    assert small.attempt(change) == "done"
    assert small.rows("SELECT title FROM event") == [("t",)]


def test_absent_and_hidden_rows_are_one():
    """A key that leads nowhere is answered as one of a row that the caller may not use."""

    class Own(DeclarativeBase):
        pass

    class Shelf(Own):
        __tablename__ = "shelf"
        id: Mapped[int] = mapped_column(primary_key=True)
        curator: Mapped[str]

    class Book(Own):
        __tablename__ = "book"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner: Mapped[str]
        shelf_id: Mapped[int] = mapped_column(sa.ForeignKey("shelf.id"))
        shelf = relationship(Shelf)

    books = Policy(Book, name="books").allow(registered, VIEW, when=OWN)
    books.allow(registered, CREATE | UPDATE, when=attr("shelf.curator") == caller.principal)
    small = Small(Own.metadata, books)
    small.store(Shelf(id=1, curator="ann"), Shelf(id=2, curator="ben"))

    @small.app.post("/books")
    @guarded_by(books, CREATE)
    def create():
        with write(books, CREATE, Book(owner="ann")) as block:
            block.apply(request.json)
        return {}, 201

    post = small.app.test_client().post
    found = [post("/books", json={"shelf_id": key}) for key in (1, 2, 99)]
    assert [one.status_code for one in found] == [201, 403, 403]
    assert found[1].json == found[2].json
    add = Book(owner="ann", shelf_id=99)
    assert small.attempt(lambda session: session.add(add)) == "AccessDenied"
