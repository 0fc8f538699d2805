"""`marshal_response`: shapes, masks, and how many statements an answer takes."""

import logging
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, Response
from pydantic import BaseModel, ConfigDict, Field, create_model
from tests.unit.authn.callers import by
from tests.unit.rest.library import Book, Shelf, book_fields, principal
from werkzeug.datastructures import Headers

from licet.errors import InvalidCondition
from licet.rest import marshal_response, public, schema_for
from licet.rest.endpoints.requests import keep_private


def test_an_object_has_what_the_caller_may_see(library):
    """Columns that the server owns are in the answer, and hidden ones are not."""
    book = library.client.get("/books/1").json
    assert book.keys() == {
        "_etag",
        "id",
        "version",
        "title",
        "kind",
        "pages",
        "rating",
        "owner",
    } | {"shelf_id"}
    assert book["kind"] == "novel"
    assert library.client.get("/books/1", headers=by("ann")).json["note"] == "signed"


def test_each_row_of_a_list_has_its_own_mask(library):
    """What is hidden from some rows is shown on the others."""
    rows = library.client.get("/books/", headers=by("ben")).json["_items"]
    assert [(row["id"], row.get("note")) for row in rows] == [(1, None), (2, "secret"), (3, "torn")]
    assert "note" not in rows[0]


def test_rows_that_a_view_forgot_to_filter_are_left_out_and_logged(library, caplog):
    """A list that no policy filtered shows no row that the caller may not list."""
    with caplog.at_level(logging.WARNING, "licet.rest.endpoints.answers"):
        rows = library.client.get("/all").json
    assert [row["id"] for row in rows] == [1, 3]
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("1 rows of a list of unfiltered are left out")


def test_related_objects_are_asked_about_too(library):
    """A nested object has its own policy's mask, or is null where the caller may not view it."""
    rows = library.client.get("/on-shelves", headers=by("ann")).json
    assert [row["shelf"] for row in rows] == [{"id": 1}, None]
    rows = library.client.get("/on-shelves", headers=by("sue")).json
    assert [row["shelf"] and row["shelf"]["curator"] for row in rows] == ["cid", "cid", None]


@pytest.mark.parametrize("url", ["/books/", "/all"])
@pytest.mark.parametrize("name", [None, "ann", "sue"])
def test_a_list_takes_as_many_statements_for_200_rows_as_for_one(library, url, name):
    """Masks are selected with the rows, or by one statement for all."""
    headers, path = by(name) if name else {}, f"{url}?page_size=" if url == "/books/" else "/all?x="
    with library.counted() as few:
        assert library.client.get(f"{path}1", headers=headers).status_code == 200
    owner = principal("ann")
    library.add(*(Book(title=f"b{n}", owner=owner, shelf_id=1) for n in range(200)))
    with library.counted() as many:
        answer = library.client.get(f"{path}200", headers=headers)
    rows = answer.json["_items"] if url == "/books/" else answer.json
    assert len(rows) >= 200
    assert len(many) == len(few) == 2


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    name: str = Field(serialization_alias="bookTitle")
    note: str | None = None


class Wrong(BaseModel):
    shelf: object


class Card(BaseModel):
    id: int
    name: str


def answer_of(app, schema, view, status=200, headers=None):
    app.add_url_rule("/made", "made", public(marshal_response(schema, status)(view)))
    return app.test_client().get("/made", headers=headers)


def test_plain_values_need_no_database(tmp_path):
    """A dict or an object of a program's own is dumped as it is, with its aliases."""
    app = Flask("bare", instance_path=str(tmp_path))
    answer = answer_of(app, Aliased, lambda: {"name": "a", "note": None}, 201)
    assert (answer.status_code, answer.json) == (201, {"bookTitle": "a", "note": None})


class Inner(BaseModel):
    name: str
    size: int = 1


class Other(BaseModel):
    title: str


