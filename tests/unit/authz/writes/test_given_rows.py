"""Transactions that change very many rows by which others are decided."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tests.unit.authz.writes.small import OWN, Small

from licet.authz import ALL, VIEW, Policy, attr, caller, registered


class Base(DeclarativeBase):
    pass


class Kind(enum.Enum):
    GUEST = 1


link = sa.Table(
    "link",
    Base.metadata,
    sa.Column("event_id", sa.ForeignKey("event.id"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True),
    sa.Column("note", sa.String),
)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="x")


class Event(Base):
    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    title: Mapped[str] = mapped_column(default="t")
    members: Mapped[list[Member]] = relationship()
    tags: Mapped[list[Tag]] = relationship(secondary=link)


class Member(Base):
    __tablename__ = "member"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    name: Mapped[str]
    day: Mapped[date] = mapped_column(default=date(2030, 1, 1))
    at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=lambda: datetime(2030, 1, 1, tzinfo=UTC)
    )
    is_active: Mapped[bool] = mapped_column(default=True)
    kind: Mapped[Kind] = mapped_column(default=Kind.GUEST)
    price: Mapped[float | None]
    raw: Mapped[bytes] = mapped_column(default=b"x")
    note: Mapped[str | None]


for n in range(10):
    setattr(Member, f"extra_{n}", mapped_column(sa.Integer, default=n))

MEMBERS = attr("members").any(
    (attr("name") == caller.principal)
    & attr("is_active").is_true()
    & (attr("day") <= date(2030, 1, 1))
)
EVENTS = Policy(Event, name="events").allow(registered, VIEW)
EVENTS.allow(registered, ALL, when=OWN)
EVENTS.allow(registered, ALL, when=MEMBERS | attr("tags").any(attr("name") == caller.principal))


def library(n_members: int = 0, n_tags: int = 0, **values: object) -> Small:
    """Ann is a member of the first event, and ben owns the second."""
    made = Small(Base.metadata, EVENTS)
    made.store(Event(id=1, owner="zoe"), Event(id=2, owner="ben"), Tag(name="ann"))
    made.session.add_all(Tag() for _ in range(n_tags))
    made.session.add(Member(event_id=1, name="ann"))
    made.session.add_all(Member(event_id=1, name="it's é \\ %", **values) for _ in range(n_members))
    made.session.commit()
    return made


def rename(session, *, to=None, event=None):
    for member in session.scalars(sa.select(Member)):
        if member.name != "ann":
            member.name, member.event_id = to or f"{member.name}!", event or member.event_id
    session.flush()


@pytest.mark.parametrize("values", [{}, {"price": 1.5}], ids=["few parameters", "one each"])
class TestMembers:
    """Rows with the foreign key."""

    def test_what_was_gives_the_right(self, values):
        """Ann's event is hers whatever she renames in it."""
        small = library(210, **values)

        def change(session):
            rename(session)
            session.get(Event, 1).title = "new"

        assert small.attempt(change) == "done"

    def test_what_is_made_gives_none(self, values):
        """She does not get ben's event by moving members there under her name."""
        small = library(210, **values)

        def change(session):
            rename(session, to="ann", event=2)
            session.get(Event, 2).title = "new"

        assert small.attempt(change) == "AccessDenied"


def test_a_right_among_others_is_given_by_nobody_to_themselves():
    """Ann puts herself into ben's event: that he owns it is another way, and no matter."""
    small = library()
    himself = Member(event_id=2, name="zoe")
    assert small.attempt(lambda session: session.add(himself)) == "done"
    herself = Member(event_id=2, name="ann")
    assert small.attempt(lambda session: session.add(herself)) == "AccessDenied"


def test_more_than_the_parameters_of_a_statement():
    """1,700 rows of nineteen columns are 32,300 values."""
    small = library(1_700)

    def change(session):
        rename(session)
        session.get(Event, 1).title = "new"

    assert small.attempt(change) == "done"


class TestLinks:
    """Rows of an association table, whose key has two columns."""

    def test_of_an_event_of_the_callers(self):
        """More than an expression of SQLite can be deep."""
        small = library(0, 1_100)

        def change(session):
            event = session.get(Event, 1)
            event.tags.extend(session.scalars(sa.select(Tag).where(Tag.name == "x")))
            session.flush()
            event.title = "new"

        assert small.attempt(change) == "done"
        assert small.rows("SELECT count(*) FROM link") == [(1_100,)]

    def test_of_another_event(self):
        """What they give is not what was."""
        small = library(0, 300)

        def change(session):
            event = session.get(Event, 2)
            event.tags.extend(session.scalars(sa.select(Tag)))
            session.flush()
            event.title = "new"

        assert small.attempt(change) == "AccessDenied"
