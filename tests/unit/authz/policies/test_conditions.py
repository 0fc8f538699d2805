"""Conditions by example: each rule of their meaning, and each declaration that is refused."""

import enum
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from tests.ids import shown
from tests.unit.authz.readings import Asked
from werkzeug.exceptions import Unauthorized

from licet.authz import now
from licet.authz.policies._models.callers import read_test
from licet.authz.policies.conditions import NEVER, CallerCheck, Condition, attr, caller, predicate
from licet.db.types import UTCDateTime
from licet.errors import InvalidCondition, UntranslatableCondition


class Base(DeclarativeBase):
    pass


class Genre(enum.Enum):
    NOVEL = "n"
    POEM = "p"


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Review(Base):
    __tablename__ = "review"
    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(sa.ForeignKey("book.id"))
    stars: Mapped[int | None]
    by: Mapped[str | None]


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    pages: Mapped[int | None]
    lent: Mapped[bool | None]
    genre: Mapped[Genre | None]
    printed: Mapped[date | None]
    sold_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("author.id"))
    price: Mapped[float | None] = mapped_column(sa.Double)
    author: Mapped[Author | None] = relationship(back_populates="books")
    reviews: Mapped[list[Review]] = relationship()


NOBODY = SimpleNamespace()


@pytest.fixture
def db() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def readings(db: Session, book: Book, condition: Condition, identity: Any = NOBODY) -> set[bool]:
    """What the decision, the explanation, WHERE and the column say: one answer, as they agree."""
    db.add(book)
    db.commit()
    asked = Asked(Book, condition)
    by_id = sa.select(Book.id).where(Book.id == book.id)
    return {
        asked.decide(book, identity),
        asked.explain(book, identity),
        db.scalar(by_id.where(asked.where(identity))) is not None,
        db.scalar(sa.select(asked.column(identity)).where(Book.id == book.id)),
    }


title, pages, author, reviews = attr("title"), attr("pages"), attr("author"), attr("reviews")
NAMED, UNNAMED = {"author": lambda: Author(name="Ann")}, {"author": Author}
WITH_ANOTHER = {"author": lambda: Author(books=[Book(pages=6)])}
REVIEWED = {"reviews": lambda: [Review(), Review(stars=2)]}
TWICE = {"reviews": lambda: [Review(stars=1), Review(by="Bo")]}
RULES = [
    # a comparison with a missing value is False, and its negation True
    (pages == 5, {"pages": 5}, True),
    (pages == 5, {}, False),
    (~(pages == 5), {}, True),
    (pages < 5, {}, False),
    (~(pages < 5), {}, True),
    (~(pages < 5), {"pages": 5}, True),
    (title.contains("a"), {}, False),
    (~title.contains("a"), {}, True),
    # != is "is distinct from"
    (pages != 5, {"pages": 5}, False),
    (pages != 5, {"pages": 6}, True),
    (pages != 5, {}, True),
    (~(pages != 5), {}, False),
    # not_in is the negation of in_, and nothing is in nothing
    (pages.in_([4, 5]), {"pages": 5}, True),
    (pages.in_([4, 5]), {}, False),
    (pages.not_in([4, 5]), {}, True),
    (pages.not_in([4, 5]), {"pages": 5}, False),
    (pages.in_([]), {"pages": 5}, False),
    (pages.not_in([]), {"pages": 5}, True),
    (pages.in_(range(100)), {"pages": 99}, True),
    (pages.not_in(range(100)), {}, True),
    (pages.is_null(), {}, True),
    (~pages.is_null(), {}, False),
    # a missing related object is a missing value
    (attr("author.name") == "Ann", NAMED, True),
    (attr("author.name") == "Ann", {}, False),
    (attr("author.name") != "Ann", {}, True),
    (attr("author.name") != "Ann", UNNAMED, True),
    (attr("author.name").is_null(), {}, True),
    (attr("author.name").is_null(), UNNAMED, True),
    (attr("author.name").is_null(), NAMED, False),
    (author.is_null(), {}, True),
    (author.is_null(), UNNAMED, False),
    (~author.is_null(), {}, False),
    # any over nothing is False, all is True; so they are through an object that is not there
    (reviews.any(attr("stars") > 1), {}, False),
    (reviews.all(attr("stars") > 1), {}, True),
    (attr("author.books").any(pages == 5), {}, False),
    (attr("author.books").all(pages == 5), {}, True),
    (attr("author.books").all(pages == 5), WITH_ANOTHER, False),
    (reviews.any(attr("stars") > 1), REVIEWED, True),
    (reviews.all(attr("stars") > 1), REVIEWED, False),
    (reviews.all(~(attr("stars") < 2)), REVIEWED, True),
    # two any need not be of the same row
    (
        reviews.any(attr("stars") == 1) & reviews.any(attr("by") == "Bo"),
        TWICE,
        True,
    ),
    (
        reviews.any((attr("stars") == 1) & (attr("by") == "Bo")),
        TWICE,
        False,
    ),
    # texts are data, compared by code point and case
    (title.contains("100%"), {"title": "100 times"}, False),
    (title.contains("_"), {"title": "a"}, False),
    (title.startswith("\\"), {"title": "\\a"}, True),
    (title.startswith("a"), {"title": "A"}, False),
    (title.contains(""), {"title": ""}, True),
    (title == "é", {"title": "e\u0301"}, False),
    (title < "a", {"title": "B"}, True),
    (title > "\uffff", {"title": "😀"}, True),
    # an integer that no column holds has a place on the number line all the same
    (pages < 2**63, {"pages": 5}, True),
    (pages < 2**63, {}, False),
    (pages >= -(2**63) - 1, {"pages": 5}, True),
    (pages > 2**63, {"pages": 5}, False),
    (pages == 2**63, {"pages": 5}, False),
    (pages != 2**63, {}, True),
    (pages.in_([5, 2**63]), {"pages": 5}, True),
    # a moment is the same in every zone
    (
        attr("sold_at") == datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
        {"sold_at": datetime(2024, 10, 27, 0, 30, tzinfo=UTC)},
        True,
    ),
    (
        attr("sold_at") < datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        {"sold_at": datetime(2023, 12, 31, 23, tzinfo=UTC)},
        False,
    ),
    (attr("printed") >= date(2024, 1, 1), {"printed": date(2024, 1, 1)}, True),
    (attr("genre") == Genre.POEM, {"genre": Genre.POEM}, True),
    (attr("lent").is_true(), {"lent": True}, True),
    (NEVER | (pages <= 5), {"pages": 5}, True),
    (~NEVER & (pages <= 5), {"pages": 6}, False),
    (NEVER, {}, False),
]


