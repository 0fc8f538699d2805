"""How a page is chosen on SQLite: from the caller's rows when they are few, else by walking."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from licet.authz import LIST, Policy, attr, caller, everyone

ROWS = 40_000
FEW, MANY, LATE = (SimpleNamespace(n=n) for n in (1, 2, 3))


class Base(DeclarativeBase):
    pass


class Owner(Base):
    __tablename__ = "owner"
    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(sa.ForeignKey("thing.id"), index=True)
    account_id: Mapped[int] = mapped_column(index=True)


befriended = sa.Table(
    "befriended",
    Base.metadata,
    sa.Column("friend_id", sa.ForeignKey("friend.id"), primary_key=True),
    sa.Column("thing_id", sa.ForeignKey("thing.id"), primary_key=True),
)


watching = sa.Table(
    "watching",
    Base.metadata,
    sa.Column("friend_id", sa.ForeignKey("friend.id"), primary_key=True),
    sa.Column("thing_id", sa.ForeignKey("thing.id"), primary_key=True, index=True),
)


class Friend(Base):
    __tablename__ = "friend"
    id: Mapped[int] = mapped_column(primary_key=True)
    lent_id: Mapped[int] = mapped_column(sa.ForeignKey("thing.id"))
    account_id: Mapped[int]


class Row(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(index=True)
    code: Mapped[int] = mapped_column(unique=True)
    color: Mapped[int]
    weight: Mapped[int]
    owners: Mapped[list[Owner]] = relationship()
    friends: Mapped[list[Friend]] = relationship(secondary=befriended)
    watchers: Mapped[list[Friend]] = relationship(secondary=watching)
    lenders: Mapped[list[Friend]] = relationship()
    __table_args__ = (sa.Index("ix_heavy", "weight", sqlite_where=sa.text("weight > 7")),)


class Part(Base):
    __tablename__ = "part"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    whole_id: Mapped[int | None] = mapped_column(sa.ForeignKey("part.id"), index=True)
    parts: Mapped[list[Part]] = relationship()


own = attr("owners").any(attr("account_id") == caller.n)
OWN = Policy(Row).allow(everyone, LIST, when=own)
EITHER = Policy(Row).allow(everyone, LIST, when=own).allow(everyone, LIST, when=attr("color") == 7)
FIRST = sa.select(Row).order_by(Row.id).limit(5)


@pytest.fixture(scope="module")
def rows() -> Iterator[Session]:
    """Of 40,000 rows the three callers own 10, every third, and the last 3,000."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    owners = [(n, 1) for n in range(100, 200, 10)]
    owners += [(n, 2) for n in range(0, ROWS, 3)] + [(n, 3) for n in range(ROWS - 3_000, ROWS)]
    with Session(engine) as session:
        everything = [
            {"id": n, "size": n // 2, "code": -n, "color": n % 11, "weight": n % 5}
            for n in range(ROWS)
        ]
        session.execute(sa.insert(Row), everything)
        session.execute(sa.insert(Owner), [{"thing_id": n, "account_id": a} for n, a in owners])
        session.add(Friend(id=1, lent_id=0, account_id=2))
        session.flush()
        watched = [{"friend_id": 1, "thing_id": n} for n in range(4, ROWS, 4)]
        session.execute(sa.insert(watching), watched)
        yield session
    engine.dispose()


def on_sqlite(statement: Any) -> str:
    return re.sub(r"\s+", " ", str(statement.compile(dialect=sqlite.dialect())))


def is_walked(statement: Any) -> bool:
    return "LIMIT CASE WHEN" in on_sqlite(statement)


@contextmanager
def counted(session: Session) -> Iterator[list[int]]:
    """How many hundreds of SQLite's instructions were executed within the block."""
    steps = [0]

    def step() -> None:
        steps[0] += 1

    driver: Any = session.connection().connection.driver_connection
    driver.set_progress_handler(step, 100)
    try:
        yield steps
    finally:
        driver.set_progress_handler(None, 100)


@pytest.mark.parametrize("policy", [OWN, EITHER], ids=["own", "or"])
@pytest.mark.parametrize("who", [FEW, MANY, LATE], ids=["few", "many", "late"])
@pytest.mark.parametrize(
    "order", [(Row.id,), (Row.id.desc(),), (Row.size, Row.id.desc()), (Row.code.asc(), Row.id)]
)
def test_pages_are_those_of_the_whole_list(rows: Session, policy: Policy, who: Any, order: Any):
    """Wherever in the order the caller's rows are, and however far the page."""
    ordered = sa.select(Row.id).order_by(*order)
    whole = rows.scalars(policy.filter(ordered, who)).all()

    for offset in (0, 3, 1_000, 3_900):
        page = policy.filter(ordered.limit(5).offset(offset), who)
        assert is_walked(page)
        assert rows.scalars(page).all() == whole[offset : offset + 5]


@pytest.mark.parametrize(("who", "most"), [(FEW, 15), (MANY, 300), (LATE, 600)])
def test_a_page_takes_few_steps(rows: Session, who: Any, most: int):
    """Few rows are started from, many are not collected, and a walk in vain has an end."""
    with counted(rows) as steps:
        assert len(rows.scalars(OWN.filter(FIRST, who)).all()) == 5

    assert steps[0] <= most


def test_a_page_that_begins_further_on_is_walked_from_there(rows: Session):
    """The statement's own conditions on its order say where; others are asked of the rows."""
    further = FIRST.where(Row.id > 6_000, Row.color == 3)
    with counted(rows) as steps:
        found = [row.id for row in rows.scalars(OWN.filter(further, MANY))]

    assert found == [n for n in range(6_001, 7_000) if n % 3 == 0 and n % 11 == 3][:5]
    assert steps[0] < 900
    walk = on_sqlite(OWN.filter(further, MANY)).partition("LIMIT CASE")[0].rpartition("FROM thing")
    assert walk[2].strip() == "WHERE thing.id > ? ORDER BY thing.id"


@pytest.mark.parametrize(
    "page",
    {
        "no index": FIRST.order_by(None).order_by(Row.color, Row.id),
        "an index of some rows": FIRST.order_by(None).order_by(Row.weight, Row.id),
        "an expression": FIRST.order_by(None).order_by(sa.func.abs(Row.id), Row.id),
        "another table": FIRST.order_by(None).join(Row.owners).order_by(Owner.id, Row.id),
        "nulls": FIRST.order_by(None).order_by(Row.size.nulls_last(), Row.id),
    }.items(),
    ids=lambda pair: pair[0],
)
def test_only_an_order_that_an_index_has_is_walked(rows: Session, page: Any):
    """An index of all rows, by plain columns of the one table."""
    made = OWN.filter(page[1], MANY)

    assert not is_walked(made)
    assert rows.scalars(made).all() == rows.scalars(page[1].where(OWN.criterion(MANY))).all()


def test_an_order_with_ties_is_walked_with_the_key(rows: Session):
    """The key, which ends each order, leaves no two rows alike."""
    page = FIRST.order_by(None).order_by(Row.size)

    assert is_walked(OWN.filter(page, MANY))
    assert rows.scalars(OWN.filter(page, MANY)).all() == (
        rows.scalars(page.order_by(Row.id).where(OWN.criterion(MANY))).all()
    )


@pytest.mark.parametrize("path", ["friends", "lenders"])
def test_rows_that_no_index_leads_to_are_not_walked(path: str):
    """Each row of the walk would read all of the related table."""
    policy = Policy(Row).allow(everyone, LIST, when=attr(path).any(attr("account_id") == caller.n))

    assert not is_walked(policy.filter(FIRST, MANY))


def test_a_walk_goes_through_a_table_between(rows: Session):
    """Where an index leads to the related objects from either side."""
    watched = attr("watchers").any(attr("account_id") == caller.n)
    policy = Policy(Row).allow(everyone, LIST, when=watched)
    with counted(rows) as steps:
        found = [row.id for row in rows.scalars(policy.filter(FIRST, MANY))]

    assert is_walked(policy.filter(FIRST, MANY))
    assert found == [4, 8, 12, 16, 20]
    assert steps[0] < 450
    assert rows.scalars(policy.filter(FIRST, FEW)).all() == []


def test_a_walk_does_not_read_all_that_is_the_callers():
    """It asks for what belongs to the row, and then whose that is."""
    text = on_sqlite(OWN.filter(FIRST, MANY))

    assert "thing.id = owner_1.thing_id AND CASE WHEN (owner_1.account_id = ?) THEN" in text


def test_a_condition_on_the_caller_alone_asks_nothing_of_the_related(rows: Session):
    """Whoever is the second has all things that anybody has."""
    policy = Policy(Row).allow(everyone, LIST, when=attr("owners").any(caller.n == 2))
    page = policy.filter(FIRST.where(Row.id > 5), MANY)

    assert is_walked(page)
    assert [row.id for row in rows.scalars(page)] == [6, 9, 12, 15, 18]
    assert rows.scalars(policy.filter(FIRST, FEW)).all() == []


@pytest.mark.parametrize(("levels", "is_deep"), [(4, False), (5, True), (7, True)])
def test_a_deep_condition_is_not_walked(rows: Session, levels: int, is_deep: bool):
    """SQLite's parser could not keep it in mind within a choice, of a union neither."""
    condition: Any = attr("number") == caller.n
    for _ in range(levels):
        condition = attr("parts").any(condition)
    page = (
        Policy(Part)
        .allow(everyone, LIST, when=condition)
        .filter(sa.select(Part).order_by(Part.id).limit(3), MANY)
    )

    assert rows.scalars(page).all() == []
    assert is_walked(page) is not is_deep


def test_a_deep_condition_keeps_its_parentheses(rows: Session):
    """An OR that is left as it is does not set the statement's own conditions aside."""
    deep: Any = attr("number") == caller.n
    for _ in range(5):
        deep = attr("parts").any(deep)
    policy = Policy(Part).allow(everyone, LIST, when=deep | (attr("number") == 7))
    with rows.begin_nested() as transaction:
        rows.add_all([Part(id=1, number=7), Part(id=2, number=7), Part(id=3, number=8)])
        page = sa.select(Part).where(Part.id == 1).order_by(Part.id).limit(9)

        found = [part.id for part in rows.scalars(policy.filter(page, MANY))]

        transaction.rollback()
    assert found == [1]


@pytest.mark.parametrize("who", [FEW, MANY, LATE], ids=["few", "many", "late"])
def test_what_is_or_is_not_the_callers_keeps_its_parentheses(rows: Session, who: Any):
    """An OR within an AND, and within the related rows."""
    late = attr("owners").any((attr("account_id") == 3) | (attr("account_id") == caller.n))
    condition = own & (late | (attr("color") == 7)) & (attr("size") > 60)
    policy = Policy(Row).allow(everyone, LIST, when=condition)

    page = policy.filter(FIRST, who)

    assert is_walked(page)
    assert rows.scalars(page).all() == rows.scalars(FIRST.where(policy.criterion(who))).all()


def test_text_is_no_condition_on_the_order(rows: Session):
    """What it names may be another table's."""
    page = FIRST.join(Row.owners).where(sa.text("owner.account_id = 1"), Row.id > 105)

    found = [row.id for row in rows.scalars(OWN.filter(page, FEW))]

    assert found == [110, 120, 130, 140, 150]
    walk = on_sqlite(OWN.filter(page, FEW)).partition("LIMIT CASE")[0].rpartition("FROM thing")
    assert walk[2].strip() == "WHERE thing.id > ? ORDER BY thing.id"


def test_who_asks_for_nothing_of_their_own_is_not_counted():
    """A condition without the caller is a plain WHERE, or a union."""
    free = Policy(Row).allow(everyone, LIST, when=attr("color") == 7)

    assert not is_walked(free.filter(FIRST, MANY))
    assert " WHERE thing.color = ? ORDER BY" in on_sqlite(free.filter(FIRST, MANY))


def test_postgresql_is_left_to_its_statistics():
    """A WHERE for one alternative, a union for two."""
    one, two = (
        re.sub(r"\s+", " ", str(policy.filter(FIRST, MANY).compile(dialect=postgresql.dialect())))
        for policy in (OWN, EITHER)
    )

    assert "WHERE thing.id IN (SELECT owner_1.thing_id FROM owner AS owner_1 WHERE" in one
    assert two.count("UNION ALL") == 1
    assert "count(" not in one + two


@pytest.mark.parametrize("policy", [OWN, EITHER], ids=["own", "or"])
def test_a_kept_statement_has_the_values_of_its_caller(rows: Session, policy: Policy):
    """It is compiled once, for whoever came first."""
    found = {}
    for who in (MANY, FEW, LATE):
        page = policy.filter(sa.select(Row.id).order_by(Row.id).limit(3), who)
        found[who.n] = rows.scalars(page).all()

    assert found == {
        1: [100, 110, 120] if policy is OWN else [7, 18, 29],
        2: [0, 3, 6],
        3: [ROWS - 3_000, ROWS - 2_999, ROWS - 2_998] if policy is OWN else [7, 18, 29],
    }


@pytest.mark.parametrize("who", [FEW, MANY, LATE], ids=["few", "many", "late"])
def test_a_page_can_choose_what_is_changed(rows: Session, who: Any):
    """The driver begins a transaction and counts rows when a statement begins with UPDATE."""
    page = OWN.filter(sa.select(Row.id).order_by(Row.id).limit(5), who)
    change = sa.update(Row).where(Row.id.in_(page)).values(weight=Row.weight)

    assert on_sqlite(change).startswith("UPDATE")
    assert rows.execute(change, execution_options={"synchronize_session": False}).rowcount == 5


def test_statements_that_differ_in_what_came_first_are_not_mixed_up(rows: Session):
    """A condition before the filter narrows the choice, one after it only the page."""
    early = OWN.filter(FIRST.where(Row.color == 3), MANY)
    late = OWN.filter(FIRST, MANY).where(Row.color == 3)

    assert [row.id for row in rows.scalars(early)] == [3, 36, 69, 102, 135]
    assert [row.id for row in rows.scalars(late)] == [3]
