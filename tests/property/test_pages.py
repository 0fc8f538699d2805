"""Pages of a list in any order, with ties: no row twice, and none lost, also while rows come."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from tests.counts import count

from licet.authz import LIST, Policy, attr, caller, everyone
from licet.authz.policies._in_sql import _filter

PAGES = count(quick=150, full=1_000)  # on each database
pytestmark = pytest.mark.usefixtures("unmeasured")


class Base(DeclarativeBase):
    pass


class Paper(Base):
    __tablename__ = "paper"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]
    size: Mapped[int]
    shade: Mapped[int] = mapped_column(index=True)


class Caller:
    name = "ann"


MINE = Policy(Paper).allow(everyone, LIST, when=attr("owner") == caller.name)
EITHER = (
    Policy(Paper)
    .allow(everyone, LIST, when=attr("owner") == caller.name)
    .allow(everyone, LIST, when=attr("state") == "open")
)
ALL_ROWS = Policy(Paper).allow(everyone, LIST)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """An empty table in each kind of database."""
    if request.param == "sqlite":
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    else:
        url = request.getfixturevalue("postgresql_url")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    with Session(engine) as made:
        yield made
    with engine.begin() as connection:
        Base.metadata.drop_all(connection)
    engine.dispose()


def _paper(key: int, random: Random) -> dict[str, Any]:
    return {
        "id": key,
        "owner": random.choice(["ann", "ben"]),
        "state": random.choice(["open", "draft"]),
        "size": random.randint(0, 3),
        "shade": random.randint(0, 2),
    }


def _pages(session: Session, random: Random, *, by_place: bool) -> int:
    """Turn the pages of a list of one policy in one order; how many there were."""
    session.execute(sa.delete(Paper))
    keys = random.sample(range(0, 10_000, 2), random.randint(5, 60))
    session.execute(sa.insert(Paper), [_paper(key, random) for key in keys])
    policy = random.choice([MINE, EITHER, ALL_ROWS])
    is_descending = random.random() < 0.5
    columns = [
        getattr(Paper, name) for name in random.sample(["size", "shade"], random.randint(1, 2))
    ]
    order = [column.desc() if is_descending else column for column in columns]
    size = random.randint(1, 9)
    wanted = set(session.scalars(policy.filter(sa.select(Paper.id), Caller())))
    seen: list[int] = []
    n_pages, last = 0, None
    while True:
        page = sa.select(Paper).order_by(*order).limit(size)
        if by_place:
            page = page.offset(len(seen))
        elif last is not None:
            here = sa.tuple_(*columns, Paper.id)
            after = sa.tuple_(*(getattr(last, one.key) for one in columns), last.id)
            page = page.where(here < after if is_descending else here > after)
        found = list(session.scalars(policy.filter(page, Caller())))
        n_pages += 1
        if not found:
            break
        last = found[-1]
        seen.extend(row.id for row in found)
        if not by_place:  # rows that come between the pages have keys of their own
            new = random.sample(range(1, 10_000, 2), 2)
            session.execute(sa.delete(Paper).where(Paper.id.in_(new)))
            session.execute(sa.insert(Paper), [_paper(key, random) for key in new])
    old = [key for key in seen if key % 2 == 0]
    assert len(seen) == len(set(seen)), f"{policy} {order}: a row twice"
    assert set(old) == wanted, f"{policy} {order}: lost {wanted - set(old)}"
    return n_pages


def _turned(session: Session, wanted: int, *, by_place: bool) -> int:
    random, n_pages = Random(7), 0
    while n_pages < wanted:
        n_pages += _pages(session, random, by_place=by_place)
    return n_pages


@pytest.mark.parametrize("by_place", [True, False], ids=["by place", "with inserts"])
def test_no_row_twice_and_none_lost(session: Session, by_place: bool) -> None:
    """By OFFSET on rows that stay, and from the last row on while others come."""
    assert _turned(session, PAGES, by_place=by_place) >= PAGES


def test_an_order_without_the_key_loses_rows(session: Session, monkeypatch: Any) -> None:
    """What the check above is for."""
    monkeypatch.setattr(_filter, "_in_total_order", lambda statement, _keys: statement)
    with pytest.raises(AssertionError):
        _turned(session, 1_000, by_place=False)
