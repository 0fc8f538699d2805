"""Lists: the rows are those that `decide` allows, in whatever statement they are asked for."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    joinedload,
    mapped_column,
    selectinload,
)
from tests.unit.authz.conference import (
    CALLERS,
    CREATOR,
    NOBODY,
    OWNER,
    STRANGER,
    Event,
    Membership,
    Speaker,
    Talk,
    Who,
    speaker_policy,
    talking,
)

from licet.authz import ALL, DELETE, LIST, UPDATE, VIEW, Policy, attr, caller, everyone
from licet.errors import InvalidCondition

ADMIN = Who(1, is_admin=True)
PLACE = rf"{__file__}:\d+"
MANY_CALLERS = (*CALLERS, None, Who("9"), Who(0), *(Who(n, is_admin=n > 9) for n in range(2, 12)))
ORDERS: dict[str, tuple[Any, ...]] = {
    "key": (Speaker.id,),
    "backwards": (Speaker.id.desc(),),
    "name": (Speaker.name, Speaker.id),
    "nulls first": (Speaker.event_id.desc().nulls_first(), Speaker.id.desc()),
    "expression": (sa.func.abs(Speaker.id - 20), Speaker.id),
}


def keys(db: Session, statement: sa.Select[Any]) -> list[int]:
    return [speaker.id for speaker in db.scalars(statement)]


def is_branched(statement: sa.Select[Any]) -> bool:
    return "UNION ALL" in str(statement)


# --- the same rows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        sa.text("name = 'zz' OR speaker.id > 0"),
        sa.literal_column("speaker.id > 0 OR name = 'zz'"),
        sa.and_(sa.text("speaker.id > 0 OR name = 'zz'"), Speaker.id > 0),
        sa.text("speaker.id > :n OR name = 'zz'").bindparams(n=0),
    ],
    ids=str,
)
@pytest.mark.parametrize("who", [CREATOR, STRANGER, None], ids=repr)
def test_an_or_in_text_is_no_alternative_to_the_policy(db: Session, who: Any, text):
    """SQLAlchemy writes text as it is, and AND binds more than the OR that is in it."""
    policy = speaker_policy()
    for statement in (sa.select(Speaker), sa.select(Speaker).order_by(Speaker.id).limit(9)):
        wanted = keys(db, policy.filter(statement, who))
        assert keys(db, policy.filter(statement.where(text), who)) == wanted
    for change in (sa.update(Speaker).values(name="x"), sa.delete(Speaker)):
        verb = DELETE if isinstance(change, sa.Delete) else UPDATE
        whole, part = (policy.filter(one, who, verb) for one in (change, change.where(text)))
        options = {"synchronize_session": False}
        count = db.execute(whole, execution_options=options).rowcount
        db.rollback()
        assert db.execute(part, execution_options=options).rowcount == count
        db.rollback()


@pytest.mark.parametrize("verb", [LIST, VIEW, UPDATE, DELETE])
@pytest.mark.parametrize("who", MANY_CALLERS, ids=repr)
def test_the_rows_are_those_that_are_allowed(db: Session, who: Any, verb):
    """Of the whole database: as a filter, as a criterion, and as one on an alias."""
    policy = speaker_policy()
    speakers = db.scalars(sa.select(Speaker)).all()
    allowed = {speaker.id for speaker in speakers if policy.decide(who, verb, speaker)}
    alias = aliased(Speaker)

    assert set(keys(db, policy.filter(sa.select(Speaker), who, verb))) == allowed
    assert set(keys(db, sa.select(Speaker).where(policy.criterion(who, verb)))) == allowed
    of_alias = sa.select(alias).where(policy.criterion(who, verb, entity=alias))
    found = keys(db, of_alias)
    assert set(found) == allowed
    assert len(found) == len(allowed)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("who", [NOBODY, STRANGER, CREATOR, OWNER, Who(1, is_admin=True)], ids=repr)
def test_every_page_is_that_of_the_whole_list(db: Session, who: Any, order: tuple[Any, ...]):
    """Chosen from branches or not: the rows of the filtered list, in its order."""
    policy = speaker_policy()
    statement = sa.select(Speaker).order_by(*order)
    whole = keys(db, policy.filter(statement, who))
    for limit, offset in itertools.product((0, 1, 3, 7, 100), (None, 0, 1, 5, 39, 200)):
        page = policy.filter(statement.limit(limit).offset(offset), who)
        start = offset or 0
        assert keys(db, page) == whole[start : start + limit]
    assert is_branched(policy.filter(statement.limit(3), who)) is (
        who in (CREATOR, OWNER, STRANGER)
    )


@pytest.mark.parametrize("who", [NOBODY, STRANGER, CREATOR, OWNER], ids=repr)
@pytest.mark.parametrize(
    "add",
    {
        "where": lambda s: s.where(Speaker.name.is_not(None)),
        "join": lambda s: s.join(Speaker.event).where(Event.state == "published"),
        "outer join": lambda s: s.outerjoin(Speaker.event).where(Event.id.is_distinct_from(2)),
        "join that multiplies": lambda s: s.join(Speaker.talks),
        "implicit join": lambda s: s.where(Speaker.event_id == Event.id, Event.id < 3),
        "self-join": lambda s: (
            s.join(other := aliased(Speaker), other.event_id == Speaker.event_id)
            .where(other.id < 4)
            .order_by(other.id)
        ),
        "distinct": lambda s: s.join(Speaker.talks).distinct(),
        "group by": lambda s: s.join(Speaker.talks).group_by(Speaker.id),
        "having": lambda s: (
            s.join(Speaker.talks).group_by(Speaker.id).having(sa.func.count(Talk.id) > 1)
        ),
        "for update": lambda s: s.with_for_update(),
        "joined loading": lambda s: s.options(joinedload(Speaker.event)),
        "further loading": lambda s: s.options(
            selectinload(Speaker.talks), joinedload(Speaker.event).selectinload(Event.memberships)
        ),
        "text order": lambda s: s.order_by("name"),
        "a subquery": lambda s: s.where(Speaker.id.in_(sa.select(talking.c.speaker_id))),
        "select from": lambda s: s.select_from(Event).join(Event.speakers),
    }.items(),
    ids=lambda pair: pair[0],
)
def test_statements_of_any_shape_are_filtered(db: Session, who: Any, add):
    """A page is that of the same statement with the criterion in its WHERE."""
    policy = speaker_policy()
    statement = add[1](sa.select(Speaker)).order_by(Speaker.name, Speaker.id)
    for limit, offset in ((2, 0), (4, 3), (50, 0), (50, 4)):
        page = statement.limit(limit).offset(offset)
        wanted = keys(db, page.where(policy.criterion(who)))
        assert keys(db, policy.filter(page, who)) == wanted
    wanted = keys(db, statement.where(policy.criterion(who)))
    assert keys(db, policy.filter(statement, who)) == wanted


def test_only_what_gives_the_same_page_is_branched():
    """Ordered pages of the class or its columns; anything else gets a plain WHERE."""
    policy, page = speaker_policy(), sa.select(Speaker).order_by(Speaker.id).limit(5)
    branched = {
        "page": page,
        "offset": page.offset(5),
        "columns": sa.select(Speaker.id, Speaker.name).order_by(Speaker.name).limit(2),
    }
    plain = {
        "no limit": sa.select(Speaker).order_by(Speaker.id),
        "no order": sa.select(Speaker).limit(5),
        "distinct": page.distinct(),
        "group by": page.group_by(Speaker.id),
        "having": page.group_by(Speaker.id).having(sa.true()),
        "for update": page.with_for_update(),
        "limit by expression": page.limit(sa.literal(2) + 1),
        "offset by expression": page.offset(sa.literal(2) + 1),
        "fetch": sa.select(Speaker).order_by(Speaker.id).fetch(5),
        "text order": sa.select(Speaker).order_by("name").limit(5),
        "label": sa.select(Speaker, Speaker.id.label("n")).order_by("n").limit(5),
        "window": sa.select(Speaker, sa.func.count().over()).order_by(Speaker.id).limit(5),
        "two entities": sa.select(Event, Speaker).join(Event.speakers).order_by("id").limit(5),
        "table": sa.select(Speaker.__table__).order_by(Speaker.id).limit(5),
    }

    assert {
        n: is_branched(policy.filter(s, CREATOR)) for n, s in branched.items()
    } == dict.fromkeys(branched, True)
    assert {n: is_branched(policy.filter(s, CREATOR)) for n, s in plain.items()} == dict.fromkeys(
        plain, False
    )
    assert not is_branched(Policy(Speaker).allow(everyone, LIST).filter(page, NOBODY))


def test_a_total_beside_the_page_counts_all(db: Session):
    """A window function sees every row that the caller may list, not the page."""
    policy = speaker_policy()
    total = len(keys(db, policy.filter(sa.select(Speaker), CREATOR)))
    counted = sa.select(Speaker, sa.func.count().over().label("total")).order_by(Speaker.id)

    rows = db.execute(policy.filter(counted.limit(2), CREATOR)).all()

    assert [row.total for row in rows] == [total, total]


def test_counts_and_columns_are_filtered(db: Session):
    """What selects from the table without naming the class."""
    policy = speaker_policy()
    wanted = keys(db, policy.filter(sa.select(Speaker).order_by(Speaker.id), CREATOR))
    count = sa.select(sa.func.count()).select_from(Speaker)
    joined = sa.select(sa.func.count(sa.distinct(Speaker.id))).join_from(
        Speaker, Event, isouter=True
    )

    assert db.scalar(policy.filter(count, CREATOR)) == len(wanted)
    assert db.scalar(policy.filter(joined, CREATOR)) == len(wanted)
    of_table = policy.filter(sa.select(Speaker.__table__.c.id).order_by("id"), CREATOR)
    assert list(db.scalars(of_table)) == wanted


# --- what would let every row through -------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    {
        "another class": sa.select(Event),
        "a subquery": sa.select(sa.select(Speaker).subquery()),
        "an entity of a subquery": sa.select(aliased(Speaker, sa.select(Speaker).subquery())),
        "nothing": sa.select(sa.literal(1)),
        "a join of others": sa.select(Event).join(Event.memberships),
        "an alias in a join": sa.select(Event).join(Event.speakers.of_type(aliased(Speaker))),
        "another class that joins it": sa.select(Event).join(Event.speakers),
        "a column of another class": sa.select(Event.id).join(Event.speakers),
    }.items(),
    ids=lambda pair: pair[0],
)
@pytest.mark.parametrize("who", [CREATOR, Who("wrong"), Who(1, is_admin=True)], ids=repr)
def test_a_statement_on_something_else_is_refused(statement, who: Any):
    """Its rows would all be let through: the policy asks about rows of its own class."""
    selected = "Event" if "class" in statement[0] or "join" in statement[0] else ".*"
    with pytest.raises(
        InvalidCondition, match=f"about Speaker, and the statement selects {selected}: .*{PLACE}"
    ):
        speaker_policy().filter(statement[1], who)


def test_a_class_that_is_selected_twice_is_refused():
    """Which of the two is meant, the program says with a criterion of its own for each."""
    other = aliased(Speaker)
    for statement in (sa.select(Speaker, other), sa.select(other.id, aliased(Speaker).id)):
        with pytest.raises(InvalidCondition, match=f"has Speaker more than once.*{PLACE}"):
            speaker_policy().filter(statement, CREATOR)


@pytest.mark.parametrize("who", [NOBODY, CREATOR, OWNER], ids=repr)
def test_an_alias_is_filtered_as_the_class(db: Session, who: Any):
    """As a whole, its columns, page by page, and counted."""
    policy, other = speaker_policy(), aliased(Speaker)
    wanted = keys(db, policy.filter(sa.select(Speaker).order_by(Speaker.id), who))
    ordered = sa.select(other).order_by(other.id)
    count = sa.select(sa.func.count()).select_from(other)

    assert keys(db, policy.filter(ordered, who)) == wanted
    assert list(db.scalars(policy.filter(sa.select(other.id).order_by(other.id), who))) == wanted
    assert keys(db, policy.filter(ordered.limit(2).offset(1), who)) == wanted[1:3]
    assert db.scalar(policy.filter(count, who)) == len(wanted)


@pytest.mark.parametrize(
    "order", [(), (Speaker.event_id,), (Speaker.event_id.desc().nulls_last(),)]
)
@pytest.mark.parametrize("who", [NOBODY, CREATOR, OWNER], ids=repr)
def test_pages_of_an_order_with_ties_lose_no_row(db: Session, who: Any, order: tuple[Any, ...]):
    """The primary key decides between rows that the order leaves equal."""
    policy = speaker_policy()
    whole = keys(db, policy.filter(sa.select(Speaker), who))
    statement = sa.select(Speaker).order_by(*order)
    pages = [
        keys(db, policy.filter(statement.limit(3).offset(start), who)) for start in range(0, 60, 3)
    ]

    assert sorted(itertools.chain(*pages)) == sorted(whole)


def test_the_key_follows_the_direction_of_the_order():
    """So that one index serves both; it is added once, and to groups that are of one key each."""
    policy = speaker_policy()
    page = sa.select(Speaker).limit(2)

    def ordering(statement: sa.Select[Any]) -> str:
        filtered = str(policy.filter(statement, ADMIN))
        return filtered.partition("ORDER BY ")[2].partition(chr(10))[0].strip()

    assert ordering(page.order_by(Speaker.name.desc())) == "speaker.name DESC, speaker.id DESC"
    assert ordering(page.order_by(Speaker.name)) == "speaker.name, speaker.id"
    assert ordering(page.order_by(Speaker.id, Speaker.name)) == "speaker.id, speaker.name"
    named = sa.select(Speaker.name).order_by(Speaker.name).limit(1)
    for single in (
        page.order_by("name").distinct(),
        named.add_columns(Speaker.id).distinct(),
        page.group_by(Speaker.id).order_by(Speaker.name),
        page.group_by(Speaker).order_by(Speaker.name),
        named.add_columns(Speaker.id).group_by(Speaker.name, Speaker.id).distinct(),
    ):
        assert ordering(single) == "speaker.name, speaker.id"
    for several in (
        named.distinct(),
        named.group_by(Speaker.name),
        named.having(sa.true()),
        named.group_by(Speaker.name, Speaker.id).distinct(),
    ):
        assert ordering(several) == "speaker.name"


@pytest.mark.parametrize(
    "statement",
    [
        sa.union(sa.select(Speaker.id), sa.select(Speaker.id)),
        sa.text("SELECT * FROM speaker"),
        Speaker,
        None,
        sa.select(Speaker).from_statement(sa.text("SELECT * FROM speaker")),
    ],
    ids=["union", "text", "class", "none", "from statement"],
)
def test_what_is_no_select_is_refused(statement: Any):
    """A UNION is filtered part by part."""
    with pytest.raises(InvalidCondition, match=rf"filter takes select\(Speaker\).*{PLACE}"):
        speaker_policy().filter(statement, CREATOR)


# --- callers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 3])
def test_each_caller_of_a_union_keeps_their_own_values(db: Session, limit: int | None):
    """Also when the statements were compiled before, for other callers."""
    policy = speaker_policy()

    def part(who: Who) -> sa.Select[Any]:
        return policy.filter(sa.select(Speaker.id).order_by(Speaker.id).limit(limit), who)

    alone = [list(db.scalars(part(who))) for who in (CREATOR, OWNER)]
    parts = [sa.select(part(who).subquery()) for who in (CREATOR, OWNER)]
    both = list(db.scalars(sa.union_all(*parts)))

    assert alone[0] != alone[1]
    assert sorted(both) == sorted(alone[0] + alone[1])


def test_a_statement_stays_as_it_was(db: Session):
    """Filtering makes a new one."""
    policy, statement = speaker_policy(), sa.select(Speaker).order_by(Speaker.id).limit(3)
    before = str(statement)
    for who in (NOBODY, CREATOR, OWNER):
        policy.filter(statement, who)

    assert str(statement) == before


def test_a_criterion_may_be_asked_before_anything_else(db: Session):
    """Of a verb whose SQL was not needed when the policy was built, too."""
    policy = speaker_policy()
    for _ in range(2):
        assert keys(db, sa.select(Speaker).where(policy.criterion(CREATOR, UPDATE)))
    check = policy.check(UPDATE)
    check.prepare()
    check.prepare()
    assert check.criterion(CREATOR) is not None


def test_who_may_list_nothing_asks_for_nothing(db: Session):
    """FALSE, on any statement; who may list everything gets the statement itself."""
    statement = sa.select(Talk)

    assert db.scalars(Policy(Talk).filter(statement, OWNER)).all() == []
    assert Policy(Talk).allow(everyone, ALL).filter(statement, OWNER) is statement
    assert db.scalars(sa.select(Talk).where(Policy(Talk).criterion(OWNER))).all() == []
    assert (
        len(
            db.scalars(
                sa.select(Talk).where(Policy(Talk).allow(everyone, ALL).criterion(None))
            ).all()
        )
        == 9
    )


# --- keys and hierarchies -------------------------------------------------------------------------


def test_pages_by_a_composite_key(db: Session):
    """The branches choose pairs."""
    mine, led = attr("account_id") == caller.account_id, attr("role") == "owner"
    policy = Policy(Membership).allow(everyone, LIST, when=mine).allow(everyone, LIST, when=led)
    ordered = sa.select(Membership).order_by(Membership.account_id, Membership.event_id)
    whole = [(m.event_id, m.account_id) for m in db.scalars(policy.filter(ordered, Who(1)))]
    pages = []
    for offset in range(3):
        page = policy.filter(ordered.limit(1).offset(offset), Who(1))
        assert is_branched(page)
        pages += [(m.event_id, m.account_id) for m in db.scalars(page)]

    assert pages == whole == [(1, 1), (1, 9)]


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"
    __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "thing"}

    number: Mapped[int] = mapped_column("id", primary_key=True)
    kind: Mapped[str]
    owner: Mapped[str | None]


class Book(Thing):
    __tablename__ = "book"
    __mapper_args__: ClassVar = {"polymorphic_identity": "book"}

    book_number: Mapped[int] = mapped_column(sa.ForeignKey("thing.id"), primary_key=True)
    title: Mapped[str]


class Toy(Thing):
    __mapper_args__: ClassVar = {"polymorphic_identity": "toy"}


@pytest.mark.parametrize("grants", ["some", "all"])
@pytest.mark.parametrize("about", [Book, Toy])
def test_a_subclass_policy_lets_no_other_row_through(about: type[Thing], grants: str):
    """A select of the base or of a sibling is refused, whatever the policy grants."""
    policy = Policy(about)
    policy.allow(everyone, LIST, when=attr("owner") == "me" if grants == "some" else None)
    other = Toy if about is Book else Book
    statements = [
        sa.select(Thing),
        sa.select(Thing.number),
        sa.select(aliased(Thing)),
        sa.select(Thing.__table__),
        sa.select(sa.func.count()).select_from(Thing),
        sa.select(other),
        sa.select(sa.func.count(other.number)),
    ]
    for statement in statements:
        with pytest.raises(InvalidCondition, match=f"about {about.__name__}, and the statement"):
            policy.filter(statement, None)


def test_subclasses_are_filtered_by_either_policy():
    """A page of books under the policy of things has books only, and all of its rows."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    either = (attr("owner") == "me", attr("owner") == "you")
    with Session(engine) as session:
        for number in range(12):
            owner = ("me", "you", None)[number % 3]
            kind = (Toy, Thing, Toy, Book)[number % 4]
            session.add(kind(owner=owner, **({"title": "t"} if kind is Book else {})))
        session.commit()
        for model, about in itertools.product((Thing, Book, Toy), (Thing, Book, Toy)):
            if not issubclass(model, about):
                continue
            policy = Policy(about)
            for when in either:
                policy.allow(everyone, LIST | VIEW, when=when)
            allowed = [o for o in session.scalars(sa.select(model)) if policy.decide(None, VIEW, o)]
            page = sa.select(model).order_by(model.number).limit(2)
            assert session.scalars(policy.filter(page, None)).all() == allowed[:2]
            assert session.scalars(policy.filter(page.offset(1), None)).all() == allowed[1:3]
    engine.dispose()
