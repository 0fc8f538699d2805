"""`filter`: every operator, joined and nested, and every wrong one."""

import json

import pytest
from tests.unit.rest.jsonapi.conference import Conference, Speaker, fill


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def searched(request):
    """A conference of many texts, on each database."""
    if request.param == "sqlite":
        made = fill(Conference())
    else:
        from tests.postgresql import empty_schema

        schema = empty_schema(request.getfixturevalue("postgresql_url"))
        made = fill(Conference(schema.__enter__()))
    names = ["a%b", "a_b", "A\\B", "a*b", "a[b]", "ÄB", "äb", "a?b"]
    made.add(*(Speaker(id=10 + n, name=name) for n, name in enumerate(names)))
    yield made
    made.close()
    if request.param != "sqlite":
        schema.__exit__(None, None, None)


def found(conference, path, *nodes, by="root"):
    document = conference.get(path, by, filter=json.dumps(nodes), sort="id")
    return [int(one["id"]) for one in document["data"]]


def of(name, op, val=None, **members):
    return {"name": name, "op": op, **(members or {"val": val})}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (of("name", "eq", "Open"), [1]),
        (of("name", "ne", "Open"), [2, 3, 4, 5]),
        (of("budget", "eq", 7), [2]),
        (of("budget", "ne", 7), [1, 3, 4, 5]),
        (of("budget", "gt", 7), [1]),
        (of("budget", "ge", 7), [1, 2]),
        (of("budget", "lt", 100), [2]),
        (of("budget", "le", 100), [1, 2]),
        (of("budget", "gt", 2**40), []),
        (of("budget", "lt", 2**40), [1, 2]),
        (of("budget", "in_", [7, 8]), [2]),
        (of("budget", "in_", []), []),
        (of("budget", "notin_", [7]), [1, 3, 4, 5]),
        (of("budget", "notin_", []), [1, 2, 3, 4, 5]),
        (of("budget", "is_", None), [3, 4, 5]),
        (of("budget", "isnot", None), [1, 2]),
        (of("budget", "eq", None), [3, 4, 5]),
        (of("budget", "ne", None), [1, 2]),
        (of("budget", "between", [7, 99]), [2]),
        (of("is-open", "eq", True), [1, 3, 5]),
        (of("is_open", "eq", "false"), [2, 4]),
        (of("isOpen", "is_", False), [2, 4]),
        (of("is-open", "isnot", True), [2, 4]),
        (of("starts-on", "eq", "2030-01-31"), [1]),
        (of("starts-on", "lt", "2031-01-01"), [1]),
        (of("starts-at", "eq", "2030-01-31T13:00:00+01:00"), [1]),
        (of("starts-at", "ge", "2030-01-31T12:00:00Z"), [1]),
        (of("price", "eq", "12.5"), [1]),
        (of("price", "eq", 12.5), [1]),
        (of("price", "gt", 100), []),
        (of("extra", "isnot", None), [1]),
        (of("id", "eq", 3), [3]),
        (of("name", "gt", field="owner"), []),
        (of("name", "lt", field="owner"), [1, 2, 3, 4, 5]),
        (of("name", "eq", field="name"), [1, 2, 3, 4, 5]),
        ({"not": of("budget", "gt", 7)}, [2, 3, 4, 5]),
        ({"not": {"not": of("budget", "gt", 7)}}, [1]),
        ({"and": [of("budget", "gt", 0), of("owner", "eq", "ann")]}, [1]),
        ({"or": [of("budget", "eq", 7), of("name", "eq", "Part")]}, [2, 3]),
        (of("talks", "any", of("title", "eq", "Three")), [2]),
        (of("talks", "any", [of("title", "eq", "One"), of("state", "eq", "shown")]), [1]),
        ({"not": of("talks", "any", of("state", "eq", "shown"))}, [3, 4, 5]),
        (of("talks", "any", of("title", "eq", "Four")), []),  # in the trash
        (of("parent", "has", of("name", "eq", "Open")), [3, 4]),
        (of("parent.name", "eq", "Open"), [3, 4]),
        (of("parent__name", "ne", "Open"), [5]),
        (of("talks.speakers.name", "eq", "Ada"), [1]),
        (of("talks", "any", of("speakers", "any", of("name", "eq", "Ada"))), [1]),
    ],
)
def test_operators_of_events(searched, node, expected):
    """Each operator, on each database, and each way to join them."""
    assert found(searched, "/v1/events", node) == expected


