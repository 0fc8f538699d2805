"""Collections that are not loaded: the question is kept, each caller gets their own answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

from licet.authz import LIST, VIEW, Condition, Policy, attr, caller, everyone, now
from licet.authz.policies._in_sql import _membership as membership
from licet.db.types import UTCDateTime

NOON = datetime(2024, 5, 5, 12, tzinfo=UTC)


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    branch: Mapped[str | None] = mapped_column(primary_key=True, nullable=True)
    members: Mapped[list[Member]] = relationship(
        primaryjoin="Team.number == foreign(Member.team)", viewonly=True
    )


class Member(Base):
    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)
    team: Mapped[int]
    name: Mapped[str | None]
    role: Mapped[str]
    level: Mapped[int]
    until: Mapped[datetime] = mapped_column(UTCDateTime)


TEAMS = sa.select(Team)
MEMBERS = attr("members")
CONDITIONS = {
    "name": MEMBERS.any(attr("name") == caller.principal),
    "another name": MEMBERS.any(attr("name") != caller.principal),
    "roles": MEMBERS.any(attr("role").in_(caller.roles)),
    "level": MEMBERS.any(attr("level") >= caller.level),
    "name in time": MEMBERS.any((attr("name") == caller.principal) & (attr("until") > now())),
    "nobody": ~MEMBERS.any(attr("name") == caller.principal),
    "test": MEMBERS.any((caller.level == 1) & (attr("role") == "chair")),
}
CALLERS = [
    SimpleNamespace(principal=principal, roles=roles, level=level)
    for principal, roles, level in product(
        ["ann", "ben", "", None],
        [frozenset(), frozenset({"chair"}), frozenset({"chair", "member"}), None],
        [0, 1, 2**40, None],
    )
]


@pytest.fixture
def session() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as found:
        found.add_all(Team(number=number, branch="b") for number in range(4))
        people: list[tuple[int, str | None, str, int]] = [
            (0, "ann", "chair", 1),
            (0, "ben", "member", 0),
            (1, "ben", "chair", 2),
            (2, None, "member", 3),
        ]
        found.add_all(
            Member(team=team, name=name, role=role, level=level, until=NOON + timedelta(hours=team))
            for team, name, role, level in people
        )
        found.commit()
        yield found
    engine.dispose()


def policy_of(condition: Condition) -> Policy:
    return Policy(Team).allow(everyone, LIST | VIEW, when=condition)


@pytest.mark.parametrize("name", CONDITIONS)
def test_each_caller_in_turns(session: Session, name: str) -> None:
    """Of sixty-four callers, twice around, each is told what a policy says that knows no other."""
    policy = policy_of(CONDITIONS[name])
    teams = session.scalars(TEAMS).all()
    answers = set()
    for someone in [*CALLERS, *reversed(CALLERS)]:
        expected = set(
            session.scalars(policy_of(CONDITIONS[name]).filter(TEAMS, someone, now=NOON))
        )
        assert set(session.scalars(policy.filter(TEAMS, someone, now=NOON))) == expected
        for team in teams:
            found = policy.decide(someone, VIEW, team, now=NOON)
            assert bool(found) is (team in expected), (someone, team.number)
            answers.add(bool(found))
    assert answers == {True, False}


def test_a_moment_passes(session: Session) -> None:
    """A question that asks for the moment is asked anew."""
    policy = policy_of(CONDITIONS["name in time"])
    team = session.get_one(Team, (1, "b"))
    ben = SimpleNamespace(principal="ben")
    moments = [NOON, NOON + timedelta(hours=2), NOON]
    assert [bool(policy.decide(ben, VIEW, team, now=moment)) for moment in moments] == [
        True,
        False,
        True,
    ]


def test_what_is_stored_changes(session: Session) -> None:
    """The question is kept, never its answer."""
    policy = policy_of(CONDITIONS["name"])
    team = session.get_one(Team, (3, "b"))
    ann = SimpleNamespace(principal="ann")
    assert not policy.decide(ann, VIEW, team)
    new = Member(team=3, name="ann", role="member", level=0, until=NOON)
    session.add(new)
    session.commit()
    assert policy.decide(ann, VIEW, team)
    session.delete(new)
    session.commit()
    assert not policy.decide(ann, VIEW, team)


def test_a_key_with_a_gap(session: Session) -> None:
    """A part of a key may be NULL, which equals nothing as a parameter."""
    session.execute(sa.text("CREATE TABLE other AS SELECT * FROM team"))
    session.execute(sa.text("DROP TABLE team"))
    session.execute(sa.text("ALTER TABLE other RENAME TO team"))
    session.execute(sa.insert(Team), [{"number": 0, "branch": None}])
    policy = policy_of(CONDITIONS["name"])
    team = session.scalars(sa.select(Team).where(Team.branch.is_(None))).one()
    assert policy.decide(SimpleNamespace(principal="ann"), VIEW, team)
    assert not policy.decide(SimpleNamespace(principal="ann"), VIEW, session.get(Team, (3, "b")))


def test_questions_are_built_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two callers and four teams are two questions, and a thousand callers keep few of them."""
    built: list[Any] = []
    build = membership._question
    monkeypatch.setattr(
        membership, "_question", lambda *given: built.append(given) or build(*given)
    )
    policy = policy_of(CONDITIONS["name"])
    teams = session.scalars(TEAMS).all()
    for principal, team in product(["ann", "ben"], teams):
        policy.decide(SimpleNamespace(principal=principal), VIEW, team)
    assert len(built) == 2
    del built[:]
    for number in range(200):
        policy.decide(SimpleNamespace(principal=f"caller {number}"), VIEW, teams[0])
    assert len(built) == 200
    policy.decide(SimpleNamespace(principal="caller 199"), VIEW, teams[1])
    assert len(built) == 200


def test_nothing_is_kept_of_a_caller_of_very_many_groups(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a question nor a term, as each would have all of them."""
    built: list[Any] = []
    build = membership._question
    monkeypatch.setattr(
        membership, "_question", lambda *given: built.append(given) or build(*given)
    )
    policy = policy_of(MEMBERS.any(attr("role").in_(caller.roles)))
    team = session.scalars(TEAMS).all()[0]

    def ask(size: int) -> Any:
        someone = SimpleNamespace(roles=[f"group {n}" for n in range(size)])
        assert not policy.decide(someone, VIEW, team)
        return policy.criterion(someone)

    assert ask(500) is ask(500)
    assert len(built) == 1
    assert ask(501) is not ask(501)
    assert len(built) == 3
