"""Hidden values are not told: two databases that differ in them only give the same answers."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    composite,
    mapped_column,
    relationship,
    synonym,
)
from tests.counts import count

from licet.authz import ALL, Policy, attr, caller, everyone, list_objects
from licet.authz.policies._models import sources

QUERIES = count(quick=500, full=10_000)
QUERIES_A_CASE = 25
pytestmark = pytest.mark.usefixtures("unmeasured")


class Base(DeclarativeBase):
    pass


class Pair(NamedTuple):
    one: int | None
    other: int | None


class Boss(Base):
    __tablename__ = "boss"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Person(Base):
    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    pay: Mapped[int | None]
    mark: Mapped[int | None]
    note: Mapped[str] = mapped_column()
    boss_id: Mapped[int | None] = mapped_column(sa.ForeignKey("boss.id"))
    boss: Mapped[Boss | None] = relationship(foreign_keys=[boss_id])
    chief: Mapped[Boss | None] = relationship(foreign_keys=[boss_id], viewonly=True)
    boss_name: AssociationProxy[str | None] = association_proxy("boss", "name")
    wage = synonym("pay")
    wage_again = synonym("wage")
    loud = column_property(note + "!")
    pair: Mapped[Pair] = composite("pay", "mark")

    @hybrid_property
    def doubled(self) -> int | None:
        return None if self.pay is None else self.pay * 2

    @doubled.inplace.expression
    @classmethod
    def _doubled(cls) -> Any:
        return cls.pay * 2

    @hybrid_property
    def half_doubled(self) -> Any:
        return self.doubled


MASKED = {  # each name under which a rule can hide something, and the columns that it hides
    "pay": {"pay"},
    "wage_again": {"pay"},
    "pair": {"pay", "mark"},
    "mark": {"mark"},
    "note": {"note"},
    "boss": {"boss_id"},
    "chief": {"boss_id"},
    "boss_id": {"boss_id"},
}
COLUMNS = ["id", "owner", "pay", "mark", "note", "boss_id"]
OTHERS = ["boss", "chief", "boss_name", "wage", "wage_again", "loud", "pair", "doubled"]
FIELDS = [*COLUMNS, *OTHERS, "half_doubled"]
SORTED = [name for name in FIELDS if name not in ("boss", "chief", "pair", "boss_name")]
OPS = {"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "ge": operator.ge}


@dataclass(frozen=True)
class Caller:
    name: str


@dataclass(frozen=True)
class Query:
    """What a caller asks: fields, a filter, an order, a page."""

    shown: tuple[str, ...]
    where: tuple[str, str, Any] | None
    order: str | None
    is_descending: bool
    limit: int
    offset: int


POOLS: dict[str, list[Any]] = {
    "owner": ["ann", "ben"],
    "pay": [None, 0, 1, 2, 3],
    "mark": [None, 0, 1, 2, 3],
    "note": ["a", "b", "c"],
    "boss_id": [None, 1, 2, 3],
}


def made_up(random: Random) -> tuple[list[dict[str, Any]], list[tuple[str, str]], str]:
    """Rows, rules, and the caller's name."""
    people = [
        {name: random.choice(values) for name, values in POOLS.items()}
        for _ in range(random.randint(1, 7))
    ]
    rules = [
        (random.choice(list(MASKED)), random.choice(["never", "own"]))
        for _ in range(random.randint(0, 3))
    ]
    return people, rules, random.choice(["ann", "ben", "eve"])


def query_of(random: Random) -> Query:
    """What somebody might ask."""
    where = (random.choice(SORTED), random.choice(list(OPS)), random.choice([0, 1, 2, "a", "b!"]))
    return Query(
        shown=tuple(random.sample(FIELDS, random.randint(1, 5))),
        where=random.choice([None, where]),
        order=random.choice([None, random.choice(SORTED)]),
        is_descending=random.random() < 0.5,
        limit=random.randint(1, 5),
        offset=random.randint(0, 3),
    )


def policy_of(rules: list[tuple[str, str]]) -> Policy:
    policy = Policy(Person).allow(everyone, ALL)
    for name, unless in rules:
        policy.hide(name, unless=(attr("owner") == caller.name) if unless == "own" else None)
    return policy