@pytest.mark.parametrize(("condition", "row", "expected"), RULES, ids=shown)
def test_every_reading_follows_the_rule(
    db: Session, condition: Condition, row: dict[str, Any], expected: bool
):
    """Missing values, texts, bounds and moments are as the module says."""
    values = {name: value() if callable(value) else value for name, value in row.items()}

    assert readings(db, Book(**values), condition) == {expected}


# --- the caller ----------------------------------------------------------------------------------

MANY = list(range(200))
OF_CALLERS = [
    # what the caller has not equals nothing, and differs from everything that there is
    (pages == caller.n, {"n": 5}, {"pages": 5}, True),
    (pages == caller.n, {}, {}, False),
    (pages == caller.n, {"n": None}, {}, False),
    (pages != caller.n, {}, {}, False),
    (pages != caller.n, {}, {"pages": 5}, True),
    (pages != caller.n, {"n": 5}, {}, True),
    (~(pages != caller.n), {}, {}, True),
    (~(pages == caller.n), {}, {}, True),
    (pages <= caller.n, {}, {"pages": 5}, False),
    (caller.n >= pages, {"n": 5}, {"pages": 5}, True),
    (caller.n < pages, {"n": 5}, {"pages": 5}, False),
    (pages < caller.n, {"n": 2**70}, {"pages": 5}, True),
    (attr("author.name") != caller.name, {"name": "Ann"}, {}, True),
    (attr("author.name") != caller.name, {}, {}, False),
    (attr("author.name") != caller.name, {}, NAMED, True),
    (~(attr("author.name") != caller.name), {}, NAMED, False),
    (~(attr("author.name") != caller.name), {"name": "Ann"}, NAMED, True),
    (attr("author.name") == caller.name, {"name": "Ann"}, NAMED, True),
    (title.contains(caller.name), {"name": "%"}, {"title": "a%"}, True),
    (title.startswith(caller.name), {}, {"title": "a"}, False),
    # collections: none is empty, and None is nobody's member
    (pages.in_(caller.ns), {}, {"pages": 5}, False),
    (pages.not_in(caller.ns), {}, {"pages": 5}, True),
    (pages.in_(caller.ns), {"ns": [None]}, {}, False),
    (pages.not_in(caller.ns), {"ns": [None, 4]}, {"pages": 5}, True),
    (pages.in_(caller.ns), {"ns": MANY}, {"pages": 199}, True),
    (pages.not_in(caller.ns), {"ns": MANY}, {}, True),
    (reviews.any(attr("stars").in_(caller.ns)), {"ns": {2, 2**70}}, REVIEWED, True),
    # a path goes through mappings by key
    (pages == caller.claims.n, {"claims": {"n": 5}}, {"pages": 5}, True),
    (pages == caller.claims.n, {"claims": {}}, {"pages": 5}, False),
    (pages == caller.claims.n, {}, {"pages": 5}, False),
    # the caller alone
    (caller.n.is_null(), {}, {}, True),
    (caller.n.is_null(), {"n": 0}, {}, False),
    (caller.n == 5, {"n": 5}, {}, True),
    (caller.claims.n == 5, {"claims": {"n": 5}}, {}, True),
    (caller.n == 5, {}, {}, False),
    (caller.n != 5, {}, {}, True),
    (caller.n < 5, {"n": 4}, {}, True),
    (caller.n.in_([4, 5]), {"n": 4}, {}, True),
    (caller.n.in_([]), {"n": 4}, {}, False),
    (caller.n.in_([4]), {}, {}, False),
    (caller.lent.is_true(), {"lent": True}, {}, True),
    (caller.groups.contains("staff"), {"groups": ["staff", None]}, {}, True),
    (caller.groups.contains("staff"), {"groups": ("guest",)}, {}, False),
    (caller.name.contains("nn"), {"name": "Ann"}, {}, True),
    (caller.name.startswith("A"), {"name": "Ann"}, {}, True),
    (
        caller.at == datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
        {"at": datetime(2024, 10, 27, 0, 30, tzinfo=UTC)},
        {},
        True,
    ),
]


