"""`with_object`: which arguments of a rule hold the primary key, and what is told if none does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import wraps
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from licet.authz import ALL, VIEW, Policy, everyone, guarded_by, register_policies, with_object
from licet.authz.declared.audit import protect
from licet.authz.policies._in_words import Decision
from licet.errors import ConfigurationError, InvalidCondition


class Base(DeclarativeBase):
    pass


class Seat(Base):
    __tablename__ = "seat"

    row: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column("nr", primary_key=True)


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)


class Draft(Base):
    __tablename__ = "draft"

    id: Mapped[int] = mapped_column(primary_key=True)


seats, books = Policy(Seat).allow(everyone, ALL), Policy(Book).allow(everyone, ALL)


@pytest.fixture
def app() -> Iterator[Flask]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    app = Flask(__name__)
    app.config["TESTING"] = True
    with Session(engine) as session:
        session.add_all([Seat(row=1, number="a"), Book(id=1), Draft(id=1)])
        session.commit()
        register_policies(app, seats, books, session=lambda: session)
        yield app


def test_a_composite_key(app: Flask):
    """One argument for each column, in the model's order, whatever the order in the rule."""

    @app.get("/<number>/<int:row>/<extra>")
    @with_object(seats, VIEW, ("row", "number"))
    def show(seat: Seat, extra: str) -> str:
        return f"{seat.row}{seat.number}{extra}"

    client = app.test_client()
    assert client.get("/a/1/x").text == "1ax"
    for path in ("/b/1/x", "/a/2/x", "/1/1/x", f"/a/{10**30}/x"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("policy", "key", "told"),
    [
        (seats, "row", "1 name for the primary key of Seat, which has 2: row, number"),
        (books, ("a", "b"), "2 names for the primary key of Book, which has 1: id"),
        (books, (), "0 names for the primary key"),
        (books, (1,), r"takes the name of a view argument, or a tuple, not \(1,\)"),
        (books, None, "takes the name of a view argument, or a tuple, not None"),
    ],
)
def test_as_many_names_as_the_key_has(policy: Policy, key: Any, told: str):
    """Another number is an error where the view is decorated."""
    with pytest.raises(InvalidCondition, match=rf"{told}.*Declared at .*test_with_object\.py:\d+"):
        with_object(policy, VIEW, key)


@pytest.mark.parametrize("guard", [with_object, guarded_by])
@pytest.mark.parametrize("verb", ["VIEW", "publish", None, 1])
def test_a_verb_is_no_text(guard: Any, verb: Any):
    """The name of a verb is not the verb, and the error says what is."""
    with pytest.raises(InvalidCondition, match=f"A verb such as VIEW is wanted here, not {verb!r}"):
        guard(books, verb, *["id"] * (guard is with_object))


def wrong_view(app: Flask) -> None:
    @app.get("/books/<int:id>")
    @with_object(books, VIEW, "book_id")
    def show(book: Book) -> str:
        return str(book.id)


TOLD = r"show \(.*test_with_object\.py:\d+\) finds its object by 'book_id', and its rule /books"
TOLD += r"/<int:id> has the arguments: id\. Name one of them in with_object"


def test_a_wrong_name_does_not_start(app: Flask):
    """The audit of the app tells the view, the name, and what the rule has."""
    wrong_view(app)
    with pytest.raises(ConfigurationError, match=TOLD):
        protect(app)


def test_a_wrong_name_that_comes_later(app: Flask):
    """A view that is added to a running app is looked at, too."""
    protect(app)
    with pytest.raises(ConfigurationError, match=TOLD):
        wrong_view(app)


def test_a_wrong_name_without_the_audit(app: Flask):
    """The first call tells the same."""
    wrong_view(app)
    with pytest.raises(ConfigurationError, match="finds its object by 'book_id', and is called"):
        app.test_client().get("/books/1")


def test_arguments_that_come_from_elsewhere(app: Flask):
    """Defaults, a decorator above and a preprocessor can give the argument: no false alarm."""

    def from_slug(view: Any) -> Any:
        @wraps(view)
        def found(slug: str) -> Any:
            return view(book_id=len(slug))

        return found

    @app.get("/slugs/<slug>")
    @from_slug
    @with_object(books, VIEW, "book_id")
    def by_slug(book: Book) -> str:
        return "by slug"

    @app.get("/first", defaults={"id": 1})
    @with_object(books, VIEW, "id")
    def first(book: Book) -> str:
        return "first"

    protect(app)
    assert app.test_client().get("/slugs/x").text == "by slug"
    assert app.test_client().get("/first").text == "first"

    other = Flask("other")

    @other.url_value_preprocessor
    def add(_endpoint: Any, values: Any) -> None:
        values["book_id"] = 1

    wrong_view(other)
    protect(other)


def denials(app: Flask, caplog: pytest.LogCaptureFixture, level: int) -> tuple[int, int]:
    """How often the reason was worked out, and the status, of one denial at a level of the log."""
    asked: list[object] = []

    class Reasons(Policy):
        def decide(self, *args: Any, **options: Any) -> Decision:
            def explain() -> Any:
                asked.append(self)
                raise ZeroDivisionError

            return Decision(False, explain, lambda: False)

    policy = Reasons(Draft).allow(everyone, VIEW)
    register_policies(app, policy)

    @app.get("/drafts/<int:id>")
    @with_object(policy, VIEW, "id")
    def show(draft: Draft) -> str:
        return "never"

    with caplog.at_level(level, "licet.authz.decisions"):
        status = app.test_client().get("/drafts/1").status_code
    return len(asked), status


def test_a_reason_that_nobody_logs_is_not_worked_out(app: Flask, caplog):
    """It may cost more than the decision."""
    assert denials(app, caplog, logging.WARNING) == (0, 404)


def test_a_reason_that_cannot_be_worked_out_changes_no_answer(app: Flask, caplog):
    """The answer is that of an object that is not there, and the log says so."""
    assert denials(app, caplog, logging.INFO) == (1, 404)
    assert "The reason of a denial could not be worked out." in caplog.text
    assert '"reason": "unknown"' in caplog.text
