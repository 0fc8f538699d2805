"""Grants as rows: given, expired, taken back, in every reading of a policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from licet import Licet
from licet.authz import (
    ALL,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Role,
    attr,
    caller,
    everyone,
    register_accounts,
    register_policies,
)
from licet.authz.grants import _links, give, grant_verb, granted, list_grants, revoke
from licet.authz.grants.tables import grant
from licet.errors import (
    AccessDenied,
    InvalidCondition,
    ObjectNotFound,
    UnloadedObject,
    UntranslatableCondition,
    UsageError,
)
from licet.testing import assert_policy_consistent

NOW = datetime.now(UTC)
SOON, PAST = NOW + timedelta(days=30), NOW - timedelta(days=30)


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Trial(Base):
    __tablename__ = "trial"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]


class Sample(Base):
    __tablename__ = "sample"
    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("trial.id"))
    trial: Mapped[Trial | None] = relationship()


class Note(Base):
    """Keys that are texts, and look like those of samples."""

    __tablename__ = "note"
    id: Mapped[str] = mapped_column(sa.String(2), primary_key=True)


class Pair(Base):
    __tablename__ = "pair"
    one: Mapped[int] = mapped_column(primary_key=True)
    other: Mapped[int] = mapped_column(primary_key=True)


def known_as(name: str, *groups: str) -> Any:
    return SimpleNamespace(principal=name, principals=frozenset({name, *groups}))


NAMES = ("ann", "ben", "cid", "dan", "eve")
CALLERS = [known_as(name) for name in NAMES] + [SimpleNamespace(), known_as("fay", "board")]
FIRST, SECOND = UUID(int=1), UUID(int=2**127 + 10)


def trial_policy() -> Policy:
    owner = Role("owner", attr("owner") == caller.principal)
    trials = Policy(Trial, name="trials")
    trials.allow(owner, VIEW | grant_verb("curator"))
    trials.allow(Role("curator", granted("curator", to_any=caller.principals)), LIST | VIEW)
    return trials


def sample_policy() -> Policy:
    curator = granted("curator", via="trial").named("of a granted trial")
    samples = Policy(Sample, name="samples")
    samples.allow(everyone, LIST | VIEW | UPDATE, when=curator | granted("keeper"))
    samples.forbid(everyone, UPDATE, when=granted("barred"))
    return samples


def row(grantee: str, role: str, kind: str, key: str, **other: Any) -> dict[str, Any]:
    moments = {"given_at": PAST - timedelta(days=1), "expires_at": None, "revoked_at": None}
    told = {"grantee": grantee, "role": role, "object_type": kind, "object_id": key}
    number = f"{grantee}-{role}-{kind}-{key}"[:36]
    return {"id": number, "giver": "root", "reason": None} | told | moments | other


ROWS = [
    row("ann", "curator", "trial", FIRST.hex),
    row("ben", "curator", "trial", FIRST.hex, expires_at=SOON),
    row("cid", "curator", "trial", FIRST.hex, expires_at=PAST),
    row("dan", "curator", "trial", FIRST.hex, revoked_at=PAST),
    row("board", "curator", "trial", SECOND.hex),
    row("eve", "reader", "trial", FIRST.hex),
    row("eve", "keeper", "sample", "3"),
    row("cid", "keeper", "note", "1"),
    row("ben", "barred", "sample", "1"),
    row("eve", "keeper", "note", "3"),
]


@pytest.fixture
def session(database_url):
    """Two trials, three samples, and grants of every kind."""
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    Base.metadata.create_all(engine)
    grant.create(engine)
    with Session(engine) as found:
        found.add_all([Trial(id=FIRST, owner="own"), Trial(id=SECOND, owner="own")])
        found.flush()
        found.add_all([Sample(id=1, trial_id=FIRST), Sample(id=2, trial_id=SECOND), Sample(id=3)])
        found.add_all([Note(id="1"), Note(id="3"), Note(id="xy")])
        found.add_all([Account(id=n, name=name) for n, name in enumerate(NAMES, 1)])
        found.execute(sa.insert(grant), ROWS)
        found.commit()
        yield found
    grant.drop(engine)
    Base.metadata.drop_all(engine)


@pytest.fixture
def app(session, tmp_path):
    """An app with both policies and its accounts, in whose context the test runs."""
    made = Flask("trials", instance_path=str(tmp_path))
    Licet(made)
    policies = (trial_policy(), sample_policy())
    register_policies(made, *policies, session=lambda: session, caller=lambda: known_as("own"))
    register_accounts(made, Account, principal="name", active=True)
    with made.test_request_context():
        yield made


def allowed(policy: Policy, verb: Any, owner: Any) -> set[str]:
    return {who.principal for who in CALLERS[:5] if policy.decide(who, verb, owner)}


def test_every_reading_agrees(session):
    """Decisions, lists, pages and columns, through a relationship, on the object, and denied."""
    for policy in (trial_policy(), sample_policy()):
        assert assert_policy_consistent(policy, session, CALLERS) > 0
        assert assert_policy_consistent(policy, session) > len(policy.verbs)  # made-up ones
        for owner in session.scalars(sa.select(policy.model)):
            for who in CALLERS:
                told = policy.explain(who, VIEW, owner)
                assert told.holds is policy.decide(who, VIEW, owner).allowed


def test_a_grant_counts_until_it_expires_or_is_revoked(session):
    """And only on its object, whose type and key it names."""
    samples = sample_policy()
    first, second, third = session.scalars(sa.select(Sample).order_by(Sample.id))
    assert allowed(samples, VIEW, first) == {"ann", "ben"}
    assert allowed(samples, UPDATE, first) == {"ann"}  # ben is barred
    assert allowed(samples, VIEW, second) == set()
    assert allowed(samples, VIEW, third) == {"eve"}
    notes = Policy(Note).allow(everyone, VIEW | LIST, when=granted("keeper"))
    assert allowed(notes, VIEW, session.get(Note, "1")) == {"cid"}
    assert [n.id for n in session.scalars(notes.filter(sa.select(Note), known_as("eve")))] == ["3"]


def test_a_grant_to_a_group_is_its_members(session):
    """Where the condition asks for all principals of the caller."""
    second = session.get(Trial, SECOND)
    assert trial_policy().decide(known_as("fay", "board"), VIEW, second)
    assert not trial_policy().decide(known_as("board-member"), VIEW, second)


def test_it_expires_in_every_reading_at_the_same_moment(session, monkeypatch):
    """Not yet at the moment before, and at the moment itself."""
    samples, ben = sample_policy(), known_as("ben")
    first = session.get(Sample, 1)
    for moment, holds in ((SOON - timedelta(microseconds=1), True), (SOON, False)):
        monkeypatch.setattr(_links, "decision_moment", lambda moment=moment: moment)
        listed = session.scalars(samples.filter(sa.select(Sample), ben)).all()
        assert samples.decide(ben, VIEW, first).allowed is holds
        assert samples.explain(ben, VIEW, first).holds is holds
        assert (first in listed) is holds


def test_who_can_knows_grants(app, session):
    """The accounts that have one, through a relationship and on the object."""
    of_trials = Policy(Trial).allow(everyone, VIEW, when=granted("curator"))
    for policy in (sample_policy(), of_trials):
        for owner in session.scalars(sa.select(policy.model)):
            found = session.scalars(policy.who_can(VIEW, owner))
            assert {account.name for account in found} == allowed(policy, VIEW, owner)
    barred = Policy(Sample).allow(everyone, UPDATE, when=~granted("barred"))
    found = session.scalars(barred.who_can(UPDATE, session.get(Sample, 1)))
    assert {account.name for account in found} == {"ann", "cid", "dan", "eve"}


def test_nothing_is_granted_on_a_draft(session):
    """Its key is nobody's yet, even if it is chosen."""
    assert allowed(sample_policy(), VIEW, Sample(id=3)) == set()


