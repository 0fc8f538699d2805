"""Values that a column cannot hold, an order cannot compare, or JSON cannot write."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import json
from decimal import Decimal

import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates
from tests.unit.authn.callers import by
from tests.unit.rest.catalogue import served

from licet.authz import ALL, LIST, VIEW, Policy, everyone, registered
from licet.rest import (
    list_page,
    marshal_response,
    public,
    requires_auth,
    schema_for,
    unmarshal_request,
    use_args,
    use_args_with_pagination,
    with_lookup,
)


class Base(DeclarativeBase):
    pass


class State(enum.Enum):
    OPEN = "open"
    SHUT = "shut"


class Minutes(sa.TypeDecorator):
    impl = sa.Integer
    cache_ok = True


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    name: Mapped[str]
    is_on: Mapped[bool | None]
    opens: Mapped[dt.time | None]
    lasts: Mapped[dt.timedelta | None]
    minutes: Mapped[int | None] = mapped_column(Minutes)
    pages: Mapped[int | None] = mapped_column(sa.CheckConstraint("pages > 0"))
    price: Mapped[float | None]
    amount: Mapped[Decimal | None] = mapped_column(sa.Numeric(10, 2))
    exact: Mapped[Decimal | None] = mapped_column(sa.Numeric)
    word: Mapped[str | None] = mapped_column(sa.Enum("a", "b", validate_strings=True))
    state: Mapped[State | None]

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012

    @validates("pages")
    def _check_pages(self, _key, value):
        if value == -7:
            raise ValueError("pages are no -7")
        return value


POLICY = Policy(Thing, name="things")
POLICY.allow(everyone, LIST | VIEW)
POLICY.allow(registered, ALL)
fields, changes = schema_for(Thing), schema_for(Thing, partial=True)


@pytest.fixture
def things(tmp_path):
    with served(tmp_path, Base, POLICY) as (app, session):
        for n in range(4):
            thing = Thing(name=f"t{n}", is_on=n > 1, opens=dt.time(n), lasts=dt.timedelta(n))
            thing.minutes, thing.price, thing.amount = n, n, Decimal(n)
            thing.exact, thing.state, thing.word = Decimal(n) / 3, State.OPEN, "a"
            session.add(thing)
        session.commit()
        session.remove()
        add_views(app, session)
        yield app.test_client()


def add_views(app, session) -> None:
    @app.get("/")
    @public
    @use_args_with_pagination({"minutes": int, "word": str, "price": float}, Thing)
    @marshal_response(fields)
    def things(args, pagination_args):
        return list_page(sa.select(Thing).filter_by(**args), pagination_args)

    @app.get("/by")
    @public
    @use_args({"id": int, "word": str, "price": float})
    @marshal_response(fields)
    def by_args(args):
        return session.scalars(sa.select(Thing).filter_by(**args))

    @app.post("/")
    @requires_auth("post")
    @unmarshal_request(fields, "thing")
    @marshal_response(fields, 201)
    def create(thing):
        if thing.name == "keep nothing":
            thing.name = None
        session.add(thing)
        session.commit()
        return thing

    @app.patch("/<int:thing>")
    @requires_auth("patch")
    @with_lookup(Thing, "thing")
    @unmarshal_request(changes, "values", load_sqla=False)
    @marshal_response(fields)
    def update(thing, values):
        if values.get("name") == "bug":
            raise ValueError("of the program's own")
        for name, value in values.items():
            setattr(thing, name, value)
        session.commit()
        return thing

    @app.get("/nan")
    @public
    @marshal_response(type("N", (BaseModel,), {"__annotations__": {"price": float, "l": list}}))
    def endless():
        return {"price": float("nan"), "l": [float("inf"), 1.5, {"a": float("-inf")}]}

    @app.post("/numbers")
    @requires_auth("numbers")
    @unmarshal_request({"price": float}, "values", load_sqla=False)
    def numbers(values):
        return values


@pytest.mark.parametrize(
    "field", ["is_on", "opens", "lasts", "minutes", "amount", "state", "word", "price"]
)
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_list_by_any_field_has_a_second_page(things, field, direction):
    """Each row comes once, whatever the order compares."""
    url = f"/?page_size=3&sort_field={field}&sort_direction={direction}"
    first = things.get(url).json
    second = things.get(f"{url}&cursor={first['_meta']['next']}").json
    names = [row["name"] for row in first["_items"] + second["_items"]]
    assert sorted(names) == ["t0", "t1", "t2", "t3"]


def test_numbers_that_sqlite_rounds_have_no_cursor(things):
    """A page after a rounded number would lose rows; pages by number do not."""
    page = things.get("/?page_size=1&sort_field=exact").json
    assert page["_meta"] == {"total": 4}
    rows = [things.get(f"/?page_size=1&sort_field=exact&page_num={n}").json for n in range(4)]
    assert [row["_items"][0]["name"] for row in rows] == ["t0", "t1", "t2", "t3"]
    assert cursor_answer(things, "exact", {"n": "1"}).status_code == 422


def cursor_answer(client, field, value, text=None):
    document = text or json.dumps([0, [value, 1], field, "id"])
    cursor = base64.urlsafe_b64encode(document.encode()).rstrip(b"=").decode()
    return client.get(f"/?sort_field={field}&cursor={cursor}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("minutes", 10**30),
        ("minutes", 2**62),
        ("minutes", True),
        ("price", 10**400),
        ("is_on", 2),
        ("word", "zzz"),
        ("state", "zzz"),
        ("state", {"e": "zzz"}),
        ("amount", {"n": "NaN"}),
        ("opens", {"h": "25:00"}),
        ("lasts", {"i": "9" * 40}),
        ("name", 5),
    ],
)
def test_a_cursor_that_nobody_gave_is_422(things, field, value):
    """A value that no row can have is no cursor."""
    assert cursor_answer(things, field, value).status_code == 422


@pytest.mark.parametrize("text", ['[0,[NaN,1],"price","id"]', '[0,[1e999,1],"price","id"]'])
def test_a_cursor_has_finite_numbers(things, text):
    """NaN and the infinities are in no order."""
    assert cursor_answer(things, "price", None, text).status_code == 422


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", {"n": "1e200000"}), ("lasts", {"i": str(10**18)}), ("minutes", -(2**31))],
)
def test_a_cursor_beyond_all_rows_is_no_error_of_the_server(things, field, value):
    """It begins at an end of the list, or is refused."""
    assert cursor_answer(things, field, value).status_code in (200, 422)


@pytest.mark.parametrize(
    "url",
    ["/?minutes=99999999999999999999", "/?word=zz", "/by?id=99999999999999999999", "/by?word=zz"],
)
def test_a_parameter_that_its_column_cannot_hold_is_422(things, url):
    """The database refuses it, or the column's type before that."""
    answer = things.get(url)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("number", ["nan", "inf", "1e400"])
