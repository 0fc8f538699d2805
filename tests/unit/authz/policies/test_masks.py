"""Masks by another name: a rule on a field holds for everything that shows or writes the same."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import Comparator, hybrid_method, hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    column_property,
    composite,
    mapped_column,
    query_expression,
    relationship,
    synonym,
)

from licet.authz import ALL, Policy, everyone
from licet.errors import InvalidCondition


class Base(DeclarativeBase):
    pass


class Pair(tuple[int, int]):
    __slots__ = ()

    def __composite_values__(self) -> tuple[int, int]:
        return self[0], self[1]


class Person(Base):
    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Tag(Base):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(sa.ForeignKey("book.id"))
    word: Mapped[str]


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int] = mapped_column()
    tax: Mapped[int] = mapped_column()
    title: Mapped[str]
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    owner: Mapped[Person | None] = relationship(foreign_keys=[owner_id])
    holder: Mapped[Person | None] = relationship(foreign_keys=[owner_id], overlaps="owner")
    tags: Mapped[list[Tag]] = relationship()
    owner_name: AssociationProxy[str] = association_proxy("owner", "name")
    words: AssociationProxy[list[str]] = association_proxy("tags", "word")
    cost = synonym("price")
    cost_again = synonym("cost")
    gross = column_property(price + tax)
    total = column_property(sa.select(sa.func.sum(price)).scalar_subquery())
    pair = composite(lambda a, b: Pair((a, b)), price, tax)

    @hybrid_property
    def doubled(self) -> int:
        return self.price * 2

    @hybrid_property
    def quadrupled(self) -> int:
        return self.doubled * 2

    @hybrid_property
    def shown(self) -> str:
        return f"{self.title}: {self.cost}"

    @shown.inplace.expression
    @classmethod
    def _shown(cls) -> sa.ColumnElement[str]:
        return sa.literal("as in Python")

    @hybrid_method
    def is_above(self, limit: int) -> bool:
        return self.price > limit


OF_PRICE = {
    *("price", "cost", "cost_again", "gross", "total", "pair", "doubled", "quadrupled", "shown")
}
OF_OWNER = {"owner", "owner_id", "holder", "owner_name"}
FIELDS = OF_PRICE | OF_OWNER | {"id", "tax", "title", "tags", "words"}


def policy() -> Policy:
    return Policy(Book).allow(everyone, ALL)


def shown(made: Policy) -> frozenset[str]:
    return made.visible_fields(None, Book(id=1))


def test_every_field_is_shown_without_a_rule():
    """All but what is asked something, as a hybrid method is."""
    assert shown(policy()) == FIELDS


@pytest.mark.parametrize(
    ("hidden", "masked"),
    [
        ("price", OF_PRICE),
        ("cost", OF_PRICE),
        ("cost_again", OF_PRICE),
        ("tax", {"tax", "gross", "pair"}),
        ("pair", OF_PRICE | {"tax"}),
        ("title", {"title", "shown"}),
        ("owner", OF_OWNER),
        ("holder", OF_OWNER),
        ("owner_id", OF_OWNER),
        ("tags", {"tags", "words"}),
        ("doubled", {"doubled", "quadrupled"}),
        ("gross", {"gross"}),
        ("owner_name", {"owner_name"}),
    ],
)
def test_a_hidden_field_is_hidden_under_each_of_its_names(hidden: str, masked: set[str]):
    """Shown and queried alike; what it is made of stays as it is."""
    made = policy().hide(hidden)

    assert shown(made) == FIELDS - masked
    assert made.queryable_fields(None) == FIELDS - masked


@pytest.mark.parametrize("name", ["price", "cost", "pair", "owner", "holder", "owner_id"])
def test_a_field_that_is_read_only_is_so_under_each_of_its_names(name: str):
    """Another name would write the same column."""
    masked = OF_OWNER if name in OF_OWNER else OF_PRICE
    writable = policy().readonly(name).writable_fields(None, Book(id=1))

    assert not writable & masked


def test_only_what_writes_nothing_else_is_writable():
    """A composite that also writes another column is not."""
    writable = policy().writable_only("price", "owner").writable_fields(None, Book(id=1))

    assert writable == {"price", "cost", "cost_again", "owner", "holder", "owner_id"}
    both = policy().writable_only("price", "tax").writable_fields(None, Book(id=1))
    assert both == {"price", "cost", "cost_again", "tax", "pair"}


class Account(Base):
    __tablename__ = "account"

    tenant: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[int] = mapped_column()
    buyer_id: Mapped[int] = mapped_column()
    seller_id: Mapped[int] = mapped_column()
    buyer: Mapped[Account] = relationship(foreign_keys=[tenant, buyer_id], overlaps="seller")
    seller: Mapped[Account] = relationship(foreign_keys=[tenant, seller_id], overlaps="buyer")
    __table_args__ = (
        sa.ForeignKeyConstraint([tenant, buyer_id], [Account.tenant, Account.id]),
        sa.ForeignKeyConstraint([tenant, seller_id], [Account.tenant, Account.id]),
    )


def test_a_column_that_two_keys_share_is_neither_alone():
    """Hiding the buyer leaves the seller; hiding what both have hides both."""
    orders = Policy(Order).allow(everyone, ALL)
    order = Order(id=1, tenant=1, buyer_id=2, seller_id=3)
    everything = {"id", "tenant", "buyer_id", "seller_id", "buyer", "seller"}

    hidden = orders.hide("buyer").visible_fields(None, order)
    assert hidden == everything - {"buyer", "buyer_id"}
    of_both = Policy(Order).allow(everyone, ALL).hide("tenant").visible_fields(None, order)
    assert of_both == {"id", "buyer_id", "seller_id"}


# --- what the mapping does not tell ---------------------------------------------------------------


class Label(Base):
    __tablename__ = "label"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret: Mapped[str]

    @hybrid_property
    def text(self) -> str:
        return self.written()

    @text.inplace.expression
    @classmethod
    def _text(cls) -> sa.ColumnElement[str]:
        return sa.literal("")

    @hybrid_property
    def odd(self) -> str:
        return str(self.secret).upper()

    @odd.inplace.expression
    @classmethod
    def _odd(cls) -> sa.ColumnElement[str]:
        raise NotImplementedError

    def written(self) -> str:
        return self.secret


@pytest.mark.parametrize("method", ["hide", "readonly"])
def test_what_cannot_be_derived_must_be_said(method: str):
    """The error names the field, why it is not known, and what to write."""
    made = getattr(Policy(Label).allow(everyone, ALL), method)("secret")

    with pytest.raises(InvalidCondition, match=r"Label.odd is a hybrid whose expression raises"):
        made.build()
    made.derived("odd", "secret")
    with pytest.raises(InvalidCondition, match=r"uses written.*derived\('text', …\).*Declared at"):
        made.build()
    made.derived("text")
    assert made.build()


def test_what_was_said_is_gone_by():
    """A field is masked with those that it was said to be made of."""
    made = Policy(Label).allow(everyone, ALL).hide("secret").derived("odd", "secret")
    label = Label(id=1, secret="x")

    assert made.derived("text").visible_fields(None, label) == {"id", "text"}


def test_a_field_that_is_masked_itself_need_not_be_known():
    """And a policy that masks nothing asks for nothing."""
    masked = Policy(Label).allow(everyone, ALL).hide("secret", "odd", "text")

    assert masked.visible_fields(None, Label(id=1, secret="x")) == {"id"}
    assert Policy(Label).allow(everyone, ALL).build()


def test_an_unknown_field_cannot_be_derived():
    """Neither the field nor what it is made of."""
    for names in (("nothing", "secret"), ("odd", "nothing")):
        with pytest.raises(InvalidCondition, match="Label has no field nothing"):
            Policy(Label).allow(everyone, ALL).derived(*names).build()


def test_an_alias_of_the_own_table_is_seen_through():
    """A column_property over an alias shows the same column."""

    class Local(DeclarativeBase):
        pass

    class Node(Local):
        __tablename__ = "node"
        id: Mapped[int] = mapped_column(primary_key=True)
        weight: Mapped[int]

    other = aliased(Node)
    Node.heaviest = column_property(sa.select(sa.func.max(other.weight)).scalar_subquery())

    made = Policy(Node).allow(everyone, ALL).hide("weight")
    assert made.visible_fields(None, Node(id=1)) == {"id"}


def test_a_policy_of_an_alias_beside_a_subquery_says_what_is_selected():
    """The refusal names what the statement has instead."""
    made = Policy(Person).allow(everyone, ALL)
    for statement, named in (
        (sa.select(aliased(Person, sa.select(Person).subquery())), "a subquery"),
        (sa.select(sa.literal(1)), "nothing"),
        (sa.select(sa.join(Tag.__table__, Book.__table__)), "book, tag"),
    ):
        with pytest.raises(InvalidCondition, match=f"the statement selects {named}: "):
            made.filter(statement, None)


class Span(Base):
    __tablename__ = "span"

    id: Mapped[int] = mapped_column(primary_key=True)
    begin: Mapped[int] = mapped_column()
    end: Mapped[int] = mapped_column()
    by_columns = composite(lambda a, b: Pair((a, b)), begin, end)
    by_names = composite(lambda a, b: Pair((a, b)), "begin", "end")


@pytest.mark.parametrize("hidden", ["begin", "by_columns", "by_names"])
def test_a_composite_is_its_columns_however_it_is_declared(hidden: str):
    """By columns or by the names of attributes: what hides a part hides the whole."""
    free = Policy(Span).allow(everyone, ALL).hide(hidden).shown.always_free(None)

    others = {"end"} if hidden == "begin" else set()
    assert free == {"id"} | others


book_tag = sa.Table(
    "book_tag",
    Base.metadata,
    sa.Column("leaf_id", sa.ForeignKey("leaf.id"), primary_key=True),
    sa.Column("word_id", sa.ForeignKey("word.id"), primary_key=True),
)


class Word(Base):
    __tablename__ = "word"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    leaf_ssn: Mapped[int | None]


class Review(Base):
    __tablename__ = "review"

    id: Mapped[int] = mapped_column(primary_key=True)
    leaf_id: Mapped[int] = mapped_column(sa.ForeignKey("leaf.id"))
    is_good: Mapped[bool]


class Leaf(Base):
    __tablename__ = "leaf"

    id: Mapped[int] = mapped_column(primary_key=True)
    ssn: Mapped[int] = mapped_column()
    title: Mapped[str]
    twice: Mapped[int] = mapped_column(sa.Computed(ssn.column * 2))
    reviews: Mapped[list[Review]] = relationship()
    good: Mapped[list[Review]] = relationship(
        primaryjoin=lambda: sa.and_(Review.leaf_id == Leaf.id, Review.is_good), viewonly=True
    )
    tags: Mapped[list[Word]] = relationship(secondary=book_tag)
    by_text: Mapped[list[Word]] = relationship(
        secondary=book_tag, order_by="Word.text", viewonly=True
    )
    kin: Mapped[list[Word]] = relationship(
        primaryjoin=lambda: sa.orm.foreign(Word.leaf_ssn) == Leaf.ssn, viewonly=True
    )


Leaf.n_reviews = column_property(
    sa.select(sa.func.count()).where(Review.leaf_id == Leaf.id).scalar_subquery()
)
Leaf.n_tags = column_property(
    sa.select(sa.func.count()).where(book_tag.c.leaf_id == Leaf.id).scalar_subquery()
)


@pytest.mark.parametrize(
    ("hidden", "names"),
    [
        ("reviews", {"reviews", "good", "n_reviews"}),
        ("good", {"reviews", "good", "n_reviews"}),
        ("tags", {"tags", "by_text", "n_tags"}),
        ("ssn", {"ssn", "twice", "kin"}),
        ("kin", {"kin"}),
        ("title", {"title"}),
    ],
)
def test_related_rows_have_one_source_however_they_are_shown(hidden: str, names: set[str]):
    """A second relationship, a count, a computed column, and rows found by a hidden value."""
    policy = Policy(Leaf).allow(everyone, ALL).hide(hidden)

    assert policy.shown.names - policy.shown.always_free(None) == names


def _text_of(row: object) -> str:
    return str(row)


GETTER = operator.attrgetter("ssn")


def _told_by(get: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda self: get(self)  # noqa: PLW0108 - what is called is free in it


class _Nothing(Comparator[str]):
    def __clause_element__(self) -> Any:
        return sa.literal("")


@pytest.mark.parametrize(
    "told",
    [
        GETTER,
        lambda self: GETTER(self),  # noqa: PLW0108 - as above
        _told_by(GETTER),
        lambda self: [GETTER(one) for one in (self,)],
        lambda self: getattr(self, "s" + "sn"),
        lambda *both: both[0].ssn,
        partial(lambda _other, self: GETTER(self), 1),
        vars,
        lambda self: f"{self}",
    ],
    ids=[
        *("getter", "given to a getter", "given to what is free", "given on", "getattr"),
        *("any", "partial", "builtin", "text"),
    ],
)
@pytest.mark.parametrize(
    "beside",
    [
        lambda made: made.expression(lambda _cls: sa.literal("")),
        lambda made: made.comparator(_Nothing),
    ],
    ids=["expression", "comparator"],
)
def test_a_hybrid_that_gives_the_object_away_must_be_told_of(told: Any, beside: Any):
    """Its expression does not tell what its function reads, and the function's names do not."""

    class Other(DeclarativeBase):
        pass

    class Page(Other):
        __tablename__ = "page"
        id: Mapped[int] = mapped_column(primary_key=True)
        ssn: Mapped[int]
        odd = beside(hybrid_property(told))

    policy = Policy(Page).allow(everyone, ALL).hide("ssn")
    with pytest.raises(InvalidCondition, match=r"Page\.odd is a hybrid whose"):
        policy.build()
    assert policy.derived("odd").shown.always_free(None) == {"id", "odd"}


