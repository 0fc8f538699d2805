"""Answers that cannot be made: what the program is told, and what stays written."""

import logging
from datetime import date

import pytest
from flask import request
from pydantic import BaseModel, ConfigDict, field_serializer
from sqlalchemy.orm import Session
from tests.unit.authn.callers import by
from tests.unit.rest.conftest import fill
from tests.unit.rest.library import Book, Library, book_changes, book_fields, principal

from licet.errors import UsageError
from licet.rest import (
    marshal_response,
    public,
    requires_auth,
    schema_for,
    unmarshal_request,
    with_lookup,
)


class Inner(BaseModel):
    name: str


class Card(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    title: str
    pages: int = 7
    inner: Inner | None = None
    thing: object = None


class LaterShown(BaseModel):
    later: "Later"


class Later(BaseModel):
    name: str


class Plain:
    pages = 3


VALUES = [
    (Card, {"pages": 1}, "Card.title has no value in a dict that has 'pages'"),
    (Card, {}, "Card.title has no value in a dict that has nothing"),
    (Card, [{"title": "a"}, {"pages": 1}], "Card.title has no value"),
    (Card, {"_items": [{"pages": 1}], "_meta": {}}, "Card.title has no value"),
    (Card, {"title": "a", "inner": {}}, "Inner.name has no value"),
    (Card, Plain(), "Card.title has no value in a Plain"),
    (Card, {"title": "a", "thing": Plain()}, "Card.thing: Unable to serialize unknown type"),
    (book_fields, {"title": "a"}, "BookFields.* has no value in a dict that has 'title'"),
    (LaterShown, {"later": {}}, "Later.name has no value"),
]


@pytest.mark.parametrize(("schema", "value", "told"), VALUES)
def test_a_value_that_lacks_a_field_is_the_programs_error(library, schema, value, told):
    """The error names the endpoint, the schema and the field, and no value."""
    library.app.config["PROPAGATE_EXCEPTIONS"] = True
    library.app.add_url_rule("/made", "made", public(marshal_response(schema)(lambda: value)))
    with pytest.raises(UsageError, match=f"The view of made gives.*{told}"):
        library.client.get("/made")


def test_a_value_with_what_is_needed_is_shown(library):
    """Defaults stand for what a dict leaves out; what no class names is not shown, at any depth."""
    card = marshal_response(Card)(lambda: {"title": "a", "thing": date.min})
    later = marshal_response(LaterShown)(lambda: {"later": {"name": "b", "secret": 1}})
    library.app.add_url_rule("/card", "card", public(card))
    library.app.add_url_rule("/later", "later", public(later))
    shown = {"title": "a", "pages": 7, "inner": None, "thing": "0001-01-01"}
    assert library.client.get("/card").json == shown
    assert library.client.get("/later").json == {"later": {"name": "b"}}


def test_an_error_of_a_property_stays_what_it_is(library):
    """An attribute that is missing within the program's own code is not the answer's."""

    class Broken:
        pages = 1

        @property
        def title(self):
            return self.name

    library.app.config["PROPAGATE_EXCEPTIONS"] = True
    made = marshal_response(Card)(lambda: Broken())  # noqa: PLW0108 - a function
    library.app.add_url_rule("/made", "made", public(made))
    with pytest.raises(AttributeError, match="name"):
        library.client.get("/made")


def test_a_client_is_told_an_id_and_the_log_the_field(tmp_path, caplog):
    """500 tells nothing of the program; the log has the error, and then its id."""
    url = f"sqlite:///{tmp_path / 'l.sqlite3'}"
    made = Library(url, str(tmp_path / "instance"), LICET_PROBLEM_ERRORS=True)
    made.app.add_url_rule("/made", "made", public(marshal_response(Card)(lambda: {"pages": 1})))
    with caplog.at_level(logging.WARNING):
        answer = made.client.get("/made")
    assert (answer.status_code, "Card" in answer.text) == (500, False)
    assert answer.json["error_id"] in caplog.text
    assert "The view of made gives an answer that cannot be shown: Card.title" in caplog.text
    made.close()


# --- what stays written --------------------------------------------------------------------------


@pytest.fixture(params=[False, True], ids=["unguarded", "guarded"])
def shared(request, database_url, tmp_path):
    """A library on each kind of database whose views leave the commit to `marshal_response`."""
    made = Library(
        database_url,
        str(tmp_path / "instance"),
        guard_writes=request.param,
        LICET_DATABASE_URL=f"sqlite:///{tmp_path / 'keys.sqlite3'}",
    )
    fill(made)
    add_views(made)
    yield made
    made.close()


def add_views(library):
    shown = {"fields": book_fields, "card": BookCard}
    app, session = library.app, library.session

    def create(book):
        book.id = 77
        book.owner = principal("ann")
        session.add(book)
        return ("", int(request.args["status"])) if "status" in request.args else book

    def change(book, changes):
        for name, value in changes.items():
            setattr(book, name, value)
        book.owner = principal(request.args.get("owner", "ann"))
        return book

    for name, schema in shown.items():
        made = marshal_response(schema, 201, commit=True)(create)
        made = requires_auth(f"made_{name}")(unmarshal_request(book_fields, "book")(made))
        app.add_url_rule(f"/{name}", f"create_{name}", made, methods=["POST"])
        made = marshal_response(schema, commit=True)(change)
        made = unmarshal_request(book_changes, "changes", load_sqla=False)(made)
        made = requires_auth(f"changed_{name}")(with_lookup(Book, "book", check_etag=True)(made))
        app.add_url_rule(f"/{name}/<int:book>", f"change_{name}", made, methods=["PATCH"])


class BookCard(BaseModel):
    """An answer that cannot be made."""

    title: str

    @field_serializer("title")
    def fail(self, _title):
        raise ValueError("no answer")


def post(library, path, title="new", **headers):
    return library.app.test_client().post(path, json={"title": title}, headers=by("ann") | headers)


def patch(library, path, tag, **changes):
    headers = by("ann") | {"If-Match": tag}
    return library.app.test_client().patch(path, json=changes, headers=headers)


def title(library, key):
    found = library.row(key)
    return found and found.title


def test_a_creation_is_committed_with_its_answer(shared):
    """The answer has what the flush made; without one the object is not there."""
    assert (post(shared, "/card").status_code, title(shared, 77)) == (500, None)
    made = post(shared, "/fields")
    assert (made.status_code, made.json["id"], made.json["version"]) == (201, 77, 1)
    assert title(shared, 77) == "new"


@pytest.mark.parametrize("status", [409, 302])
def test_what_the_view_refuses_is_not_written(shared, status):
    """A response of the view's own is committed, too, unless it is an error."""
    assert post(shared, f"/fields?status={status}").status_code == status
    assert (title(shared, 77) is None) is (status >= 400)


def test_what_the_policy_refuses_is_not_written(shared):
    """It is decided about what was flushed when the answer is committed."""
    assert patch(shared, "/fields/1?owner=ben", "*", title="a").status_code == 403
    assert title(shared, 1) == "Licet"


def test_a_change_is_committed_with_its_answer(shared):
    """Else the tag is good for the next request; and one that comes too late is 412."""
    tag = shared.client.get("/books/1", headers=by("ann")).headers["ETag"]
    assert (patch(shared, "/card/1", tag, title="a").status_code, title(shared, 1)) == (
        500,
        "Licet",
    )
    changed = patch(shared, "/fields/1", tag, title="b")
    assert (changed.status_code, title(shared, 1)) == (200, "b")
    assert patch(shared, "/fields/1", tag, title="c").status_code == 412
    assert patch(shared, "/fields/1", changed.headers["ETag"], title="d").status_code == 200
    assert patch(shared, "/fields/1", "*", rating=5).status_code == 422  # readonly
    assert (title(shared, 1), shared.row(1).rating) == ("d", 0)


def test_the_key_of_a_failed_answer_is_free(shared):
    """Nothing was done with the Idempotency-Key; what was done is given again."""
    key = {"Idempotency-Key": "k"}
    assert post(shared, "/card", **key).status_code == 500
    first, again = post(shared, "/fields", **key), post(shared, "/fields", **key)
    assert (first.status_code, again.status_code, first.data) == (201, 201, again.data)


def test_a_view_that_commits_itself_keeps_what_it_wrote(library):
    """Its answer comes after: the Idempotency-Key tells that the request was done."""

    @library.app.post("/own")
    @requires_auth("own")
    @unmarshal_request(schema_for(Book), "book")
    @marshal_response(BookCard, 201)
    def create(book):
        book.owner = principal("ann")
        library.session.add(book)
        library.session.commit()
        return book

    answers = [post(library, "/own", **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 409]
    with Session(library.engine) as session:
        assert session.query(Book).count() == 4


def test_what_a_view_has_only_added_is_flushed_for_its_answer(library, caplog):
    """The answer has the key and the tag of what the app commits after the request."""

    @library.app.post("/own")
    @requires_auth("own")
    @unmarshal_request(book_fields, "book")
    @marshal_response(book_fields, 201)
    def create(book):
        book.owner = principal("ann")
        library.session.add(book)
        return book

    @library.app.after_request
    def commit(response):
        library.session.commit()
        return response

    with caplog.at_level(logging.WARNING, "licet.rest"):
        made = post(library, "/own")
    assert (made.status_code, made.json["id"], made.json["version"]) == (201, 4, 1)
    assert made.headers["ETag"].startswith('"1-')
    assert (title(library, 4), caplog.messages) == ("new", [])


def test_an_answer_of_what_nobody_commits_is_logged(library, caplog):
    """The view forgot it: its answer says that something was done, and nothing was."""

    @library.app.post("/own")
    @requires_auth("own")
    @unmarshal_request(book_fields, "book")
    @marshal_response(book_fields, 201)
    def create(book):
        book.owner = principal(request.args.get("owner", "ann"))
        library.session.add(book)
        if "commit" in request.args:
            library.session.commit()
        return book

    with caplog.at_level(logging.WARNING, "licet.rest"):
        assert post(library, "/own?commit=1").status_code == 201
        assert patch(library, "/books/1", "*", title="a").status_code == 200
        assert library.client.get("/books/1").status_code == 200
        assert caplog.messages == []
        assert post(library, "/own").status_code == 201
    (told,) = caplog.messages
    assert told.startswith("The answer of create says that something was done")
    assert title(library, 5) is None


def test_a_refusal_of_what_was_flushed_is_not_logged(library, caplog):
    """403 says that nothing was done."""

    @library.app.put("/own/<int:book>")
    @requires_auth("own")
    @with_lookup(Book, "book")
    @unmarshal_request({"to": str}, "values", load_sqla=False)
    @marshal_response(book_fields)
    def give_later(book, values):
        book.owner = principal(values["to"])
        return book

    with caplog.at_level(logging.WARNING, "licet.rest"):
        answer = library.client.put("/own/1", json={"to": "ben"}, headers=by("ann"))
    assert (answer.status_code, caplog.messages) == (403, [])
