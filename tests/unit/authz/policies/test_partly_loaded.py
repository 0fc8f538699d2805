"""Relationships that a program loaded in part: the answer is the database's, or an error."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    contains_eager,
    immediateload,
    joinedload,
    lazyload,
    load_only,
    mapped_column,
    noload,
    relationship,
    selectinload,
    subqueryload,
    with_loader_criteria,
)
from sqlalchemy.orm.interfaces import UserDefinedOption

from licet.authz import DELETE, LIST, UPDATE, VIEW, Policy, attr, everyone, predicate
from licet.authz.policies._models import loading
from licet.errors import UnloadedObject
from licet.testing import assert_policy_consistent

pytestmark = pytest.mark.filterwarnings("ignore:.*noload:sqlalchemy.exc.SADeprecationWarning")


class Base(DeclarativeBase):
    pass


class Event(Base):
    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="e")
    sessions: Mapped[list[Talk]] = relationship(back_populates="event", order_by="Talk.id")
    tags: Mapped[list[Tag]] = relationship(secondary="event_tag")
    badge: Mapped[Badge | None] = relationship(back_populates="event")
    never: Mapped[list[Talk]] = relationship(lazy="noload", viewonly=True)


class Talk(Base):
    __tablename__ = "talk"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"))
    state: Mapped[str]
    is_gone: Mapped[bool] = mapped_column(default=False)
    event: Mapped[Event | None] = relationship(back_populates="sessions")


class Badge(Base):
    __tablename__ = "badge"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    state: Mapped[str]
    event: Mapped[Event] = relationship(back_populates="badge")


class Tag(Base):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]


event_tag = sa.Table(
    "event_tag",
    Base.metadata,
    sa.Column("event_id", sa.ForeignKey("event.id"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True),
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of noload, which SQLAlchemy is going to remove
    Base.registry.configure()

accepted = attr("state") == "accepted"
CONDITIONS = {
    "sessions.any": attr("sessions").any(accepted),
    "not sessions.any": ~attr("sessions").any(accepted),
    "sessions.all": attr("sessions").all(attr("state") == "draft"),
    "tags.any": attr("tags").any(accepted),
    "not tags.any": ~attr("tags").any(accepted),
    "never.any": attr("never").any(accepted),
    "no badge": attr("badge").is_null(),
    "badge": attr("badge.state") == "accepted",
}


def policy_of(condition: Any) -> Policy:
    return Policy(Event).allow(everyone, LIST | VIEW | UPDATE | DELETE, when=condition)


POLICIES = {name: policy_of(condition) for name, condition in CONDITIONS.items()}


@pytest.fixture
def db() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yes, no = Tag(state="accepted"), Tag(state="draft")
        session.add(
            Event(
                id=1,
                sessions=[Talk(state="accepted", is_gone=True), Talk(state="draft")],
                tags=[yes, no],
                badge=Badge(state="accepted"),
            )
        )
        session.add(Event(id=2, sessions=[Talk(state="draft")], tags=[no]))
        session.commit()
        session.expunge_all()
        yield session


def _contains_eager() -> sa.Select[Any]:
    return (
        sa.select(Event)
        .outerjoin(Event.sessions.and_(Talk.state == "draft"))
        .outerjoin(Event.tags.and_(Tag.state == "draft"))
        .outerjoin(Event.badge.and_(Badge.state == "draft"))
        .options(
            contains_eager(Event.sessions), contains_eager(Event.tags), contains_eager(Event.badge)
        )
    )


def _narrowed(load: Callable[..., Any]) -> Callable[[], sa.Select[Any]]:
    def make() -> sa.Select[Any]:
        return sa.select(Event).options(
            load(Event.sessions.and_(Talk.state == "draft")),
            load(Event.tags.and_(Tag.state == "draft")),
            load(Event.badge.and_(Badge.state == "draft")),
        )

    return make


def _never() -> sa.Select[Any]:
    return sa.select(Event).options(noload(Event.sessions), noload(Event.tags), noload(Event.badge))


def _none_at_all() -> sa.Select[Any]:
    return sa.select(Event).options(noload("*"))


def _criteria() -> sa.Select[Any]:
    return sa.select(Event).options(
        *(with_loader_criteria(cls, cls.state == "draft") for cls in (Talk, Tag, Badge))
    )


def _criteria_of_a_base() -> sa.Select[Any]:
    return sa.select(Event).options(
        with_loader_criteria(
            Base, lambda cls: cls.state == "draft" if hasattr(cls, "state") else sa.true()
        )
    )


NARROW = {
    "contains_eager": _contains_eager,
    "selectinload": _narrowed(selectinload),
    "joinedload": _narrowed(joinedload),
    "subqueryload": _narrowed(subqueryload),
    "immediateload": _narrowed(immediateload),
    "lazyload": _narrowed(lazyload),
    "noload": _never,
    "noload of all": _none_at_all,
    "with_loader_criteria": _criteria,
    "with_loader_criteria of a base": _criteria_of_a_base,
}


class Cached(UserDefinedOption):
    """As a cache of results defines one for itself."""


PLAIN = {
    "plain": lambda: sa.select(Event),
    "joinedload": lambda: sa.select(Event).options(joinedload(Event.sessions)),
    "selectinload": lambda: sa.select(Event).options(
        selectinload(Event.sessions).load_only(Talk.state), selectinload(Event.tags)
    ),
    "lazyload of all": lambda: sa.select(Event).options(lazyload("*")),
    "load_only": lambda: sa.select(Event).options(load_only(Event.id)),
    "an app's option": lambda: sa.select(Event).options(Cached()),
}


def loaded(db: Session, statement: sa.Select[Any]) -> list[Any]:
    """The events with all that the statement lets be loaded, also lazily."""
    events = list(db.scalars(statement).unique())
    for event in events:
        assert event.sessions is not None
        assert event.tags is not None
        assert event.badge is None or event.badge.state
    return events


def answers(policy: Policy, events: list[Any]) -> list[int]:
    return [event.id for event in events if policy.decide(None, DELETE, event)]


def listed(policy: Policy, db: Session) -> list[int]:
    return list(
        db.scalars(policy.filter(sa.select(Event), None, DELETE).with_only_columns(Event.id))
    )


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("way", NARROW)
def test_what_is_loaded_in_part_is_asked_of_the_database(db: Session, way: str, name: str):
    """Decision, explanation and list agree, however the collections were loaded."""
    policy = POLICIES[name]
    events = loaded(db, NARROW[way]())

    assert answers(policy, events) == listed(policy, db)
    explained = [event.id for event in events if policy.explain(None, DELETE, event)[1]]
    assert explained == listed(policy, db)


@pytest.mark.parametrize("way", NARROW)
def test_objects_that_were_there_before(db: Session, way: str):
    """A statement that fills what an object did not have yet is known, too."""
    events = list(db.scalars(sa.select(Event)))
    loaded(db, NARROW[way]().execution_options(populate_existing=way != "contains_eager"))

    for policy in POLICIES.values():
        assert answers(policy, events) == listed(policy, db)


@pytest.mark.parametrize("way", NARROW)
def test_unflushed_changes_count(db: Session, way: str):
    """What waits to be flushed is added to what the database has, or taken from it."""
    first, second = loaded(db, NARROW[way]())
    policy = POLICIES["sessions.any"]
    with db.no_autoflush:
        second.sessions.append(Talk(state="accepted"))
        assert policy.explain(None, UPDATE, second).holds
        assert not policy.decide(None, UPDATE, second)  # it was not allowed before the change
    db.flush()
    assert answers(policy, [first, second]) == listed(policy, db) == [1, 2]


@pytest.mark.parametrize("name", ["sessions.any", "not sessions.any", "tags.any", "no badge"])
@pytest.mark.parametrize("carry", [lambda one: one, lambda one: pickle.loads(pickle.dumps(one))])
def test_without_a_session_the_rest_cannot_be_known(db: Session, name: str, carry: Any):
    """An object that left its session, pickled or not, is an error and no answer."""
    event, _ = loaded(db, _contains_eager())
    db.expunge_all()

    with pytest.raises(UnloadedObject, match=r"Event\.\w+ may be loaded in part"):
        POLICIES[name].decide(None, VIEW, carry(event))


def test_copies_of_unknown_origin(db: Session):
    """What merge(load=False) brings, such as from a cache, is not trusted either."""
    event, _ = loaded(db, _narrowed(selectinload)())
    db.expunge_all()
    copied = db.merge(event, load=False)

    assert POLICIES["sessions.any"].decide(None, VIEW, copied)


@pytest.mark.parametrize("way", PLAIN)
def test_what_is_loaded_whole_is_not_asked_again(db: Session, way: str):
    """A decision about loaded objects costs no statement."""
    events = loaded(db, PLAIN[way]())
    asked: list[str] = []
    sa.event.listen(db.get_bind(), "before_cursor_execute", lambda *args: asked.append(args[2]))

    assert answers(POLICIES["sessions.any"], events) == [1]
    assert answers(POLICIES["tags.any"], events) == [1]
    assert asked == []


@pytest.mark.parametrize("name", CONDITIONS)
def test_what_is_not_loaded_costs_one_statement(db: Session, name: str):
    """The related objects of an object stay in the database: it answers, with one row."""
    event = db.get_one(Event, 1)
    asked: list[str] = []
    sa.event.listen(db.get_bind(), "before_cursor_execute", lambda *args: asked.append(args[2]))

    allowed = bool(POLICIES[name].decide(None, VIEW, event))

    assert len(asked) == 1
    if "badge" not in name:
        assert set(db.identity_map.values()) == {event}
    assert allowed is (1 in listed(POLICIES[name], db))


def test_a_python_function_reads_the_objects(db: Session):
    """What SQL cannot say is asked of the objects, all of them."""
    is_accepted = everyone_may(lambda talk, _caller: talk.state == "accepted")
    events = loaded(db, _narrowed(selectinload)())

    assert answers(is_accepted, events) == [1]
    assert is_accepted.explain(None, VIEW, events[0]).holds


def everyone_may(function: Callable[[Any, Any], bool]) -> Policy:
    return Policy(Event).allow(
        everyone, VIEW | DELETE, when=attr("sessions").any(predicate(function))
    )


def test_a_large_collection_is_explained_by_a_few_rows(db: Session):
    """An explanation loads some rows; the outcome is that of all."""
    db.execute(sa.insert(Talk), [{"event_id": 2, "state": "draft"} for _ in range(500)])
    db.execute(sa.insert(Talk), [{"event_id": 2, "state": "accepted"}])
    db.commit()
    event = db.get_one(Event, 2)

    why = POLICIES["sessions.any"].explain(None, VIEW, event)
    not_all = POLICIES["sessions.all"].explain(None, VIEW, event)

    assert why.holds
    assert not not_all.holds
    assert "found more than 20" in str(why)
    assert len(list(db.identity_map.values())) < 30
    assert POLICIES["not sessions.any"].decide(None, VIEW, event).reason


def test_a_row_that_is_gone_is_denied(db: Session):
    """Another transaction deleted the owner: nothing is granted because nothing is found."""
    event = db.get_one(Event, 1)
    db.execute(sa.text("DELETE FROM event WHERE id = 1"))

    assert not POLICIES["not sessions.any"].decide(None, VIEW, event)


def test_the_proof_sees_it(db: Session, monkeypatch: pytest.MonkeyPatch):
    """`assert_policy_consistent` fails for who would trust what is loaded in part."""
    narrow = _narrowed(selectinload)()
    assert assert_policy_consistent(POLICIES["not sessions.any"], db, [None], statement=narrow)
    db.expunge_all()

    monkeypatch.setattr(loading, "_narrowed", lambda _option: frozenset())
    with pytest.raises(AssertionError, match="decide allows"):
        assert_policy_consistent(POLICIES["not sessions.any"], db, [None], statement=narrow)
