"""In the document: resources with one row, lists of a part, samples, and views beside resources."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Blueprint, Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from licet import Licet
from licet.authz import ALL, LIST, UPDATE, VIEW, Policy, everyone, public, register_policies
from licet.db.types import UTCDateTime
from licet.errors import UnknownName
from licet.rest.jsonapi import JsonApi, Resource, ToMany
from licet.rest.openapi import Example, OpenApi, documented, shown_by
from licet.rest.openapi.sharing import resolved
from licet.testing import Contract, ContractBroken


class Base(DeclarativeBase):
    pass


class Isle(Base):
    __tablename__ = "isle"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    map_url: Mapped[str | None]
    key: Mapped[str | None]  # of the gate, which nobody sees
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    changed_at: Mapped[datetime | None] = mapped_column(
        UTCDateTime, onupdate=lambda: datetime.now(UTC)
    )
    near: Mapped[list[Isle]] = relationship(
        primaryjoin=lambda: sa.orm.remote(sa.orm.foreign(Isle.name)) == Isle.name, viewonly=True
    )


class Harbour(Base):
    __tablename__ = "harbour"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class IsleType(Base):
    """Whose name and the member `type` of isles would make one name of a generated client."""

    __tablename__ = "isle_type"
    id: Mapped[int] = mapped_column(primary_key=True)


SAMPLES = {"name": "Hven"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder: Path = tmp_path_factory.mktemp("isles")
    app = Flask("isles", instance_path=str(folder))
    Licet(app)
    engine = app.extensions["isles"] = sa.create_engine(f"sqlite:///{folder}/isles.sqlite3")
    Base.metadata.create_all(engine)
    session = sa.orm.scoped_session(sa.orm.sessionmaker(engine))
    app.teardown_appcontext(lambda _error: session.remove())
    policies = [Policy(one, name=one.__tablename__) for one in (Isle, Harbour, IsleType)]
    for policy in policies:
        policy.allow(everyone, ALL)
    policies[0].hide("key").readonly("changed_at", "removed_at")
    register_policies(app, *policies, session=session)
    isles = Resource(
        Isle,
        policies[0],
        name="isle",
        attributes=["name", "map_url", "key", "changed_at"],
        relationships={"near": ToMany()},
        soft_delete="removed_at",
        samples=SAMPLES,
    )
    isles.list_at("far-off")(lambda: Isle.name == "Hven")
    harbour = Resource(
        Harbour,
        policies[1],
        name="harbour",
        attributes=["name"],
        verbs=VIEW | UPDATE,
        is_single=True,
    )
    types = Resource(IsleType, policies[2], name="isle-type", attributes=[], verbs=LIST)
    api = JsonApi(app, url_prefix="/v1", resources=[isles, harbour, types])
    app.register_blueprint(views(api, isles), url_prefix="/v1")
    OpenApi(app, title="Isles", docs_path=None)
    return app


def views(api: JsonApi, isles: Resource) -> Blueprint:
    blueprint = Blueprint("views", __name__)
    api.answer_errors_of(blueprint)

    @blueprint.get("/first-isle")
    @public
    @documented(
        "The first isle.",
        name="get_first_isle",
        answer=shown_by(api, isles),
        refusals={404: "There is none."},
        examples=[Example(answer={"data": {"type": "isle"}})],
    )
    def first() -> Any:
        return api.show(isles, 1)

    return blueprint


@pytest.fixture(scope="module")
def contract(app: Flask) -> Contract:
    made = Contract(app)

    @made.setup("*")
    def rows(case: Any) -> dict[str, Any]:
        now = datetime(2030, 1, 31, 12, tzinfo=UTC)
        shown = {"map_url": "https://example.org", "changed_at": now, **SAMPLES}
        isle = Isle(**shown, removed_at=now if case.operation_id.startswith("restore") else None)
        with Session(app.extensions["isles"]) as session:
            session.execute(sa.delete(Isle))
            session.execute(sa.delete(Harbour))
            session.add_all([isle, Harbour(id=7, name="Some name"), IsleType()])
            session.commit()
            return {"7001": isle.id, "7002": 7, "7003": session.scalar(sa.func.max(IsleType.id))}

    return made


def test_every_example_is_what_the_server_does(contract: Contract) -> None:
    """The hidden attribute is in no answer, and what only views link is not created."""
    cases = [one for one in contract.cases() if one.path.startswith("/v1")]
    names = {one.operation_id for one in cases}
    assert {"list_isles_far_off", "get_harbour", "update_harbour", "get_first_isle"} <= names
    broken = []
    with contract.served() as live:
        for case in cases:
            try:
                live.replay(case)
            except ContractBroken as error:
                broken.append(str(error))
    assert not broken, "\n".join(broken)


def test_one_row_has_no_id_in_its_path(contract: Contract) -> None:
    """Neither in the document nor in the links of the answer."""
    operation = contract.document["paths"]["/v1/harbours"]["get"]
    told = [resolved(contract.document, one) for one in operation.get("parameters", ())]
    assert all(one["in"] != "path" for one in told)
    (case,) = contract.cases("get_harbour")
    assert case.answer["data"]["links"]["self"] == "/v1/harbours"


def test_samples_stand_in_examples(contract: Contract) -> None:
    """Those of the resource; a URL for what is named so; nothing that nobody sees."""
    (case,) = contract.cases("get_isle")
    shown = case.answer["data"]["attributes"]
    assert (shown["name"], shown["map-url"]) == ("Hven", "https://example.org")
    assert "key" not in shown
    properties = contract.document["components"]["schemas"]["Isle"]["properties"]
    assert properties["attributes"]["properties"]["key"]["writeOnly"] is True
    assert properties["type"] == {"type": "string", "const": "isle"}


def test_a_sample_of_no_attribute_is_refused() -> None:
    """With the one that was meant."""
    with pytest.raises(UnknownName, match=r"names.*name"):
        Resource(
            Isle,
            Policy(Isle),
            name="isle",
            attributes=["name"],
            samples={"names": "Hven"},
        )


def test_views_beside_resources_have_their_errors(contract: Contract) -> None:
    """A blueprint whose errors are JSON:API's is documented so."""
    answers = contract.document["paths"]["/v1/first-isle"]["get"]["responses"]
    assert list(answers["404"]["content"]) == ["application/vnd.api+json"]
    assert answers["200"]["content"]["application/vnd.api+json"]["schema"] == {
        "$ref": "#/components/schemas/IsleDocument"
    }
