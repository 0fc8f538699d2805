"""What is decided about many rows of one transaction costs twice as much for twice as many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tests.unit.authz.writes.small import Small, owned

from licet.authz import ALL, LIST, VIEW, Policy, attr, caller, registered


class Base(DeclarativeBase):
    pass


book_tag = sa.Table(
    "book_tag",
    Base.metadata,
    sa.Column("book_id", sa.ForeignKey("book.id"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True),
)


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    tags: Mapped[list[Tag]] = relationship(secondary=book_tag, back_populates="books")
    pages: Mapped[list[Page]] = relationship()


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    books: Mapped[list[Book]] = relationship(secondary=book_tag, back_populates="tags")


class Page(Base):
    __tablename__ = "page"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    book_id: Mapped[int | None] = mapped_column(sa.ForeignKey("book.id"))


class BookTag(Base):
    """A row of the association table as an object."""

    __table__ = book_tag


class Counted(Small):
    """With the length of all statements and parameters of a change."""

    def cost(self, change) -> int:
        found = 0

        def note(_connection, _cursor, statement, parameters, *_) -> None:
            nonlocal found
            found += len(statement) + len(str(parameters))

        sa.event.listen(self.engine, "before_cursor_execute", note)
        assert self.attempt(change) == "done"
        sa.event.remove(self.engine, "before_cursor_execute", note)
        return found


def tags_policy() -> Policy:
    """Whoever owns a tag, or a book that has it, changes it: the links are asked as well."""
    on_own = attr("books").any(attr("owner") == caller.principal)
    tags = Policy(Tag, name="tags").allow(registered, LIST | VIEW)
    return tags.allow(registered, ALL, when=(attr("owner") == caller.principal) | on_own)


@pytest.fixture
def small() -> Iterator[Counted]:
    made = Counted(Base.metadata, owned(Book), tags_policy(), owned(Page))
    made.store(Book(id=1, owner="ann"), Book(id=2, owner="ann"))
    for model in (Tag, Page):
        rows = [{"id": n, "owner": "ann"} for n in range(1200)]
        made.session.execute(sa.insert(model), rows)
    made.session.commit()
    yield made
    made.session.close()
    made.engine.dispose()


def link(n, key=1):
    def change(session):
        book = session.get(Book, key)
        book.tags.extend(session.scalars(sa.select(Tag).where(Tag.id < n)))

    return change


def link_from_the_other_side(n, key=1):
    def change(session):
        book = session.get(Book, key)
        for tag in session.scalars(sa.select(Tag).where(Tag.id < n)):
            tag.books.append(book)

    return change


def link_by_objects(n, key=1):
    links = (BookTag(book_id=key, tag_id=one) for one in range(n))
    return lambda session: session.add_all(links)


def own_pages(n, key=1):
    def change(session):
        book = session.get(Book, key)
        book.pages.extend(session.scalars(sa.select(Page).where(Page.id < n)))

    return change


@pytest.mark.parametrize("change", [link, link_from_the_other_side, link_by_objects, own_pages])
def test_twice_as_many_rows_cost_twice_as_much(small, change):
    """Each row is kept, read and decided about once, with the others."""
    few, many = small.cost(change(60, 1)), small.cost(change(120, 2))
    assert many < 3 * few


def test_more_links_than_an_expression_is_deep(small):
    """SQLite takes conditions of 1,000 terms; what was before is asked in portions."""
    assert small.attempt(link(1100)) == "done"
    assert small.rows("SELECT count(*) FROM book_tag") == [(1100,)]


@pytest.mark.parametrize("first", [link, link_from_the_other_side])
def test_many_links_are_decided_one_by_one(small, first):
    """A tag of ben's is the caller's only as written, not before: the whole change is refused."""
    small.store(Tag(id=2000, owner="ben"))

    def change(session):
        first(60)(session)
        tag = session.get(Tag, 2000)
        tag.books.append(session.get(Book, 1))
        session.flush()

    assert small.attempt(change) == "AccessDenied"
    assert small.rows("SELECT count(*) FROM book_tag") == [(0,)]
    assert small.attempt(first(60)) == "done"