GIVEN, CUT = {"name": "a", "secret": 1}, {"name": "a", "size": 1}
WITHIN = [
    (Inner, GIVEN, CUT),
    (Inner | None, GIVEN, CUT),
    (Inner | None, None, None),
    (Other | Inner, GIVEN, CUT),
    (list[Inner], [GIVEN, Inner(name="b")], [CUT, {"name": "b", "size": 1}]),
    (tuple[Other, Inner], ({"title": "t", "x": 1}, GIVEN), [{"title": "t"}, CUT]),
    (dict[str, Inner], {"x": GIVEN}, {"x": CUT}),
    (dict[str, list[Inner]], {"x": [GIVEN]}, {"x": [CUT]}),
    (Inner | dict[str, Any], GIVEN, GIVEN),
    (Inner | str, "text", "text"),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (Any, GIVEN, GIVEN),
]


@pytest.mark.parametrize(("kind", "value", "shown"), WITHIN)
def test_dictionaries_within_have_what_their_class_names(tmp_path, kind, value, shown):
    """As the outermost one; with a type that takes any dictionary they are shown as they are."""
    schema = create_model("Outer", inner=(kind, ...))
    app = Flask("bare", instance_path=str(tmp_path))
    assert answer_of(app, schema, lambda: {"inner": value}).json == {"inner": shown}


def test_a_response_of_the_views_own_is_left_alone(library):
    """What the view made itself is the answer."""
    assert answer_of(library.app, Card, lambda: Response("own", 202)).data == b"own"


def test_a_field_that_holds_a_row_says_which_fields_are_shown(library):
    """A related object without a schema is the program's error, not a leak."""
    library.app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(InvalidCondition, match="The field shelf holds a Shelf"):
        answer_of(library.app, Wrong, lambda: library.session.get(Book, 1))


def test_rows_of_a_query_need_no_list(library):
    """What the session gives is a list of its rows."""
    answer = answer_of(
        library.app, book_fields, lambda: library.session.scalars(sa.select(Book).filter_by(id=1))
    )
    assert [row["id"] for row in answer.json] == [1]


def test_a_class_without_version_has_no_tag(library):
    """Neither header nor member."""
    answer = answer_of(library.app, schema_for(Shelf), lambda: library.session.get(Shelf, 1))
    assert answer.json == {"id": 1, "name": "hall"}
    assert "ETag" not in answer.headers


@pytest.mark.parametrize("schema", [None, object(), Book, "x"])
def test_what_cannot_dump_is_refused_when_it_decorates(schema):
    """The error says what a schema is."""
    with pytest.raises(InvalidCondition, match="schema"):
        marshal_response(schema)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, "no-store"),
        ({"ETag": '"1"'}, "private, no-cache"),
        ({"Cache-Control": "public, max-age=60, s-maxage=9"}, "private, max-age=60"),
        ({"Cache-Control": "private, max-age=5"}, "private, max-age=5"),
        ({"Cache-Control": "no-store"}, "no-store"),
    ],
)
def test_no_shared_cache_keeps_an_answer(given, kept):
    """An answer that depends on who asks is its caller's alone; the view may say for how long."""
    headers = Headers(given)
    keep_private(headers)
    assert headers["Cache-Control"] == kept
    assert headers.getlist("Vary") == ["Authorization", "Cookie"]
    keep_private(headers)
    assert headers.getlist("Vary") == ["Authorization", "Cookie"]


def test_answers_and_refusals_say_that_they_vary(library):
    """200, 404, 412 and 422 alike."""
    asked = [("/books/1", {}), ("/books/2", {}), ("/books/?x=1", {}), ("/books/", by("ann"))]
    for url, headers in asked:
        answer = library.client.get(url, headers=headers)
        assert {"Authorization", "Cookie"} <= set(answer.headers.getlist("Vary"))
        assert answer.headers["Cache-Control"] in ("no-store", "private, no-cache")


def test_a_bad_token_is_401_where_none_is_needed(library):
    """It is never taken for nobody's."""
    for url in ("/books/", "/books/1", "/search"):
        assert library.client.get(url, headers=by("bad")).status_code == 401
