"""What a resource may ask for beside its usual endpoints: fewer, others, and names for ids."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Blueprint, Flask, abort
from flask.testing import FlaskClient
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

from licet import Licet
from licet.authn import embedded_issuer
from licet.authz import (
    ALL,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    attr,
    everyone,
    public,
    register_policies,
    registered,
)
from licet.db.types import UTCDateTime
from licet.rest.jsonapi import JsonApi, Resource, ToMany, ToOne

TYPE = "application/vnd.api+json"


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str | None] = mapped_column(unique=True)
    type: Mapped[str | None]
    is_open: Mapped[bool] = mapped_column(default=True)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    books: Mapped[list[Book]] = relationship(back_populates="shelf")
    houses: Mapped[list[House]] = relationship(back_populates="shelf")
    loans: Mapped[list[Loan]] = relationship()


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="books")


class House(Base):
    __tablename__ = "house"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="houses")


class Loan(Base):
    __tablename__ = "loan"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))


@pytest.fixture
def restored() -> list[int]:
    """The shelves that were taken out of the trash."""
    return []


@pytest.fixture
def client(restored: list[int]) -> Iterator[FlaskClient]:
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    session = Session(engine)
    session.add_all(
        [
            Shelf(id=1, code="aa", type="oak"),
            Shelf(id=2, code="bb", is_open=False),
            Shelf(id=3, code="cc", type="secret"),
            House(id=7, name="Library", shelf_id=1),
            Loan(id=1),
            Loan(id=2),
        ]
    )
    session.commit()
    shelf_policy = Policy(Shelf).allow(everyone, LIST | VIEW)
    shelf_policy.allow(everyone, ALL, when=attr("is_open").is_true())
    shelf_policy.hide("code", unless=[attr("type") != "secret"])
    shelves = Resource(
        Shelf,
        shelf_policy,
        name="shelf",
        url="shelves",
        attributes=["code", "type"],
        relationships={"books": ToMany(), "houses": ToMany(), "loans": ToMany()},
        soft_delete="deleted_at",
        also_by="code",
    )
    books = Resource(
        Book,
        Policy(Book).allow(everyone, ALL),
        name="book",
        attributes=[],
        relationships={"shelf": ToOne(parameter="shelf_id")},
        verbs=VIEW | UPDATE,
    )
    house = Resource(
        House,
        Policy(House).allow(everyone, ALL),
        name="house",
        attributes=["name"],
        relationships={"shelf": ToOne()},
        is_single=True,
    )
    loans = Resource(
        Loan,
        Policy(Loan)
        .allow(registered, LIST, when=attr("id") == 1)
        .allow(everyone, VIEW | UPDATE, when=attr("id") == 1),
        name="loan",
        attributes=[],
        verbs=LIST,
    )
    shelves.list_at("open")(lambda: Shelf.is_open & (Shelf.id < 3))
    shelves.list_at("oak")(lambda: sa.text("type = 'oak' OR type = 'fir'"))
    loans.list_at("text")(lambda: sa.text("1 = 1 OR 1 = 2"))
    loans.list_at("nothing")(lambda: None)
    shelves.after_restore(lambda shelf: restored.append(shelf.id))
    app = Flask("more")
    Licet(app)
    resources = [shelves, books, house, loans]
    register_policies(app, *(one.policy for one in resources), session=lambda: session)
    api = JsonApi(app, url_prefix="/v1", resources=resources)
    own = Blueprint("own", __name__, url_prefix="/v1")
    own.get("/first", endpoint="first")(public(lambda: api.show(shelves, 1)))
    own.get("/shown/<int:key>", endpoint="shown")(public(lambda key: api.show(loans, key)))
    own.get("/nowhere", endpoint="nowhere")(public(lambda: abort(410, "It moved.")))
    api.answer_errors_of(own)
    app.register_blueprint(own)
    yield app.test_client()
    session.close()
    engine.dispose()


def send(client: FlaskClient, method: str, path: str, data: Any) -> Any:
    return client.open(path, method=method, data=json.dumps({"data": data}), content_type=TYPE)


def test_a_url_may_have_another_name_for_the_id(client):
    """In place of the id, wherever a URL has it; what is neither is absent as ever."""
    assert client.get("/v1/shelves/aa").json["data"]["id"] == "1"
    assert client.get("/v1/shelves/aa/relationships/books").status_code == 200
    given = {"type": "shelf", "id": "1", "attributes": {"type": "elm"}}
    assert send(client, "PATCH", "/v1/shelves/aa", given).status_code == 200
    absent = client.get("/v1/shelves/zz")
    assert absent.status_code == 404
    assert absent.data == client.get("/v1/shelves/99").data
    assert client.get("/v1/shelves/%00").status_code == 404


def test_a_hidden_name_finds_nothing(client):
    """Or whoever guesses it would know whose it is; the row itself is there by its id."""
    assert client.get("/v1/shelves/3").json["data"]["attributes"] == {"type": "secret"}
    absent = client.get("/v1/shelves/zz")
    assert client.get("/v1/shelves/cc").data == absent.data
    assert client.get("/v1/shelves/cc/books").data == absent.data
    given = {"type": "shelf", "id": "3", "attributes": {"type": "elm"}}
    assert send(client, "PATCH", "/v1/shelves/cc", given).status_code == 404
    assert client.delete("/v1/shelves/cc").status_code == 404


def test_an_attribute_may_be_called_type(client):
    """As in documents of seed document 003, whose custom forms have one."""
    assert client.get("/v1/shelves/1").json["data"]["attributes"]["type"] == "oak"


def test_a_part_of_a_collection_has_a_url(client):
    """With the parameters of lists, and the rows that fulfil its criterion."""
    found = client.get("/v1/shelves/open?sort=-id").json
    assert ([one["id"] for one in found["data"]], found["meta"]["count"]) == (["1"], 1)
    assert client.get("/v1/shelf/open").json["meta"] == found["meta"]


def test_a_part_may_be_said_in_text(client):
    """Which is no alternative to what may be listed, or counted."""
    found = client.get("/v1/shelves/oak").json
    assert ([one["id"] for one in found["data"]], found["meta"]["count"]) == (["1"], 1)
    token = embedded_issuer(client.application).mint("ann", [])
    sent = {"Authorization": f"Bearer {token}"}
    assert client.get("/v1/loans/text", headers=sent).json["meta"]["count"] == 1
    assert client.get("/v1/loans/nothing", headers=sent).status_code == 500


def test_verbs_that_are_left_out_have_no_endpoints(client):
    """Neither at the collection nor at a relationship of another resource."""
    assert client.get("/v1/books").status_code == 404
    assert client.delete("/v1/books/1").status_code == 405
    assert send(client, "POST", "/v1/shelves/1/books", {"type": "book"}).status_code == 405
    assert client.get("/v1/shelves/1/books").status_code == 200
    token = embedded_issuer(client.application).mint("ann", [])
    sent = {"Authorization": f"Bearer {token}"}
    (loan,) = client.get("/v1/loans", headers=sent).json["data"]
    assert loan == {"type": "loan", "id": "1", "links": {}}  # where nothing would answer


def test_a_single_row_is_shown_and_changed_at_the_collection(client):
    """Without an id in the URL."""
    assert client.get("/v1/houses").json["data"]["attributes"] == {"name": "Library"}
    given = {"type": "house", "id": "7", "attributes": {"name": "Archive"}}
    changed = send(client, "PATCH", "/v1/houses", given)
    assert changed.json["data"]["attributes"] == {"name": "Archive"}
    assert client.get("/v1/houses/7").status_code == 404
    assert send(client, "POST", "/v1/shelves/1/houses", {"type": "house"}).status_code == 405


def test_the_links_of_a_single_row_lead_somewhere(client):
    """Below the collection's URL, where its document says."""
    links = client.get("/v1/houses").json["data"]["relationships"]["shelf"]["links"]
    assert client.get(links["related"]).json["data"]["id"] == "1"
    moved = send(client, "PATCH", links["self"], {"type": "shelf", "id": "2"})
    assert moved.json["data"] == client.get(links["self"]).json["data"]
    assert moved.json["data"]["id"] == "2"


