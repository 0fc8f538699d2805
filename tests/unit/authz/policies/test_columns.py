"""Columns of ordinary models: what compares exactly on every database, and what is refused."""

from __future__ import annotations

import enum
import itertools
import math
import operator
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from tests.ids import shown
from tests.unit.authz.readings import Asked

from licet.authz import LIST, VIEW, Policy, attr, caller, everyone, now
from licet.authz.policies.conditions import Condition
from licet.db.types import UTCDateTime
from licet.errors import UntranslatableCondition
from licet.testing import assert_policy_consistent

pytestmark = pytest.mark.filterwarnings("ignore:Dialect sqlite.* does .not. support Decimal")
NOBODY = SimpleNamespace()


class Base(DeclarativeBase):
    pass


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Angle(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Loan(Base):
    __tablename__ = "loan"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    due: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    began: Mapped[datetime | None] = mapped_column(sa.DateTime)
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(10, 2))
    paid: Mapped[Decimal | None] = mapped_column(sa.Numeric(15, 4))
    state: Mapped[str | None] = mapped_column(sa.Enum("draft", "done", "lost", name="loan_state"))
    size: Mapped[Size | None]
    angle: Mapped[Angle | None]
    old_size: Mapped[Size | None] = mapped_column(
        sa.Enum(Size, name="old", values_callable=lambda kind: [one.value for one in kind])
    )
    key: Mapped[Any] = mapped_column(sa.Uuid, nullable=True)
    key_text: Mapped[Any] = mapped_column(sa.Uuid(native_uuid=False), nullable=True)
    meta: Mapped[Any] = mapped_column(sa.JSON, nullable=True)
    rough: Mapped[float | None] = mapped_column(sa.Float)
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("loan.id"))
    parent: Mapped[Loan | None] = relationship(remote_side="Loan.id")


