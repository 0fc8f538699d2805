"""Models and sessions of kinds that are seldom: the answer is right, or the model is refused."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    Session,
    WriteOnlyMapped,
    aliased,
    column_property,
    lazyload,
    mapped_column,
    registry,
    relationship,
    with_loader_criteria,
)

from licet.authz import (
    LIST,
    UPDATE,
    VIEW,
    Policy,
    attr,
    authorize,
    caller,
    everyone,
    predicate,
    register_policies,
)
from licet.errors import AccessDenied, InvalidCondition, UntranslatableCondition


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    name: Mapped[str] = mapped_column(primary_key=True)
    roles: Mapped[list[Grant]] = relationship()

    is_authenticated = True


class Grant(Base):
    __tablename__ = "grant"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_name: Mapped[str] = mapped_column(sa.ForeignKey("user.name"))


class Shelf(Base):
    __tablename__ = "shelf"

    row: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    is_open: Mapped[bool]
    books: WriteOnlyMapped[Book] = relationship(back_populates="shelf")
    listed: DynamicMapped[Book] = relationship(viewonly=True)
    sign: Mapped[Sign | None] = relationship(back_populates="shelf")


class Sign(Base):
    __tablename__ = "sign"

    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_row: Mapped[int]
    shelf_place: Mapped[int]
    shelf: Mapped[Shelf] = relationship(back_populates="sign")
    __table_args__ = (
        sa.ForeignKeyConstraint(["shelf_row", "shelf_place"], ["shelf.row", "shelf.place"]),
    )


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    shelf_row: Mapped[int]
    shelf_place: Mapped[int]
    code: Mapped[int | None] = mapped_column(sa.ForeignKey("code.id"))
    shelf: Mapped[Shelf] = relationship(back_populates="books")
    coded: Mapped[Code | None] = relationship(lazy="raise")
    pages: Mapped[list[Page]] = relationship()
    latest: Mapped[Page | None] = relationship(
        uselist=False, order_by="Page.id.desc()", viewonly=True
    )
    __table_args__ = (
        sa.ForeignKeyConstraint(["shelf_row", "shelf_place"], ["shelf.row", "shelf.place"]),
    )


class Code(Base):
    __tablename__ = "code"

    id: Mapped[int] = mapped_column(primary_key=True)
    is_secret: Mapped[bool]


class Page(Base):
    __tablename__ = "page"

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(sa.ForeignKey("book.id"), index=True)
    reader: Mapped[str] = mapped_column(index=True)


@pytest.fixture
def db() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([User(name="ann"), User(name="ben"), Code(id=1, is_secret=True)])
        session.add_all([Shelf(row=1, place=n, is_open=n == 1) for n in (1, 2)])
        session.flush()
        session.add_all(
            [
                Book(id=1, owner="ben", shelf_row=1, shelf_place=1, code=1),
                Sign(id=1, shelf_row=1, shelf_place=1),
                Page(id=1, book_id=1, reader="ann"),
            ]
        )
        session.commit()
        yield session
    engine.dispose()


own = attr("owner") == caller.name
mine = Policy(Book).allow(everyone, LIST | VIEW | UPDATE, when=own)
asks_roles = Policy(Book).allow(
    everyone, UPDATE, when=own & predicate(lambda _book, user: user.roles == [])
)


@pytest.mark.parametrize("policy", [mine, asks_roles])
def test_what_the_caller_asks_flushes_no_change(db: Session, policy: Policy):
    """An expired caller of the same session, and a function that queries."""
    ann, book = db.get_one(User, "ann"), db.get_one(Book, 1)
    assert book.owner == "ben"
    db.expire(ann)

    book.owner = "ann"

    assert not policy.decide(ann, UPDATE, book)
    assert book in db.dirty


def test_who_asks_is_found_without_a_flush(db: Session):
    """`authorize` and a caller that the app finds by a query."""
    app = Flask(__name__)
    books = Policy(Book, name="books").allow(everyone, VIEW).allow(everyone, UPDATE, when=own)
    find = sa.select(User).where(User.name == "ann")
    register_policies(app, books, session=lambda: db, caller=lambda: db.scalars(find).one())
    book = db.get_one(Book, 1)
    book.owner = "ann"

    with app.test_request_context(), pytest.raises(AccessDenied):
        authorize(books, UPDATE, book)


def test_a_composite_key_that_was_changed_is_followed(db: Session):
    """A related object that was loaded before is not the one that the key names now."""
    policy = Policy(Book).allow(everyone, LIST | VIEW, when=attr("shelf.is_open") == True)  # noqa: E712
    book = db.get_one(Book, 1)
    assert book.shelf.is_open
    assert policy.decide(None, VIEW, book)

    book.shelf_place = 2
    db.flush()

    assert not policy.decide(None, VIEW, book)
    assert db.scalars(policy.filter(sa.select(Book), None)).all() == []


NARROW = {
    "criteria": (
        with_loader_criteria(Shelf, lambda cls: cls.place > 9),
        with_loader_criteria(Sign, lambda cls: cls.id > 9),
    ),
    "lazily": (lazyload(Book.shelf.and_(Shelf.place > 9)),),
}


@pytest.mark.parametrize("way", NARROW)
def test_a_related_object_that_a_session_hides_is_found(db: Session, way: str):
    """By the key, and of a one-to-one by the database."""
    closed = Policy(Book).allow(everyone, LIST | VIEW, when=~attr("shelf.is_open").in_([True]))
    unsigned = Policy(Book).allow(everyone, LIST | VIEW, when=attr("shelf.sign").is_null())
    (book,) = db.scalars(sa.select(Book).options(*NARROW[way]))

    for policy in (closed, unsigned):
        assert not policy.decide(None, VIEW, book)
        assert not policy.explain(None, VIEW, book).holds
        assert db.scalars(policy.filter(sa.select(Book.id), None)).all() == []


def test_what_must_not_be_loaded_lazily_is_found_by_its_key(db: Session):
    """So that a hidden object is no error, where an absent one is none."""
    policy = Policy(Book).allow(everyone, LIST | VIEW, when=attr("coded.is_secret") == False)  # noqa: E712

    assert not policy.decide(None, VIEW, db.get_one(Book, 1))


@pytest.mark.parametrize("name", ["books", "listed"])
def test_collections_that_are_never_loaded(db: Session, name: str):
    """Also after something was added to them and flushed."""
    policy = Policy(Shelf).allow(everyone, LIST | VIEW | UPDATE, when=attr(name).any(own))
    shelf = db.get_one(Shelf, (1, 2))
    shelf.books.add(Book(id=2, owner="ann", shelf_row=1, shelf_place=2))
    db.flush()
    ann = User(name="ann")

    assert policy.decide(ann, VIEW, shelf)
    assert policy.explain(ann, VIEW, shelf).holds
    assert db.scalars(policy.filter(sa.select(Shelf.place), ann)).all() == [2]


def test_the_first_of_several_is_no_related_object():
    """SQL would ask all of them."""
    policy = Policy(Book).allow(everyone, LIST, when=attr("latest.reader") == "ann")
    with pytest.raises(UntranslatableCondition, match="leads to the first of several objects"):
        policy.build()


def test_a_page_of_an_alias_with_a_condition_on_related_rows(db: Session):
    """It is chosen as the alias's, whichever indexes there are."""
    policy = Policy(Book).allow(
        everyone, LIST, when=attr("pages").any(attr("reader") == caller.name)
    )
    alias = aliased(Book)
    page = sa.select(alias).order_by(alias.id).limit(5)

    assert [book.id for book in db.scalars(policy.filter(page, User(name="ann")))] == [1]
    assert db.scalars(policy.filter(page, User(name="ben"))).all() == []


