"""How conditions are said in SQL, and which columns and joins that can be said of."""

import datetime as dt
import enum
import re
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    attribute_keyed_dict,
    column_property,
    composite,
    foreign,
    mapped_column,
    relationship,
    synonym,
)
from tests.unit.authz.readings import Asked

from licet.authz.policies._in_sql._functions import Many
from licet.authz.policies.conditions import Condition, attr, caller
from licet.db.types import UTCDateTime
from licet.errors import UntranslatableCondition


class Base(DeclarativeBase):
    pass


class Coin(enum.Enum):
    HEADS = 1


class Twin(enum.Enum):
    ONE = 1
    SAME = 1  # noqa: PIE796 - another name of one member


wearing = sa.Table(
    "wearing",
    Base.metadata,
    sa.Column("cat_id", sa.ForeignKey("cat.id")),
    sa.Column("hat_id", sa.ForeignKey("hat.id"), nullable=False),
)


class Hat(Base):
    __tablename__ = "hat"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]


class Cat(Base):
    __tablename__ = "cat"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    nick: Mapped[str | None] = mapped_column(sa.String(3))
    lives: Mapped[int] = mapped_column(sa.SmallInteger)
    age: Mapped[int | None]
    coin: Mapped[Coin | None]
    mother_id: Mapped[int | None] = mapped_column(sa.ForeignKey("cat.id"))
    mother: Mapped["Cat | None"] = relationship(back_populates="kittens", remote_side="Cat.id")
    kittens: Mapped[list["Cat"]] = relationship(back_populates="mother")
    hats: Mapped[list[Hat]] = relationship(secondary=wearing)
    hats_by_size: Mapped[dict[int, Hat]] = relationship(
        secondary=wearing, collection_class=attribute_keyed_dict("size"), viewonly=True
    )
    young: Mapped[list["Cat"]] = relationship(
        primaryjoin=lambda: (foreign(Cat.mother_id) == Cat.id) & (Cat.age < 1),
        remote_side=lambda: Cat.mother_id,
        viewonly=True,
    )
    big_hats: Mapped[list[Hat]] = relationship(
        secondary=wearing,
        secondaryjoin=lambda: (Hat.id == wearing.c.hat_id) & (Hat.size > 5),
        viewonly=True,
    )
    namesakes: Mapped[list["Cat"]] = relationship(
        primaryjoin=lambda: foreign(Cat.nick) == Cat.name,
        remote_side=lambda: Cat.nick,
        viewonly=True,
    )


NOBODY = SimpleNamespace(n=None, x=None, ns=[])
SOMEBODY = SimpleNamespace(n=5, x="a", ns=list(range(9)))


def on_postgresql(condition: Condition, identity: Any = SOMEBODY, entity: Any = None) -> str:
    return _written(PGDialect_psycopg(), condition, identity, entity)


def on_sqlite(condition: Condition, identity: Any = SOMEBODY, entity: Any = None) -> str:
    return _written(SQLiteDialect_pysqlite(), condition, identity, entity)


def _written(dialect: Any, condition: Condition, identity: Any, entity: Any) -> str:
    """What stands after WHERE, in one line."""
    where = Asked(Cat, condition).where(identity, entity)
    chosen = sa.select((entity or Cat).id).where(where)
    text = re.sub(r"\s+", " ", str(chosen.compile(dialect=dialect)))
    return text.partition(" WHERE ")[2]