def test_numbers_that_json_does_not_know_do_not_come_in(things, number):
    """They are refused in bodies and in queries."""
    body = things.post("/numbers", json={"price": number}, headers=by("ann"))
    assert (body.status_code, body.json["errors"][0]["pointer"]) == (422, "#/price")
    query = things.get(f"/by?price={number}")
    assert (query.status_code, query.json["errors"][0]["parameter"]) == (422, "price")


def test_numbers_that_json_does_not_know_go_out_as_null(things):
    """The answer is JSON."""
    text = things.get("/nan").text
    assert json.loads(text, parse_constant=pytest.fail) == {
        "price": None,
        "l": [None, 1.5, {"a": None}],
    }


def test_a_models_own_validator_is_told(things):
    """Its sentence is the answer, of a new object and of one that the view changes."""
    for method, url, body in (
        (things.post, "/", {"name": "a", "pages": -7}),
        (things.patch, "/1", {"pages": -7}),
    ):
        answer = method(url, json=body, headers=by("ann"))
        assert (answer.status_code, answer.json["detail"]) == (422, "pages are no -7")
    assert things.patch("/1", json={"name": "bug"}, headers=by("ann")).status_code == 500


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": "a", "pages": -1}, "A value is not one of those that can be stored."),
        ({"name": "keep nothing"}, "A value is missing that has to be there."),
    ],
)
def test_other_rows_have_no_part_in_some_refusals(things, body, told):
    """CHECK and NOT NULL are 422, and no conflict."""
    answer = things.post("/", json=body, headers=by("ann"))
    assert (answer.status_code, answer.json["detail"]) == (422, told)
