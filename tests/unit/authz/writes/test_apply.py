"""What a block may set of its object, and what a row may refer to."""

from __future__ import annotations

import dataclasses
import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import request
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    composite,
    mapped_column,
    relationship,
    synonym,
    validates,
)
from sqlalchemy.types import TypeDecorator
from tests.unit.authz.writes.small import OWN, Small, owned

from licet.authz import CREATE, UPDATE, VIEW, Policy, attr, caller, guarded_by, registered, write
from licet.db.types import UTCDateTime
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


class Values(DeclarativeBase):
    pass


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Upper(TypeDecorator):
    """A type of an app's own, for texts alone."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else value.upper()


class Label(Values):
    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(sa.ForeignKey("thing.id"))
    name: Mapped[str]

    def __init__(self, name):
        self.name = name


class Thing(Values):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    title: Mapped[str] = mapped_column(sa.String(10), default="t")
    number: Mapped[int | None]
    small: Mapped[int | None] = mapped_column(sa.SmallInteger)
    is_open: Mapped[bool | None]
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(6, 2))
    weight: Mapped[float | None]
    day: Mapped[date | None]
    at: Mapped[datetime | None]
    hour: Mapped[time | None]
    span: Mapped[timedelta | None]
    token: Mapped[UUID | None]
    text_token: Mapped[str | None] = mapped_column(sa.Uuid(as_uuid=False))
    color: Mapped[Color | None]
    raw: Mapped[bytes | None]
    data: Mapped[dict | None] = mapped_column(sa.JSON)
    loud: Mapped[str | None] = mapped_column(Upper)
    since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    double: Mapped[int | None] = mapped_column(sa.Computed("number * 2"))
    place: Mapped[Point] = composite(mapped_column("x", default=0), mapped_column("y", default=0))
    labels: Mapped[list[Label]] = relationship()
    names = association_proxy("labels", "name")
    caption = synonym("title")

    @hybrid_property
    def length(self):
        return self.title


THINGS = owned(Thing, "things")
TOKEN = "12345678-1234-5678-1234-567812345678"


class TestValues:
    """Values of a body, which come as JSON or as the texts of a form."""

    @pytest.fixture
    def small(self):
        made = Small(Values.metadata, THINGS)
        made.store(Thing(id=1, owner="ann", place=Point(0, 0)))
        return made

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("id", ["x", None, 2**70]),
            ("owner", [None]),
            ("title", [5, None, True, [], {}, "x" * 11, "\0", "\ud800"]),
            ("caption", [5]),
            ("number", ["x", "1.5", 1.5, True, [1], 2**63]),
            ("small", [[]]),
            ("is_open", ["yes", 2, "1", []]),
            ("price", ["x", True, [], "NaN", 10**4, "10000", 9999.999, "1e400"]),
            ("weight", ["x", True, [], 10**400, "nan"]),
            ("day", ["tomorrow", 5, "2030-02-31"]),
            ("at", ["now", 5]),
            ("hour", ["25:00", 5]),
            ("span", [5, "PT5S"]),
            ("token", ["x", 5]),
            ("text_token", ["x", 5]),
            ("color", ["GREEN", 1]),
            ("raw", ["text"]),
            ("loud", [5]),
            ("since", ["2030-01-31T10:00:00", "now", 5]),
            ("place", [[1, 2], None, {"x": 1, "y": 2}]),
            ("names", [["a"], "ab", None, []]),
            ("length", ["x"]),
            ("double", [4]),
        ],
    )
    def test_that_cannot_be_stored(self, small, name, values):
        """422 names the field, and the others are not set either."""

        def change(session):
            with write(THINGS, UPDATE, session.get(Thing, 1)) as block:
                for value in values:
                    with pytest.raises(InvalidRequest, match=rf"\b{name}\."):
                        block.apply({"data": {"a": 1}, name: value})

        assert small.attempt(change) == "done"
        assert small.rows("SELECT title, data FROM thing") == [("t", None)]
        assert small.rows("SELECT * FROM label") == []

    @pytest.mark.parametrize(
        ("name", "given", "kept"),
        [
            ("number", "-5", -5),
            ("number", sa.literal(2) + 3, 5),
            ("is_open", 1, True),
            ("price", "1.10", Decimal("1.10")),
            ("price", 3, 3),
            ("weight", "1.5", 1.5),
            ("weight", 2, 2),
            ("day", "2030-01-31", date(2030, 1, 31)),
            ("at", "2030-01-31T10:00:00", datetime(2030, 1, 31, 10)),  # noqa: DTZ001
            ("hour", "10:30", time(10, 30)),
            ("span", timedelta(1), timedelta(1)),
            ("token", TOKEN, UUID(TOKEN)),
            ("text_token", TOKEN, TOKEN),
            ("color", "RED", Color.RED),
            ("raw", b"x", b"x"),
            ("data", [1, None], [1, None]),
            ("loud", "x", "X"),
            ("since", "2030-01-31T10:00:00+00:00", datetime(2030, 1, 31, 10, tzinfo=UTC)),
            ("caption", "new", "new"),
            ("place", Point(1, 2), Point(1, 2)),
            ("number", None, None),
        ],
    )
    def test_that_can_be_stored(self, small, name, given, kept):
        """Texts are read as what they stand for, where JSON has no other form."""

        def change(session):
            with write(THINGS, UPDATE, session.get(Thing, 1)) as block:
                block.apply({name: given})
            assert getattr(block.object, name) == kept

        assert small.attempt(change) == "done"

    @pytest.mark.parametrize(
        ("fields", "outcome"),
        [
            ({"title": None, "id": None}, "done"),  # the defaults are taken
            ({"title": None, "owner": None}, "InvalidRequest"),
        ],
    )
    def test_null_of_a_draft(self, small, fields, outcome):
        """It is what an absent field is, so a default takes its place."""

        def change(_session):
            with write(THINGS, CREATE, Thing(owner="ann", place=Point(0, 0))) as block:
                block.apply(fields)

        assert small.attempt(change) == outcome
