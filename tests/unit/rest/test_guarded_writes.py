"""What requests may write: fields, other rows, late commits, and keys that are used again."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import marshmallow as ma
import pytest
import sqlalchemy as sa
from flask import Flask, Response, request
from marshmallow_sqlalchemy import SQLAlchemyAutoSchema
from marshmallow_sqlalchemy.fields import Nested
from pydantic import AliasChoices, BaseModel, Field
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, synonym
from tests.unit.authn.callers import ISSUER, by, identity_principal
from tests.unit.rest.catalogue import served
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from licet.authn import current_identity
from licet.authz import ALL, LIST, VIEW, Policy, attr, caller, registered
from licet.rest import marshal_response, requires_auth, schema_for, unmarshal_request, with_lookup


class Base(DeclarativeBase):
    pass


class Press(Base):
    __tablename__ = "press"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Part(Base):
    __tablename__ = "part"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    title: Mapped[str]
    price: Mapped[int | None]
    owner: Mapped[str]
    maker: Mapped[str | None] = mapped_column("creator")
    press_id: Mapped[int | None] = mapped_column(sa.ForeignKey("press.id"))
    press: Mapped[Press | None] = relationship()
    cost = synonym("price")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Isbn(Base):
    __tablename__ = "isbn"
    isbn: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    owner: Mapped[str]


class Kind(enum.Enum):
    A = "a"


KEYS = {"day": sa.Date, "kind": sa.Enum(Kind), "code": sa.LargeBinary, "span": sa.Interval}
KEYED = {
    name: type(
        name,
        (Base,),
        {"__tablename__": name, "k": sa.Column(column_type, primary_key=True)},
    )
    for name, column_type in KEYS.items()
}


def make_policies() -> list[Policy]:
    own = (attr("owner") == caller.principal).named("own")
    parts, isbns, presses = (
        Policy(model, name=model.__tablename__) for model in (Part, Isbn, Press)
    )
    for policy in (parts, isbns):
        policy.allow(registered, ALL, when=own)
    parts.readonly("price")
    presses.allow(registered, LIST | VIEW)
    keyed = [Policy(model, name=name) for name, model in KEYED.items()]
    for policy in keyed:
        policy.allow(registered, ALL)
    return [parts, isbns, presses, *keyed]


POLICIES = make_policies()
ANN = identity_principal(ISSUER, "ann")
fields, changes = schema_for(Part), schema_for(Part, partial=True)


class Own(BaseModel):
    price: int | None = None


class ByAnotherName(BaseModel):
    cost: int | None = None


class PressSchema(SQLAlchemyAutoSchema):
    class Meta:
        model = Press
        load_instance = True


@pytest.fixture
def parts(tmp_path):
    with served(tmp_path, Base, *POLICIES) as (app, session):
        session.add_all([Part(id=1, title="T", price=3, owner=ANN), Press(id=1, name="Real")])
        session.add(Isbn(isbn="1", title="zoe's", owner="zoe"))
        session.commit()
        session.remove()
        yield app, session


def row(session, model=Part, key: Any = 1):
    session.remove()
    return session.get(model, key)


def patch_view(app, session, schema, *, commits=True, sets=()):
    def view(part, values):
        for name, value in values.items():
            setattr(part, name, value)
        if commits:
            session.commit()
        return part

    inner = marshal_response(fields)(view)
    both = [
        unmarshal_request(schema, "values", load_sqla=False),
        with_lookup(Part, "part", sets=sets),
    ]
    for decorate in both:
        inner = decorate(inner)
    app.add_url_rule("/<int:part>", "patch", requires_auth("patch")(inner), methods=["PATCH"])
    return app.test_client()


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (changes, "price"),
        (Own, "price"),
        ({"price": int}, "price"),
        ({"price": ma.fields.Int()}, "price"),
        (ByAnotherName, "cost"),
    ],
)
def test_a_field_that_may_not_be_written_is_refused_by_what_is_flushed(parts, schema, name):
    """No schema and no name lets a readonly field through."""
    app, session = parts
    client = patch_view(app, session, schema)
    answer = client.patch("/1", json={name: 9}, headers=by("ann"))
    assert (answer.status_code, answer.json["errors"][0]["detail"][:11]) == (422, "You may not")
    assert row(session).price == 3


def test_a_view_says_which_fields_it_sets_itself(parts):
    """What `sets` names is the view's affair."""
    app, session = parts
    client = patch_view(app, session, Own, sets=["price"])
    assert client.patch("/1", json={"price": 9}, headers=by("ann")).status_code == 200
    assert row(session).price == 9