name, nick, lives, age = attr("name"), attr("nick"), attr("lives"), attr("age")
SAID = [
    (name < "a", '(cat.name COLLATE "C") < %(param_1)s::VARCHAR', "cat.name < ?"),
    (name == "a", "cat.name = %(param_1)s::VARCHAR", "cat.name = ?"),
    (name.contains("%"), "strpos(cat.name, %(param_1)s::VARCHAR) > ", "instr(cat.name, ?) > ?"),
    (
        name.startswith("_"),
        "starts_with(cat.name, %(param_1)s::VARCHAR)",
        "(instr(cat.name, ?) = 1)",
    ),
    # an integer that is too large for the column is not cast to the column's type
    (lives < 10**9, "cat.lives < %(param_1)s::INTEGER", "cat.lives < ?"),
    (lives < 10**12, "cat.lives < %(param_1)s::BIGINT", "cat.lives < ?"),
    (lives < 10**24, "true", "1 = 1"),
    (age < 10**24, "cat.age IS NOT NULL", "cat.age IS NOT NULL"),
    (~(age < 10**24), "cat.age IS NULL", "cat.age IS NULL"),
    (~lives.is_null(), "true", "1 = 1"),
    # only negations of what may be missing are wrapped
    (~(lives < 5), "cat.lives >= %(param_1)s::INTEGER", "cat.lives >= ?"),
    (
        ~(age < 5),
        "(cat.age < %(param_1)s::INTEGER) IS NOT true",
        "(cat.age < ?) IS NOT 1",
    ),
    (
        lives.in_([1, 2]),
        "cat.lives = %(param_1)s::INTEGER OR cat.lives = ",
        "cat.lives = ? OR ",
    ),
    # many values are one parameter, of a type that cuts nothing
    (
        lives.in_(range(9)),
        "(cat.lives = ANY (%(param_1)s::BIGINT[]))",
        "(cat.lives IN (SELECT value FROM json_each(?)))",
    ),
    (nick.in_(list("abcde")), "(cat.nick = ANY (%(param_1)s::TEXT[]))", "(cat.nick IN (SELECT"),
    # what is the same for everybody is an EXISTS, what is not starts from the caller's
    (
        attr("kittens").any(age == 5),
        "EXISTS (SELECT 1 FROM cat AS cat_1 WHERE cat.id = cat_1.mother_id AND cat_1.age =",
        "EXISTS (SELECT 1 FROM cat AS cat_1 WHERE cat.id = cat_1.mother_id AND cat_1.age =",
    ),
    (
        ~attr("kittens").any(age == 5),
        "NOT (EXISTS (SELECT 1 FROM cat AS cat_1 WHERE cat.id = cat_1.mother_id AND",
        "NOT (EXISTS (SELECT 1 FROM cat AS cat_1 WHERE cat.id = cat_1.mother_id AND",
    ),
    (
        attr("kittens").any(age == caller.n),
        "cat.id IN (SELECT cat_1.mother_id FROM cat AS cat_1 WHERE cat_1.mother_id IS NOT NULL AND",
        "cat.id IN (SELECT cat_1.mother_id FROM cat AS cat_1 WHERE cat_1.mother_id IS NOT NULL AND",
    ),
    (
        attr("mother.age") == caller.n,
        "cat.mother_id IS NOT NULL AND cat.mother_id IN (SELECT cat_1.id FROM cat AS cat_1 WHERE",
        "cat.mother_id IS NOT NULL AND cat.mother_id IN (SELECT cat_1.id FROM cat AS cat_1 WHERE",
    ),
    (
        attr("mother.age") != caller.n,
        "NOT (EXISTS (SELECT 1 FROM cat AS cat_1 WHERE cat_1.id = cat.mother_id AND cat_1.age = ",
        "NOT (EXISTS (SELECT 1 FROM cat AS cat_1 WHERE cat_1.id = cat.mother_id AND cat_1.age = ",
    ),
    (
        attr("hats").any(attr("size") == caller.n),
        "cat.id IN (SELECT wearing_1.cat_id FROM wearing AS wearing_1, hat AS hat_1 WHERE wear",
        "cat.id IN (SELECT wearing_1.cat_id FROM wearing AS wearing_1, hat AS hat_1 WHERE wear",
    ),
    # a join that is more than one equality cannot be turned around
    (attr("young").any(age == caller.n), "EXISTS (SELECT 1", "EXISTS (SELECT 1"),
    (attr("big_hats").any(attr("size") == caller.n), "EXISTS (SELECT 1", "EXISTS (SELECT 1"),
    (attr("namesakes").any(age == caller.n), "cat.name IN (SELECT cat_1.nick", "cat.name IN ("),
]


@pytest.mark.parametrize(("condition", "postgresql_text", "sqlite_text"), SAID, ids=str)
def test_what_is_written(condition: Condition, postgresql_text: str, sqlite_text: str):
    """On both databases; nothing is joined to the rows that are asked for."""
    assert on_postgresql(condition).startswith(postgresql_text)
    assert on_sqlite(condition).startswith(sqlite_text)
    assert "JOIN" not in on_postgresql(condition)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (age == caller.n, "0 = 1"),
        (age != caller.n, "cat.age IS NOT NULL"),
        (lives != caller.n, "1 = 1"),
        (~(age == caller.n), "1 = 1"),
        (age.in_(caller.ns), "0 = 1"),
        (attr("kittens").any(age == caller.n), "0 = 1"),
        (attr("kittens").all(age == caller.n), "NOT (EXISTS (SELECT 1 FROM cat AS cat_1 WHERE"),
        ((age == caller.n) & (age == 5), "0 = 1"),
        ((age == caller.n) | (age == 5), "cat.age = ?"),
        (~(age == caller.n) | (age == 5), "1 = 1"),
        (~(age == caller.n) & caller.n.is_null(), "1 = 1"),
        (attr("mother.age") != caller.n, "EXISTS (SELECT 1 FROM cat AS cat_1"),
    ],
    ids=str,
)
def test_what_is_known_of_a_caller_is_not_asked(condition: Condition, expected: str):
    """The terms that are True or False for a caller are left out."""
    assert on_sqlite(condition, NOBODY).startswith(expected)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lives.in_([]), "0 = 1"),
        (lives.in_([]) & (age == 5), "0 = 1"),
        (~lives.in_([]) | (age == 5), "1 = 1"),
        (~lives.in_([]) & (age == 5), "cat.age = ?"),
        (attr("kittens").any(lives.in_([])), "0 = 1"),
        (attr("kittens").all(lives.not_in([])), "1 = 1"),
        (~attr("kittens").any(lives.in_([])), "1 = 1"),
    ],
    ids=str,
)
def test_what_is_always_so_is_not_asked(condition: Condition, expected: str):
    """Nothing is in an empty collection, of whatever row."""
    assert on_sqlite(condition) == expected


