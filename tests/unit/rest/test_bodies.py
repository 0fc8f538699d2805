"""`unmarshal_request`: what a body may be, and what is told of one that is wrong."""

import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask import Flask
from pydantic import BaseModel, field_validator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.unit.authn.callers import by
from tests.unit.rest.library import Book, Library, book_fields, principal

from licet.db.types import UTCDateTime
from licet.errors import InvalidCondition, InvalidRequest, MalformedRequest, UnsupportedBody
from licet.rest import public, schema_for, unmarshal_request
from licet.rest.body import MAX_DEPTH, read_json
from licet.rest.schemas.reading import reader_of


def post(library, body, *, content_type="application/json", **headers):
    """The answer to ann's POST with these bytes."""
    return library.client.post(
        "/books/", data=body, headers=by("ann") | {"Content-Type": content_type, **headers}
    )


@pytest.mark.parametrize(
    ("body", "status", "pointers"),
    [
        (b"", 400, ["#"]),
        (b"   ", 400, ["#"]),
        (b"{", 400, ["#"]),
        (b"[]", 400, ["#"]),
        (b"null", 400, ["#"]),
        (b'"text"', 400, ["#"]),
        (b'{"title": NaN}', 400, ["#"]),
        (b'{"pages": 1e999}', 400, ["#"]),
        (b'{"title": "a", "title": "b"}', 400, ["#"]),
        (b'{"title": "\xff"}', 400, ["#"]),
        (b'{"pages": ' + b"9" * 5000 + b"}", 400, ["#"]),
        (b'{"note": ' + b"[" * 33 + b"]" * 33 + b"}", 400, ["#"]),
        (b"[" * 200_000, 400, ["#"]),
        (b'{"a":' * 100_000, 400, ["#"]),
        (b"{}", 422, ["#/title"]),
        (b'{"title": null}', 422, ["#/title"]),
        (b'{"title": "a\\u0000b"}', 422, ["#/title"]),
        (b'{"title": "\\ud800"}', 422, ["#/title"]),
        (b'{"\\ud800": 1}', 422, ["#"]),
        (b'{"title": "a", "note": {"b": "\\udfff"}}', 422, ["#/note/b"]),
        (b'{"title": "a", "pages": "many"}', 422, ["#/pages"]),
        (b'{"title": "a", "pages": 2147483648}', 422, ["#/pages"]),
        (b'{"title": "a", "kind": "poem"}', 422, ["#/kind"]),
        (b'{"title": "%s"}' % (b"a" * 41), 422, ["#/title"]),
        (
            b'{"title": "a", "colour": 1, "id": 1, "pages": []}',
            422,
            ["#/id", "#/pages", "#/colour"],
        ),
        (b'{"title": "a", "owner": "b", "version": 7}', 422, ["#/owner", "#/version"]),
        (b'{"title": "a", "rating": 5}', 422, ["#/rating"]),
        (b'{"title": "a", "a/b~c": 5}', 422, ["#/a~1b~0c"]),
    ],
)
def test_a_wrong_body_has_one_entry_for_each_field(library, body, status, pointers):
    """Status and places tell what is wrong, and no row is written."""
    answer = post(library, body)
    assert answer.status_code == status
    assert [one["pointer"] for one in answer.json["errors"]] == pointers
    assert all(one["detail"] for one in answer.json["errors"])
    assert library.row(4) is None


@pytest.mark.parametrize(
    ("content_type", "headers", "status"),
    [
        ("application/json", {}, 201),
        ("application/json; charset=UTF-8", {}, 201),
        ("Application/JSON", {}, 201),
        ("text/json", {}, 415),
        ("application/x-www-form-urlencoded", {}, 415),
        ("application/json; charset=utf-16", {}, 415),
        ("", {}, 415),
        ("application/json", {"Content-Encoding": "gzip"}, 415),
        ("application/json", {"Content-Encoding": "identity"}, 201),
    ],
)
def test_only_json_in_utf_8_is_taken(library, content_type, headers, status):
    """Another type, charset or encoding is 415, which names the type that is taken."""
    answer = post(library, b'{"title": "new"}', content_type=content_type, **headers)
    assert answer.status_code == status
    assert (answer.headers.get("Accept") == "application/json") is (status == 415)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_ten_megabytes_are_413(library, is_chunked):
    """A body that is too long is refused, whether it says its length or not."""
    big = json.dumps({"title": "x" * 10_000_000}).encode()
    options = {"headers": by("ann"), "content_type": "application/json"}
    if is_chunked:
        options |= {"environ_overrides": {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}}
    answer = library.client.post("/books/", data=big, **options)
    assert answer.status_code == 413
    assert answer.json["code"] == "body_too_large"


