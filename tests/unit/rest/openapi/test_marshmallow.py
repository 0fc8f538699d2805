"""marshmallow's schemas in the OpenAPI document."""

from __future__ import annotations

from flask import Flask
from marshmallow import Schema, fields

from licet import Licet
from licet.rest import marshal_response, public, unmarshal_request
from licet.rest.openapi import About, document_of


def test_fields_have_their_types(tmp_path):
    """Nested and listed ones as well; load_only is in no answer, dump_only in no body."""
    app = Flask("pier", instance_path=str(tmp_path))
    Licet(app)

    class Crew(Schema):
        name = fields.String(required=True)

    class Boat(Schema):
        name = fields.String(required=True)
        length = fields.Float(allow_none=True)
        crew = fields.List(fields.Nested(Crew))
        seen = fields.Integer(dump_only=True)
        key = fields.String(load_only=True)
        odd = fields.Raw()

    @app.post("/boats")
    @public
    @unmarshal_request(Boat(), "boat", load_sqla=False)
    @marshal_response(Boat())
    def add(boat):
        return boat

    found = document_of(app, About(title="tests"))
    operation = found["paths"]["/boats"]["post"]
    body = schema_of(found, operation["requestBody"])
    assert set(body["properties"]) == {"name", "length", "crew", "key", "odd"}
    assert body["properties"]["length"]["type"] == ["number", "null"]
    assert body["properties"]["crew"]["items"]["properties"]["name"]["type"] == "string"
    assert set(schema_of(found, operation["responses"]["200"])["properties"]) == {
        "name",
        "length",
        "crew",
        "seen",
        "odd",
    }
    assert "Raw" in operation["x-licet-unknown"]


def schema_of(document, described):
    """The schema of a body, with what its reference leads to."""
    schema = described["content"]["application/json"]["schema"]
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema
