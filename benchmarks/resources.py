"""CPU time of a JSON:API list and of one PATCH, beside views of Flask and SQLAlchemy by hand.

    make bench                       # or: .venv/bin/python benchmarks/resources.py --rounds 25

The list: 50 of 100,000 books, those of one subject that the caller may list, by number, with their
shelves included, the price shown of the caller's own alone, and the count. By hand, the view has
the same conditions in SQL, reads the page's parameters, and writes the very same document, which is
checked. The PATCH: two attributes of a book that is the caller's own. By hand, the view reads and
checks the document, asks Python whether the book is theirs, commits, and answers alike.

The claims: the list takes at most 1.3 times the CPU time of the one by hand, the PATCH at most 1.5
times, and the list's p95 with 100,000 rows is at most 1.5 times that with 1,000.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, abort, request
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.pool import StaticPool

from _rounds import in_turns, verdict
from licet import Licet
from licet.authz import (
    LIST,
    UPDATE,
    VIEW,
    Policy,
    attr,
    caller,
    everyone,
    public,
    register_policies,
    registered,
)
from licet.rest.jsonapi import JsonApi, Resource, ToOne

LIST_LIMIT, PATCH_LIMIT, FLAT = 1.3, 1.5, 1.5
TYPE = "application/vnd.api+json"
WHERE = '[{"name":"subject","op":"eq","val":"subject 7"}]'
QUERY = {"filter": WHERE, "sort": "number", "include": "shelf", "page[size]": "50"}


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    is_open: Mapped[bool]


class Book(Base):
    __tablename__ = "book"
    __table_args__ = (sa.Index("ix_book_subject", "subject", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(sa.ForeignKey("shelf.id"))
    subject: Mapped[str]
    number: Mapped[int]
    title: Mapped[str]
    owner: Mapped[str]
    price: Mapped[int | None]
    shelf: Mapped[Shelf] = relationship()


class Ann:
    is_authenticated = True
    principal = "ann"


ANN = Ann()


def make_session(n_books: int) -> Any:
    """Books of which 100 are of subject 7, on 50 shelves, each tenth of them closed."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    n_subjects = n_books // 100
    with engine.begin() as connection:
        shelves = [{"id": n, "name": f"shelf {n}", "is_open": n % 10 != 0} for n in range(50)]
        connection.execute(sa.insert(Shelf), shelves)
        books = [
            {
                "id": n,
                "shelf_id": n // n_subjects % 50,
                "subject": f"subject {n % n_subjects}",
                "number": n * 7919 % n_books,
                "title": f"title {n}",
                "owner": "ann" if n % 3 == 0 else "ben",
                "price": n,
            }
            for n in range(n_books)
        ]
        connection.execute(sa.insert(Book), books)
    return scoped_session(sessionmaker(engine))


def make_app(add_views: Callable[[Flask, Any], None], session: Any) -> Any:
    app = Flask(add_views.__name__)
    Licet(app)
    add_views(app, session)
    app.teardown_appcontext(lambda _error: session.remove())
    return app.test_client()


# --- resources -----------------------------------------------------------------------------------


def by_resource(app: Flask, session: Any) -> None:
    own = attr("owner") == caller.principal
    books = Policy(Book, name="books")
    books.allow(registered, LIST | VIEW | UPDATE, when=own)
    books.allow(everyone, LIST | VIEW, when=attr("shelf.is_open").is_true())
    books.hide("price", unless=own).readonly("id", "owner")
    shelves = Policy(Shelf, name="shelves").allow(everyone, LIST | VIEW)
    register_policies(app, books, shelves, session=session, caller=lambda: ANN)
    book_fields = ["subject", "number", "title", "owner", "price"]
    JsonApi(
        app,
        url_prefix="/v1",
        resources=[
            Resource(Shelf, shelves, name="shelf", url="shelves", attributes=["name", "is_open"]),
            Resource(
                Book,
                books,
                name="book",
                attributes=book_fields,
                relationships={"shelf": ToOne()},
            ),
        ],
    )


# --- by hand -------------------------------------------------------------------------------------


def book_object(book: Book, *, is_own: bool) -> dict[str, Any]:
    attributes = {
        "subject": book.subject,
        "number": book.number,
        "title": book.title,
        "owner": book.owner,
    }
    if is_own:
        attributes["price"] = book.price
    own = f"/v1/books/{book.id}"
    links = {"self": f"{own}/relationships/shelf", "related": f"{own}/shelf"}
    data = {"type": "shelf", "id": str(book.shelf_id)}
    return {
        "type": "book",
        "id": str(book.id),
        "attributes": attributes,
        "relationships": {"shelf": {"links": links, "data": data}},
        "links": {"self": own},
    }


