"""The decorators on views of every kind, and on every method."""

import pytest
from flask import Flask, abort
from flask.views import MethodView
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.unit.authn.callers import by
from tests.unit.rest.library import Book, book_fields

from licet import protect
from licet.authz import UPDATE, VIEW
from licet.errors import ConfigurationError, InvalidCondition
from licet.rest import (
    marshal_response,
    public,
    requires_auth,
    unmarshal_request,
    use_args,
    use_args_with_pagination,
    with_lookup,
)


def test_methods_of_a_class_are_decorated_like_functions(library):
    """`self` comes first, and what the decorators give after it."""

    class Books(MethodView):
        @public
        @with_lookup(Book, "book")
        @use_args({"q": str})
        @marshal_response(book_fields)
        def get(self, args, book):
            return [book]

        @requires_auth("books_class")
        @with_lookup(Book, "book", check_etag=True)
        @unmarshal_request({"title": str}, "values", load_sqla=False)
        @marshal_response(book_fields)
        def put(self, book, values):
            book.title = values["title"]
            library.session.commit()
            return book

    library.app.add_url_rule("/class/<int:book>", view_func=Books.as_view("books_class"))
    protect(library.app)
    assert library.client.get("/class/1?q=a").json[0]["title"] == "Licet"
    headers = by("ann") | {"If-Match": "*"}
    answer = library.client.put("/class/1", json={"title": "new"}, headers=headers)
    assert (answer.status_code, answer.json["title"]) == (200, "new")
    assert (
        library.client.put("/class/1", json={"title": "new"}, headers=by("ann")).status_code == 428
    )


def test_head_is_get_without_a_body(library):
    """Tag, status and headers are those of GET."""
    get, head = (getattr(library.client, name)("/books/1") for name in ("get", "head"))
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == get.headers["ETag"]
    headers = {"If-None-Match": get.headers["ETag"]}
    assert library.client.head("/books/1", headers=headers).status_code == 304


def test_options_is_flasks_own(library):
    """It asks nobody, and tells the methods."""
    answer = library.client.options("/books/1")
    assert answer.status_code == 200
    assert set(answer.allow) == {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}


@pytest.mark.parametrize(
    "key", ["0", "-1", "99999999999999999999999999", "1.0", "%00", "one", "1e3", "%D9%A1", "1/../2"]
)
def test_a_key_that_no_column_can_hold_is_404(library, key):
    """Whatever stands in the URL, there is no such object."""

    @library.app.get("/text/<book>")
    @public
    @with_lookup(Book, "book")
    def text(book):
        return book.title

    assert library.client.get(f"/text/{key}").status_code == 404
    assert library.client.get("/text/1").data == b"Licet"


def test_a_verb_can_be_said(library):
    """A POST that only reads asks for VIEW, and a GET that is for owners for UPDATE."""
    for name, verb, methods in (("read", VIEW, ["POST"]), ("own", UPDATE, ["GET"])):
        view = public(with_lookup(Book, "book", verb=verb)(lambda book: book.title))
        library.app.add_url_rule(f"/{name}/<int:book>", name, view, methods=methods)
    assert library.client.post("/read/1").status_code == 200
    assert library.client.get("/own/1").status_code == 401
    assert library.client.get("/own/3", headers=by("ann")).status_code == 403
    assert library.client.get("/own/1", headers=by("ann")).status_code == 200


def test_errors_that_a_view_raises_are_problem_documents(library):
    """`abort` is answered like licet's own errors; a browser gets Flask's page."""
    view = public(with_lookup(Book, "book")(lambda book: abort(409, "busy")))
    library.app.add_url_rule("/abort/<int:book>", "abort", view)
    answer = library.client.get("/abort/1")
    assert (answer.status_code, answer.content_type) == (409, "application/problem+json")
    assert (answer.json["detail"], answer.json["instance"]) == ("busy", "/abort/1")
    page = library.client.get("/abort/1", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (409, "text/html")


def test_handlers_of_the_app_come_first(library):
    """An error stays the one that the view raised."""
    library.app.register_error_handler(409, lambda error: (f"own: {error.description}", 409))
    view = public(marshal_response(book_fields)(lambda: abort(409, "busy")))
    library.app.add_url_rule("/abort", "abort", view)
    assert library.client.get("/abort").text == "own: busy"


class Pairs(DeclarativeBase):
    pass


class Seat(Pairs):
    __tablename__ = "seat"
    row: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


def test_a_key_of_several_columns_needs_a_function_that_finds():
    """One argument of a URL is not all of it."""
    with pytest.raises(InvalidCondition, match="find_func"):
        with_lookup(Seat, "seat")
    assert with_lookup(Seat, "seat", find=lambda text: None)


def test_an_argument_that_the_rule_lacks_is_named(library):
    """The program is told which arguments there are."""
    library.app.config["PROPAGATE_EXCEPTIONS"] = True
    view = public(with_lookup(Book, "novel")(lambda book: ""))
    library.app.add_url_rule("/wrong/<int:book>", "wrong", view)
    with pytest.raises(ConfigurationError, match=r"'novel'.*arguments: book"):
        library.client.get("/wrong/1")


def test_an_app_without_a_session_is_told_what_to_do(tmp_path):
    """The error names the call that gives one."""
    app = Flask("bare", instance_path=str(tmp_path))
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.add_url_rule("/<int:book>", "book", with_lookup(Book, "book")(lambda book: ""))
    with pytest.raises(ConfigurationError, match="register_policies"):
        app.test_client().get("/1")


@pytest.mark.parametrize(
    "decorate",
    [
        with_lookup(Book, "book"),
        unmarshal_request(book_fields, "book"),
        marshal_response(book_fields),
        use_args({}),
        use_args_with_pagination({}, Book),
    ],
)
@pytest.mark.parametrize("view", [None, "view", MethodView, 5])
def test_what_is_no_view_function_is_not_decorated(decorate, view):
    """A class or a name is refused at once."""
    with pytest.raises(InvalidCondition):
        decorate(view)


@pytest.mark.parametrize(
    "call",
    [
        lambda: with_lookup(Book, "book", chek_etag=True),
        lambda: unmarshal_request(book_fields, "book", load_sql=True),
        lambda: marshal_response(book_fields, stats=201),
        lambda: use_args({}, locaton="query"),
    ],
)
def test_a_misspelt_option_is_refused_with_the_one_that_was_meant(call):
    """As everywhere in licet."""
    with pytest.raises(TypeError, match="did you mean"):
        call()


def test_flask_sqlalchemys_session_is_found(tmp_path):
    """Its models need no policy and no other setting."""
    SQLAlchemy = pytest.importorskip("flask_sqlalchemy").SQLAlchemy  # noqa: N806 - a class

    db = SQLAlchemy()

    class Note(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.String(20))

    app = Flask("flask_sqlalchemy", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'notes.sqlite3'}"
    db.init_app(app)
    with app.app_context():
        db.create_all()
        db.session.add(Note(text="a"))
        db.session.commit()
    app.add_url_rule("/<int:note>", "note", with_lookup(Note, "note")(lambda note: note.text))
    assert app.test_client().get("/1").data == b"a"
    assert app.test_client().get("/2").status_code == 404
    with app.app_context():
        db.engine.dispose()