@pytest.fixture
def db() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def postgresql_db(postgresql_schema_url: str) -> Iterator[Session]:
    """A session far away from UTC."""
    engine = sa.create_engine(postgresql_schema_url, poolclass=sa.NullPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.execute(sa.text("SET TIME ZONE 'Asia/Tokyo'"))
        yield session
    engine.dispose()


def in_sql(db: Session, model: type[Any], condition: Condition, key: int = 1) -> set[bool]:
    """What WHERE and the column say of one row."""
    asked = Asked(model, condition)
    one = sa.select(model.id).where(model.id == key)
    column = sa.select(asked.column(NOBODY)).where(model.id == key)
    return {db.scalar(one.where(asked.where(NOBODY))) is not None, db.scalar(column) is True}


def readings(db: Session, owner: Any, condition: Condition) -> set[bool]:
    """What the decision, the explanation and SQL say: one answer, as they agree."""
    asked = Asked(type(owner), condition)
    said = {asked.decide(owner, NOBODY), asked.explain(owner, NOBODY)}
    return said | in_sql(db, type(owner), condition, owner.id)


# --- null ----------------------------------------------------------------------------------------


class Tags(sa.types.UserDefinedType[Any]):
    """A type that is written from nothing but SQLAlchemy's base."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "TEXT"


class Loud(sa.types.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value and value.upper()


class Empty(Loud):
    """NULL is read as an empty text."""

    def process_result_value(self, value: Any, dialect: Any) -> str:
        return value or ""


class Filled(Loud):
    """None is written as an empty text."""

    def process_bind_param(self, value: Any, dialect: Any) -> str:
        return value or ""


class Broken(Loud):
    def process_result_value(self, value: Any, dialect: Any) -> str:
        return value.lower()


def _model(column_type: Any, **options: Any) -> type[Any]:
    class OwnBase(DeclarativeBase):
        pass

    class Odd(OwnBase):
        __tablename__ = "odd"
        id: Mapped[int] = mapped_column(primary_key=True)
        x = mapped_column(column_type, **options)

    return Odd


OF_ANY_TYPE = [
    (sa.JSON(), {"a": None}),
    (sa.JSON(none_as_null=True), []),
    (sa.JSON(), "null"),
    (sa.JSON(), 0),
    (sa.LargeBinary(), b""),
    (sa.PickleType(), {}),
    (sa.Float(), 0.0),
    (sa.Double(), 1.5),
    (sa.Numeric(), Decimal("1.5")),
    (sa.Numeric(30, 20), Decimal("1.5")),
    (sa.Time(), datetime(2024, 1, 1, 12, tzinfo=UTC).time()),
    (sa.Interval(), timedelta(0)),
    (sa.CHAR(5), "a"),
    (sa.DateTime(), datetime(2024, 1, 1)),  # noqa: DTZ001 - as such a column has it
    (sa.DateTime(timezone=True), datetime(2024, 1, 1, tzinfo=UTC)),
    (sa.String(collation="NOCASE"), ""),
    (sa.Uuid(as_uuid=False), "0" * 32),
    (sa.Enum("a", "b"), "a"),
    (Loud(), "a"),
    (Tags(), "a"),
]


@pytest.mark.parametrize(("column_type", "value"), OF_ANY_TYPE, ids=repr)
def test_any_column_can_be_asked_whether_it_is_null(column_type: Any, value: Any):
    """In all readings, as assigned and as loaded, whatever its values are."""
    model = _model(column_type)
    engine = sa.create_engine("sqlite://")
    model.metadata.create_all(engine)
    with Session(engine) as db:
        for key, given in ((1, {}), (2, {"x": None}), (3, {"x": value})):
            owner = model(id=key, **given)
            db.add(owner)
            db.flush()
            is_null = {key < 3}
            assert readings(db, owner, attr("x").is_null()) == is_null
            assert readings(db, owner, ~attr("x").is_null()) == {key == 3}
            db.refresh(owner)
            assert readings(db, owner, attr("x").is_null()) == is_null
    engine.dispose()


@pytest.mark.parametrize("column_type", [sa.JSON(), sa.JSON(none_as_null=True)], ids=repr)
@pytest.mark.parametrize("null", [sa.JSON.NULL, sa.null(), None], ids=shown)
def test_both_nulls_of_json_are_null(db: Session, column_type: Any, null: Any):
    """SQLAlchemy reads None for either, so that nothing else could be the same in Python."""
    model = _model(column_type)
    model.metadata.create_all(db.get_bind())
    owner = model(id=1, x=null)
    db.add(owner)
    db.flush()

    assert readings(db, owner, attr("x").is_null()) == {True}
    db.refresh(owner)
    assert readings(db, owner, attr("x").is_null()) == {True}
    assert readings(db, owner, ~attr("x").is_null()) == {False}


@pytest.mark.parametrize("text", ["null", " null", "\n\tnull\r "])
def test_json_is_null_however_it_is_written(db: Session, text: str):
    """A program that writes JSON by hand may put space around it; it cannot be NOT NULL either."""
    model = _model(sa.JSON(), nullable=False)
    model.metadata.create_all(db.get_bind())
    db.execute(sa.text("INSERT INTO odd (id, x) VALUES (1, :text)"), {"text": text})
    owner = db.get(model, 1)

    assert owner is not None
    assert readings(db, owner, attr("x").is_null()) == {True}


@pytest.mark.parametrize(
    ("column_type", "reason"),
    [
        (Empty(), "is Empty(), which reads something from NULL"),
        (Filled(), "is Filled(), which writes something for None"),
        (Broken(), "is Broken(), whose conversion of None raises AttributeError"),
        (sa.Text().with_variant(Empty(), "sqlite"), "x is Empty(), which reads something"),
    ],
    ids=["reads", "writes", "raises", "variant"],
)
def test_a_type_whose_null_differs_in_python_is_refused(column_type: Any, reason: str):
    """When the policy is built, with the place of the condition."""
    with pytest.raises(UntranslatableCondition) as caught:
        Asked(_model(column_type), attr("x").is_null())

    assert reason in str(caught.value)
    assert __file__ in str(caught.value)


def test_a_draft_with_an_expression_is_not_asked(db: Session, caplog: pytest.LogCaptureFixture):
    """What it will be is the database's to say."""
    draft = Loan(rough=sa.literal(5.0) + 1, meta=sa.literal("x"))

    for name in ("rough", "meta"):
        assert not Asked(Loan, ~attr(name).is_null()).decide(draft, NOBODY)
        assert f"Loan.{name} is an SQL expression" in caplog.text


def test_not_a_number_is_null_on_sqlite_alone(
    db: Session, postgresql_db: Session, caplog: pytest.LogCaptureFixture
):
    """What was assigned is not what SQLite has, so that nothing is decided by it."""
    on_sqlite, on_postgresql = Loan(id=1, rough=math.nan), Loan(id=1, rough=math.nan)
    for session, loan in ((db, on_sqlite), (postgresql_db, on_postgresql)):
        session.add(loan)
        session.flush()
    is_there = ~attr("rough").is_null()

    assert not Asked(Loan, is_there).decide(on_sqlite, NOBODY)
    assert "Loan.rough is not a number, for which SQLite keeps NULL" in caplog.text
    assert readings(postgresql_db, on_postgresql, is_there) == {True}


# --- moments -------------------------------------------------------------------------------------

SECOND = datetime(2024, 3, 31, 1, 0, 5, tzinfo=UTC)
MOMENTS = [SECOND + timedelta(microseconds=n) for n in (-1, 0, 1, 100_000, 120_000, 500_000)]
TEXTS = [
    *("2024-03-31 01:00:05", "2024-03-31 01:00:05.000", "2024-03-31 01:00:05.000000"),
    *("2024-03-31 01:00:05.1", "2024-03-31 01:00:05.12", "2024-03-31 01:00:05.120"),
    *("2024-03-31 01:00:04.999999", "2024-03-31 01:00:05.000001"),
]
ORDERS: list[Callable[[Any, Any], Any]] = [
    *(operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
]
COLUMNS = [attr("at"), attr("due"), attr("began", naive_as_utc=True)]


def _agree(db: Session, owner: Any, condition: Condition) -> bool:
    """Whether all readings do, and what they say."""
    (said,) = readings(db, owner, condition)
    return said


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_of_a_moment_is_that_moment(db: Session, text: str):
    """SQLite's CURRENT_TIMESTAMP writes no fraction, strftime three digits, SQLAlchemy six."""
    insert = "INSERT INTO loan (id, at, due, began) VALUES (1, :text, :text, :text)"
    db.execute(sa.text(insert), {"text": text})
    owner, moment = db.get(Loan, 1), datetime.fromisoformat(text).replace(tzinfo=UTC)

    for column, other, compare in itertools.product(COLUMNS, MOMENTS, ORDERS):
        assert _agree(db, owner, compare(column, other)) is compare(moment, other)
        assert _agree(db, owner, ~compare(column, other)) is not compare(moment, other)
    for column in COLUMNS:
        assert _agree(db, owner, column.in_(MOMENTS)) is (moment in MOMENTS)
        assert _agree(db, owner, column.in_(MOMENTS[1:3])) is (moment in MOMENTS[1:3])
    for left, right in itertools.permutations(COLUMNS, 2):
        assert _agree(db, owner, left == right)
        assert not _agree(db, owner, left < right)


def test_moments_are_exact_far_from_utc(postgresql_db: Session):
    """The zone of PostgreSQL's session is not that of what is kept without one."""
    naive = SECOND.replace(tzinfo=None)
    postgresql_db.add(Loan(id=1, at=SECOND, due=SECOND, began=naive))
    postgresql_db.flush()
    postgresql_db.expire_all()
    owner = postgresql_db.get(Loan, 1)

    for column, other, compare in itertools.product(COLUMNS, MOMENTS, ORDERS):
        assert _agree(postgresql_db, owner, compare(column, other)) is compare(SECOND, other)
    for left, right in itertools.permutations(COLUMNS, 2):
        assert _agree(postgresql_db, owner, left == right)
        assert not _agree(postgresql_db, owner, left != right)
        assert _agree(postgresql_db, owner, left.in_(MOMENTS))


BERLIN = timezone(timedelta(hours=2))
NAIVE = SECOND.replace(tzinfo=None)
NOT_STORED_SO = [
    ({"due": SECOND.astimezone(BERLIN)}, "in another time zone than UTC, which SQLite does not"),
    ({"due": SECOND.date()}, "Loan.due is date, not a datetime"),
    ({"began": SECOND}, "Loan.began has a time zone, and its column none"),
    ({"price": 1.5}, "Loan.price is float, not Decimal or int"),
    ({"price": True}, "Loan.price is bool, not Decimal or int"),
    ({"price": "1.5"}, "Loan.price is str, not Decimal or int"),
    ({"price": Decimal("1.005")}, "Loan.price has more digits than Numeric(10, 2) keeps"),
    ({"price": 10**400}, "Loan.price has more digits than Numeric(10, 2) keeps"),
    ({"price": Decimal(2**63) + Decimal("0.01")}, "has more digits than Numeric(10, 2) keeps"),
    ({"price": Decimal("NaN")}, "Loan.price is not a number, which not every database keeps"),
    ({"state": "Draft"}, "Loan.state is not one of 'draft', 'done', 'lost'"),
    ({"state": Size.SMALL}, "Loan.state is not one of 'draft', 'done', 'lost'"),
]
NEGATED = {
    "due": ~(attr("due") == MOMENTS[0]),
    "began": ~(attr("began", naive_as_utc=True) > MOMENTS[-1]),
    "price": ~(attr("price") == 7),
    "state": ~attr("state").in_(["done"]),
}


@pytest.mark.parametrize(("values", "reason"), NOT_STORED_SO, ids=shown)
def test_what_a_database_does_not_keep_so_is_denied(
    db: Session, values: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
):
    """As assigned, before and after the flush, under a negation, too; and told in the log."""
    (name,) = values
    owner = Loan(id=1, **values)
    db.add(owner)

    for decide in (Asked(Loan, NEGATED[name]).decide, Asked(Loan, NEGATED[name]).decide_as_stored):
        caplog.clear()
        assert not decide(owner, NOBODY)
        assert reason in caplog.text


def test_a_time_without_zone_is_utc_where_it_is_kept_so(
    db: Session, postgresql_db: Session, caplog: pytest.LogCaptureFixture
):
    """SQLite reads moments so. In PostgreSQL it would be a time of the session's zone."""
    condition = attr("due") == SECOND
    loan, other = Loan(id=1, due=NAIVE), Loan(id=1, due=NAIVE)
    for session, owner in ((db, loan), (postgresql_db, other)):
        session.add(owner)
        session.flush()

    assert readings(db, loan, condition) == {True}
    assert not Asked(Loan, ~condition).decide(other, NOBODY)
    assert "Loan.due is a datetime without time zone" in caplog.text
    db.refresh(loan)
    db.expunge(loan)  # as it was loaded, which only SQLite does
    assert Asked(Loan, condition).decide(loan, NOBODY)
    assert not Asked(Loan, ~condition).decide(Loan(due=NAIVE), NOBODY)  # for whichever database


def test_a_moment_of_any_zone_is_kept_by_postgresql(postgresql_db: Session):
    """As assigned and as loaded, which is in the session's zone."""
    owner = Loan(id=1, due=SECOND.astimezone(BERLIN))
    postgresql_db.add(owner)
    postgresql_db.flush()

    assert readings(postgresql_db, owner, attr("due") == SECOND) == {True}
    postgresql_db.refresh(owner)
    assert owner.due is not None
    assert owner.due.utcoffset() == timedelta(hours=9)
    assert readings(postgresql_db, owner, attr("due") == SECOND) == {True}
    assert readings(postgresql_db, owner, attr("due") > SECOND) == {False}


def test_times_without_zone_are_utc_when_the_policy_says_so(db: Session):
    """For the whole policy, or for one attribute; else it is refused."""
    db.add_all([Loan(began=NAIVE), Loan(began=NAIVE + timedelta(seconds=1)), Loan()])
    policy = Policy(Loan, naive_as_utc=True)
    policy.allow(everyone, LIST | VIEW, when=attr("began") <= caller.seen_at)
    policy.hide("price", unless=~(attr("began") < SECOND))
    callers = [SimpleNamespace(seen_at=SECOND), SimpleNamespace(seen_at=None)]

    assert assert_policy_consistent(policy, db, callers) > 0
    assert assert_policy_consistent(policy, db) > 0
    allowed = policy.filter(sa.select(Loan), callers[0])
    assert [loan.began for loan in db.scalars(allowed)] == [NAIVE]


# --- numbers -------------------------------------------------------------------------------------

DOUBLES = [
    *(0.1 + 0.2, 0.125, 0.375, 1.005, 2.675, -2.675, -0.0, 0.005, -0.005, 0.015, 8.0, 1e15, 1e17),
    *(
        float("inf"),
        4503599627370497.5,
        99999999.995,
        math.nextafter(0.125, 1),
        0.30000000000000001,
    ),
]
NUMBERS = [
    *map(Decimal, ("0", "0.3", "0.30", "0.29", "0.12", "0.13", "1", "1.0", "1.01", "2.67", "2.68")),
    *map(Decimal, ("-2.68", "-2.67", "0.01", "0.02", "8", "1E+15", "1E+17", "100000000", "1E+300")),
    *map(Decimal, ("0.301", "0.1250000001", "-0", "1E-300", "99999999.99", "4503599627370497.5")),
]


def _noise(number: float) -> list[float]:
    return [number, math.nextafter(number, -math.inf), math.nextafter(number, math.inf)]


def test_every_double_is_the_number_that_it_is_read_as(db: Session):
    """Sums of doubles have more digits than their column, which SQLite keeps."""
    chance = random.Random(5)
    halves = [chance.randrange(10**7) / 100 + 0.005 for _ in range(30)]
    doubles = [noisy for one in (*DOUBLES, *halves) for noisy in _noise(one)]
    rows = [{"id": key, "price": double} for key, double in enumerate(doubles)]
    db.execute(sa.text("INSERT INTO loan (id, price) VALUES (:id, :price)"), rows)
    loans = db.scalars(sa.select(Loan).order_by(Loan.id)).all()
    own = chance.sample([loan.price for loan in loans], 10)

    for number, compare in itertools.product([*NUMBERS, *own], ORDERS):
        asked = Asked(Loan, compare(attr("price"), number))
        found = set(db.scalars(sa.select(Loan.id).where(asked.where(NOBODY))))
        decided = {loan.id for loan in loans if asked.decide_as_stored(loan, NOBODY)}
        assert found == decided == {loan.id for loan in loans if compare(loan.price, number)}
    two = [(compare(attr("price"), attr("paid")), compare) for compare in ORDERS]
    db.execute(sa.text("UPDATE loan SET paid = round(price, 2) + (id % 3 - 1) * 0.00005"))
    db.expire_all()
    for condition, compare in two:
        found = set(db.scalars(sa.select(Loan.id).where(Asked(Loan, condition).where(NOBODY))))
        assert found == {loan.id for loan in loans if compare(loan.price, loan.paid)}
    many = attr("price").in_([*NUMBERS, *own])
    found = set(db.scalars(sa.select(Loan.id).where(Asked(Loan, many).where(NOBODY))))
    assert found == {loan.id for loan in loans if loan.price in {*NUMBERS, *own}}


@pytest.mark.parametrize("name", ["db", "postgresql_db"])
def test_numbers_that_were_assigned_are_exact(name: str, request: pytest.FixtureRequest):
    """Decimal and int, whatever their exponent; each is kept as it is."""
    db = request.getfixturevalue(name)
    given = [Decimal("1E+2"), Decimal("-0"), Decimal("8.20"), 7, Decimal("99999999.99")]
    for number in given:
        owner = Loan(price=number, paid=number)
        db.add(owner)
        db.flush()
        for other, compare in itertools.product([*given, Decimal("8.1999")], ORDERS):
            wanted = {compare(number, other)}
            assert readings(db, owner, compare(attr("price"), other)) == wanted
        assert readings(db, owner, attr("price") == attr("paid")) == {True}
        assert readings(db, owner, attr("price") != attr("paid")) == {False}


def test_postgresql_orders_what_is_not_a_number_last(postgresql_db: Session):
    """Equal to itself, and after every number."""
    postgresql_db.execute(
        sa.text("INSERT INTO loan (id, price, paid) VALUES (1, 'NaN', 'NaN'), (2, 'NaN', 5)")
    )
    one, other = postgresql_db.get(Loan, 1), postgresql_db.get(Loan, 2)

    for number, compare in itertools.product([0, Decimal("1E+300")], ORDERS):
        wanted = {compare(Decimal("Infinity"), number)}
        assert readings(postgresql_db, one, compare(attr("price"), number)) == wanted
    assert readings(postgresql_db, one, attr("price") == attr("paid")) == {True}
    assert readings(postgresql_db, other, attr("price") > attr("paid")) == {True}
    assert readings(postgresql_db, one, attr("price").is_null()) == {False}


def test_too_many_numbers_deny(db: Session, caplog: pytest.LogCaptureFixture):
    """Ten thousand are asked for; more have no room in one statement."""
    condition = attr("price").in_(caller.prices)
    db.add(Loan(id=1, price=5))
    db.flush()
    many = SimpleNamespace(prices=range(10_000))
    more = SimpleNamespace(prices=range(10_001))
    asked, loan = Asked(Loan, condition), db.get(Loan, 1)

    assert asked.decide(loan, many)
    assert db.scalars(sa.select(Loan).where(asked.where(many))).all() == [loan]
    assert not asked.decide(loan, more)
    assert db.scalars(sa.select(Loan).where(asked.where(more))).all() == []
    assert "caller.prices is a list of 10,001 numbers" in caplog.text


# --- what is refused -----------------------------------------------------------------------------

UNFIT: dict[str, Condition] = {
    "began is a DateTime without time zone: if it is kept in UTC, write attr('began', naive": (
        attr("began") < SECOND
    ),
    "or Policy(…, naive_as_utc=True) for all; else use licet.db.types.UTCDateTime": (
        attr("began") < now()
    ),
    "parent.began is a DateTime without time zone": attr("due") < attr("parent.began"),
    "is a datetime without time zone": attr("due") < NAIVE,
    "1.5 beside price is float, not Decimal or int: write Decimal('0.1') for 0.1": (
        attr("price") < 1.5
    ),
    "True beside price is bool, not Decimal or int": attr("price") < True,
    "more than 300 digits on one side of the point": attr("price") < Decimal("1E+301"),
    "has more than 300 digits": attr("price") < 10**301,
    "digits on one side": attr("price") != Decimal("1E-301"),
    "what price is compared with is a list of 10,001 numbers, of which there can be 10,000": (
        attr("price").in_(range(10_001))
    ),
    "'Draft' beside state is not one of 'draft', 'done', 'lost'": attr("state") == "Draft",
    "'' beside state is not one of": attr("state").in_(["draft", ""]),
    "state is one of 'draft', 'done', 'lost', which has no '<' that is the same": (
        attr("state") < "lost"
    ),
    "PostgreSQL orders an enum as it was declared, SQLite by its text. Write in_(…)": (
        attr("size") >= Size.SMALL
    ),
    "which has no '>' that is the same": attr("state") > attr("state"),
    "which has no 'contains' that is the same": attr("state").contains("d"),
    "size is Size and angle is Angle: only attributes of one type": attr("size") == attr("angle"),
    "at is an aware datetime and price is Decimal or int": attr("at") == attr("price"),
    "id is int and price is Decimal or int": attr("id") != attr("price"),
    "state is one of 'draft', 'done', 'lost' and size is Size": attr("state") == attr("size"),
    "size and old_size are kept in two ways": attr("size") == attr("old_size"),
    "key and key_text are kept in two ways": attr("key") == attr("key_text"),
    "meta is JSON(), a type that the databases": attr("meta") == attr("meta"),
    "parent is a relationship: compare an attribute": attr("id") == attr("parent"),
    "Loan has no 'nothing'": attr("id") == attr("nothing"),
    "price is Decimal or int, and now() - 1 day, 0:00:00 a moment": (
        attr("price") == now() - timedelta(days=1)
    ),
    "compare it with a DateTime or a Date": attr("state") == now(),
    "A condition has over 24 levels, of which each": (
        attr("parent." * 4 + "id") == attr("parent." * 5 + "id")
    ),
}


@pytest.mark.parametrize("message", UNFIT)
def test_what_does_not_compare_is_refused(message: str):
    """When the policy is built: which attribute, why, and what to write instead."""
    policy = Policy(Loan)
    policy.allow(everyone, LIST, when=UNFIT[message])

    with pytest.raises(UntranslatableCondition) as caught:
        policy.build()

    assert message in str(caught.value)
    assert f"Declared at {__file__}:" in str(caught.value)


class Loose(enum.Enum):
    """Its members are equal when their texts are, in whatever case."""

    LOW = "low"
    LOUD = "LOW"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Loose) and self.value.lower() == other.value.lower()

    def __hash__(self) -> int:
        return hash(self.value.lower())


class Lost(enum.Enum):
    """Its members compare with nothing but themselves."""

    ONE = 1
    TWO = 2

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Lost) and other is not self:
            raise TypeError
        return other is self

    __hash__ = enum.Enum.__hash__


