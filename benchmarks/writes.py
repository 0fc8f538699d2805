"""CPU time of one guarded PATCH, beside the same written by hand.

    make bench                       # or: .venv/bin/python benchmarks/writes.py --rounds 25

May this caller change this book, from her shelf to another of hers: both ways load the book, check
the caller, set two fields and commit, on SQLite in memory, through the whole of Flask. By hand, the
check is Python on the loaded objects before the change (and, for comparison, after it as well). The
guarded ones read the row before they change it, and decide about it afterwards by SQL:

- write: `with write(books, UPDATE, book)`, in an app that guards nothing else
- guard_writes: the same fields set and committed in an app that guards every session
- both: a block in such an app
- write, 300 callers: a block, each time another caller's of 300, for whom nothing is kept

The claim: each takes at most 1.5 times the CPU time of the one by hand; the last one is shown.
"""

from __future__ import annotations

import argparse
import itertools
import platform
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Flask, abort, request
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.pool import StaticPool

from _rounds import in_turns
from licet import Licet
from licet.authz import (
    UPDATE,
    VIEW,
    Policy,
    attr,
    caller,
    public,
    register_policies,
    registered,
    with_object,
    write,
)

LIMIT = 1.5


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    curator: Mapped[str]


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(sa.ForeignKey("shelf.id"))
    title: Mapped[str]
    owner: Mapped[str]
    shelf: Mapped[Shelf] = relationship()


class Curator:
    is_authenticated = True

    def __init__(self, number: int) -> None:
        self.principal = f"curator {number}"


CURATORS = [Curator(number) for number in range(300)]


def who() -> Curator:
    return CURATORS[int(request.headers["Caller"])]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=25)
    rounds = arguments.parse_args().rounds
    print(f"CPU µs a PATCH, medians of {rounds} rounds")
    print(f"Python {platform.python_version()}, SQLAlchemy {sa.__version__}")
    contestants = {
        "by hand": patch_of(make_app(by_hand)),
        "by hand, checked after": patch_of(make_app(by_careful_hand)),
        "write": patch_of(make_app(by_block)),
        "guard_writes": patch_of(make_app(by_attributes, guard_writes=True)),
        "both": patch_of(make_app(by_block, guard_writes=True)),
        "by hand, 300 callers": patch_of(make_app(by_hand), n_callers=len(CURATORS)),
        "write, 300 callers": patch_of(make_app(by_block), n_callers=len(CURATORS)),
    }
    found = in_turns(contestants, rounds, seconds=0.05)
    lines = []
    for name, times in found.items():
        rival = "by hand, 300 callers" if name.endswith("300 callers") else "by hand"
        ratio = times.cpu_beside(found[rival])
        print(f"  {name:24}{times.cpu:9.1f}{ratio:8.2f} ×")
        if name in {"write", "guard_writes", "both"}:
            outcome = "holds" if ratio <= LIMIT else "FAILS"
            lines.append(f"{name} ≤ {LIMIT:g} × by hand: {ratio:.2f} ×, {outcome}")
    print("\n" + "\n".join(lines))


def books_policy() -> Policy:
    policy = Policy(Book, name="books")
    policy.allow(registered, VIEW | UPDATE, when=attr("shelf.curator") == caller.principal)
    policy.readonly("id", "owner")
    return policy


def make_app(add_view: Callable[..., None], **options: Any) -> Flask:
    app = Flask(add_view.__name__)
    Licet(app)
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    session = scoped_session(sessionmaker(engine))
    with session.begin():
        for number, curator in enumerate(CURATORS):
            name, first = curator.principal, 2 * number + 1
            session.add_all([Shelf(id=first, curator=name), Shelf(id=first + 1, curator=name)])
            session.add(Book(id=number + 1, shelf_id=first, title="Licet", owner=name))
    books = books_policy()
    register_policies(app, books, session=session, caller=who, **options)
    add_view(app, books, session)
    app.teardown_appcontext(lambda _error: session.remove())
    return app


def by_hand(app: Flask, _books: Policy, session: Any, *, is_careful: bool = False) -> None:
    def may_change(book: Book) -> bool:
        me = who()
        return me.is_authenticated and book.shelf.curator == me.principal

    @app.patch("/books/<int:book_id>")
    @public
    def change(book_id: int) -> Any:
        book = session.get(Book, book_id)
        if book is None or not may_change(book):
            abort(404)
        fields = request.get_json()
        if not fields.keys() <= {"shelf_id", "title"}:
            abort(422)
        for name, value in fields.items():
            setattr(book, name, value)
        if is_careful:
            session.flush()
            session.refresh(book)
            if not may_change(book):
                session.rollback()
                abort(403)
        session.commit()
        return {"ok": True}


def by_careful_hand(app: Flask, books: Policy, session: Any) -> None:
    by_hand(app, books, session, is_careful=True)


def by_block(app: Flask, books: Policy, _session: Any) -> None:
    @app.patch("/books/<int:book_id>")
    @with_object(books, UPDATE, "book_id")
    def change(book: Book) -> Any:
        with write(books, UPDATE, book) as change:
            change.apply(request.get_json())
        return {"ok": True}


def by_attributes(app: Flask, books: Policy, session: Any) -> None:
    @app.patch("/books/<int:book_id>")
    @with_object(books, UPDATE, "book_id")
    def change(book: Book) -> Any:
        fields = request.get_json()
        if not fields.keys() <= {"shelf_id", "title"}:
            abort(422)
        for name, value in fields.items():
            setattr(book, name, value)
        session.commit()
        return {"ok": True}


def patch_of(app: Flask, n_callers: int = 1) -> Callable[[], None]:
    client = app.test_client()
    numbers = itertools.count()

    def patch() -> None:
        number = next(numbers)
        caller_number, is_even = number % n_callers, (number // n_callers) % 2
        fields = {"title": f"Licet {number}", "shelf_id": 2 * caller_number + 1 + is_even}
        path, headers = f"/books/{caller_number + 1}", {"Caller": str(caller_number)}
        answer = client.patch(path, json=fields, headers=headers)
        assert answer.status_code == 200, answer.text

    patch()
    return patch


if __name__ == "__main__":
    main()
