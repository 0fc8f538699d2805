"""One order of evaluation: no reading reads what a decision does not, and a reason never raises."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from licet.authz import (
    ALL,
    LIST,
    UPDATE,
    VIEW,
    Condition,
    Policy,
    Role,
    attr,
    caller,
    everyone,
    predicate,
    registered,
)


class Base(DeclarativeBase):
    pass


class State(enum.Enum):
    DRAFT = "draft"
    ARCHIVED = "archived"


class Office(Base):
    __tablename__ = "office"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    owner: Mapped[str]
    pages: Mapped[int | None]
    is_open: Mapped[bool] = mapped_column(default=False)
    state: Mapped[State] = mapped_column(sa.Enum(State), default=State.DRAFT)
    office_id: Mapped[int | None] = mapped_column(sa.ForeignKey("office.id"))
    office: Mapped[Office | None] = relationship(lazy="raise")


class Who:
    is_authenticated = True

    def __init__(self, principal: str, *roles: str) -> None:
        self.principal, self.roles = principal, frozenset(roles)


ANN, EVE = Who("ann"), Who("eve")
staff = Role("staff", caller.roles.contains("staff"), implies=[registered])
own = attr("owner") == caller.principal
UNFIT = {
    "a predicate that is fit for staff alone": predicate(lambda book, who: who.office == book.id),
    "a relationship that may not be loaded": attr("office.name") == "HQ",
}


@pytest.fixture
def db() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Office(id=1, name="HQ"))
        session.add(Book(id=1, title="t\x00", owner="ann", office_id=1))
        session.commit()
        yield session
    engine.dispose()


def policy_with(unfit: Condition) -> Policy:
    policy = Policy(Book).allow(staff, VIEW | UPDATE, when=unfit)
    return policy.allow(registered, LIST | VIEW | UPDATE, when=own)


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT.keys())
def test_a_change_is_decided_by_what_the_decision_reads(db: Session, unfit: Condition):
    """What is asked of other callers is not asked of this one, before the change or after it."""
    policy, book = policy_with(unfit), db.get(Book, 1)

    assert policy.decide(ANN, UPDATE, book)
    book.title = "another"
    assert policy.decide(ANN, UPDATE, book)


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT.keys())
def test_a_reason_does_not_raise(db: Session, unfit: Condition):
    """A denial tells the part that failed, and reads no other."""
    decision = policy_with(unfit).decide(EVE, VIEW, db.get(Book, 1))

    assert not decision
    assert decision.reason == "owner == caller.principal"
    assert not decision.visible


def test_a_text_that_was_stored_is_compared_as_it_is(db: Session):
    """NUL in it, as SQLite stores, changes nothing when something else is changed."""
    starts = attr("title").startswith("t")
    policy = Policy(Book).allow(everyone, ALL, when=starts)
    book = db.get(Book, 1)

    assert policy.decide(ANN, UPDATE, book)
    book.pages = 3
    assert policy.decide(ANN, UPDATE, book)
    assert policy.explain(ANN, VIEW, book).holds


ASSIGNED = {
    "an enum's name": ({"state": "ARCHIVED"}, attr("state") == State.ARCHIVED),
    "digits": ({"pages": "5"}, attr("pages") == 5),
    "a number for a truth": ({"is_open": 1}, attr("is_open").is_true()),
    "a truth for a number": ({"pages": True}, attr("pages") == 1),
    "digits in an order": ({"pages": "5"}, attr("pages") < 6),
}


@pytest.mark.parametrize("is_negated", [False, True])
@pytest.mark.parametrize(("values", "when"), ASSIGNED.values(), ids=ASSIGNED.keys())
def test_a_value_as_it_was_assigned_denies(
    db: Session, caplog: pytest.LogCaptureFixture, values, when: Condition, is_negated: bool
):
    """After a flush memory has what was assigned: nothing is granted on a value of another type."""
    policy = Policy(Book).allow(everyone, ALL, when=~when if is_negated else when)
    book = Book(id=2, title="x", owner="ann", **values)
    db.add(book)
    db.flush()

    assert not policy.decide(ANN, VIEW, book)
    assert not policy.explain(ANN, VIEW, book).holds
    if is_negated or "True" not in caplog.text:
        assert "A check is denied: Book." in caplog.text
    db.commit()
    stored = bool(db.scalar(policy.filter(sa.select(Book).where(Book.id == 2), ANN)))
    assert bool(policy.decide(ANN, VIEW, book)) is stored
