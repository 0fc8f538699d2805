"""Whatever is sent, the answer is a clear 4xx, in time, and nothing is half-written."""

import json
from random import Random

import pytest
from tests.counts import count
from tests.unit.rest.jsonapi.conference import Event, File, Speaker, Talk

PIECES = [
    "", "\x00", "\ud800", "é", "💥", "%", "_", "'", '"', "\\", "[", "]", "{", "}", "(", ")", ",",
    ".", "..", "__", "-", "--", "0", "1", "-1", "9" * 30, "null", "true", "id", "talks", "event",
    "name", "filter", "sort", "a" * 300, "1e999", "NaN", " ", "\n", "%00", "%ff", "<x>",
    ";drop table event",
]  # fmt: skip
NAMES = [
    "include", "sort", "filter", "page[size]", "page[number]", "page[after]", "page[before]",
    "fields[event]", "filter[name]", "filter[deleted]", "filter[is-open]", "filter[budget]",
    "filter[starts-at]", "filter[parent.name]", "page", "fields[]", "filter[]", "x[y]",
]  # fmt: skip
VALUES = [None, True, 0, -1, 2**70, 1.5, "", "x", "\x00", "\ud800", [], {}, [[]], {"a": {}}, "1"]


def test_ten_thousand_includes(conference):
    """400; no statement is executed for them."""
    path = ",".join(["talks.speakers.talks"] * 10_000)
    with conference.counted() as statements:
        response = conference.ask("GET", "/v1/events", query_string={"include": path})
    assert (response.status_code, statements) == (400, [])
    many = ",".join(["talks"] * 51)
    assert conference.ask("GET", "/v1/events", query_string={"include": many}).status_code == 400


@pytest.mark.parametrize("depth", [50, 5_000])
def test_filters_of_great_depth(conference, depth):
    """400, whichever way they are nested."""
    for opening, closing in (('{"not":', "}"), ('{"and":[', "]}"), ("[", "]")):
        text = f"[{opening * depth}1{closing * depth}]"
        response = conference.ask("GET", "/v1/events", query_string={"filter": text})
        assert response.status_code == 400
    deep = '{"name":"talks","op":"any","val":{"name":"event","op":"has","val":' * (depth // 2)
    response = conference.ask("GET", "/v1/events", query_string={"filter": f"[{deep}"})
    assert response.status_code == 400


def test_made_up_parameters(conference):
    """Never 500: 400 with the parameter, or an answer."""
    random = Random(4)
    for _ in range(count(quick=150, full=5_000)):
        query = {
            random.choice(NAMES): "".join(random.choices(PIECES, k=random.randint(0, 4)))
            for _ in range(random.randint(1, 3))
        }
        query = {name: text.encode("utf-8", "replace").decode() for name, text in query.items()}
        path = random.choice(["/v1/events", "/v1/talks", "/v1/events/1", "/v1/events/1/talks"])
        response = conference.ask("GET", path, "root", query_string=query)
        assert response.status_code in (200, 400), (path, query, response.text)
        if response.status_code == 400:
            assert response.json["errors"][0]["source"]["parameter"] in (*query, "page")


@pytest.mark.parametrize(
    "key", ["%00", "%ff", "%ed%a0%80", "a" * 3000, "1 ", " 1", "+1", "0x1", "--"]
)
def test_strange_ids(conference, key):
    """404 on every operation."""
    for method in ("GET", "PATCH", "DELETE"):
        document = {"data": {"type": "event", "id": key, "attributes": {}}}
        options = {} if method == "GET" else {"document": document}
        assert conference.ask(method, f"/v1/events/{key}", "root", **options).status_code == 404


def mutated(random, value):
    """The document with one place of it replaced, left out or added."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        name = random.choice(list(value))
        if random.random() < 0.15:
            return {key: part for key, part in value.items() if key != name}
        if random.random() < 0.1:
            return {**value, random.choice(PIECES): random.choice(VALUES)}
        return {**value, name: mutated(random, value[name])}
    if isinstance(value, list) and value and random.random() < 0.8:
        return [mutated(random, value[0]), *value[1:]]
    return random.choice(VALUES)


def test_made_up_documents(conference):
    """Never 500; a request that is refused changes nothing."""
    random = Random(5)
    document = {
        "data": {
            "type": "talk",
            "id": "1",
            "attributes": {"title": "x", "state": "shown", "note": None, "deleted-at": None},
            "relationships": {
                "event": {"data": {"type": "event", "id": "1"}},
                "speakers": {"data": [{"type": "speaker", "id": "1"}]},
            },
        }
    }
    models = (Event, Talk, Speaker, File)
    for _ in range(count(quick=150, full=5_000)):
        before = [conference.rows(model) for model in models]
        text = json.dumps(mutated(random, document))
        method, path = random.choice(
            [
                ("POST", "/v1/talks"),
                ("PATCH", "/v1/talks/1"),
                ("POST", "/v1/events/1/talks"),
                ("PATCH", "/v1/talks/1/relationships/speakers"),
                ("POST", "/v1/talks/1/relationships/speakers"),
            ]
        )
        response = conference.ask(method, path, "root", data=text)
        assert response.status_code < 500, (method, path, text, response.text)
        if response.status_code >= 400:
            assert [conference.rows(model) for model in models] == before, (method, path, text)
