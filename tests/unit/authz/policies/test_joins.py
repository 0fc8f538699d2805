"""Relationships that are joined by more than a plain pair of columns: exactly right, or refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    foreign,
    mapped_column,
    relationship,
    remote,
)

from licet.authz import ALL, CREATE, UPDATE, VIEW, Policy, attr, caller, everyone
from licet.errors import UnloadedObject, UntranslatableCondition


class Base(DeclarativeBase):
    pass


class Owner(Base):
    __tablename__ = "owner"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    who: Mapped[int]
    least: Mapped[int | None]
    highest: Mapped[int | None]


shared = sa.Table(
    "shared",
    Base.metadata,
    sa.Column("doc_id", sa.ForeignKey("doc.id"), primary_key=True),
    sa.Column("owner_id", sa.ForeignKey("owner.id"), primary_key=True),
    sa.Column("is_over", sa.Boolean, nullable=False, default=False),
)


class Doc(Base):
    __tablename__ = "doc"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]
    label: Mapped[str | None]
    rank: Mapped[int | None]
    by_sum: Mapped[Owner | None] = relationship(
        primaryjoin=lambda: foreign(Doc.number) + 1 == Owner.id, viewonly=True
    )
    by_function: Mapped[Owner | None] = relationship(
        primaryjoin=lambda: sa.func.lower(foreign(Doc.label)) == Owner.code, viewonly=True
    )
    by_kind: Mapped[Owner | None] = relationship(
        primaryjoin=lambda: sa.and_(foreign(Doc.number) == Owner.id, Owner.kind == "real"),
        viewonly=True,
    )
    by_order: Mapped[Owner | None] = relationship(
        primaryjoin=lambda: foreign(Doc.number) > Owner.least, viewonly=True
    )
    by_both: Mapped[Owner | None] = relationship(
        primaryjoin=lambda: sa.and_(
            foreign(Doc.number) == Owner.id, foreign(Doc.rank) <= Owner.highest
        )
    )
    by_range: Mapped[list[Owner]] = relationship(
        primaryjoin=lambda: remote(foreign(Owner.id)) > Doc.number, viewonly=True
    )
    with_real: Mapped[list[Owner]] = relationship(
        secondary=shared,
        secondaryjoin=lambda: sa.and_(shared.c.owner_id == Owner.id, Owner.kind == "real"),
        viewonly=True,
    )
    still_with: Mapped[list[Owner]] = relationship(
        secondary=shared,
        primaryjoin=lambda: sa.and_(shared.c.doc_id == Doc.id, shared.c.is_over.is_(sa.false())),
        viewonly=True,
    )


JOINS = ["by_sum", "by_function", "by_kind", "by_order", "by_both"]


class Caller:
    who = 7


@pytest.fixture
def db() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(
            Owner(
                id=n,
                code=code,
                kind=kind,
                who=who,
                highest=20,
                least=3 if n == 1 else None,
            )
            for n, code, kind, who in [
                (1, "ann", "real", 7),
                (2, "ben", "real", 8),
                (3, "ANN", "fake", 7),
                (4, "cat", "real", 7),
            ]
        )
        labels = (None, "ann", "ANN", "Ben", "cat", "none")
        session.add_all(
            Doc(id=10 * at + number, number=number, label=label, rank=10 * at)
            for at, label in enumerate(labels)
            for number in range(6)
        )
        session.commit()
        yield session
    engine.dispose()


def policy_of(name: str, *, is_negated: bool = False) -> Policy:
    is_mine = attr(f"{name}.who") == caller.who
    return Policy(Doc).allow(everyone, ALL, when=~is_mine if is_negated else is_mine)


def right(doc: Doc, name: str) -> bool:
    """What the rows say, joined by hand."""
    number = doc.number
    by_id = {1: 7, 2: 8, 3: 7, 4: 7}
    if name == "by_sum":
        return number is not None and by_id.get(number + 1) == 7
    if name == "by_function":
        return doc.label is not None and doc.label.lower() in ("ann", "cat")
    if name == "by_order":
        return number is not None and number > 3
    if name == "by_both":
        return by_id.get(number) == 7 and doc.rank is not None and doc.rank <= 20
    return number in (1, 4)


@pytest.mark.parametrize("is_negated", [False, True])
@pytest.mark.parametrize("name", JOINS)
def test_the_readings_agree_with_the_join(db: Session, name: str, is_negated: bool):
    """Of stored rows: the decision, loaded or not, the filter and the explanation."""
    policy, caller_ = policy_of(name, is_negated=is_negated), Caller()
    docs = db.scalars(sa.select(Doc)).all()
    allowed = {doc.id for doc in docs if right(doc, name) is not is_negated}

    assert {d.id for d in docs if policy.decide(caller_, VIEW, d)} == allowed
    assert {d.id for d in db.scalars(policy.filter(sa.select(Doc), caller_))} == allowed
    assert {d.id for d in docs if policy.explain(caller_, VIEW, d).holds} == allowed
    for doc in docs:
        getattr(doc, name)  # from now on loaded
    assert {d.id for d in docs if policy.decide(caller_, VIEW, d)} == allowed


@pytest.mark.parametrize("name", ["with_real", "still_with"])
def test_a_table_between_that_is_joined_by_more(db: Session, name: str):
    """What else the join asks counts in the list as in the decision."""
    shares = [(0, 1, False), (1, 3, False), (2, 4, True), (3, 2, False), (4, 3, True)]
    keys = ("doc_id", "owner_id", "is_over")
    db.execute(sa.insert(shared), [dict(zip(keys, one, strict=True)) for one in shares])
    allowed = {0, 2} if name == "with_real" else {0, 1}
    policy = Policy(Doc).allow(everyone, ALL, when=attr(name).any(attr("who") == caller.who))
    docs = db.scalars(sa.select(Doc)).all()
    assert {d.id for d in docs if policy.decide(Caller(), VIEW, d)} == allowed
    assert {d.id for d in db.scalars(policy.filter(sa.select(Doc), Caller()))} == allowed


def test_a_range_is_no_equality(db: Session):
    """Of rows joined by ``>``, listed or one by one, for callers who own some of them."""
    policy = Policy(Doc).allow(everyone, ALL, when=attr("by_range").any(attr("who") == caller.who))
    for who in (7, 8, 9):
        mine = type("Who", (), {"who": who})()
        docs = db.scalars(sa.select(Doc)).all()
        last = {7: 4, 8: 2}.get(who, 0)  # the largest number that is theirs
        allowed = {doc.id for doc in docs if doc.number < last}
        assert {d.id for d in docs if policy.decide(mine, VIEW, d)} == allowed
        assert {d.id for d in db.scalars(policy.filter(sa.select(Doc), mine))} == allowed


@pytest.mark.parametrize("name", JOINS)
def test_drafts_and_changes_are_joined_as_a_flush_would(db: Session, name: str):
    """The join is asked with the values that are to be written."""
    policy, caller_ = policy_of(name), Caller()
    for number, label in [(0, "ann"), (1, "ben"), (2, "ANN"), (3, "x"), (4, "cat"), (None, None)]:
        draft = Doc(number=number, label=label)
        assert bool(policy.decide(caller_, CREATE, draft, session=db)) is right(draft, name)
        doc = db.get(Doc, 10)  # label ann, number 0
        was = right(doc, name)
        doc.number, doc.label = number, label
        assert bool(policy.decide(caller_, UPDATE, doc)) is (was and right(doc, name))
        db.rollback()


def test_what_no_join_can_be_asked_for_is_an_error():
    """A draft in no session; never "no object", which a negation would take for a yes."""
    with pytest.raises(UnloadedObject, match=r"Doc\.by_sum is given by its key only"):
        policy_of("by_sum", is_negated=True).decide(Caller(), CREATE, Doc(number=1))


def test_only_what_a_flush_copies_follows_an_object_that_is_set(db: Session):
    """The pair of columns that are equal; the one that is compared by its order stays."""
    policy = Policy(Doc).allow(everyone, ALL, when=(attr("number") == 4) & (attr("rank") == 5))
    draft = Doc(id=99, rank=5, by_both=db.get(Owner, 4))
    assert policy.decide(Caller(), CREATE, draft, session=db)
    assert (draft.number, draft.rank) == (4, 5)
    db.add(draft)
    db.flush()
    assert (draft.number, draft.rank) == (4, 5)


def test_a_view_that_is_set_counts_for_nothing(db: Session):
    """No flush stores it, so it is asked of the rows, as before."""
    doc = db.get(Doc, 12)  # its owner is not the caller
    doc.by_kind = db.get(Owner, 1)
    assert not policy_of("by_kind").decide(Caller(), VIEW, doc)
    assert not policy_of("by_kind").decide(Caller(), UPDATE, doc)


def test_an_object_in_no_session_goes_by_what_was_loaded(db: Session):
    """Nothing can change it any more."""
    doc = db.get(Doc, 10)
    assert doc.by_sum.id == 1
    db.expunge_all()

    assert policy_of("by_sum").decide(Caller(), VIEW, doc)


def test_a_range_of_objects_is_asked_by_its_join(db: Session):
    """A to-many relationship of any join."""
    policy = Policy(Doc).allow(everyone, ALL, when=attr("by_range").any(attr("who") == 8))
    docs = db.scalars(sa.select(Doc)).all()
    allowed = {doc.id for doc in docs if doc.number < 2}

    assert {d.id for d in db.scalars(policy.filter(sa.select(Doc), None))} == allowed
    assert {d.id for d in docs if policy.decide(None, VIEW, d)} == allowed


@pytest.mark.parametrize("is_many", [False, True])
def test_a_relationship_to_an_alias_is_refused(is_many: bool):
    """No subquery could be related to it: every row would be let through."""

    class Local(DeclarativeBase):
        pass

    class Person(Local):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Letter(Local):
        __tablename__ = "letter"
        id: Mapped[int] = mapped_column(primary_key=True)
        person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))

    other = aliased(Person)
    Letter.other = relationship(
        other, primaryjoin=Letter.person_id == other.id, viewonly=True, uselist=is_many
    )
    when = attr("other").any(attr("id") == 1) if is_many else attr("other.id") == 1

    policy = Policy(Letter).allow(everyone, ALL, when=when)
    with pytest.raises(UntranslatableCondition, match=r"leads to an alias of Person.*Declared at"):
        policy.build()
