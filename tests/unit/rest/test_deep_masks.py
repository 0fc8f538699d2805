"""`marshal_response`: nothing leaves unmasked, however deep or however it is written."""

from typing import Any

import marshmallow as ma
import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from tests.unit.authn.callers import by
from tests.unit.rest.catalogue import Animal, Base, Book, fill, make_policies, served

from licet.authz import LIST, VIEW, Policy, everyone
from licet.errors import InvalidCondition
from licet.rest import (
    list_page,
    marshal_response,
    public,
    requires_auth,
    schema_for,
    unmarshal_request,
    use_args_with_pagination,
    with_lookup,
)

POLICIES = make_policies()


class A(BaseModel):
    name: str
    email: str | None = None


class B(BaseModel):
    title: str
    note: str | None = None


class Inner(BaseModel):
    book: B | None


class AuthorS(ma.Schema):
    name = ma.fields.Str()
    email = ma.fields.Str()


def of(kind: Any) -> type[BaseModel]:
    return type("Of", (BaseModel,), {"__annotations__": {"v": kind}})


@pytest.fixture
def catalogue(tmp_path):
    with served(tmp_path, Base, *POLICIES) as (app, session):
        fill(session)
        app.config["PROPAGATE_EXCEPTIONS"] = True
        yield app, session


def answer_of(app, schema, view, url="/made"):
    app.add_url_rule(url, url, public(marshal_response(schema)(view)))
    return app.test_client().get(url)


def untagged(value):
    if isinstance(value, dict):
        return {name: untagged(one) for name, one in value.items() if name != "_etag"}
    return [untagged(one) for one in value] if isinstance(value, list) else value


SHOWN = {"title": "T"}


@pytest.mark.parametrize(
    ("kind", "wrap", "expected"),
    [
        (dict[str, B], lambda a, b: {"x": a, "y": b}, {"x": SHOWN}),
        (dict[str, list[B]] | None, lambda a, b: {"x": [a, b]}, {"x": [SHOWN]}),
        (list[list[B]], lambda a, b: [[a], [b]], [[SHOWN], []]),
        (tuple[B, int], lambda a, _b: (a, 1), [SHOWN, 1]),
        (list[B], lambda a, b: iter([a, b]), [SHOWN]),
        (list[B], lambda a, b: {"x": a, "y": b}.values(), [SHOWN]),
        (list[Inner], lambda a, b: [{"book": a}, {"book": b}], [{"book": SHOWN}, {"book": None}]),
        (Inner, lambda a, _b: Inner.model_construct(book=a), {"book": SHOWN}),
    ],
)
def test_objects_are_masked_at_every_depth(catalogue, kind, wrap, expected):
    """Containers of containers hold what the caller sees, and no more."""
    app, session = catalogue
    answer = answer_of(app, of(kind), lambda: {"v": wrap(*session.scalars(sa.select(Book)))})
    assert untagged(answer.json) == {"v": expected}


@pytest.mark.parametrize("kind", [Any, dict[str, Any], list[Any]])
def test_an_object_without_a_schema_is_refused_at_every_depth(catalogue, kind):
    """A type that does not say what is shown of an object is the program's error."""
    app, session = catalogue
    values = {Any: lambda b: b, dict[str, Any]: lambda b: {"x": b}, list[Any]: lambda b: [b]}
    with pytest.raises(InvalidCondition, match="holds a Book"):
        answer_of(app, of(kind), lambda: {"v": values[kind](session.get(Book, 1))})


NESTED = ma.fields.Nested(AuthorS)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (ma.fields.Nested(AuthorS, attribute="shelf.keeper"), {"name": "Al"}),
        (ma.fields.Str(attribute="shelf.keeper.email"), None),
        (ma.fields.Str(attribute="shelf.keeper.name"), "Al"),
        (ma.fields.Function(lambda book: book.note), None),
        (ma.fields.Method("note_of"), None),
        (ma.fields.Constant("c"), "c"),
        (ma.fields.Dict(values=NESTED, attribute="by_name"), {"Al": {"name": "Al"}}),
        (ma.fields.List(NESTED, attribute="authors"), [{"name": "Al"}]),
        (ma.fields.Tuple((NESTED, NESTED), attribute="authors"), [{"name": "Al"}]),
        (ma.fields.Pluck(AuthorS, "email", many=True, attribute="authors"), []),
        (ma.fields.Pluck(AuthorS, "name", attribute="shelf.keeper"), "Al"),
        (ma.fields.Raw(attribute="note"), None),
        (ma.fields.Raw(attribute="secret_note"), None),
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_marshmallow_fields_are_masked_where_they_come_from(catalogue, field, expected, many):
    """Each step of an attribute passes the mask of the object that has it."""
    app, session = catalogue
    methods = {"note_of": lambda _self, book: book.note}
    schema = type("S", (ma.Schema,), {"title": ma.fields.Str(), "v": field, **methods})(many=many)
    answer = answer_of(app, schema, lambda: session.get(Book, 1))
    assert answer.json["title"] == "T"
    assert answer.json.get("v") == expected


def test_objects_in_a_dict_are_masked_by_marshmallow_fields_too(catalogue):
    """A dict of the view's own has no mask, and the objects in it have."""
    app, session = catalogue
    schema = ma.Schema.from_dict({"keeper": NESTED})()
    answer = answer_of(app, schema, lambda: {"keeper": session.get(Book, 1).shelf.keeper})
    assert answer.json == {"keeper": {"name": "Al"}}