@pytest.mark.parametrize(
    ("op", "val", "expected"),
    [
        ("like", "a%b", [10, 11, 13, 17]),
        ("like", "a_b", [11]),
        ("like", "A\\B", [12]),
        ("like", "a*b", [13]),
        ("like", "a[b]", [14]),
        ("like", "a?%", [17]),
        ("like", "%[%", [14]),
        ("ilike", "a%b", [10, 11, 12, 13, 17]),
        ("ilike", "äB", [16]),
        ("ilike", "ADA", [1]),
        ("notilike", "a%", [2, 3, 15, 16]),
        ("startswith", "a%", [10]),
        ("startswith", "A", [1, 12]),
        ("endswith", "_%", [3]),
        ("endswith", "B", [12, 15]),
        ("gt", "b", [15, 16]),
        ("lt", "B", [1, 12]),
        ("in_", ["Ada", "ÄB"], [1, 15]),
        ("eq", "ada", []),
    ],
)
def test_texts_compare_by_code_point(searched, op, val, expected):
    """Only % is a wildcard, case counts but in ilike, which folds A to Z alone."""
    assert found(searched, "/v1/speakers", of("name", op, val)) == expected


def test_enums_compare_by_their_texts(searched):
    """An enum is one of its texts; it has no order."""
    assert found(searched, "/v1/talks", of("state", "eq", "shown")) == [1, 3, 5]
    assert found(searched, "/v1/talks", of("state", "in_", ["draft"])) == [2]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"filter[name]": "Open"}, ["1"]),
        ({"filter[budget]": "7"}, ["2"]),
        ({"filter[is-open]": "false"}, ["2", "4"]),
        ({"filter[price]": "12.50"}, ["1"]),
        ({"filter[starts-on]": "2030-01-31"}, ["1"]),
        ({"filter[parent.name]": "Open"}, ["3", "4"]),
        ({"filter[owner]": "ann", "filter[is_open]": "true", "filter": "[]"}, ["1", "3", "5"]),
    ],
)
def test_short_filters(searched, query, expected):
    """filter[name]=value is equality; all must hold."""
    document = searched.get("/v1/events", "root", **query, sort="id")
    assert [one["id"] for one in document["data"]] == expected


def test_what_is_hidden_cannot_be_found(searched):
    """A related row that the caller does not see is as none."""
    node = of("speakers", "any", of("name", "eq", "Bob"))
    assert found(searched, "/v1/talks", node) == [1]
    assert found(searched, "/v1/talks", node, by="nobody") == []
    no_parent = {"not": of("parent", "has", of("name", "isnot", None))}
    assert found(searched, "/v1/events", no_parent, by="nobody") == [1, 5]


def nested(depth):
    node = of("id", "eq", 1)
    for _ in range(depth):
        node = {"not": node}
    return node