@pytest.mark.parametrize(("condition", "identity", "row", "expected"), OF_CALLERS, ids=shown)
def test_the_callers_values_follow_the_rules(
    db: Session, condition: Condition, identity: dict[str, Any], row: dict[str, Any], expected: bool
):
    """An identity is an object with attributes, or a mapping."""
    values = {name: value() if callable(value) else value for name, value in row.items()}
    book = Book(**values)

    assert readings(db, book, condition, SimpleNamespace(**identity)) == {expected}
    assert readings(db, book, condition, identity) == {expected}


WRONG = [
    (pages == caller.x, "5"),
    (pages == caller.x, True),
    (pages == caller.claims.x, 5.0),
    (title == caller.x, b"secret"),
    (title == caller.x, "secret\0"),
    (title == caller.x, "secret\ud800"),
    (title.contains(caller.x), ["secret"]),
    (attr("genre") == caller.x, "NOVEL"),
    (attr("printed") == caller.x, datetime(2024, 1, 1, tzinfo=UTC)),
    (attr("sold_at") == caller.x, date(2024, 1, 1)),
    (attr("sold_at") == caller.x, datetime(2024, 1, 1)),  # noqa: DTZ001 - without a zone
    (attr("sold_at") == caller.x, datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
    (title.in_(caller.x), "secret"),
    (title.in_(caller.x), {"secret": 1}),
    (title.in_(caller.x), ["secret", 5]),
    (title.in_(caller.x), 5),
    (reviews.any(attr("stars") == caller.x), "secret"),
    (caller.x == 5, "5"),
    (caller.x == 5, True),
    (caller.x < 5, "secret"),
    (caller.x.in_([5]), "secret"),
    (caller.x.contains("secret"), 5),
    (caller.x.contains(5), 5),
    (caller.x.contains("secret"), {"secret": 1}),
    (caller.x.contains("secret"), ["guest", 5]),
    (caller.x.contains(5), "secret"),
    (caller.x.startswith("secret"), 5),
    (caller.x == datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1)),  # noqa: DTZ001 - as above
]


@pytest.mark.parametrize(("condition", "value"), WRONG, ids=lambda case: str(case)[:60])
def test_a_caller_with_a_value_of_a_wrong_type_is_denied(
    db: Session, caplog: pytest.LogCaptureFixture, condition: Condition, value: Any
):
    """Under a negation too, and beside what holds; it is logged without the value."""
    identity = SimpleNamespace(x=value, claims={"x": value})

    for whole in (condition, ~condition, condition | ~NEVER):
        assert readings(db, Book(), whole, identity) == {False}
    assert "A check is denied: caller." in caplog.text
    assert "secret" not in caplog.text.replace(str(condition), "")