def test_many_values_are_sent_as_one():
    """An array, or JSON in which they are as the database keeps them."""
    days = [dt.date(2026, 1, 2), dt.date(2026, 3, 4)]
    on_each = (
        Many(sa.Date()).bind_processor(dialect)(days)
        for dialect in (PGDialect_psycopg(), SQLiteDialect_pysqlite())
    )

    assert list(on_each) == [days, '["2026-01-02", "2026-03-04"]']
    assert Many(sa.Date()).python_type is list


def test_a_caller_whose_value_is_of_a_wrong_type_gets_no_rows():
    """Under a negation too."""
    assert on_sqlite(~(age == caller.n), SimpleNamespace(n="5")) == "0 = 1"


def test_every_value_is_a_parameter_of_its_own():
    """So that a statement for two callers keeps both apart."""
    asked = Asked(Cat, (age == caller.n) & attr("mother.nick").in_(["a"]))
    callers = [SimpleNamespace(n=5), SimpleNamespace(n=6)]
    both = sa.union_all(*(sa.select(Cat.id).where(asked.where(one)) for one in callers))

    found = both.compile(dialect=SQLiteDialect_pysqlite()).params

    assert sorted(map(str, found.values())) == ["5", "6", "a"]  # a constant may be one for both


def test_an_alias_is_asked_about_itself():
    """Its relationships start at the alias as well."""
    other = aliased(Cat, name="other")

    text = on_sqlite(attr("kittens").any(age == 5) & (lives == 9), entity=other)

    assert "other.id = cat_1.mother_id" in text
    assert "other.lives = ?" in text


def test_a_column_is_never_null():
    """What is unknown is False, also of what is the same for everybody."""
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    conditions = [age < 5, age == caller.n, attr("kittens").any(age == caller.n), lives < 10**24]
    with Session(engine) as session:
        session.add(Cat(name="Tom", lives=9))
        columns = [Asked(Cat, one).column(SOMEBODY) for one in conditions]
        found = session.execute(sa.select(*columns).select_from(Cat)).one()
    engine.dispose()

    assert tuple(found) == (False, False, False, True)


def test_a_keyed_collection_decides_by_its_objects():
    """And not by its keys."""
    cat = Cat(hats_by_size={7: Hat(size=7)})

    assert Asked(Cat, attr("hats_by_size").any(attr("size") == 7)).decide(cat)
    assert not Asked(Cat, attr("hats_by_size").all(attr("size") == 8)).decide(cat)


def test_a_join_over_columns_that_are_not_mapped_is_an_exists():
    """There is no attribute to start from."""

    class OwnBase(DeclarativeBase):
        pass

    sheds = sa.Table(
        "shed",
        OwnBase.metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("street", sa.Text),
        sa.Column("next_id", sa.ForeignKey("shed.id")),
    )
    streets = sa.Table("lies_at", OwnBase.metadata, sa.Column("a"), sa.Column("shed_id"))

    class Shed(OwnBase):
        __table__ = sheds
        __mapper_args__: ClassVar = {"exclude_properties": ["street", "next_id"]}
        next = relationship("Shed", remote_side=[sheds.c.id])
        along = relationship(
            "Shed",
            secondary=streets,
            primaryjoin=sheds.c.street == foreign(streets.c.a),
            secondaryjoin=sheds.c.id == foreign(streets.c.shed_id),
        )

    for condition in (attr("next.id") == caller.n, attr("along").any(attr("id") == caller.n)):
        asked = Asked(Shed, condition)
        assert str(asked.where(SOMEBODY)).startswith("EXISTS (SELECT 1")
        assert not asked.decide(Shed(), SOMEBODY)