WRONG = [
    ("[", ""),
    ("{}", ""),
    ("null", ""),
    ("NaN", ""),
    ("[" * 100_00, ""),
    ("[1]", "/0"),
    ("[{}]", "/0"),
    ('[{"name":"id"}]', "/0"),
    ('[{"name":"id","op":"eq"}]', "/0"),
    ('[{"name":"id","op":"eq","val":1,"more":1}]', "/0"),
    ('[{"name":"id","op":"eq","val":1,"field":"id"}]', "/0"),
    ('[{"and":[]}]', "/0/and"),
    ('[{"or":{}}]', "/0/or"),
    ('[{"not":[]}]', "/0/not"),
    ('[{"and":[{"name":"nope","op":"eq","val":1}]}]', "/0/and/0/name"),
    ('[{"name":1,"op":"eq","val":1}]', "/0/name"),
    ('[{"name":"id","op":"eqq","val":1}]', "/0/op"),
    ('[{"name":"id","op":[],"val":1}]', "/0/op"),
    ('[{"name":"id","op":"eq","val":"1"}]', "/0/val"),
    ('[{"name":"id","op":"eq","val":true}]', "/0/val"),
    ('[{"name":"id","op":"eq","val":1.5}]', "/0/val"),
    ('[{"name":"id","op":"eq","val":[1]}]', "/0/val"),
    ('[{"name":"id","op":"eq","val":99999999999999999999}]', "/0/val"),
    ('[{"name":"id","op":"gt","val":null}]', "/0/val"),
    ('[{"name":"id","op":"is_","val":1}]', "/0/val"),
    ('[{"name":"id","op":"like","val":"1"}]', "/0/val"),
    ('[{"name":"id","op":"in_","val":1}]', "/0/val"),
    ('[{"name":"id","op":"in_","val":[1,"2"]}]', "/0/val/1"),
    ('[{"name":"id","op":"between","val":[1]}]', "/0/val"),
    ('[{"name":"is-open","op":"gt","val":true}]', "/0/val"),
    ('[{"name":"name","op":"eq","val":1}]', "/0/val"),
    ('[{"name":"name","op":"eq","val":"\\u0000"}]', "/0/val"),
    ('[{"name":"name","op":"eq","val":"\\ud800"}]', "/0/val"),
    ('[{"name":"name","op":"like","val":"%%a"}]', "/0/val"),
    ('[{"name":"name","op":"like","val":"' + "a" * 101 + '"}]', "/0/val"),
    ('[{"name":"starts-at","op":"eq","val":"2030-01-31T12:00:00"}]', "/0/val"),
    ('[{"name":"starts-on","op":"eq","val":"x"}]', "/0/val"),
    ('[{"name":"price","op":"eq","val":"x"}]', "/0/val"),
    ('[{"name":"price","op":"eq","val":"1e999999"}]', "/0/val"),
    ('[{"name":"extra","op":"eq","val":{}}]', "/0/val"),
    ('[{"name":"name","op":"eq","field":"id"}]', "/0/field"),
    ('[{"name":"name","op":"eq","field":"nope"}]', "/0/field"),
    ('[{"name":"name","op":"like","field":"owner"}]', "/0/op"),
    ('[{"name":"talks","op":"eq","val":1}]', "/0/name"),
    ('[{"name":"talks","op":"has","val":{}}]', "/0/op"),
    ('[{"name":"parent","op":"any","val":{}}]', "/0/op"),
    ('[{"name":"parent","op":"has"}]', "/0"),
    ('[{"name":"parent","op":"has","val":1}]', "/0/val"),
    ('[{"name":"name","op":"any","val":{}}]', "/0/name"),
    ('[{"name":"parent_id","op":"eq","val":1}]', "/0/name"),
    ('[{"name":"parent.parent.parent.parent.name","op":"eq","val":"x"}]', "/0/name"),
    (json.dumps([nested(50)]), "/0/not/not/not/not/not"),
    (json.dumps([of("id", "eq", 1)] * 21), None),
    (json.dumps([of("id", "in_", list(range(501)))]), "/0/val"),
]


@pytest.mark.parametrize(("text", "place"), WRONG)
def test_wrong_filters_are_refused_with_their_place(conference, text, place):
    """400 with the parameter, and the place within it."""
    response = conference.ask("GET", "/v1/events", "root", query_string={"filter": text})
    assert response.status_code == 400, response.text
    (error,) = response.json["errors"]
    assert error["source"] == {"parameter": "filter"}
    if place:
        assert error["detail"].startswith(f"At {place}: ")


@pytest.mark.parametrize(
    "name",
    ["filter[nope]", "filter[]", "filter[id]", "filter[extra]", "filter[talks]", "filter[a][b]"],
)
def test_wrong_short_filters_are_refused(conference, name):
    """400 with the parameter."""
    response = conference.ask("GET", "/v1/events", "root", query_string={name: "x"})
    assert response.status_code == 400
    assert response.json["errors"][0]["source"] == {"parameter": name}


@pytest.mark.parametrize("name", ["budget", "talks.note", "rating", "nope", "creator"])
def test_hidden_and_unknown_fields_are_refused_alike(conference, name):
    """Whoever may not see a field on every row is told the same as of one that there is not."""
    node = of(name, "eq", 1)
    response = conference.ask(
        "GET", "/v1/events", "cid", query_string={"filter": f"[{json.dumps(node)}]"}
    )
    detail = response.json["errors"][0]["detail"]
    assert detail == f"At /0/name: event has no field “{name}” that can be filtered on."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nope", "1"),
        ("Sort", "id"),
        ("fields", "x"),
        ("fields[nope]", ""),
        ("fields[event]", "nope"),
    ],
)
def test_unknown_parameters_are_refused(conference, name, value):
    """400 with the parameter."""
    response = conference.ask("GET", "/v1/events", query_string={name: value})
    assert response.status_code == 400
    assert response.json["errors"][0]["source"] == {"parameter": name}


def test_a_parameter_stands_once(conference):
    """Of two values nobody knows which counts."""
    assert conference.ask("GET", "/v1/events?sort=id&sort=name").status_code == 400


@pytest.mark.parametrize("name", ["sort", "filter", "page[size]"])
def test_a_single_resource_has_no_list_parameters(conference, name):
    """400 for what only means something on lists."""
    response = conference.ask("GET", "/v1/events/1", query_string={name: "[]"})
    assert response.status_code == 400