def otherwise(
    row: dict[str, Any], rules: list[tuple[str, str]], asking: str, random: Random
) -> dict[str, Any]:
    """The row with other values wherever the caller may not see them."""
    hidden: set[str] = set()
    for name, unless in rules:
        if not (unless == "own" and row["owner"] == asking):
            hidden |= MASKED[name]
    return row | {name: random.choice(POOLS[name]) for name in hidden}


def stored(session: Session, people: list[dict[str, Any]]) -> None:
    session.execute(sa.delete(Person))
    session.execute(sa.insert(Person), [{"id": n} | row for n, row in enumerate(people)])
    session.expunge_all()


def answer(policy: Policy, session: Session, asking: Caller, query: Query) -> str:
    """What a view answers that goes by what the policy says of fields."""
    allowed = policy.queryable_fields(asking)
    where = query.where
    asked = [name for name in (where and where[0], query.order) if name is not None]
    if refused := [name for name in asked if name not in allowed]:
        return f"400 {refused}"
    statement = sa.select(Person)
    counted = sa.select(sa.func.count()).select_from(Person)
    if where:
        name, op, value = where
        if isinstance(value, str) is not (name in ("owner", "note", "loud")):
            return "400 of another type"
        condition = OPS[op](getattr(Person, name), value)
        statement, counted = statement.where(condition), counted.where(condition)
    if query.order:
        key = getattr(Person, query.order)
        statement = statement.order_by(key.desc() if query.is_descending else key)
    total = session.scalar(policy.filter(counted, asking))
    statement = statement.limit(query.limit).offset(query.offset)
    listed = [
        {
            name: _shown(getattr(one.object, name))
            for name in query.shown
            if name in one.visible_fields
        }
        for one in list_objects(policy, session, statement, asking)
    ]
    alone = [
        sorted(policy.visible_fields(asking, one)) for one in session.scalars(sa.select(Person))
    ]
    return f"200 {total} {listed} {alone}"


def _shown(value: Any) -> Any:
    return value.id if isinstance(value, Boss) else value


def _check(n_cases: int) -> None:
    """Ask both databases the same."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    others = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with Session(engine) as one, Session(others) as other:
        for session in (one, other):
            Base.metadata.create_all(session.get_bind())
            session.execute(sa.insert(Boss), [{"id": n, "name": f"boss {n}"} for n in (1, 2, 3)])

        for number in range(n_cases):
            random = Random(number)
            people, rules, name = made_up(random)
            stored(one, people)
            stored(other, [otherwise(row, rules, name, random) for row in people])
            policy = policy_of(rules)
            for _ in range(QUERIES_A_CASE):
                query = query_of(random)
                answers = [answer(policy, session, Caller(name), query) for session in (one, other)]
                assert answers[0] == answers[1], (number, query)
    engine.dispose()
    others.dispose()


def test_hidden_values_are_not_told() -> None:
    """Not by a value, an order, a filter, a count, what is shown, or an error."""
    _check(QUERIES // QUERIES_A_CASE)


def synonyms_are_fields_of_their_own(patch: pytest.MonkeyPatch) -> None:
    touching = sources.Sources.touching
    patch.setattr(
        sources.Sources, "touching", lambda of, names: touching(of, names) - {"wage", "wage_again"}
    )


def what_is_computed_is_harmless(patch: pytest.MonkeyPatch) -> None:
    touching = sources.Sources.touching
    patch.setattr(
        sources.Sources, "touching", lambda of, names: touching(of, names) - {"loud", "doubled"}
    )


def a_key_is_no_relationship(patch: pytest.MonkeyPatch) -> None:
    touching = sources.Sources.touching
    patch.setattr(
        sources.Sources, "touching", lambda of, names: touching(of, names) - {"chief", "boss_id"}
    )


def what_some_may_see_all_may_sort_by(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Policy, "queryable_fields", lambda policy, _asking: policy.shown.names)


@pytest.mark.parametrize(
    "fault",
    [
        synonyms_are_fields_of_their_own,
        what_is_computed_is_harmless,
        a_key_is_no_relationship,
        what_some_may_see_all_may_sort_by,
    ],
)
def test_faults_are_found(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the check above is for."""
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        _check(100)