def test_flasks_own_limit_counts_where_it_is_lower(library):
    """The app's MAX_CONTENT_LENGTH is kept."""
    library.app.config["MAX_CONTENT_LENGTH"] = 10
    assert post(library, b'{"title": "longer than ten"}').status_code == 413


def test_what_the_server_owns_is_never_taken_from_a_body(library):
    """The id of another row in a body overwrites nothing."""
    answer = post(library, b'{"title": "taken", "id": 1}')
    assert (answer.status_code, library.row(1).title) == (422, "Licet")


def test_an_object_is_decided_about_as_it_was_written(library):
    """A view that stores what the caller may not create is refused, and nothing stays."""
    session = library.session

    @library.app.post("/gifts")
    @public
    @unmarshal_request(book_fields, "book")
    def gift(book):
        book.owner = principal("ben")
        session.add(book)
        session.commit()
        return ""

    assert library.client.post("/gifts", json={"title": "a"}).status_code == 401
    assert library.client.post("/gifts", json={"title": "a"}, headers=by("ann")).status_code == 200
    assert library.row(5) is None


def test_null_becomes_null_and_absent_stays(library):
    """A PATCH changes what its body names, and nothing else."""
    headers = by("ann") | {"If-Match": "*"}
    answer = library.client.patch("/books/1", json={"pages": None}, headers=headers)
    assert (answer.json["pages"], answer.json["title"]) == (None, "Licet")


class Lent(BaseModel):
    to: str
    days: int | str = 7

    @field_validator("to")
    @classmethod
    def known(cls, value):
        if value == "nobody":
            raise ValueError("is nobody")
        return value


class Trip(BaseModel):
    stops: list[Lent]


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ({"to": "nobody"}, ["#/to"]),
        ({"to": "ann", "days": []}, ["#/days"]),
        ({"to": "ann", "nights": 2}, ["#/nights"]),
        ({"to": 1, "days": None, "x": 1}, ["#/to", "#/days", "#/x"]),
    ],
)
def test_a_pydantic_class_has_one_entry_for_each_field(document, pointers):
    """A union tells of all its alternatives, and the answer of the field once."""
    with pytest.raises(InvalidRequest) as raised:
        reader_of(Lent).read(document)
    assert [one.as_dict()["pointer"] for one in raised.value.errors] == pointers


class Numbers(BaseModel):
    values: list[int]


@pytest.mark.parametrize(("count", "told"), [(3, 3), (900, 50), (200_000, 1)])
def test_many_faults_are_not_all_told(count, told):
    """At most 50, and of a body that has very many only their number."""
    with pytest.raises(InvalidRequest) as raised:
        reader_of(Numbers).read({"values": ["a"] * count})
    assert len(raised.value.errors) == told


def test_nested_documents_know_their_fields():
    """An unknown name is refused at every depth, with its place."""
    with pytest.raises(InvalidRequest) as raised:
        reader_of(Trip).read({"stops": [{"to": "ann"}, {"to": "ben", "x": 1}]})
    assert [one.pointer for one in raised.value.errors] == ["/stops/1/x"]


def test_a_dict_of_types_is_a_schema():
    """A field is wanted unless its type takes None."""
    reader = reader_of({"to": str, "days": int | None})
    assert reader.read({"to": "ann"}) == {"to": "ann"}
    assert reader.read({"to": "ann", "days": None}) == {"to": "ann", "days": None}
    for document in ({}, {"to": None}, {"days": 1}):
        with pytest.raises(InvalidRequest) as raised:
            reader.read(document)
        assert [one.pointer for one in raised.value.errors] == ["/to"]


def test_a_pydantic_class_gives_what_was_sent():
    """Defaults are the program's: what a body does not name is not in the dict."""
    assert reader_of(Lent).read({"to": "ann"}) == {"to": "ann"}


@pytest.mark.parametrize("schema", [None, "Lent", Lent(to="ann"), int, Book, object(), {"to": 5}])
def test_what_is_no_schema_is_refused_when_it_decorates(schema):
    """The error says what a schema is."""
    with pytest.raises(InvalidCondition, match="schema"):
        unmarshal_request(schema, "book")


def test_an_object_needs_a_mapped_class():
    """A plain pydantic class stands for no row, so that it has to be said that a dict is meant."""
    with pytest.raises(InvalidCondition, match="load_sqla=False"):
        unmarshal_request(Lent, "lent")


def test_a_view_without_database_takes_bodies(tmp_path):
    """An app without policies, session and Licet reads dicts."""
    app = Flask("bare", instance_path=str(tmp_path))

    @app.post("/")
    @unmarshal_request(Lent, "lent", load_sqla=False)
    def lend(lent):
        return lent

    assert app.test_client().post("/", json={"to": "ann"}).json == {"to": "ann"}