@pytest.mark.parametrize(
    "order",
    [sa.text("1"), sa.text("2 DESC"), sa.literal_column("1"), sa.desc(sa.literal_column("2"))],
    ids=str,
)
@pytest.mark.parametrize(("limit", "offset"), [(2, None), (2, 1), (-1, 2)])
def test_the_number_of_a_column_orders_what_is_selected(
    db: Session, order: Any, limit: int, offset: int | None
):
    """It is no expression that the branches of a page could be ordered by."""
    db.add_all([Page(id=n, book_id=1, reader="ann" if n % 2 else "ben") for n in range(2, 8)])
    policy = (
        Policy(Page)
        .allow(everyone, LIST, when=attr("reader") == "ann")
        .allow(everyone, LIST, when=attr("reader") == "ben")
    )
    page = sa.select(Page.reader, Page.id).order_by(order, Page.id).limit(limit).offset(offset)

    assert db.execute(policy.filter(page, None)).all() == db.execute(page).all()


def test_a_concrete_subclass_has_rows_of_its_own():
    """The criterion of the base would be about the base's table."""
    mapped = registry()

    @mapped.mapped
    class Emp:
        __tablename__ = "emp"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner: Mapped[str]

    @mapped.mapped
    class Mgr(Emp):
        __tablename__ = "mgr"
        __mapper_args__ = {"concrete": True}  # noqa: RUF012
        id: Mapped[int] = mapped_column(primary_key=True)
        owner: Mapped[str]

    policy = Policy(Emp).allow(everyone, LIST, when=own)
    with pytest.raises(InvalidCondition, match="is about Emp, and the statement selects Mgr"):
        policy.filter(sa.select(Mgr), User(name="ann"))
    of_its_own = Policy(Mgr).allow(everyone, LIST, when=own)
    assert "mgr.owner" in str(of_its_own.filter(sa.select(Mgr), User(name="ann")))


user_table, page_table = User.__table__, Page.__table__


class Both:
    pass


class Live:
    pass


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    odd = registry()
    joined = sa.join(user_table, page_table, user_table.c.name == page_table.c.reader)
    odd.map_imperatively(
        Both,
        joined,
        properties={"page_id": page_table.c.id, "owner": column_property(user_table.c.name)},
    )
    odd.map_imperatively(Live, sa.select(page_table).where(page_table.c.id > 1).subquery())
alias_of_page = page_table.alias()


@pytest.mark.parametrize(
    ("model", "statement"),
    [
        (Both, sa.select(page_table.c.id)),
        (Live, sa.select(page_table.c.id)),
        (
            Page,
            sa.select(alias_of_page.c.id).select_from(
                page_table.join(alias_of_page, page_table.c.id != alias_of_page.c.id)
            ),
        ),
    ],
    ids=["one of two tables", "the table of a subquery", "an alias of the table"],
)
def test_a_table_whose_rows_are_not_the_models(model: Any, statement: Any):
    """The criterion would be about other rows than those that are selected."""
    policy = Policy(model).allow(everyone, LIST, when=attr("reader") == caller.name)
    with pytest.raises(InvalidCondition, match="and the statement selects"):
        policy.filter(statement, User(name="ann"))