def test_an_instance_of_the_schemas_own_has_no_more_fields(parts):
    """A schema that makes the object is asked like one that makes a dict."""
    app, session = parts

    class Made(SQLAlchemyAutoSchema):
        class Meta:
            model = Part
            load_instance = True
            sqla_session = session

    @app.post("/")
    @requires_auth("post")
    @unmarshal_request(Made(exclude=("id", "version", "owner")), "part")
    def create(part):
        raise AssertionError

    answer = app.test_client().post("/", json={"title": "a", "price": 1}, headers=by("ann"))
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "#/price")


def test_a_nested_document_changes_no_stored_row(parts):
    """Schemas that find rows by their keys leave them as they are."""
    app, session = parts

    class Made(SQLAlchemyAutoSchema):
        class Meta:
            model = Part
            load_instance = True
            sqla_session = session

        title = ma.fields.Str()
        press = Nested(PressSchema(session=session, partial=True))

    @app.post("/")
    @requires_auth("post")
    @unmarshal_request(Made(exclude=("id", "version", "owner")), "part")
    @marshal_response(fields, 201)
    def create(part):
        part.owner = ANN
        session.add(part)
        session.commit()
        return part

    def post(press):
        body = {"title": "a", "press": press}
        return app.test_client().post("/", json=body, headers=by("ann")).status_code

    assert (post({"id": 1, "name": "HACKED"}), row(session, Press).name) == (422, "Real")
    assert (post({"id": 1}), row(session, Part, 2).press_id) == (201, 1)


@pytest.mark.parametrize(
    ("key", "owner", "status"), [("1", "me", 422), ("2", "me", 201), ("3", "zoe", 403)]
)
def test_create_is_decided_of_a_merged_copy_too(parts, key, owner, status):
    """`Session.merge` stores another object than the draft, and changes no other's row."""
    app, session = parts
    isbn_fields = schema_for(Isbn)

    @app.post("/")
    @requires_auth("post")
    @unmarshal_request(isbn_fields, "isbn")
    @marshal_response(isbn_fields, 201)
    def create(isbn):
        isbn.owner = current_identity.principal if owner == "me" else owner
        isbn = session.merge(isbn)
        session.commit()
        return isbn

    answer = app.test_client().post("/", json={"isbn": key, "title": "x"}, headers=by("ann"))
    assert answer.status_code == status
    assert row(session, Isbn, "1").title == "zoe's"
    assert (row(session, Isbn, key) is None) == (status == 403)


def commit_after(app: Flask, session: Any) -> None:
    @app.after_request
    def commit(response: Response) -> Response:
        if response.status_code < 400:
            session.commit()
        return response


def test_a_change_that_is_committed_after_the_view_is_decided(parts):
    """The app may commit in `after_request`, also when the view has committed before its change."""
    app, session = parts
    commit_after(app, session)

    @app.put("/<int:part>")
    @requires_auth("put")
    @with_lookup(Part, "part")
    @unmarshal_request({"owner": str}, "values", load_sqla=False, client_owned=["owner"])
    @marshal_response(fields)
    def give(part, values):
        session.commit()
        part.owner = values["owner"]
        return part

    answer = app.test_client().put("/1", json={"owner": "eve"}, headers=by("ann"))
    assert (answer.status_code, row(session).owner) == (403, ANN)


def test_a_commit_after_the_view_loses_no_other_change(parts):
    """The late one of two writers is answered 412, and an early one tells its new version."""
    app, session = parts
    commit_after(app, session)
    client = patch_view(app, session, changes, commits=False)

    @app.put("/<int:part>")
    @requires_auth("put")
    @with_lookup(Part, "part")
    @marshal_response(fields)
    def late(part):
        with sa.orm.Session(session.get_bind()) as other:
            other.execute(sa.update(Part).values(title="B", version=3))
            other.commit()
        part.title = "C"
        return part

    answer = client.patch("/1", json={"title": "A"}, headers=by("ann"))
    assert (answer.json["version"], answer.headers["ETag"][:3]) == (2, '"2-')
    assert client.put("/1", headers=by("ann")).status_code == 412
    assert row(session).title == "B"