def shelf_object(shelf: Shelf) -> dict[str, Any]:
    return {
        "type": "shelf",
        "id": str(shelf.id),
        "attributes": {"name": shelf.name, "is-open": shelf.is_open},
        "links": {"self": f"/v1/shelves/{shelf.id}"},
    }


def by_hand(app: Flask, session: Any) -> None:
    @app.get("/v1/books")
    @public
    def list_books() -> Response:
        (condition,) = json.loads(request.args["filter"])
        sort, size = request.args["sort"], request.args.get("page[size]", 20, int)
        if condition["name"] != "subject" or condition["op"] != "eq" or sort != "number":
            abort(400)
        if request.args["include"] != "shelf" or not 0 < size <= 200:
            abort(400)
        me = ANN.principal
        is_open = sa.select(Shelf.id).where(Shelf.id == Book.shelf_id, Shelf.is_open).exists()
        may = sa.and_(Book.subject == condition["val"], sa.or_(Book.owner == me, is_open))
        page = sa.select(Book).where(may).order_by(Book.number, Book.id).limit(size)
        books = session.scalars(page.options(joinedload(Book.shelf))).all()
        count = session.scalar(sa.select(sa.func.count()).select_from(Book).where(may))
        shelves = {book.shelf_id: book.shelf for book in books}
        document = {
            "data": [book_object(book, is_own=book.owner == me) for book in books],
            "included": [shelf_object(shelf) for shelf in shelves.values()],
            "meta": {"count": count},
        }
        return Response(json.dumps(document), content_type=TYPE)

    @app.patch("/v1/books/<int:book_id>")
    @public
    def change(book_id: int) -> Response:
        document = json.loads(request.get_data())["data"]
        if document["type"] != "book" or document["id"] != str(book_id):
            abort(409)
        book = session.get(Book, book_id)
        if book is None or book.owner != ANN.principal:
            abort(404)
        attributes = document["attributes"]
        if not attributes.keys() <= {"title", "price"}:
            abort(422)
        if not isinstance(attributes["title"], str) or not isinstance(attributes["price"], int):
            abort(422)
        for name, value in attributes.items():
            setattr(book, name, value)
        session.commit()
        return Response(json.dumps({"data": book_object(book, is_own=True)}), content_type=TYPE)


# --- measuring -----------------------------------------------------------------------------------


def list_of(client: Any) -> Callable[[], Any]:
    def ask() -> Any:
        response = client.get("/v1/books", query_string=QUERY)
        assert response.status_code == 200, response.text
        return response.json

    return ask


def patch_of(client: Any) -> Callable[[], Any]:
    numbers = iter(range(10**9))

    def ask() -> Any:
        number = next(numbers)
        attributes = {"title": f"title {number}", "price": number}
        document = {"data": {"type": "book", "id": "3", "attributes": attributes}}
        data = json.dumps(document)
        response = client.patch("/v1/books/3", data=data, content_type=TYPE)
        assert response.status_code == 200, response.text
        return response.json

    return ask


def p95_of(ask: Callable[[], Any], n_times: int) -> float:
    times = []
    for _ in range(n_times):
        begin = time.process_time()
        ask()
        times.append((time.process_time() - begin) * 1e6)
    return statistics.quantiles(times, n=20)[-1]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=25)
    rounds = arguments.parse_args().rounds
    print(f"CPU µs a request, medians of {rounds} rounds")
    print(f"Python {platform.python_version()}, SQLAlchemy {sa.__version__}")
    session = make_session(100_000)
    ours, theirs = make_app(by_resource, session), make_app(by_hand, session)
    mine, hand = list_of(ours)(), list_of(theirs)()
    for member in ("data", "included"):
        assert mine[member] == hand[member], member
    assert mine["meta"]["count"] == hand["meta"]["count"]
    assert patch_of(ours)()["data"] == patch_of(theirs)()["data"]
    lines = []
    for what, of, limit in (("list", list_of, LIST_LIMIT), ("PATCH", patch_of, PATCH_LIMIT)):
        contestants = {"by hand": of(theirs), "resource": of(ours)}
        found = in_turns(contestants, rounds, seconds=0.1)
        ratio = found["resource"].cpu_beside(found["by hand"])
        for name, times in found.items():
            print(f"  {what} {name:12}{times.cpu:9.1f}{times.cpu_beside(found['by hand']):8.2f} ×")
        lines.append(verdict(f"{what} of a resource", ratio, limit, "×"))
    few = list_of(make_app(by_resource, make_session(1_000)))
    few()
    p95 = {n: p95_of(ask, 20 * rounds) for n, ask in ((1_000, few), (100_000, list_of(ours)))}
    print("  p95 of the list:", ", ".join(f"{n:,} rows {cpu:.0f} µs" for n, cpu in p95.items()))
    lines.append(verdict("p95, 100,000 beside 1,000 rows", p95[100_000] / p95[1_000], FLAT, "×"))
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
