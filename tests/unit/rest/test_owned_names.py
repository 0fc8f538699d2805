"""What the server owns is never taken from a body, at whatever depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired

import pytest
from pydantic import BaseModel, Field, JsonValue, RootModel
from tests.unit.rest.library import Book
from typing_extensions import TypedDict

from licet.errors import InvalidRequest
from licet.rest import schema_for
from licet.rest.schemas.owned import owned_places
from licet.rest.schemas.reading import reader_of


class Part(BaseModel):
    id: int | None = None
    title: str
    made_by: str | None = Field(None, validation_alias="ownerId")
    parts: list[Part] = []


class Kit(TypedDict):
    id: NotRequired[int]
    etag: NotRequired[str]


@dataclass
class Label:
    createdAt: str | None = None  # noqa: N815 - a client's spelling
    text: str = ""


class Parts(RootModel[list[Part]]):
    pass


class Whole(BaseModel):
    first: Part | None = None
    parts: list[Part | Kit] = []
    named: dict[str, Part] = {}
    pair: tuple[int, Kit] | None = None
    label: Label | None = None
    rest: Parts | None = None
    free: JsonValue = None
    numbers: dict[str, int] = {}


NESTED = [
    ({"first": {"id": 5, "title": "a"}}, ["/first/id"]),
    ({"first": {"title": "a", "ownerId": "ben"}}, ["/first/ownerId"]),
    ({"parts": [{"title": "a"}, {"title": "b", "id": 5}]}, ["/parts/1/id"]),
    ({"parts": [{"title": "a", "parts": [{"title": "b", "id": 5}]}]}, ["/parts/0/parts/0/id"]),
    ({"parts": [{"etag": "a"}]}, ["/parts/0/etag"]),
    ({"named": {"id": {"title": "a", "id": 5}}}, ["/named/id/id"]),
    ({"pair": [1, {"id": 5}]}, ["/pair/1/id"]),
    ({"label": {"createdAt": "now"}}, ["/label/createdAt"]),
    ({"rest": [{"title": "a", "id": 5}]}, ["/rest/0/id"]),
]


@pytest.mark.parametrize(("document", "places"), NESTED)
def test_documents_within_set_nothing_of_the_servers(document, places):
    """Whatever class names the field, and however deep: 422 with its place."""
    with pytest.raises(InvalidRequest) as raised:
        reader_of(Whole).read(document)
    assert [(one.pointer, one.detail) for one in raised.value.errors] == [
        (place, "This is set by the server.") for place in places
    ]


def test_a_program_says_what_clients_set_within_documents():
    """By the path, in either spelling; what no class describes is data."""
    own = ["first.id", "parts.id", "parts.parts.made_by", "named.id"]
    document = {
        "first": {"title": "a", "id": 1},
        "parts": [{"title": "b", "id": 2, "parts": [{"title": "c", "ownerId": "ann"}]}],
        "named": {"id": {"title": "d", "id": 3}},
        "free": {"id": 4, "etag": [{"owner": 5}]},
        "numbers": {"id": 6},
    }
    found = reader_of(Whole, client_owned=own).read(document)
    assert (found["first"]["id"], found["named"]["id"]["id"]) == (1, 3)
    assert found["parts"][0]["parts"] == [{"title": "c", "made_by": "ann"}]
    with pytest.raises(InvalidRequest):
        reader_of(Whole, client_owned=["id", "parts"]).read({"parts": [{"title": "a", "id": 1}]})


def test_a_class_of_columns_opens_no_more_than_its_own():
    """A field that a subclass adds for answers is not taken from a body."""

    class Shown(schema_for(Book, client_owned=["owner"])):
        id: int | None = None

    found = reader_of(Shown).read({"title": "a", "owner": "ann"})
    assert found == {"title": "a", "owner": "ann"}
    with pytest.raises(InvalidRequest, match="validation"):
        reader_of(Shown).read({"title": "a", "id": 5})


def test_marshmallow_within_marshmallow_sets_nothing_of_the_servers():
    """Nested, in lists and in dictionaries."""
    marshmallow = pytest.importorskip("marshmallow")
    Schema, fields = marshmallow.Schema, marshmallow.fields  # noqa: N806 - a class
    inner = Schema.from_dict({"id": fields.Int(), "title": fields.Str()})
    nest = {"one": fields.Nested(inner), "many": fields.Nested(inner, many=True)}
    held = {
        "listed": fields.List(fields.Nested(inner)),
        "keyed": fields.Dict(values=fields.Nested(inner)),
    }
    reader = reader_of(Schema.from_dict(nest | held)(), makes_objects=False)
    part = {"id": 5, "title": "a"}
    with pytest.raises(InvalidRequest) as raised:
        reader.read({"one": part, "many": [part], "listed": [part], "keyed": {"id": part}})
    places = [one.pointer for one in raised.value.errors]
    assert places == ["/one/id", "/many/0/id", "/listed/0/id", "/keyed/id/id"]


class Twisted(BaseModel):
    title: str
    kids: list[Twisted] | list[Twin] = []


class Twin(BaseModel):
    title: str
    kids: list[Twin] | list[Twisted] = []


def test_types_that_refer_to_each_other_are_walked_once_for_each_value():
    """Two ways to read each of 30 documents within each other are not a billion."""
    document = {"title": "a", "id": 5}
    for _ in range(30):
        document = {"title": "a", "kids": [document]}
    (place,) = owned_places(Twisted, document, ())
    assert place == (*("kids", 0) * 30, "id")
