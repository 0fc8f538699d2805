"""Books with authors, shelves with keepers, and animals of two kinds, each under a policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    attribute_keyed_dict,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from tests.unit.authn.callers import Names

from licet import Licet
from licet.authn import use_verifier
from licet.authz import (
    ALL,
    CREATE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    attr,
    everyone,
    register_policies,
    registered,
)


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str | None]
    book_id: Mapped[int | None] = mapped_column(sa.ForeignKey("book.id"))


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    keeper_id: Mapped[int] = mapped_column(sa.ForeignKey("author.id"))
    keeper: Mapped[Author] = relationship()


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    title: Mapped[str]
    note: Mapped[str | None]
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship()
    authors: Mapped[list[Author]] = relationship(
        foreign_keys=[Author.book_id], order_by=Author.id, overlaps="by_name"
    )
    by_name: Mapped[dict[str, Author]] = relationship(
        foreign_keys=[Author.book_id],
        collection_class=attribute_keyed_dict("name"),
        overlaps="authors",
    )

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Animal(Base):
    __tablename__ = "animal"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "cat"}  # noqa: RUF012


class Dog(Animal):
    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012


def make_policies() -> tuple[Policy, ...]:
    """Notes and addresses are hidden; whatever is called hidden is seen by nobody."""
    found = []
    for model, fields in ((Author, ("email",)), (Shelf, ()), (Book, ("note",))):
        policy = Policy(model, name=model.__tablename__)
        is_shown = attr("id") > 0 if model is Shelf else _name_of(model) != "hidden"
        policy.allow(everyone, LIST | VIEW, when=is_shown)
        policy.allow(registered, CREATE | UPDATE)
        for field in fields:
            policy.hide(field)
        found.append(policy)
    animals, dogs = Policy(Animal, name="animals"), Policy(Dog, name="dogs")
    animals.allow(everyone, ALL)
    dogs.allow(registered, LIST | VIEW)
    return (*found, animals, dogs)


def _name_of(model: type[Any]) -> Any:
    return attr("title" if model is Book else "name")


@contextmanager
def served(tmp_path: Path, base: Any, *policies: Policy) -> Iterator[tuple[Flask, Any]]:
    """An app over a new SQLite database with the tables of a base, and its session."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'served.sqlite3'}")
    base.metadata.create_all(engine)
    session = scoped_session(sessionmaker(engine))
    app = Flask("served", instance_path=str(tmp_path / "instance"))
    app.config.update({"LICET_EMBEDDED_ISSUER": False})
    use_verifier(app, Names())
    Licet(app)
    register_policies(app, *policies, session=lambda: session)
    app.teardown_request(lambda _error: session.remove())
    yield app, session
    session.remove()
    engine.dispose()


def fill(session: Any) -> None:
    """Book 1 has two authors, one of them hidden; book 2 is hidden."""
    keeper = Author(id=1, name="Al", email="SECRET@x")
    shelf = Shelf(id=1, keeper=keeper)
    session.add_all([keeper, shelf, Book(id=1, title="T", note="SECRET", shelf=shelf)])
    session.flush()
    keeper.book_id = 1
    session.add_all(
        [
            Author(id=2, name="hidden", email="SECRET@y", book_id=1),
            Book(id=2, title="hidden", note="SECRET"),
            Animal(id=1, name="tom"),
            Dog(id=2, name="rex"),
        ]
    )
    session.commit()
    session.remove()
