"""Models of other shapes: kinds of keys, columns and collections."""

import uuid
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    Session,
    WriteOnlyMapped,
    attribute_keyed_dict,
    mapped_column,
    relationship,
)
from sqlalchemy.pool import StaticPool
from tests.unit.rest.jsonapi.conference import TYPE, Caller

from licet import Licet
from licet.authz import ALL, Policy, everyone, register_policies, registered
from licet.rest.jsonapi import JsonApi, Resource, ToMany, ToOne


class Base(DeclarativeBase):
    pass


def link(name):
    return sa.Table(
        name,
        Base.metadata,
        sa.Column("box_id", sa.ForeignKey("box.key"), primary_key=True),
        sa.Column("thing_id", sa.ForeignKey("thing.id"), primary_key=True),
    )


KINDS = ["lists", "sets", "keyed", "dynamic", "written"]
LISTS, SETS, KEYED, DYNAMIC, WRITTEN = map(link, KINDS)


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    weight: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 2))
    share: Mapped[float | None]


class Box(Base):
    __tablename__ = "box"
    key: Mapped[str] = mapped_column(primary_key=True)
    top_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("thing.id"))
    lists: Mapped[list[Thing]] = relationship(secondary=LISTS)
    sets: Mapped[set[Thing]] = relationship(secondary=SETS)
    keyed: Mapped[dict[str, Thing]] = relationship(
        secondary=KEYED, collection_class=attribute_keyed_dict("name")
    )
    dynamic: DynamicMapped[Thing] = relationship(secondary=DYNAMIC)
    written: WriteOnlyMapped[Thing] = relationship(secondary=WRITTEN, passive_deletes=True)
    top: Mapped[Thing | None] = relationship()
    shown_top: Mapped[Thing | None] = relationship(viewonly=True)


ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.fixture
def client():
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    boxes = Policy(Box, name="boxes").allow(everyone, ALL)
    things = Policy(Thing, name="things").allow(everyone, ALL)
    with Session(engine) as session:
        session.add_all([Thing(id=ONE, name="a", weight=Decimal("1E+3")), Thing(id=TWO, name="b")])
        session.add(Box(key="a/b ö"))
        session.add(Box(key="box"))
        session.commit()
        app = Flask("boxes")
        Licet(app)
        register_policies(app, boxes, things, session=lambda: session)
        links = {name: ToMany() for name in KINDS}
        JsonApi(
            app,
            url_prefix="/v1",
            resources=[
                Resource(
                    Box,
                    boxes,
                    name="box",
                    url="boxes",
                    attributes=[],
                    relationships={**links, "top": ToOne(), "shown_top": ToOne()},
                ),
                Resource(Thing, things, name="thing", attributes=["name", "weight", "share"]),
            ],
        )
        yield app.test_client()
    engine.dispose()


def ask(client, method, path, data):
    return client.open(path, method=method, json={"data": data}, content_type=TYPE)


def named(*keys):
    return [{"type": "thing", "id": str(key)} for key in keys]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_collection_is_changed(client, kind):
    """Lists, sets, dictionaries, and collections that are not loaded."""
    url = f"/v1/boxes/box/relationships/{kind}"
    assert ask(client, "POST", url, named(ONE)).json["data"] == named(ONE)
    assert ask(client, "PATCH", url, named(TWO)).json["data"] == named(TWO)
    assert ask(client, "POST", url, named(ONE, TWO)).json["data"] == named(ONE, TWO)
    assert ask(client, "DELETE", url, named(TWO)).json["data"] == named(ONE)
    found = client.get(f"/v1/boxes/box?include={kind}").json
    assert [one["id"] for one in found["included"]] == [str(ONE)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_collection_is_given_with_its_resource(client, kind):
    """As a relationship of the document."""
    data = {"type": "box", "id": "box", "relationships": {kind: {"data": named(ONE, TWO)}}}
    assert ask(client, "PATCH", "/v1/boxes/box", data).status_code == 200
    found = client.get(f"/v1/boxes/box/relationships/{kind}").json
    assert found["data"] == named(ONE, TWO)


def test_what_the_model_does_not_write_is_not_written(client):
    """A relationship that is only viewed is refused instead of ignored."""
    assert ask(client, "PATCH", "/v1/boxes/box/relationships/top", named(ONE)[0]).status_code == 200
    assert client.get("/v1/boxes/box/shown-top").json["data"]["id"] == str(ONE)
    url = "/v1/boxes/box/relationships/shown-top"
    assert ask(client, "PATCH", url, named(TWO)[0]).status_code == 422


def test_numbers_are_json(client):
    """A decimal is written out, and what is no number of JSON is null."""
    found = client.get(f"/v1/things/{ONE}").json["data"]["attributes"]
    assert found == {"name": "a", "weight": "1000.00", "share": None}


@pytest.mark.parametrize("key", [str(ONE).upper(), ONE.hex, f"{{{ONE}}}", f"urn:uuid:{ONE}"])
def test_a_key_has_one_spelling(client, key):
    """404 for other texts of the same UUID."""
    expected = 200 if key == str(ONE) else 404
    assert client.get(f"/v1/things/{key}").status_code == expected


def test_links_are_urls(client):
    """A key is quoted where it stands in a URL."""
    listed = {one["id"]: one["links"]["self"] for one in client.get("/v1/boxes").json["data"]}
    assert listed["a/b ö"] == "/v1/boxes/a%2Fb%20%C3%B6"
    assert listed["box"] == "/v1/boxes/box"


def test_fields_are_chosen_by_the_name_in_urls_as_well(client):
    """fields[things] is fields[thing]."""
    found = client.get(f"/v1/things/{ONE}", query_string={"fields[things]": "name"})
    assert found.json["data"]["attributes"] == {"name": "a"}


def test_a_uuid_is_found_again_by_an_idempotency_key(tmp_path):
    """The first answer is given again to who may see the resource, whatever kind of key it has."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    things = Policy(Thing, name="things").allow(registered, ALL)
    resource = Resource(Thing, things, name="thing", attributes=["name"])
    resource.before_create(lambda thing: setattr(thing, "id", uuid.uuid4()))
    app = Flask("things", instance_path=str(tmp_path))
    Licet(app)
    with Session(engine) as session:
        register_policies(app, things, session=lambda: session, caller=lambda: Caller("ann"))
        JsonApi(app, url_prefix="/v1", resources=[resource])
        options = {"content_type": TYPE, "headers": {"Idempotency-Key": "k"}}
        new = {"data": {"type": "thing", "attributes": {"name": "a"}}}
        answers = [app.test_client().post("/v1/things", json=new, **options) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].data == answers[1].data
        assert session.scalar(sa.select(sa.func.count()).select_from(Thing)) == 1
    engine.dispose()