def test_a_query_expression_must_be_told_of():
    """Each statement says anew what it holds."""

    class Other(DeclarativeBase):
        pass

    class Page(Other):
        __tablename__ = "page"
        id: Mapped[int] = mapped_column(primary_key=True)
        ssn: Mapped[int]
        odd: Mapped[int | None] = query_expression()

    policy = Policy(Page).allow(everyone, ALL).hide("ssn")
    with pytest.raises(InvalidCondition, match=r"Page\.odd is a query_expression"):
        policy.build()
    assert policy.derived("odd", "ssn").shown.always_free(None) == {"id"}


@pytest.mark.parametrize("is_many", [True, False])
def test_rows_that_are_related_by_a_hidden_value_are_hidden(is_many: bool):
    """That there are any tells the value, whatever pairs the keys."""

    class Other(DeclarativeBase):
        pass

    between = sa.Table(
        "between",
        Other.metadata,
        sa.Column("page_id", sa.ForeignKey("page.id")),
        sa.Column("order_id", sa.ForeignKey("order.id")),
    )

    class Order(Other):
        __tablename__ = "order"
        id: Mapped[int] = mapped_column(primary_key=True)
        page_id: Mapped[int] = mapped_column(sa.ForeignKey("page.id"))

    class Page(Other):
        __tablename__ = "page"
        id: Mapped[int] = mapped_column(primary_key=True)
        is_first: Mapped[bool]
        orders = relationship(
            Order,
            primaryjoin=lambda: sa.and_(Page.id == Order.page_id, Page.is_first),
            uselist=is_many,
            viewonly=True,
        )
        others = relationship(
            Order,
            secondary=between,
            secondaryjoin=lambda: sa.and_(between.c.order_id == Order.id, Page.is_first),
            viewonly=True,
        )

    policy = Policy(Page).allow(everyone, ALL).hide("is_first")
    assert policy.shown.always_free(None) == {"id"}