def key_view(app, session, view, schema=fields, **options):
    decorated = unmarshal_request(schema, "part", **options)(view)
    app.add_url_rule("/", "post", requires_auth("post")(decorated), methods=["POST"])
    return app.test_client()


def twice(client, body, **headers):
    sent = by("ann") | {"Idempotency-Key": "k"} | headers
    return [client.post("/", json=body, headers=sent) for _ in range(2)]


def test_a_failure_after_the_commit_keeps_the_key(parts):
    """What was written is not written again, and the answer says so."""
    app, session = parts

    def late(part):
        part.owner = ANN
        session.add(part)
        session.commit()
        raise RuntimeError("mail server down")

    first, again = twice(key_view(app, session, late), {"title": "L"})
    assert (first.status_code, again.status_code) == (500, 409)
    assert "failed after it had written something" in again.json["detail"]
    assert session.scalar(sa.select(sa.func.count()).select_from(Part)) == 2


def test_an_answer_that_is_no_text_is_not_repeated(parts):
    """It is answered all the same, once."""
    app, session = parts
    png = Response(b"\x89PNG\xff", mimetype="image/png")
    client = key_view(app, session, lambda part: png, {"n": int}, load_sqla=False)
    assert [answer.status_code for answer in twice(client, {"n": 1})] == [200, 409]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("day", dt.date(2020, 1, 1)),
        ("kind", Kind.A),
        ("code", b"\0\xff"),
        ("span", dt.timedelta(9)),
    ],
)
def test_an_object_with_any_key_is_asked_about_again(parts, name, value):
    """Keys are stored with their types."""
    app, session = parts
    model = KEYED[name]

    def create(part):
        found = model(k=value)
        session.add(found)
        session.commit()
        return found

    shown = marshal_response(schema_for(model), 201)(create)
    first, again = twice(key_view(app, session, shown, {"n": int}, load_sqla=False), {"n": 1})
    assert (first.status_code, again.status_code, first.json) == (201, 201, again.json)


def test_a_repeat_is_not_refused_for_the_version_that_its_first_one_made(parts):
    """The tag of both is used up by then; another key with it is refused."""
    app, session = parts

    @app.post("/<int:part>")
    @requires_auth("publish")
    @with_lookup(Part, "part", check_etag=True)
    @unmarshal_request({"n": int}, "values", load_sqla=False)
    @marshal_response(fields)
    def publish(part, values):
        part.title += "!"
        session.commit()
        return part

    client, sent = app.test_client(), by("ann") | {"If-Match": "1"}
    answers = [
        client.post("/1", json={"n": 1}, headers=sent | {"Idempotency-Key": key})
        for key in ("a", "a", "b")
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 412]
    assert client.post("/1", json={"n": 1}, headers=sent).status_code == 412
    assert row(session).title == "T!"


def test_a_key_tells_mounted_apps_apart(parts):
    """One path below two mounts is two requests."""
    app, session = parts
    key_view(app, session, lambda part: {"at": request.root_path}, {"n": int}, load_sqla=False)
    client = Client(DispatcherMiddleware(Flask("root"), {"/a": app, "/b": app}))
    sent = by("ann") | {"Idempotency-Key": "k"}
    answers = [client.post(f"{at}/", json={"n": 1}, headers=sent) for at in ("/a", "/b", "/a")]
    assert [answer.status_code for answer in answers] == [200, 422, 200]


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (
            type("M", (BaseModel,), {"__annotations__": {"owner": str}, "owner": Field(alias="w")}),
            "w",
        ),
        (
            type(
                "N",
                (BaseModel,),
                {
                    "__annotations__": {"owner": str},
                    "owner": Field(validation_alias=AliasChoices("x", "w")),
                },
            ),
            "w",
        ),
        ({"w": ma.fields.Str(attribute="owner")}, "w"),
        ({"ownerId": str}, "ownerId"),
        (changes, "maker"),
    ],
)
def test_an_alias_sets_nothing_that_the_server_owns(parts, schema, name):
    """The target counts, and the name of its column."""
    app, session = parts
    client = key_view(app, session, lambda part: part, schema, load_sqla=False)
    answer = client.post("/", json={name: "eve"}, headers=by("ann"))
    assert answer.status_code == 422
    assert {"detail": "This is set by the server.", "pointer": f"#/{name}"} in answer.json["errors"]
