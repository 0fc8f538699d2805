"""JSON:API in the document: a resource with every type of attribute, a trash and a version."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session
from tests.unit.rest.openapi.apps import Berth, Pier, harbour

from licet.authn import embedded_issuer
from licet.rest.openapi import Example, OpenApi
from licet.rest.openapi.sharing import resolved
from licet.testing import Contract, ContractBroken, Given

PIER, BERTH = "6b1f6e9a-0000-4000-8000-000000000000", "id-7002"


@pytest.fixture(scope="module")
def contract(tmp_path_factory):
    app = harbour(tmp_path_factory.mktemp("piers"))
    OpenApi(app, title="The harbour", docs_path=None)
    made = Contract(app)
    token = embedded_issuer(app).mint("ann", [], ttl_seconds=3600)

    @made.setup("*_pier*", "*_berth*")
    def a_pier(case):
        is_apart = case.operation_id.startswith(("add_", "replace_"))
        pier = Pier(
            name="Some name",
            kind="wood",
            depth=Decimal("2.00"),
            length=2.5,
            is_open=True,
            built_on=date(2030, 1, 31),
            seen_at=datetime(2030, 1, 31, 12, tzinfo=UTC),
            notes={"note": "notes"},
            n_steps=3,
            removed_at=datetime.now(UTC) if case.operation_id.startswith("restore_") else None,
        )
        berth = Berth(width=2.5, pier=None if is_apart else pier)
        with Session(app.extensions["boats"]) as session:
            session.add_all([pier, berth])
            session.commit()
            values = {PIER: pier.id, BERTH: berth.code}
        return Given(values=values, headers={"Authorization": f"Bearer {token}"})

    return made


@pytest.fixture(scope="module")
def document(contract):
    return contract.document


def test_every_example_is_what_the_server_does(contract):
    """Of each of the twenty endpoints of two resources."""
    cases = [case for case in contract.cases() if case.path.startswith("/v1")]
    assert len(cases) == 20
    broken = []
    with contract.served() as live:
        for case in cases:
            try:
                live.replay(case)
            except ContractBroken as error:
                broken.append(str(error))
    assert not broken, "\n".join(broken)


ATTRIBUTES = {
    "name": {"type": "string", "maxLength": 12},
    "kind": {"type": "string", "enum": ["wood", "stone"]},
    "depth": {"type": ["string", "null"]},
    "length": {"type": ["number", "null"]},
    "is-open": {"type": "boolean"},
    "built-on": {"type": ["string", "null"], "format": "date"},
    "seen-at": {"type": ["string", "null"], "format": "date-time"},
    "notes": {},
    "n-steps": {"type": "integer", "minimum": -32768, "maximum": 32767},
    "is-long": {"type": ["boolean", "null"], "readOnly": True},
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_has_the_type_of_its_column(document, name):
    """As it is answered: null only where the column may be, decimals as texts."""
    shown = document["components"]["schemas"]["Pier"]["properties"]["attributes"]
    assert shown["properties"][name] == ATTRIBUTES[name]
    assert shown["additionalProperties"] is False


def test_a_body_has_what_may_be_written(document):
    """No expression, and what a new row needs is required; a change requires nothing."""
    schemas = document["components"]["schemas"]
    attributes = schemas["PierNew"]["properties"]["data"]["properties"]["attributes"]
    assert "is-long" not in attributes["properties"]
    assert attributes["required"] == ["name", "kind"]
    assert attributes["properties"]["depth"]["type"] == ["number", "string", "null"]
    changes = schemas["PierChanges"]["properties"]["data"]
    assert changes["required"] == ["type", "id"]
    assert "required" not in changes["properties"]["attributes"]


def test_a_version_has_its_headers(document):
    """If-None-Match and 304 on reading, If-Match and 412 on writing, for piers alone."""
    pier, berth = (document["paths"][f"/v1/{name}/{{id}}"] for name in ("piers", "berths"))
    assert "304" in pier["get"]["responses"]
    assert "304" not in berth["get"]["responses"]
    for method, name in (("get", "If-None-Match"), ("patch", "If-Match"), ("delete", "If-Match")):
        assert name in names_of(document, pier[method])
        assert name not in names_of(document, berth[method])


def names_of(document, operation):
    """The names of an operation's parameters."""
    return [resolved(document, one)["name"] for one in operation.get("parameters", ())]


def test_a_trash_has_its_endpoint_and_filter(document):
    """For what is soft-deleted alone."""
    assert "post" in document["paths"]["/v1/piers/{id}/restore"]
    assert "/v1/berths/{id}/restore" not in document["paths"]
    names = names_of(document, document["paths"]["/v1/piers"]["get"])
    assert "filter[deleted]" in names
    assert "filter[is-open]" in names
    assert "filter[notes]" not in names  # JSON is not compared


def test_an_alias_has_no_example_of_its_own(document):
    """``/v1/pier`` is the collection under its type's name."""
    alias = document["paths"]["/v1/pier"]["get"]
    assert alias["x-licet-alias-of"] == "list_piers"
    assert "examples" not in str(alias["responses"]["200"])


def test_an_app_may_give_its_own_examples(tmp_path):
    """They stand instead of those that were made, and a name of no operation is refused."""
    app = harbour(tmp_path)
    own = Example(name="mine", path={"id": "id-1"}, answer={"data": {"type": "berth"}})
    api = OpenApi(app, title="tests", docs_path=None, examples={"get_berth": [own]})
    operation = api.document()["paths"]["/v1/berths/{id}"]["get"]
    (content,) = operation["responses"]["200"]["content"].values()
    assert content["examples"] == {"mine": {"value": {"data": {"type": "berth"}}}}
    (given,) = operation["x-licet-examples"]
    assert given["path"] == {"id": "id-1"}


def test_examples_of_no_operation_are_refused(tmp_path):
    """With the name that was meant."""
    app = harbour(tmp_path)
    api = OpenApi(app, title="tests", docs_path=None, examples={"get_bert": []})
    with pytest.raises(ValueError, match="get_berth"):
        api.document()
