"""AsyncSession: what needs no loading works; what does is refused with what to write instead."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from licet.authz import CREATE, LIST, UPDATE, VIEW, Policy, attr, caller, everyone, list_objects
from licet.errors import InvalidCondition, UnloadedObject


class Base(DeclarativeBase):
    pass


class Event(Base):
    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    talks: Mapped[list[Talk]] = relationship(back_populates="event")


class Talk(Base):
    __tablename__ = "talk"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    event: Mapped[Event] = relationship(back_populates="talks")


class Caller:
    name = "ann"


own = attr("event.owner") == caller.name
talks = Policy(Talk).allow(everyone, LIST | VIEW | CREATE | UPDATE, when=own)
events = Policy(Event).allow(everyone, LIST | VIEW, when=attr("talks").any(attr("id") == 1))


@pytest.fixture(autouse=True)
def _no_coroutine_is_left() -> Iterator[None]:
    """SQLAlchemy leaves one that it could not await; its end is no other test's business."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


def in_session(ask: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    """What `ask` gives, in an asynchronous session with one event and one talk."""

    async def run() -> Any:
        engine = create_async_engine("sqlite+aiosqlite://", poolclass=sa.StaticPool)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        try:
            async with AsyncSession(engine) as session:
                session.add_all([Event(id=1, owner="ann"), Talk(id=1, event_id=1)])
                await session.commit()
                session.expunge_all()
                return await ask(session)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def test_lists_and_loaded_objects():
    """A filtered list, and decisions about what is loaded, ask nothing more."""

    async def ask(session: AsyncSession) -> tuple[bool, bool]:
        listed = talks.filter(sa.select(Talk), Caller()).options(selectinload(Talk.event))
        talk = (await session.scalars(listed)).one()
        found = sa.select(Event).options(selectinload(Event.talks))
        event = (await session.scalars(found)).one()
        return talks.decide(Caller(), UPDATE, talk).allowed, events.decide(
            None, VIEW, event
        ).allowed

    assert in_session(ask) == (True, True)


@pytest.mark.parametrize(("policy", "name"), [(talks, "Talk.event"), (events, "Event.talks")])
def test_what_is_not_loaded_is_refused(policy: Policy, name: str):
    """The error says what is missing, and both ways to have it."""

    async def ask(session: AsyncSession) -> None:
        one = (await session.scalars(sa.select(policy.model))).one()
        policy.decide(Caller(), VIEW, one)

    with pytest.raises(UnloadedObject, match=rf"{name} is not loaded.*selectinload.*run_sync"):
        in_session(ask)


@pytest.mark.parametrize("policy", [talks, events])
def test_inside_of_run_sync(policy: Policy):
    """There everything can be loaded."""

    async def ask(session: AsyncSession) -> bool:
        one = (await session.scalars(sa.select(policy.model))).one()
        return await session.run_sync(lambda _: policy.decide(Caller(), VIEW, one).allowed)

    assert in_session(ask)


@pytest.mark.parametrize(
    "use",
    [
        lambda session: talks.decide(Caller(), CREATE, Talk(event_id=1), session=session),
        lambda session: talks.explain(Caller(), CREATE, Talk(event_id=1), session=session),
        lambda session: talks.visible_fields(Caller(), Talk(event_id=1), session=session),
        lambda session: talks.writable_fields(Caller(), Talk(event_id=1), session=session),
        lambda session: list(list_objects(talks, session, sa.select(Talk), Caller())),
    ],
)
def test_an_asynchronous_session_as_argument_is_refused(use: Callable[[Any], Any]):
    """Where a session is asked for, an AsyncSession is told to be none."""

    async def ask(session: AsyncSession) -> None:
        use(session)

    with pytest.raises(InvalidCondition, match=r"a Session of SQLAlchemy, not .*run_sync"):
        in_session(ask)


def test_a_draft_beside_an_asynchronous_session():
    """The session's own synchronous one can be given, inside of run_sync only."""

    async def ask(session: AsyncSession) -> bool:
        draft = Talk(event_id=1)

        def decide(sync: Any) -> bool:
            return talks.decide(Caller(), CREATE, draft, session=sync).allowed

        assert await session.run_sync(decide)
        return decide(session.sync_session)

    with pytest.raises(UnloadedObject, match=r"Talk\.event is not loaded"):
        in_session(ask)


@pytest.mark.parametrize("session", ["session", 1, sa.create_engine("sqlite://")])
def test_what_is_no_session(session: Any):
    """Anything else is refused, too."""
    with pytest.raises(InvalidCondition, match="session takes a Session of SQLAlchemy, not"):
        talks.decide(Caller(), CREATE, Talk(event_id=1), session=session)