def test_the_type_of_many_values_is_a_list():
    """For who looks at a statement's types."""
    assert Many(sa.Integer()).python_type is list


# --- columns -------------------------------------------------------------------------------------


def _model(column_type: Any, **names: Any) -> type[Any]:
    class OwnBase(DeclarativeBase):
        pass

    class Odd(OwnBase):
        __tablename__ = "odd"
        id: Mapped[int] = mapped_column(primary_key=True)
        x = mapped_column(column_type)
        y = mapped_column(sa.Integer)
        sum = column_property(y + 1)
        pair = composite(lambda x, y: (x, y), "x", "y")
        other = synonym("y")

        @hybrid_property
        def double(self) -> Any:
            return self.y * 2

    return Odd


class _Strange(sa.types.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True


@pytest.mark.parametrize(
    ("column_type", "reason"),
    [
        (sa.JSON(), "a type that the databases do not all compare alike"),
        (sa.CHAR(5), "a type that the databases do not all compare alike"),
        (sa.Float(), "a type that the databases do not all compare alike"),
        (sa.Numeric(), "which SQLite keeps as a double, exact to 15 digits only: say how many"),
        (sa.Numeric(16, 2), "with at most 15 in all, such as Numeric(12, 2)"),
        (sa.Numeric(10), "say how many it has, with at most 15 in all"),
        (sa.Numeric(4, -2), "say how many it has, with at most 15 in all"),
        (sa.Numeric(10, 2, asdecimal=False), "a Numeric read as float: use asdecimal=True"),
        (sa.Numeric(9, 4, decimal_return_scale=2), "which is read with another scale"),
        (sa.LargeBinary(), "a type that the databases do not all compare alike"),
        (sa.Time(), "a type that the databases do not all compare alike"),
        (_Strange(), "a type that the databases do not all compare alike"),
        (postgresql.CITEXT(), "a type that the databases do not all compare alike"),
        (postgresql.ARRAY(sa.Integer), "a type that the databases do not all compare alike"),
        (postgresql.TIMESTAMP(precision=0), "which drops microseconds: leave the precision out"),
        (sa.String(collation="NOCASE"), "whose collation NOCASE does not compare by code point"),
        (sa.Text(collation="en_US"), "whose collation en_US does not compare by code point"),
        (
            sa.Enum(Coin, values_callable=lambda _: ["x", "x"]),
            "does not keep each member as a text of its own",
        ),
        (sa.Enum(Twin, omit_aliases=False), "does not keep each member as a text of its own"),
        (sa.Uuid(as_uuid=False), "a Uuid read as text: use as_uuid=True"),
        (
            sa.String().with_variant(sa.String(collation="NOCASE"), "sqlite"),
            "with the variant String(collation='NOCASE'), whose collation NOCASE",
        ),
        (
            sa.Integer().with_variant(sa.String(), "sqlite"),
            "with the variant String(), another type",
        ),
    ],
    ids=repr,
)
def test_what_databases_do_not_compare_alike_is_refused(column_type: Any, reason: str):
    """The error says which type it is, and what to use where there is something."""
    with pytest.raises(UntranslatableCondition, match=r"cannot be used: Odd\.x is ") as caught:
        Asked(_model(column_type), attr("x") == 5)

    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        (sa.Unicode(5), "a"),
        (sa.UnicodeText(), "a"),
        (sa.VARCHAR(5), "a"),
        (sa.TEXT(), "a"),
        (sa.String(collation="C"), "a"),
        (sa.BIGINT(), 5),
        (sa.BigInteger().with_variant(sa.Integer, "sqlite"), 5),
        (sa.BOOLEAN(), True),
        (sa.Enum(Coin, native_enum=False), Coin.HEADS),
    ],
    ids=repr,
)
def test_what_they_compare_alike_is_taken(column_type: Any, value: Any):
    """With and without length, in either spelling."""
    odd = _model(column_type)

    assert Asked(odd, attr("x") == value).decide(odd(x=value))


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ("sum", "Odd.sum is an expression, not a column"),
        ("pair", "Odd.pair is a Composite, not a column or relationship"),
        ("other", "Odd.other is a Synonym, not a column or relationship"),
        ("double", "Odd.double is a hybrid_property, not a column or relationship"),
    ],
)
def test_what_is_no_column_is_refused(attribute: str, reason: str):
    """Python and SQL would each compute it."""
    with pytest.raises(UntranslatableCondition, match=reason):
        Asked(_model(UTCDateTime()), attr(attribute) == 5)
