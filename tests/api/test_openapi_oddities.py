"""Schemas and rules of every odd kind: the document is valid, and says what is not known."""

from __future__ import annotations

import decimal
import enum
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from flask import Flask
from openapi_spec_validator import validate
from pydantic import BaseModel, ConfigDict, Field, RootModel
from tests.unit.rest.openapi.apps import Boat

from licet import Licet
from licet.rest import marshal_response, public, schema_for, unmarshal_request, use_args
from licet.rest.openapi import About, document_of, documented


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Odd(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    color: Color
    price: decimal.Decimal
    lasts: timedelta
    function: Callable[[int], int] | None = None
    anything: object = None
    source: int = Field(alias="from")
    pairs: list[tuple[int, str]] = []
    nodes: dict[str, Node] = {}
    examples: str = "x"  # names that mean something in schemas
    mapping: dict[str, str] = {}
    properties: int = 1
    default: int | None = None


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Zoo(BaseModel):
    animal: Annotated[Cat | Dog, Field(discriminator="kind")]


LOST = {"type": "object", "properties": {"x": {"$ref": "#/nowhere"}}}
IDENTIFIED = {"$id": "http://x", "$defs": {"A b": {}}, "properties": {"a": {"$ref": "#/$defs/A b"}}}
SCHEMAS = {
    "recursive": Node,
    "odd": Odd,
    "discriminated": Zoo,
    "root": RootModel[list[Node]],
    "lost": LOST,
    "identified": IDENTIFIED,
    "empty": {},
}
RULES = (
    '/a/<int(min=1,max=5):x>/<any(a,"b c",d):y>/<uuid:u>/<float:f>/<path:p>',
    "/é/<string(length=2):lang>",
    "/brace/{x}/<y>",
)


@pytest.fixture
def app(tmp_path):
    app = Flask("pier", instance_path=str(tmp_path))
    Licet(app)
    return app


def made(app) -> dict[str, Any]:
    document = document_of(app, About(title="tests"))
    validate(document)
    return document


@pytest.mark.parametrize("name", SCHEMAS)
def test_any_schema_makes_a_valid_document(app, name):
    """As a body and as an answer, of a plain view."""
    view = documented("It.", answer=SCHEMAS[name], body=SCHEMAS[name])(lambda: "")
    app.add_url_rule("/it", "it", public(view), methods=["POST"])
    assert "post" in made(app)["paths"]["/it"]


def test_a_class_that_refers_to_itself_is_one_schema(app):
    """Its answers; and another one for bodies, which take no other members."""
    view = documented("It.", answer=Node, body=Node)(lambda: "")
    app.add_url_rule("/it", "it", public(view), methods=["POST"])
    assert {n for n in made(app)["components"]["schemas"] if "Node" in n} == {"Node", "Node2"}


def test_each_schema_has_a_title_of_its_own(app):
    """Client generators name classes by it, and leave out what has one that there is."""
    for name, schema in (("a", Node), ("b", Zoo)):
        view = documented("It.", answer=schema, body=schema)(lambda: "")
        app.add_url_rule(f"/{name}", name, public(view), methods=["POST"])
    fields = schema_for(Boat)
    view = unmarshal_request(fields, "boat")(marshal_response(fields, 201)(lambda boat: boat))
    app.add_url_rule("/boats", "boats", public(view), methods=["POST"])
    schemas = made(app)["components"]["schemas"]
    assert {"Node2", "Zoo2", "Cat2", "BoatFields", "BoatShown"} <= schemas.keys()
    assert {one.get("title", name) for name, one in schemas.items()} == schemas.keys()


def test_parameters_may_have_classes_of_their_own(app):
    """Their definitions are the document's, too."""

    @app.get("/it")
    @public
    @use_args({"color": Color, "many": list[str]})
    @marshal_response(Odd)
    def it(args):
        return args

    operation = made(app)["paths"]["/it"]["get"]
    assert {one["name"] for one in operation["parameters"]} == {"color", "many"}
    assert "has no JSON schema" in operation["x-licet-unknown"]


def test_a_body_may_be_of_two_kinds(app):
    """The discriminator leads to the document's own schemas."""

    @app.post("/it")
    @public
    @unmarshal_request(Zoo, "zoo", load_sqla=False)
    @marshal_response(Node, 201)
    def it(zoo):
        return zoo

    schemas = made(app)["components"]["schemas"]
    animal = schemas["Zoo"]["properties"]["animal"]
    targets = {one.rpartition("/")[2] for one in animal["discriminator"]["mapping"].values()}
    assert targets <= schemas.keys()


def test_a_reference_that_leads_nowhere_is_told(app):
    """The schema is any object, and says why."""
    app.add_url_rule("/it", "it", public(documented("It.", answer=LOST)(lambda: "")))
    (content,) = made(app)["paths"]["/it"]["get"]["responses"]["200"]["content"].values()
    assert "leads nowhere" in content["schema"]["x-licet-unknown"]


@pytest.mark.parametrize("rule", RULES)
def test_any_rule_is_a_path(app, rule):
    """Converters with options, letters of any script, and braces that are no parameter."""
    app.add_url_rule(rule, "it", public(lambda **_: ""))
    (path,) = [path for path, item in made(app)["paths"].items() if "it_get" in str(item)]
    assert path.count("{") == rule.count("<")


def test_a_method_of_no_standard_is_told_beside_the_operations(app):
    """OpenAPI has no place for it."""
    app.add_url_rule("/brew", "brew", public(lambda: ""), methods=["BREW"])
    assert made(app)["paths"]["/brew"] == {"x-licet-other-methods": ["BREW"]}
