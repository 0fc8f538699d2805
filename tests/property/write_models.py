"""Models whose rows belong together in every way that a write can change, and their policies.

Rooms have shelves (a relationship on one side only), shelves have books (NULL when the shelf goes)
and helpers (who have no policy, and give rights), books have loans (orphans are deleted), remarks
(deleted by the database) and tags (an association table, seen from both sides).
"""

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from licet.authz import (
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    attr,
    caller,
    registered,
)

PEOPLE = ("ann", "ben")


class Base(DeclarativeBase):
    pass


book_tag = sa.Table(
    "book_tag",
    Base.metadata,
    sa.Column("book_id", sa.ForeignKey("book.id"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True),
)


class Room(Base):
    __tablename__ = "room"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    shelves: Mapped[list["Shelf"]] = relationship()


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    room_id: Mapped[int | None] = mapped_column(sa.ForeignKey("room.id"))
    curator: Mapped[str]
    is_open: Mapped[bool]
    books: Mapped[list["Book"]] = relationship(back_populates="shelf")
    helpers: Mapped[list["Helper"]] = relationship(cascade="all, delete-orphan")


class Helper(Base):
    __tablename__ = "helper"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(sa.ForeignKey("shelf.id"))
    who: Mapped[str]


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    owner: Mapped[str]
    title: Mapped[str]
    shelf: Mapped[Shelf | None] = relationship(back_populates="books")
    loans: Mapped[list["Loan"]] = relationship(back_populates="book", cascade="all, delete-orphan")
    remarks: Mapped[list["Remark"]] = relationship(passive_deletes="all")
    tags: Mapped[list["Tag"]] = relationship(secondary=book_tag, back_populates="books")


class Loan(Base):
    __tablename__ = "loan"
    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(sa.ForeignKey("book.id"))
    borrower: Mapped[str]
    book: Mapped[Book] = relationship(back_populates="loans")


class Remark(Base):
    __tablename__ = "remark"
    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(sa.ForeignKey("book.id", ondelete="CASCADE"))
    author: Mapped[str]


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    books: Mapped[list[Book]] = relationship(secondary=book_tag, back_populates="tags")


class BookTag(Base):
    """The association table once more, as a class whose objects link as well."""

    __table__ = book_tag


MODELS = {model.__tablename__: model for model in (Room, Shelf, Helper, Book, Loan, Remark, Tag)}


def make_policies():
    """The policies of all but the helpers; `write_oracle` says the same of plain rows."""
    me = caller.principal
    rooms = Policy(Room)
    rooms.allow(registered, LIST | VIEW | CREATE)
    rooms.allow(registered, UPDATE | DELETE, when=attr("shelves").any(attr("curator") == me))
    shelves = Policy(Shelf)
    helped = attr("helpers").any(attr("who") == me)
    shelves.allow(registered, LIST | VIEW, when=attr("is_open").is_true())
    shelves.allow(registered, LIST | VIEW | CREATE | UPDATE | DELETE, when=attr("curator") == me)
    shelves.allow(registered, UPDATE, when=helped)
    books = Policy(Book)
    on_own_shelf = attr("shelf.curator") == me
    books.allow(registered, LIST | VIEW | CREATE, when=attr("shelf.is_open").is_true())
    books.allow(registered, LIST | VIEW | UPDATE, when=attr("owner") == me)
    books.allow(registered, UPDATE, when=on_own_shelf)
    books.allow(registered, DELETE, when=(attr("owner") == me) & ~attr("loans").any(attr("id") > 0))
    loans = Policy(Loan)
    of_own_book = attr("book.owner") == me
    loans.allow(registered, CREATE, when=attr("book.shelf.is_open").is_true())
    loans.allow(registered, VIEW | UPDATE | DELETE, when=(attr("borrower") == me) | of_own_book)
    remarks = Policy(Remark)
    remarks.allow(registered, VIEW | CREATE | UPDATE | DELETE, when=attr("author") == me)
    tags = Policy(Tag)
    tags.allow(registered, VIEW | CREATE)
    tags.allow(registered, UPDATE | DELETE, when=attr("owner") == me)
    return [rooms, shelves, books, loans, remarks, tags]