@pytest.mark.parametrize("members", [Loose, Lost])
def test_an_enum_that_compares_in_its_own_way_is_refused(members: Any):
    """Callers whose values are equal have the same rows, and the database sees two values."""
    with pytest.raises(UntranslatableCondition, match="an Enum whose == takes several members"):
        Asked(_model(sa.Enum(members)), attr("x") == caller.x)


@pytest.mark.parametrize("column_type", [postgresql.TIMESTAMP(), sa.TIMESTAMP(timezone=True)])
def test_other_names_of_a_type_are_taken(column_type: Any):
    """As they are reflected from a database."""
    odd = _model(column_type)

    assert Asked(odd, attr("x", naive_as_utc=True) == attr("x", naive_as_utc=True))


def test_a_comparison_with_a_moment_uses_an_index(db: Session):
    """Of SQLite, too, where an equal moment has several texts."""
    db.execute(sa.text("CREATE INDEX by_due ON loan (due)"))
    for compare in ORDERS[:1] + ORDERS[2:]:
        where = Asked(Loan, compare(attr("due"), SECOND)).where(NOBODY)
        compiled = sa.select(Loan.state).where(where).compile(db.get_bind())
        values = tuple(None for _ in compiled.positiontup or ())
        plan = db.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)
        assert "SEARCH loan USING INDEX by_due" in str(plan.all())