def test_columns_take_what_they_can_hold():
    """`schema_for` refuses a value that the database would, and leaves out what the server owns."""
    assert set(book_fields.model_fields) == {"title", "kind", "pages", "note", "rating", "shelf_id"}
    only = schema_for(Book, only=["title", "owner"], client_owned=["owner"])
    assert set(only.model_fields) == {"title", "owner"}
    assert set(schema_for(Book, exclude=["note"]).licet_shown) >= {"id", "version", "owner"}
    with pytest.raises(TypeError, match="did you mean 'title'"):
        schema_for(Book, only=["titl"])


class Types(DeclarativeBase):
    pass


class Everything(Types):
    __tablename__ = "everything"
    id: Mapped[int] = mapped_column(primary_key=True)
    moment: Mapped[datetime | None] = mapped_column(UTCDateTime)
    naive: Mapped[datetime | None]
    day: Mapped[date | None]
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(5, 2))
    raw: Mapped[bytes | None]
    code: Mapped[uuid.UUID | None]
    word: Mapped[str | None] = mapped_column(sa.Enum("a", "b"))
    free: Mapped[dict | None] = mapped_column(sa.JSON)
    copy: Mapped[bool | None]
    small: Mapped[int | None] = mapped_column(sa.SmallInteger)
    _hidden: Mapped[str | None]


NOW = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "good", "value", "bad"),
    [
        ("moment", "2030-01-02T03:04:00Z", NOW, "2030-01-02T03:04:00"),
        ("naive", "2030-01-02T03:04:00", NOW.replace(tzinfo=None), "2030-01-02T03:04:00Z"),
        ("day", "2030-01-02", NOW.date(), "2030-02-30"),
        ("price", "123.45", Decimal("123.45"), "1234.5"),
        ("raw", "aGk=", b"hi", "a"),
        ("code", str(uuid.UUID(int=5)), uuid.UUID(int=5), "5"),
        ("word", "a", "a", "c"),
        ("free", {"a": [1, None]}, {"a": [1, None]}, ...),
        ("copy", True, True, "perhaps"),
        ("small", 32767, 32767, 32768),
    ],
)
def test_a_column_takes_what_it_can_hold(name, good, value, bad):
    """Values come as the column has them; what it cannot hold is refused with its place."""
    reader = reader_of(schema_for(Everything))
    assert reader.read({name: good}) == {name: value}
    assert reader.read({name: None}) == {name: None}
    if bad is not ...:
        with pytest.raises(InvalidRequest) as raised:
            reader.read({name: bad})
        assert [one.pointer for one in raised.value.errors] == [f"/{name}"]


def test_a_private_column_is_never_set():
    """Names that begin with an underscore are the program's."""
    with pytest.raises(InvalidRequest, match="validation"):
        reader_of(schema_for(Everything)).read({"_hidden": "x"})


def test_depth_is_counted_in_brackets_that_nest():
    """As many levels as are allowed pass, one more does not, however many stand in a row."""
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert read_json(deep, "application/json")
    assert len(read_json(b"[" + b"{}," * 5000 + b"{}]", "application/json")) == 5001
    with pytest.raises(MalformedRequest, match="deeper than 32"):
        read_json(b"[" + deep + b"]", "application/json")
    with pytest.raises(UnsupportedBody):
        read_json(b"{}", "application/vnd.api+json")


class Free(BaseModel):
    title: str
    pages: int | None = None
    shelf_id: int | None = None


@pytest.fixture
def with_keys(database_url, tmp_path):
    """The library on each kind of database, whose foreign keys are kept, with a view of its own."""
    library = Library(database_url, str(tmp_path / "instance"))
    if library.engine.dialect.name == "sqlite":
        library.engine.dispose()
        keep = "PRAGMA foreign_keys = 1"
        sa.event.listen(library.engine, "connect", lambda one, _: one.execute(keep))

    @library.app.post("/free")
    @public
    @unmarshal_request(Free, "values", load_sqla=False)
    def free(values):
        library.session.add(Book(owner="x", **values))
        library.session.commit()
        return ""

    yield library
    library.close()


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({"shelf_id": 999}, 409, "conflicting_values"),
        ({"pages": 2**70}, 422, "invalid_request"),
        ({}, 200, None),
    ],
)
def test_what_the_database_refuses_is_told_without_its_words(with_keys, values, status, code):
    """A foreign key to nothing and a number out of range are the caller's, not errors 500."""
    answer = with_keys.client.post("/free", json={"title": "a", **values})
    assert (answer.status_code, (answer.json or {}).get("code")) == (status, code)
    assert "999" not in answer.text


def test_an_error_of_the_views_own_stays_its_own(library):
    """An OverflowError that no database raised goes Flask's way."""

    @library.app.post("/own")
    @public
    @unmarshal_request(Free, "values", load_sqla=False)
    def own(values):
        raise OverflowError("mine")

    assert library.client.post("/own", json={"title": "a"}).status_code == 500