def test_an_object_without_a_session_is_told(session):
    """Whether something was granted is known to the database alone."""
    third = session.get(Sample, 3)
    session.expunge(third)
    policy = Policy(Sample).allow(everyone, VIEW, when=granted("keeper"))
    with pytest.raises(UnloadedObject, match="decide while it is in one"):
        policy.decide(known_as("eve"), VIEW, third)


def test_give_list_and_revoke(app, session):
    """By whom the policy allows it; the app commits."""
    trials = app_policy(app, "trials")
    trial = session.get(Trial, SECOND)
    assert not trials.decide(known_as("zoe"), VIEW, trial)
    given = give(trials, trial, "curator", to="zoe", expires_at=SOON, reason="audit")
    assert (given.giver, given.grantee, given.expires_at) == ("own", "zoe", SOON)
    assert trials.decide(known_as("zoe", "x"), VIEW, trial)
    assert [one.grantee for one in list_grants(trials, trial)] == ["board", "zoe"]
    session.commit()

    taken = revoke(trials, trial, given.id)
    assert taken.revoked_at is not None
    assert revoke(trials, trial, given.id) == taken
    assert not trials.decide(known_as("zoe"), VIEW, trial)
    assert [one.grantee for one in list_grants(trials, trial)] == ["board"]
    assert [one.id for one in list_grants(trials, trial, with_former=True)][-1] == given.id