def test_what_comes_out_of_the_trash_is_told(client, restored):
    """The hook may refuse it, as any other."""
    assert client.delete("/v1/shelves/1").status_code == 200
    assert client.post("/v1/shelves/1/restore").status_code == 200
    assert restored == [1]


def test_views_beside_resources_answer_as_they_do(client):
    """A resource, and an error."""
    assert client.get("/v1/first").json["data"]["id"] == "1"
    assert client.get("/v1/shown/1").status_code == 200
    hidden, absent = (client.get(f"/v1/shown/{key}") for key in (2, 99))
    assert (hidden.status_code, hidden.data) == (404, absent.data)
    error = client.get("/v1/nowhere")
    assert (error.status_code, error.json["errors"][0]["detail"]) == (410, "It moved.")


def test_a_list_of_which_nobody_may_see_anything_asks_who_it_is(client):
    """As a PATCH would; whoever is signed in gets the rows that they may list."""
    for query in ("", "?filter[nothing]=1", "?page[size]=-1", "?include=nothing", "?x=1"):
        assert client.get(f"/v1/loans{query}").status_code == 401
    token = embedded_issuer(client.application).mint("ann", [])
    sent = {"Authorization": f"Bearer {token}"}
    assert client.get("/v1/loans", headers=sent).json["meta"]["count"] == 1


def test_nobody_is_told_no_list_that_they_change(client):
    """They may write its links, and not list it: whether that changed something is not told."""
    url = "/v1/shelves/1/relationships/loans"
    for _ in range(2):
        assert send(client, "POST", url, [{"type": "loan", "id": "1"}]).status_code == 204
    assert client.get(url).status_code == 401
    token = embedded_issuer(client.application).mint("ann", [])
    sent = {"Authorization": f"Bearer {token}"}
    assert client.get(url, headers=sent).json["data"] == [{"type": "loan", "id": "1"}]