def test_a_caller_whose_attribute_raises_is_denied(db: Session, caplog: pytest.LogCaptureFixture):
    """As one with an attribute of a wrong type."""

    class Broken:
        @property
        def n(self) -> int:
            raise LookupError("secret")

    assert readings(db, Book(), ~(pages == caller.n), Broken()) == {False}
    assert "could not be read" in caplog.text
    assert "secret" not in caplog.text


def test_a_caller_whose_attribute_has_a_fault_is_not_one_without_it(
    db: Session, caplog: pytest.LogCaptureFixture
):
    """An AttributeError within a property denies; so does one within any other descriptor."""

    class Late:
        def __get__(self, owner: Any, _kind: type | None = None) -> Any:
            return self if owner is None else owner.secret

    class Broken:
        __slots__ = ("empty",)
        late = Late()

        @property
        def n(self) -> int:
            return self.secret  # type: ignore[attr-defined, no-any-return]

    for condition in (pages != caller.n, ~(caller.n == 5), caller.late.is_null()):
        assert readings(db, Book(pages=5), condition, Broken()) == {False}
    assert "could not be read: AttributeError at" in caplog.text
    assert readings(db, Book(), caller.empty.is_null() & caller.absent.is_null(), Broken()) == {
        True
    }


def test_whole_numbers_among_decimals_are_decimals(db):
    """A caller who has the Decimal 0 is not told from 0, which a negation would take for a yes."""
    exact = caller.x.in_([0, Decimal("0.5")])
    for value, is_among in ((Decimal(0), True), (Decimal("0.50"), True), (Decimal(2), False)):
        assert readings(db, Book(), exact, SimpleNamespace(x=value)) == {is_among}
        assert readings(db, Book(), ~exact, SimpleNamespace(x=value)) == {not is_among}
    assert readings(db, Book(), ~exact, SimpleNamespace(x=3)) == {False}  # of another type


def test_a_caller_is_among_constants_of_its_own_type():
    """True equals 1, and is no number."""
    among = caller.x.in_([True, 2])

    assert [read_test(among, SimpleNamespace(x=x)) for x in (True, 2, 1, False)] == [
        *(True, True, False, False)
    ]


def test_an_answer_to_the_client_that_the_caller_raises_is_let_through():
    """Such as a bad token that is found when the identity is asked."""

    class Late:
        @property
        def n(self) -> int:
            raise Unauthorized

    def refuse(_book: Book, _identity: Any) -> bool:
        raise Unauthorized

    for condition in (pages == caller.n, predicate(refuse)):
        for ask in (Asked(Book, condition).decide, Asked(Book, condition).explain):
            with pytest.raises(Unauthorized):
                ask(Book(pages=1), Late())
    with pytest.raises(Unauthorized):
        Asked(Book, pages == caller.n).where(Late())


def test_what_asks_of_an_object_is_no_test_of_the_caller():
    """Only a bug could ask."""
    with pytest.raises(TypeError, match="pages == 1 is no test of the caller"):
        read_test(pages == 1, NOBODY)


def test_a_function_of_the_caller_is_a_constant_for_each(db: Session):
    """As roles have one; it says its name."""

    def is_tall(identity: Any) -> bool:
        return identity.height > 180

    condition = CallerCheck("here", None, is_tall)

    assert readings(db, Book(), condition, SimpleNamespace(height=190)) == {True}
    assert readings(db, Book(), condition, SimpleNamespace(height=170)) == {False}
    assert str(condition).endswith("is_tall")


# --- declarations --------------------------------------------------------------------------------


def test_conditions_say_what_they_are():
    """For messages and the matrix."""
    condition = ~(title.in_(["b", "a"]) & reviews.all(attr("stars") != 1)) | author.is_null()

    assert (
        str(condition)
        == "(not (title in {'a', 'b'} and reviews.all(stars != 1)) or author is null)"
    )
    assert str((pages < caller.n) & caller.x.is_null()) == "(pages < caller.n and caller.x is null)"
    assert str(caller.groups.contains("a")) == "caller.groups contains 'a'"
    assert str(attr("genre") == Genre.POEM) == "genre == 'POEM'"
    assert str(NEVER) == "never"
    assert str(~NEVER) == "not never"
    assert str(predicate(test_conditions_say_what_they_are)).startswith("test_conditions")