def app_policy(app: Flask, name: str) -> Policy:
    from licet.authz import policies_of

    return next(policy for policy in policies_of(app) if policy.name == name)


def test_who_may_not_give_is_refused(app, session):
    """404 where they may not know of the object, else 403; nothing is written and nothing told."""
    trials = app_policy(app, "trials")
    first = session.get(Trial, FIRST)
    before = session.scalar(sa.select(sa.func.count()).select_from(grant))
    with pytest.raises(AccessDenied):
        give(trials, first, "curator", to="eve", identity=known_as("ann"))
    with pytest.raises(ObjectNotFound):
        give(trials, first, "curator", to="eve", identity=known_as("eve"))
    with pytest.raises(AccessDenied):
        revoke(trials, first, ROWS[0]["id"], identity=known_as("ann"))
    with pytest.raises(ObjectNotFound):
        revoke(trials, first, "no such grant")
    with pytest.raises(ObjectNotFound):
        revoke(trials, session.get(Trial, SECOND), ROWS[0]["id"])
    assert list_grants(trials, first, identity=known_as("ann")) == []
    assert session.scalar(sa.select(sa.func.count()).select_from(grant)) == before


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"role": "curater"}, "who may give 'curater': did you mean 'GRANT_CURATOR'"),
        ({"role": "Curator"}, "has a name of small letters"),
        ({"to": ""}, "given to a principal, some text, not to ''"),
        ({"to": "x" * 256}, "given to a principal"),
        ({"to": None}, "given to a principal"),
        ({"expires_at": PAST}, "has expired already"),
        ({"expires_at": datetime(2100, 1, 1)}, "is an aware datetime"),  # noqa: DTZ001
        ({"expires": SOON}, "did you mean 'expires_at'"),
    ],
)
def test_what_cannot_be_given_is_told(app, session, given, told):
    """With the value, before anything is written."""
    arguments = {"role": "curator", "to": "zoe"} | given
    with pytest.raises((UsageError, InvalidCondition, TypeError), match=told):
        give(app_policy(app, "trials"), session.get(Trial, FIRST), **arguments)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: granted("Curator"), "has a name of small letters"),
        (lambda: granted(5), "has a name of small letters"),
        (lambda: granted("curator", via="a b"), "via takes a dotted path"),
        (lambda: granted("curator", to="principal"), "takes an attribute of the caller"),
        (lambda: granted("c0", to=caller.x, to_any=caller.y), "to or to_any, not both"),
    ],
)
def test_what_is_no_condition_is_refused(make, told):
    """When it is written."""
    with pytest.raises(InvalidCondition, match=told):
        make()


@pytest.mark.parametrize(
    ("model", "condition", "told"),
    [
        (Pair, granted("keeper"), "Pair has a primary key of several columns"),
        (Sample, granted("keeper", via="trail"), "Sample has no 'trail'"),
        (Sample, granted("keeper", via="trial_id"), "trial_id is no to-one relationship"),
    ],
)
def test_what_leads_to_nothing_is_refused_when_it_is_built(model, condition, told):
    """With the line that declares it."""
    policy = Policy(model).allow(everyone, ALL, when=condition)
    with pytest.raises(UntranslatableCondition, match=told):
        policy.build()


def test_the_matrix_names_grants():
    """In words, or in the name that they are given."""
    from licet.authz.matrix import as_markdown, tabulate

    page = as_markdown(tabulate([sample_policy(), trial_policy()]))
    assert "granted 'keeper'" in page
    assert "GRANT_CURATOR" in page


def test_a_caller_of_a_wrong_type_is_denied(session, caplog):
    """A grantee is a text; under a negation, too."""
    odd = SimpleNamespace(principal=5, principals=["own", 7])
    barred = Policy(Sample).allow(everyone, VIEW, when=~granted("barred"))
    assert not barred.decide(odd, VIEW, session.get(Sample, 2))
    assert not trial_policy().decide(odd, VIEW, session.get(Trial, SECOND))
    assert "principal" in caplog.text
