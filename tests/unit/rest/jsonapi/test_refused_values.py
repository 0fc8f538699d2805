"""Values that a model, a type or the database refuses, or that JSON does not have."""

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, validates
from sqlalchemy.pool import StaticPool
from tests.unit.rest.jsonapi.conference import TYPE

from licet import Licet
from licet.authz import ALL, Policy, everyone, register_policies
from licet.rest.jsonapi import JsonApi, Resource


class Base(DeclarativeBase):
    pass


class Address(sa.types.TypeDecorator):
    """A text with an @."""

    impl = sa.String
    cache_ok = True
    python_type = str

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        if value is not None and "@" not in value:
            raise ValueError("no address")
        return value


class Thing(Base):
    __tablename__ = "thing"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    stock: Mapped[int | None] = mapped_column(sa.CheckConstraint("stock >= 0"))
    mail: Mapped[str | None] = mapped_column(Address)
    extra: Mapped[Any] = mapped_column(sa.JSON, nullable=True)
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 2))
    share: Mapped[Decimal | None] = mapped_column(sa.Numeric)

    @validates("name")
    def _name(self, _key: str, value: str | None) -> str | None:
        if value == "bad":
            raise ValueError("a name is not bad")
        return value


class Account(Base):
    __tablename__ = "account"
    mail: Mapped[str] = mapped_column(Address, primary_key=True)


class Shop:
    """The app and its database."""

    def __init__(self):
        self.engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        Base.metadata.create_all(self.engine)
        self.session = Session(self.engine)
        self.app = Flask("shop")
        Licet(self.app)
        policies = {m: Policy(m).allow(everyone, ALL) for m in (Thing, Account)}
        register_policies(self.app, *policies.values(), session=lambda: self.session)
        names = ["code", "name", "stock", "mail", "extra", "price", "share"]
        self.api = JsonApi(
            self.app,
            url_prefix="/v1",
            resources=[
                Resource(Thing, policies[Thing], name="thing", attributes=names),
                Resource(Account, policies[Account], name="account", attributes=[]),
            ],
        )
        self.add(Thing(code="a", extra={"n": 1}), Account(mail="a@b"))

    def add(self, *objects):
        self.session.add_all(objects)
        self.session.commit()

    def ask(self, method, path, document=None, **query):
        options = {"method": method, "query_string": query}
        if document is not None:
            options |= {"data": json.dumps(document), "content_type": TYPE}
        return self.app.test_client().open(f"/v1/{path}", **options)

    def found(self, **query):
        return [one["id"] for one in self.ask("GET", "things", **query).json["data"]]

    def rows(self, text):
        with self.engine.connect() as connection:
            return connection.exec_driver_sql(text).all()


@pytest.fixture
def shop():
    made = Shop()
    yield made
    made.session.close()
    made.engine.dispose()


def change(**attributes):
    return {"data": {"type": "thing", "id": "a", "attributes": attributes}}


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"name": "bad"}, "a name is not bad"),
        ({"stock": -1}, "not one of those that can be stored"),
        ({"mail": "x"}, "values that they cannot have: mail"),
    ],
)
def test_what_a_model_refuses_is_told(shop, attributes, told):
    """422, not 500 or a conflict: by a validator, a CHECK, or a type of the app's own."""
    new = {"data": {"type": "thing", "attributes": {"code": "b", **attributes}}}
    answers = [shop.ask("PATCH", "things/a", change(**attributes)), shop.ask("POST", "things", new)]
    for answer in answers:
        assert answer.status_code == 422, answer.text
        assert told in answer.json["errors"][0]["detail"]
    assert shop.rows("SELECT code, name, stock, mail FROM thing") == [("a", None, None, None)]


def test_what_a_type_refuses_is_in_no_list_and_at_no_url(shop):
    """400 in a filter, 404 as a key."""
    answer = shop.ask("GET", "things", **{"filter[mail]": "x"})
    assert (answer.status_code, answer.json["errors"][0]["source"]) == (
        400,
        {"parameter": "filter"},
    )
    own = {"data": {"type": "account", "id": "x"}}
    for method, document in (("GET", None), ("PATCH", own), ("DELETE", None)):
        assert shop.ask(method, "accounts/x", document).status_code == 404
    assert shop.ask("GET", "accounts/a@b").status_code == 200


def test_a_null_of_json_is_null(shop):
    """It is stored as NULL, and what documents show as null is found as null."""
    assert shop.ask("PATCH", "things/a", change(extra=None)).status_code == 200
    assert shop.rows("SELECT extra FROM thing") == [(None,)]
    shop.add(Thing(code="b", extra=None), Thing(code="c", extra=[None]))  # b has a null of JSON
    is_null = json.dumps([{"name": "extra", "op": "is_", "val": None}])
    is_not = json.dumps([{"name": "extra", "op": "isnot", "val": None}])
    assert (shop.found(filter=is_null), shop.found(filter=is_not)) == (["a", "b"], ["c"])


def test_numbers_that_json_does_not_have_are_null(shop):
    """At any depth of a column of JSON."""
    shop.add(Thing(code="b", extra={"n": [float("nan"), {"m": float("inf")}, 1.5]}))
    answer = shop.ask("GET", "things/b")
    assert "NaN" not in answer.text
    assert answer.json["data"]["attributes"]["extra"] == {"n": [None, {"m": None}, 1.5]}


def test_a_cursor_does_not_fill_the_memory(shop):
    """400 for a number of more digits than there is memory."""
    for number in ("1E+999999999999999", "1E-999999999999999"):
        document = json.dumps([0, [{"n": number}, "a"], "price", "code"])
        cursor = base64.urlsafe_b64encode(document.encode()).decode()
        answer = shop.ask("GET", "things", **{"sort": "price", "page[after]": cursor})
        assert answer.status_code == 400


def test_numbers_that_are_read_rounded_have_no_cursors(shop):
    """On SQLite, whose pages by such a cursor would begin before or after the row that it names."""
    shop.add(*(Thing(code=f"x{n}", share=Decimal(n) / 7) for n in range(5)))
    query = {"sort": "share", "page[size]": "2"}
    page = shop.ask("GET", "things", **query).json
    assert page["meta"]["cursors"] == {"prev": None, "next": None}
    assert page["links"]["next"] is not None
    assert shop.ask("GET", "things", **query, **{"page[after]": ""}).status_code == 400


def test_a_key_is_given_once(shop):
    """As an attribute of a new row; later another is 422, since its URLs would lead nowhere."""
    new = {"data": {"type": "thing", "attributes": {"code": "b"}}}
    assert shop.ask("POST", "things", new).headers["Location"] == "/v1/things/b"
    assert shop.ask("PATCH", "things/a", change(code="a", name="x")).status_code == 200
    assert shop.ask("PATCH", "things/a", change(code="c")).status_code == 422
    assert shop.found() == ["a", "b"]


@pytest.mark.parametrize("text", ["2030-W05-4", "20300131", "2030-1-31"])
def test_a_day_has_one_spelling(text):
    """A week is none, though Python reads it so."""
    from datetime import date

    from licet.rest.jsonapi.values import ValueType, read

    with pytest.raises(ValueError, match="must be a date"):
        read(ValueType(date), text)