def test_a_name_keeps_a_condition_in_one_piece():
    """``&`` and ``|`` flatten what has no name."""
    both = (pages == 1) & (pages == 2)

    assert len((both & (pages == 3)).parts) == 3
    assert len((both.named("of two") & (pages == 3)).parts) == 2
    assert both.named("of two").footnote == "of two"


BAD: dict[str, Any] = {
    "A condition has no truth value": lambda: (pages == 1) and (pages == 2),
    "A condition has no truth value of its own": lambda: not (pages == 1),  # noqa: SIM201 - the mistake
    "no truth value of its own: write &": lambda: 1 < pages < 5,
    "has no truth value of its own: ": lambda: pages in [1, 2],
    "A path has no truth value": lambda: pages or pages == 1,
    "`in` decides at once": lambda: "a" in title,
    "A path is not a collection": lambda: list(reviews),
    "takes a text or caller.…, not another attribute, pages": lambda: title.contains(pages),
    "not another attribute, pages: attributes are compared by": lambda: title.startswith(pages),
    "in_ takes constants: compare with now() or attr(…)": lambda: pages.in_([now()]),
    "compare with now() or attr(…) by == and |": lambda: pages.in_([pages]),
    "Decimal('sNaN') is no finite number": lambda: pages.in_([Decimal("sNaN")]),
    "Decimal('Infinity') is no finite number": lambda: caller.x < Decimal("Infinity"),
    "startswith takes a text, not now()": lambda: caller.x.startswith(now()),
    "now() takes a timedelta, as in now() + timedelta(days=1), not 5": lambda: now() + 5,
    "not 'tomorrow'": lambda: now() - "tomorrow",
    "more than 1,000,000 days away from now": lambda: now() + timedelta(days=10**6 + 1),
    "now() + 600000 days, 0:00:00 + 500000 days": lambda: (
        now() + timedelta(days=600_000) + timedelta(days=500_000)
    ),
    "days away from now.": lambda: now() - timedelta.min,
    "True is not a condition": lambda: (pages == 1) & True,
    "5 is not a condition": lambda: (pages == 1) | 5,
    "is not a condition: make one with attr": lambda: reviews.any(attr("stars")),
    "in_ takes a collection of values, not 'ab'": lambda: title.in_("ab"),
    "in_ takes a collection of values, not 5": lambda: title.in_(5),
    "Write attr(…).in_(caller.…)": lambda: caller.x.contains(title),
    "Two attributes of the caller": lambda: caller.x == caller.y,
    "A comparison with None is never True": lambda: caller.x == None,  # noqa: E711 - the mistake
    "with None is never True: write is_null()": lambda: caller.x.in_([1, None]),
    "startswith takes a text, not 5": lambda: caller.x.startswith(5),
    "is outside of the years 1 to 9999": lambda: (
        attr("x") == datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    ),
    "attr takes a dotted path": lambda: attr("a b"),
    "such as 'event.state', not 5": lambda: attr(5),
    "cannot be named ' '": lambda: (pages == 1).named(" "),
    "predicate takes a function": lambda: predicate(5),
    "a function of (object, identity): <class": lambda: predicate(str),
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_declaration_is_refused_where_it_stands(message: str):
    """The error names the file and the line."""
    declare = BAD[message]

    with pytest.raises(InvalidCondition) as caught:
        declare()

    assert message in str(caught.value)
    assert __file__ in str(caught.value)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("root", [attr("a"), caller.a, caller])
def test_paths_have_no_private_attributes(root: Any):
    """So that copying and pickling ask in vain."""
    with pytest.raises(AttributeError):
        _ = root._missing


def _nested(levels: int) -> Condition:
    condition = pages == 1
    for _ in range(levels):
        condition = ~condition
    return condition


def _deep(levels: int) -> Condition:
    condition = pages == 1
    for _ in range(levels):
        condition = attr("author.books").any(condition)
    return condition


def _wide(parts: int) -> Condition:
    condition = NEVER
    for number in range(parts):
        condition = condition | (pages == number)
    return condition


UNFIT: dict[str, Condition] = {
    "Book has no 'color'; it has author, author_id, genre, id,": attr("color") == "red",
    "Author has no 'age'": attr("author.age") == 5,
    "Book.title is an attribute, so nothing can follow it": attr("title.length") == 5,
    "Book.reviews is a to-many relationship: write attr('reviews').any(…)": (
        attr("reviews.stars") == 5
    ),
    "author is a relationship: compare an attribute of it": author == 5,
    "author is no to-many relationship": author.any(attr("name") == "Ann"),
    "title is no to-many relationship": title.any(attr("name") == "Ann"),
    "reviews is a to-many relationship, which is never null": reviews.is_null(),
    "'5' beside pages is str, not int": pages == "5",
    "True beside pages is bool, not int": pages == True,  # noqa: E712 - the mistake
    "5.0 beside pages is float, not int": pages < 5.0,
    "'n' beside genre is str, not Genre": attr("genre") == "n",
    "is datetime, not date": attr("printed") == datetime(2024, 1, 1, tzinfo=UTC),
    "is a datetime without time zone": attr("sold_at") == datetime(2024, 1, 1),  # noqa: DTZ001
    "date, not an aware datetime": attr("sold_at") == date(2024, 1, 1),
    "holds a NUL character": title == "a\0",
    "holds a lone surrogate": title.contains("\ud800"),
    "never True: write is_null()": pages == None,  # noqa: E711 - the mistake
    "comparison with None is never True": pages.in_([1, None]),
    "pages is int, which has no 'contains'": pages.contains(5),
    "genre is Genre, which has no '<'": attr("genre") < Genre.POEM,
    "lent is bool, which has no '>='": attr("lent") >= True,
    "Book.price is Double(), a type that the databases do not all compare alike": attr("price") > 1,
    "A condition has over 24 levels": _nested(25),
    "over 24 levels, of which each relationship counts 3": _nested(5000),
    "or 500 parts": _wide(500),
    "each relationship counts 3, or 500 parts": attr(".".join(["author"] * 10)) == 1,
    "A condition has over 24 levels, of which": _deep(5),
}


@pytest.mark.parametrize("message", UNFIT)
def test_a_condition_that_does_not_fit_its_model_is_refused(message: str):
    """When the policy is built, with the place of the declaration."""
    with pytest.raises(UntranslatableCondition) as caught:
        Asked(Book, UNFIT[message])

    assert message in str(caught.value)
    assert f"Declared at {__file__}:" in str(caught.value)


def test_what_is_just_small_enough_is_taken(db: Session):
    """Limits are there to keep statements and functions within those of the databases."""
    assert readings(db, Book(pages=1), _nested(24)) == {True}
    assert readings(db, Book(pages=1), _wide(498)) == {True}
    assert readings(db, Book(pages=1, author=Author()), _deep(4)) == {True}


@pytest.mark.parametrize("model", [object, 5, Book.__table__, Book.id, None])
def test_a_class_that_is_not_mapped_is_refused(model: Any):
    """A table or a column is no model either."""
    with pytest.raises(InvalidCondition, match="is not a class that SQLAlchemy maps") as caught:
        Asked(model, pages == 1)

    assert str(Path(__file__).parents[1]) in str(caught.value)


def test_a_condition_of_no_known_kind_is_refused():
    """Conditions cannot be invented."""
    with pytest.raises(UntranslatableCondition, match="Condition is no kind of condition"):
        Asked(Book, Condition("here", None))


def test_a_predicate_decides_about_objects_and_says_nothing_in_sql():
    """It gets the object and the identity, in the relationships that it stands in too."""
    mine = predicate(lambda review, identity: review.by == identity.name)
    asked = Asked(Book, reviews.any(mine) & ~predicate(lambda book, _: book.lent))
    book, bo = Book(reviews=[Review(by="Bo")]), SimpleNamespace(name="Bo")

    assert asked.decide(book, bo)
    assert asked.explain(book, bo)
    assert not asked.decide(book, SimpleNamespace(name="Al"))
    with pytest.raises(UntranslatableCondition, match="is a Python function, which SQL cannot"):
        asked.where(bo)


GENRES = [Genre.NOVEL, Genre.POEM]


@pytest.mark.parametrize(
    ("owner", "condition"),
    [
        (Book(genre=[]), attr("genre").not_in(GENRES)),
        (Book(genre=[]), ~(attr("genre").in_(GENRES) & (attr("lent") == True))),  # noqa: E712 - a condition
        (Author(books=[Book(genre=[])]), ~attr("books").any(attr("genre").in_(GENRES))),
    ],
)
def test_what_is_no_member_of_an_enum_fulfils_no_negated_test(owner, condition, caplog):
    """Something that was put there and cannot be stored: denied, and told in the log."""
    assert not Asked(type(owner), condition).decide_as_stored(owner, NOBODY)
    assert "Book.genre is list, not Genre" in caplog.text
