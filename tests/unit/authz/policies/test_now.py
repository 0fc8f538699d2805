"""``now()``: one moment for a decision, a request, and all that is asked with ``now=``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

from licet.authz import (
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Role,
    attr,
    caller,
    everyone,
    list_objects,
    now,
    predicate,
)
from licet.db.types import UTCDateTime
from licet.errors import InvalidCondition
from licet.testing import assert_policy_consistent

NOON = datetime(2024, 5, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
NOBODY = SimpleNamespace()


class Base(DeclarativeBase):
    pass


class Course(Base):
    __tablename__ = "course"
    id: Mapped[int] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    day: Mapped[date | None]
    lessons: Mapped[list[Lesson]] = relationship()


class Lesson(Base):
    __tablename__ = "lesson"
    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(sa.ForeignKey("course.id"))
    at: Mapped[datetime | None] = mapped_column(UTCDateTime)


@pytest.fixture
def db() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def _policy(when: Any, **options: Any) -> Policy:
    policy = Policy(Course, **options)
    policy.allow(everyone, LIST | VIEW, when=when)
    return policy.build()


open_ = attr("ends_at") > now()


@pytest.mark.parametrize(
    ("when", "allowed"),
    [
        (attr("ends_at") > now(), [False, False, True]),
        (attr("ends_at") >= now(), [False, True, True]),
        (attr("ends_at") == now(), [False, True, False]),
        (attr("ends_at") != now(), [True, False, True]),
        (now() < attr("ends_at"), [False, False, True]),
        (now() == attr("ends_at"), [False, True, False]),
        (attr("ends_at") < now() + TICK, [True, True, False]),
        (attr("ends_at") < TICK + now() - TICK, [True, False, False]),
        (attr("lessons").any(attr("at") >= now() - timedelta(days=1)), [False, True, True]),
    ],
    ids=str,
)
def test_every_reading_has_the_same_moment(db: Session, when: Any, allowed: list[bool]):
    """To the microsecond, around it."""
    moments = [NOON - TICK, NOON, NOON + TICK]
    db.add_all(
        Course(id=key, ends_at=moment, lessons=[Lesson(at=moment - timedelta(days=1))])
        for key, moment in enumerate(moments)
    )
    db.flush()
    policy = _policy(when)
    courses = db.scalars(sa.select(Course).order_by(Course.id)).all()

    assert [bool(policy.decide(NOBODY, VIEW, one, now=NOON)) for one in courses] == allowed
    assert [policy.explain(NOBODY, VIEW, one, now=NOON).holds for one in courses] == allowed
    found = db.scalars(policy.filter(sa.select(Course), NOBODY, now=NOON)).all()
    assert [one in found for one in courses] == allowed
    found = db.scalars(sa.select(Course).where(policy.criterion(NOBODY, now=NOON))).all()
    assert [one in found for one in courses] == allowed
    assert assert_policy_consistent(policy, db, now=NOON) > 0


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2024, 5, 5, 23, 59, 59, 999999, tzinfo=UTC), date(2024, 5, 5)),
        (datetime(2024, 5, 6, tzinfo=UTC), date(2024, 5, 6)),
        (datetime(2024, 5, 6, 1, tzinfo=timezone(timedelta(hours=2))), date(2024, 5, 5)),
    ],
    ids=str,
)
def test_beside_a_date_it_is_the_date_in_utc(db: Session, moment: datetime, day: date):
    """Whatever the zone is in which the moment is given."""
    db.add(Course(id=1, day=day))
    db.flush()
    course = db.get(Course, 1)
    assert course is not None

    today, tomorrow = _policy(attr("day") == now()), _policy(attr("day") < now() + 24 * HOUR)
    for policy in (today, tomorrow):
        assert policy.decide(NOBODY, VIEW, course, now=moment)
        assert assert_policy_consistent(policy, db, [NOBODY], now=moment) > 0
        assert db.scalar(policy.filter(sa.select(Course), NOBODY, now=moment)) is course


def test_a_callers_moment_is_compared_with_it(db: Session):
    """Such as the end of what they were given."""
    valid = Role("valid", (caller.until >= now()) & ~(caller.since > now()))
    policy = Policy(Course)
    policy.allow(valid, LIST | VIEW)
    db.add(Course(id=1))
    db.flush()
    course = db.get(Course, 1)

    def may(**attributes: Any) -> bool:
        return bool(policy.decide(SimpleNamespace(**attributes), VIEW, course, now=NOON))

    assert may(until=NOON)
    assert may(until=NOON.astimezone(timezone(HOUR)), since=NOON)
    assert not may(until=NOON, since=NOON + TICK)
    assert not may(until=NOON - TICK)
    assert not may()
    assert not may(until=NOON.replace(tzinfo=None))
    assert not may(until=NOON.date())
    assert assert_policy_consistent(policy, db, now=NOON) > 0


def test_a_reason_is_of_the_moment_of_its_decision(db: Session):
    """Though it is worked out later, when other things would hold."""
    policy = Policy(Course)
    policy.allow(everyone, VIEW, when=attr("ends_at") < NOON)
    policy.allow(everyone, UPDATE, when=attr("ends_at") > now())
    course = Course(ends_at=NOON - HOUR)
    db.add(course)
    db.flush()

    decision = policy.decide(NOBODY, UPDATE, course, now=NOON)
    assert not decision
    later = policy.decide(NOBODY, UPDATE, course, now=NOON - 2 * HOUR)
    assert later
    assert decision.visible
    assert decision.reason == "ends_at > now()"
    assert decision.explanation is not None
    assert not decision.explanation.holds
    found = "found datetime.datetime(2024, 5, 5, 11, 0, tzinfo=datetime.timezone.utc) beside"
    assert f"{found} datetime.datetime(2024, 5, 5, 12, 0, tz" in str(decision.explanation)


def test_a_decision_has_one_moment_throughout(db: Session):
    """Also without a given one, in all its parts and in what it calls."""
    inner = _policy(attr("ends_at") == now())
    seen: list[bool] = []

    def ask(course: Course, identity: Any) -> bool:
        seen.append(bool(inner.decide(identity, VIEW, course)))
        return True

    policy = Policy(Course)
    same = (attr("ends_at") > now() - HOUR) & (caller.at == now()) & predicate(ask)
    policy.allow(everyone, VIEW, when=same)
    course = Course(ends_at=NOON)
    db.add(course)
    db.flush()

    assert policy.decide(SimpleNamespace(at=NOON), VIEW, course, now=NOON)
    assert seen == [True]
    always = _policy((now() + HOUR > caller.at) | (attr("ends_at") <= now()))
    assert always.decide(SimpleNamespace(at=datetime.now(UTC)), VIEW, course)
    before = datetime.now(UTC)
    limits = SimpleNamespace(at=before)
    assert _policy(caller.at <= now()).decide(limits, VIEW, course)
    assert not _policy(caller.at > now()).decide(limits, VIEW, course)


def test_a_request_has_one_moment():
    """So that its checks, lists and fields agree; the next request has another."""
    policy, app = _policy(open_), Flask(__name__)

    def moments() -> list[Any]:
        return [*policy.criterion(NOBODY).compile().params.values()]

    with app.test_request_context():
        first = moments()
        assert moments() == first
        assert [*policy.criterion(NOBODY, now=NOON).compile().params.values()] == [NOON]
        assert moments() == first
    with app.test_request_context():
        second = moments()
        assert moments() == second
    assert NOON < first[0] < second[0] < moments()[0] <= datetime.now(UTC)


def test_fields_and_lists_go_by_a_given_moment(db: Session):
    """What is seen, written and queried, and what each listed row may be used for."""
    db.add_all([Course(id=1, ends_at=NOON), Course(id=2, ends_at=NOON + HOUR)])
    db.flush()
    policy = Policy(Course)
    policy.allow(everyone, LIST | VIEW)
    policy.allow(everyone, UPDATE, when=open_)
    policy.hide("day", unless=open_)
    policy.readonly("id", unless=open_)
    one, _ = courses = db.scalars(sa.select(Course).order_by(Course.id)).all()

    for moment, is_open in ((NOON - TICK, [True, True]), (NOON, [False, True])):
        listed = list(
            list_objects(policy, db, sa.select(Course), NOBODY, may=(UPDATE,), now=moment)
        )
        assert ["day" in row.visible_fields for row in listed] == is_open
        assert ["UPDATE" in row.verbs for row in listed] == is_open
        for course, may in zip(courses, is_open, strict=True):
            assert ("day" in policy.visible_fields(NOBODY, course, now=moment)) is may
            assert ("id" in policy.writable_fields(NOBODY, course, now=moment)) is may
    assert "day" not in policy.queryable_fields(NOBODY, now=NOON)
    one.day = NOON.date()  # a change is decided before and after it, at the same moment
    assert policy.decide(NOBODY, UPDATE, one, now=NOON - TICK)
    assert not policy.decide(NOBODY, UPDATE, one, now=NOON)


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        (~(attr("ends_at") < now() + timedelta(days=1_000_000)), datetime.max.replace(tzinfo=UTC)),
        (attr("ends_at") != now() - TICK, datetime.min.replace(tzinfo=UTC)),
        (~(caller.at > now() + TICK), datetime.max.replace(tzinfo=UTC)),
    ],
    ids=str,
)
def test_a_moment_outside_of_the_years_denies(
    db: Session, when: Any, moment: datetime, caplog: pytest.LogCaptureFixture
):
    """Every reading, negated ones too, and it is told in the log."""
    policy, asking = _policy(when), SimpleNamespace(at=NOON)
    course = Course(ends_at=NOON)
    db.add(course)
    db.flush()

    assert not policy.decide(asking, VIEW, course, now=moment)
    assert not policy.explain(asking, VIEW, course, now=moment).holds
    assert db.scalars(policy.filter(sa.select(Course), asking, now=moment)).all() == []
    assert "is outside of the years 1 to 9999" in caplog.text


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        (NOON.replace(tzinfo=None), "now takes an aware datetime such as datetime.now(UTC)"),
        (NOON.date(), "now takes an aware datetime"),
        ("now", "not 'now'"),
        (datetime.max.replace(tzinfo=timezone(-HOUR)), "is outside of the years 1 to 9999 in UTC"),
    ],
    ids=str,
)
def test_what_is_no_moment_is_refused(db: Session, moment: Any, message: str):
    """Whatever asks, and though no condition compares with it."""
    for policy in (_policy(open_), _policy(None)):
        for ask in (
            lambda policy=policy: policy.decide(NOBODY, VIEW, Course(), now=moment),
            lambda policy=policy: policy.filter(sa.select(Course), NOBODY, now=moment),
            lambda policy=policy: policy.visible_fields(NOBODY, Course(), now=moment),
        ):
            with pytest.raises(InvalidCondition) as caught:
                ask()
            assert message in str(caught.value)
            assert __file__ in str(caught.value)


def test_a_moment_is_said_in_words():
    """As the matrix and the reasons print it."""
    assert str(open_) == "ends_at > now()"
    assert str(attr("a") <= now() + timedelta(days=1)) == "a <= now() + 1 day, 0:00:00"
    assert str(caller.at < now() - HOUR) == "caller.at < now() - 1:00:00"
    assert repr(now() - HOUR + HOUR) == "now()"
