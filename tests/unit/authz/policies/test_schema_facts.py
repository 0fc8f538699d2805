"""Pages and related rows whatever the schema has: no key, an index of an expression, many keys."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    with_loader_criteria,
)

from licet.authz import LIST, UPDATE, VIEW, Policy, attr, caller, everyone


class Base(DeclarativeBase):
    pass


liked = sa.Table(  # as many write a table between: without any key
    "liked",
    Base.metadata,
    sa.Column("thing_id", sa.ForeignKey("thing.id"), index=True),
    sa.Column("friend_id", sa.ForeignKey("friend.id"), index=True),
)


class Friend(Base):
    __tablename__ = "friend"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(index=True)


class Label(Base):
    __tablename__ = "label"

    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(sa.ForeignKey("thing.id"), index=True)
    account_id: Mapped[int] = mapped_column(index=True)
    text: Mapped[str] = mapped_column(default="Text")
    is_gone: Mapped[bool] = mapped_column(default=False)
    __table_args__ = (
        sa.Index("ix_label_lower", sa.func.lower(sa.text("text"))),
        sa.Index("ix_label_sum", sa.text("id + thing_id")),
    )


class Thing(Base):
    __tablename__ = "thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    color: Mapped[int] = mapped_column(index=True)
    friends: Mapped[list[Friend]] = relationship(secondary=liked)
    labels: Mapped[list[Label]] = relationship()


class Seat(Base):
    __tablename__ = "seat"

    row: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    holder_id: Mapped[int] = mapped_column(index=True)
    color: Mapped[int]


ANN = SimpleNamespace(n=1)
by_friend = attr("friends").any(attr("account_id") == caller.n)
by_label = attr("labels").any(attr("account_id") == caller.n)
is_red = attr("color") == 2


@pytest.fixture(scope="module")
def db() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Thing(id=n, color=n % 4) for n in range(1, 41))
        session.add_all(Friend(id=n, account_id=n % 3) for n in range(1, 10))
        session.add_all(Seat(row=n % 5, number=n, holder_id=n % 3, color=n % 7) for n in range(40))
        session.flush()
        for n in range(1, 41, 3):
            session.add(Label(thing_id=n, account_id=n % 2))
            session.execute(sa.insert(liked), [{"thing_id": n, "friend_id": f} for f in (1, 2, 4)])
        session.commit()
        yield session
    engine.dispose()


def paged(db: Session, policy: Policy, statement: Any) -> list[Any]:
    return [
        one
        for start in range(0, 48, 3)
        for one in db.scalars(policy.filter(statement.limit(3).offset(start), ANN))
    ]


@pytest.mark.parametrize("when", [by_friend, by_label], ids=["no key", "an expression's index"])
@pytest.mark.parametrize("order", [(Thing.id,), (Thing.color.desc(), Thing.id)])
@pytest.mark.parametrize("is_either", [False, True])
def test_pages_through_tables_of_any_shape(db: Session, when: Any, order: Any, is_either: bool):
    """A page asks which columns an index leads to, of tables that may have none."""
    policy = Policy(Thing).allow(everyone, LIST, when=when)
    if is_either:
        policy.allow(everyone, LIST, when=is_red)
    ordered = sa.select(Thing).order_by(*order)

    wanted = list(db.scalars(ordered.where(policy.criterion(ANN))))
    assert wanted
    assert paged(db, policy, ordered) == wanted


@pytest.mark.parametrize("order", [(Seat.color,), (Seat.number.desc(),), (Seat.row, Seat.number)])
def test_pages_of_rows_with_two_keys(db: Session, order: Any):
    """A page that is chosen by keys has all of a row's; rows that tie are ordered by all."""
    policy = Policy(Seat).allow(everyone, LIST, when=attr("holder_id") == caller.n)
    policy.allow(everyone, LIST, when=is_red)

    wanted = db.scalars(sa.select(Seat).where(policy.criterion(ANN))).all()
    found = paged(db, policy, sa.select(Seat).order_by(*order))
    assert len(found) == len(set(found)) == len(wanted) > 0
    statement = str(policy.filter(sa.select(Seat).order_by(*order).limit(3), ANN))
    last = statement.rpartition("ORDER BY")[2]
    assert last.index("seat.row") > 0 < last.index("seat.number")


def test_a_part_without_limit_has_a_total_order(db: Session):
    """From a place on, rows that tie are those that the page before has not."""
    policy = Policy(Seat).allow(everyone, LIST)
    ordered = sa.select(Seat).order_by(Seat.color)

    told = str(policy.filter(ordered.offset(3), ANN)).rpartition("ORDER BY")[2]
    assert told.split()[:3] == ["seat.color,", "seat.row,", "seat.number"]


def test_what_a_session_hides_everywhere_decides_all_the_same(db: Session):
    """Its criteria on queries are not the policy's: labels that are gone count, as in SQL alone."""
    with Session(db.get_bind()) as session:
        session.add(Label(id=900, thing_id=2, account_id=1, is_gone=True))
        session.flush()

        @event.listens_for(session, "do_orm_execute")
        def hide(state: Any) -> None:
            criteria = with_loader_criteria(Label, Label.is_gone.is_(sa.false()))
            state.statement = state.statement.options(criteria)

        for is_changed in (False, True):
            policy = Policy(Thing).allow(everyone, VIEW | UPDATE, when=by_label)
            thing = session.get_one(Thing, 2, populate_existing=True)
            if is_changed:
                thing.color = 3
            assert policy.decide(ANN, VIEW, thing)
            assert policy.decide(ANN, UPDATE, thing)


@pytest.mark.parametrize("is_last_ones", [False, True])
def test_an_explanation_reads_few_of_many(db: Session, is_last_ones: bool):
    """A large collection is asked about, for the reason as for the decision."""
    loaded = []
    with Session(db.get_bind()) as session:
        labels = [{"thing_id": 3, "account_id": 5} for _ in range(60)]
        labels[-1]["account_id"] = ANN.n if is_last_ones else 5
        session.execute(sa.insert(Label), labels)
        thing = session.get_one(Thing, 3)
        event.listen(session, "loaded_as_persistent", lambda _, one: loaded.append(one))
        told = Policy(Thing).allow(everyone, VIEW, when=by_label).explain(ANN, VIEW, thing)

    assert told.holds is is_last_ones
    assert 0 < sum(isinstance(one, Label) for one in loaded) <= 21
