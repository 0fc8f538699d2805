"""A small conference: events with members, speakers with talks, and whoever asks about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from licet.authz import (
    ALL,
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Role,
    attr,
    caller,
    everyone,
    registered,
)


class Base(DeclarativeBase):
    pass


talking = sa.Table(
    "talking",
    Base.metadata,
    sa.Column("talk_id", sa.ForeignKey("talk.id"), primary_key=True),
    sa.Column("speaker_id", sa.ForeignKey("speaker.id"), primary_key=True),
)


class Event(Base):
    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str | None]

    memberships: Mapped[list[Membership]] = relationship(back_populates="event")
    speakers: Mapped[list[Speaker]] = relationship(back_populates="event")


class Membership(Base):
    __tablename__ = "membership"

    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str]

    event: Mapped[Event] = relationship(back_populates="memberships")


class Talk(Base):
    __tablename__ = "talk"

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str | None]
    creator_id: Mapped[int | None]

    speakers: Mapped[list[Speaker]] = relationship(secondary=talking, back_populates="talks")


class Speaker(Base):
    __tablename__ = "speaker"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"))
    name: Mapped[str | None]
    email: Mapped[str | None]

    event: Mapped[Event | None] = relationship(back_populates="speakers")
    talks: Mapped[list[Talk]] = relationship(secondary=talking, back_populates="speakers")


class Who:
    """A caller with these attributes and no others."""

    def __init__(self, account_id: Any = None, **attributes: Any) -> None:
        self.account_id = account_id
        self.is_authenticated = account_id is not None
        self.__dict__.update(attributes)

    def __repr__(self) -> str:
        return f"Who({self.account_id!r})"


NOBODY, STRANGER, CREATOR, OWNER = Who(), Who(1), Who(5), Who(9)
ADMIN = Who(7, is_admin=True)
CALLERS = (NOBODY, STRANGER, CREATOR, OWNER, ADMIN)

published = (attr("event.state") == "published").named("of events in state published")
accepted = attr("talks").any(attr("state").in_(["accepted", "confirmed"])).named("of accepted ones")
own = attr("talks").any(attr("creator_id") == caller.account_id).named("of own talks")
runs_event = (
    attr("event.memberships")
    .any((attr("account_id") == caller.account_id) & attr("role").in_(["owner", "organizer"]))
    .named("of own events")
)
staff = Role("staff", caller.is_admin.is_true(), implies=[registered])


def speaker_policy() -> Policy:
    """Who may do what with speakers; not built yet."""
    return (
        Policy(Speaker, name="speakers")
        .allow(staff, ALL)
        .allow(registered, ALL, when=runs_event)
        .allow(registered, LIST | VIEW | UPDATE | DELETE, when=own)
        .allow(registered, CREATE, when=published)
        .allow(everyone, LIST | VIEW, when=accepted & published)
        .hide("email", unless=[staff, runs_event, own])
        .readonly("id")
        .readonly("email", unless=own)
    )


def fill(session: Session) -> None:
    """Three events, and a speaker of each kind in each; some have no event, or no talk."""
    states = ("accepted", "pending", None)
    talks = [Talk(id=n, state=states[n % 3], creator_id=(5, None, 1)[n // 3]) for n in range(9)]
    events = [Event(id=n, state=state) for n, state in enumerate(("published", "draft", None), 1)]
    events[0].memberships = [
        Membership(account_id=9, role="owner"),
        Membership(account_id=1, role="moderator"),
    ]
    events[1].memberships = [Membership(account_id=9, role="organizer")]
    session.add_all([*talks, *events])
    number = 0
    for event in (*events, None):
        for chosen in ([], *([talk] for talk in talks), talks[:2], talks[6:]):
            number += 1
            name = f"n{number % 7}" if number % 5 else None
            session.add(
                Speaker(id=number, event=event, talks=list(chosen), name=name, email=f"{number}@x")
            )
    session.commit()


@contextmanager
def recorded(session: Session) -> Iterator[list[str]]:
    """The statements that are sent while the block runs."""
    statements: list[str] = []

    def record(*details: Any) -> None:
        statements.append(details[2])

    engine = session.get_bind()
    sa.event.listen(engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", record)