def test_a_single_object_that_may_not_be_viewed_is_not_there(catalogue):
    """A view that looks an object up itself shows no more than with_lookup."""
    app, session = catalogue
    hidden = answer_of(app, B, lambda: session.get(Book, 2))
    assert (hidden.status_code, hidden.json["code"]) == (404, "not_found")


def test_what_was_written_and_may_not_be_viewed_is_an_empty_object(catalogue):
    """The write is done, so that it is not answered as an error."""
    app, session = catalogue

    @app.post("/books")
    @requires_auth("books")
    @unmarshal_request(schema_for(Book), "book")
    @marshal_response(B, 201)
    def create(book):
        session.add(book)
        session.commit()
        return book

    answer = app.test_client().post("/books", json={"title": "hidden"}, headers=by("ann"))
    assert (answer.status_code, answer.json) == (201, {})


def test_the_policy_of_a_rows_own_class_decides(catalogue):
    """A lookup of the base asks the stricter policy of the subclass, and a list is refused."""
    app, session = catalogue
    fields = schema_for(Animal)

    @app.get("/animals/<int:animal>")
    @public
    @with_lookup(Animal, "animal")
    @marshal_response(fields)
    def one(animal):
        return animal

    @app.get("/animals")
    @public
    @use_args_with_pagination({}, Animal)
    @marshal_response(fields)
    def several(args, pagination_args):
        return list_page(Animal, pagination_args)

    @app.get("/rows")
    @public
    @marshal_response(fields)
    def rows():
        return session.scalars(sa.select(Animal))

    client = app.test_client()
    assert client.get("/animals/1").status_code == 200
    assert client.get("/animals/2").status_code == 404
    assert client.get("/animals/2", headers=by("ann")).status_code == 200
    with pytest.raises(InvalidCondition, match="Dog has its own, 'dogs'"):
        client.get("/animals")
    assert [row["id"] for row in client.get("/rows").json] == [1]


def test_a_document_with_other_objects_has_no_tag(catalogue):
    """Its nested objects change without its own version."""
    app, session = catalogue
    nested = type("N", (B,), {"__annotations__": {"authors": list[A]}})
    of_schema = ma.Schema.from_dict({"title": ma.fields.Str(), "authors": ma.fields.List(NESTED)})
    for at, schema in enumerate((nested, of_schema())):
        view = public(marshal_response(schema)(lambda: session.get(Book, 1)))
        app.add_url_rule(f"/{at}", f"/{at}", view)
    for at in range(2):
        answer = app.test_client().get(f"/{at}", headers={"If-None-Match": "*"})
        assert untagged(answer.json) == {"title": "T", "authors": [{"name": "Al"}]}
        assert (answer.json["_etag"][:2], answer.headers.get("ETag")) == ("1-", None)


def test_a_cursor_has_no_key_that_is_hidden(tmp_path):
    """Pages by number stay; a cursor is neither given nor taken."""
    policy = Policy(Book, name="books")
    policy.allow(everyone, LIST | VIEW)
    policy.hide("id")
    with served(tmp_path, Base, policy) as (app, session):
        fill(session)

        @app.get("/books")
        @public
        @use_args_with_pagination({}, Book)
        @marshal_response(schema_for(Book))
        def books(args, pagination_args):
            return list_page(Book, pagination_args)

        client = app.test_client()
        page = client.get("/books?page_size=1").json
        assert page["_meta"] == {"total": 2}
        assert client.get("/books?page_size=1&page_num=1").json["_items"][0]["title"] == "hidden"
        answer = client.get("/books?cursor=WzAsWzFdLCJpZCJd")
        assert (answer.status_code, answer.json["errors"][0]["parameter"]) == (422, "cursor")


@pytest.mark.parametrize(
    "rows",
    [
        lambda found: found.all(),
        lambda found: found.first(),
        lambda found: found.mappings().all(),
        lambda found: {"_items": found.all(), "_meta": {}},
    ],
)
def test_rows_of_columns_are_refused(catalogue, rows):
    """No policy can tell whose values they are."""
    app, session = catalogue
    query = sa.select(Book.title, Book.note)
    with pytest.raises(InvalidCondition, match="a row of columns, which no policy guards"):
        answer_of(app, B, lambda: rows(session.execute(query)))


@pytest.mark.parametrize("value", [None, (Book(title="T"), 201)])
def test_what_is_no_object_is_refused_with_a_sentence(catalogue, value):
    """Nothing, and an object with a status beside it, are the program's errors."""
    app, _ = catalogue
    with pytest.raises(InvalidCondition, match="give"):
        answer_of(app, B, lambda: value)


def test_a_repeat_shows_nothing_that_is_not_asked_about(catalogue):
    """Lists and documents with other objects are not repeated, only that they were done."""
    app, session = catalogue
    nested = type("N", (B,), {"__annotations__": {"authors": list[A]}})
    views = {"list": (B, lambda b: [b]), "nest": (nested, lambda b: b), "one": (B, lambda b: b)}
    client = app.test_client()
    for name, (schema, view) in views.items():

        def show(d, view=view):
            return view(session.get(Book, 1))

        show.__name__ = name
        shown = unmarshal_request({"n": int}, "d", load_sqla=False)(marshal_response(schema)(show))
        app.add_url_rule(f"/{name}", name, requires_auth(name)(shown), methods=["POST"])
    for name in views:
        headers = by("ann") | {"Idempotency-Key": name}
        first, again = (client.post(f"/{name}", json={"n": 1}, headers=headers) for _ in range(2))
        assert first.status_code == 200
        assert again.status_code == (200 if name == "one" else 409)
        assert "SECRET" not in again.text