@pytest.mark.parametrize(
    "made",
    [
        lambda: column_property(sa.literal_column("ssn * 3")),
        lambda: column_property(sa.type_coerce(sa.text("ssn * 3"), sa.Integer)),
        lambda: mapped_column(sa.Integer, sa.Computed("ssn * 3")),
        lambda: hybrid_property(lambda self: _text_of(self)).expression(  # noqa: PLW0108
            lambda _cls: sa.literal("")
        ),
    ],
    ids=["literal column", "text", "computed by text", "function beside the class"],
)
def test_what_text_and_functions_read_must_be_said(made):
    """Nobody can see what they show, so a mask beside them is refused until it is said."""

    class Other(DeclarativeBase):
        pass

    model = type(
        "Page",
        (Other,),
        {
            "__tablename__": "page",
            "id": mapped_column(sa.Integer, primary_key=True),
            "ssn": mapped_column(sa.Integer),
            "odd": made(),
        },
    )
    policy = Policy(model).allow(everyone, ALL).hide("ssn")
    with pytest.raises(
        InvalidCondition, match=r"Page\.odd is (made of text|a hybrid whose function)"
    ):
        policy.build()
    said = Policy(model).allow(everyone, ALL).hide("ssn").derived("odd", "ssn")
    assert said.shown.always_free(None) == {"id"}
