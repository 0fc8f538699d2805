"""Pages by number and by cursor, and orders."""

import itertools
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.unit.rest.jsonapi.conference import Conference, Event, Talk

from licet.rest.paging import read_cursor

SORTS = ["", "title", "-state,title", "event.name", "-note", "-event.parent.name,-id"]


def ids(document):
    return [one["id"] for one in document["data"]]


@pytest.fixture
def many(conference):
    """Fifty more talks, some alike in what they are sorted by."""
    conference.add(
        *(
            Talk(
                event_id=1 + 2 * (n % 3),
                title=f"t{n % 7}",
                state="shown",
                note=None if n % 4 else f"n{n % 5}",
            )
            for n in range(50)
        )
    )
    return conference


def walked(conference, url, name, by="root"):
    """The ids on all pages, by following a link."""
    found = []
    for _ in range(40):
        document = conference.ask("GET", url, by).json
        found.append(ids(document))
        links = {**document["links"], **{f"cursor {k}": v for k, v in _cursors(document).items()}}
        if links[name] is None:
            return found
        url = links[name]
    raise AssertionError("the pages have no end")


def _cursors(document):
    return document["meta"]["cursors"]


@pytest.mark.parametrize("sort", SORTS)
def test_pages_have_each_row_once(many, sort):
    """All pages together are all rows, in one order, by number and by cursor, there and back."""
    query = f"/v1/talks?sort={sort}&page[size]="
    whole = list(itertools.chain(*walked(many, f"{query}200", "next")))
    assert len(whole) == len(set(whole)) == 54
    for url, name in (
        (f"{query}7", "next"),
        (f"{query}7&page[after]=", "next"),
        (f"{query}7", "cursor next"),
    ):
        assert list(itertools.chain(*walked(many, url, name))) == whole, (url, name)
    back = walked(many, f"{query}7&page[before]=", "prev")
    assert list(itertools.chain(*reversed(back))) == whole


def test_links_of_a_page(many):
    """First, last, next and prev keep the other parameters."""
    found = many.get("/v1/talks", "root", **{"page[size]": "10", "page[number]": "2", "sort": "id"})
    links = {name: parse_qs(urlsplit(url).query) for name, url in found["links"].items()}
    numbers = {name: query["page[number]"] for name, query in links.items()}
    assert numbers == {
        "self": ["2"],
        "first": ["1"],
        "prev": ["1"],
        "next": ["3"],
        "last": ["6"],
    }
    assert all(query["sort"] == ["id"] for query in links.values())
    assert found["meta"]["count"] == 54
    end = many.get("/v1/talks", "root", **{"page[size]": "10", "page[number]": "6"})
    assert (len(end["data"]), end["links"]["next"]) == (4, None)
    beyond = many.get("/v1/talks", "root", **{"page[size]": "10", "page[number]": "60"})
    assert (beyond["data"], beyond["links"]["next"]) == ([], None)
    assert "number%5D=6" in beyond["links"]["prev"]


@pytest.mark.parametrize(("given", "size"), [("0", 200), ("1", 1), ("200", 200), ("100000", 200)])
def test_sizes_are_cut_to_200(many, given, size):
    """Zero asks for as many as there may be, with a link to the next page."""
    many.add(*(Talk(event_id=1, title="x", state="shown") for _ in range(150)))
    found = many.get("/v1/talks", "root", **{"page[size]": given})
    assert len(found["data"]) == size
    assert found["links"]["next"] is not None


def test_the_default_is_20(many):
    """Without a size a page has twenty rows."""
    assert len(many.get("/v1/talks", "root")["data"]) == 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page[size]", "-1"),
        ("page[size]", "x"),
        ("page[size]", ""),
        ("page[size]", "1.5"),
        ("page[size]", "١"),
        ("page[number]", "0"),
        ("page[number]", "-2"),
        ("page[number]", "9" * 20),
        ("page[number]", "9" * 5000),
        ("page[after]", "!!"),
        ("page[after]", "W10"),
        ("page[after]", "WzEsMl0"),
        ("page[after]", "WyJhIl0"),
        ("page[after]", "W1tdXQ"),
        ("page[after]", "é"),
        ("page[before]", "bnVsbA"),
        ("page[offset]", "1"),
        ("page[]", "1"),
        ("page", "1"),
    ],
)
def test_wrong_pages_are_refused(conference, name, value):
    """400 with the parameter."""
    response = conference.ask("GET", "/v1/events", query_string={name: value})
    assert response.status_code == 400, response.text
    assert response.json["errors"][0]["source"] == {"parameter": name}


def test_a_page_is_said_once(conference):
    """A number and a cursor at once are refused."""
    query = {"page[number]": "1", "page[after]": ""}
    assert conference.ask("GET", "/v1/events", query_string=query).status_code == 400


@pytest.mark.parametrize("sort", ["name", "-name"])
def test_pages_lose_no_row_while_others_insert(database_url, sort):
    """By cursor each row of the beginning is there once, whatever is inserted between pages."""
    conference = Conference(database_url)
    try:
        conference.add(*(Event(name=f"e{n:04}", owner="ann") for n in range(0, 2000, 10)))
        url, found, number = f"/v1/events?sort={sort}&page[size]=100&page[after]=", [], 0
        while url is not None:
            document = conference.ask("GET", url).json
            found += [one["attributes"]["name"] for one in document["data"]]
            url = document["links"]["next"]
            if number < 1000:
                conference.add(*(Event(name=f"e{number + n:04}x", owner="b") for n in range(250)))
                number += 250
        assert len(found) == len(set(found))
        assert {f"e{n:04}" for n in range(0, 2000, 10)} <= set(found)
    finally:
        conference.close()


def test_a_cursor_tells_nothing_but_the_order(many):
    """A cursor holds the values that its holder sorted by, and is of no other order."""
    document = many.get("/v1/talks", "nobody", **{"sort": "title", "page[size]": "1"})
    (text,) = parse_qs(urlsplit(_cursors(document)["next"]).query)["page[after]"]
    assert read_cursor(text, ["title", "id"]).values == ("Five", 5)
    for sort in ("-title", "state", "event.name", ""):
        query = {"sort": sort, "page[after]": text}
        refused = many.ask("GET", "/v1/talks", query_string=query)
        assert refused.status_code == 400
        assert refused.json["errors"][0]["source"] == {"parameter": "page[after]"}


@pytest.mark.parametrize(
    "sort",
    [
        "nope",
        "budget",
        "extra",
        "talks.title",
        "parent.budget",
        "a,b,c,d,e,f",
        "event.name",
        "-",
        "--name",
        ",",
    ],
)
def test_wrong_orders_are_refused(conference, sort):
    """400: unknown, hidden, without an order, through many, too many."""
    response = conference.ask("GET", "/v1/events", query_string={"sort": sort})
    assert response.status_code == 400
    assert response.json["errors"][0]["source"] == {"parameter": "sort"}


def test_texts_are_ordered_by_code_point(database_url):
    """On every database, upper case comes before lower case."""
    conference = Conference(database_url)
    try:
        conference.add(*(Event(name=name, owner="ann") for name in ["b", "B", "a", "ä", "é", "_"]))
        found = conference.get("/v1/events", sort="name")
        names = [one["attributes"]["name"] for one in found["data"]]
        assert names == sorted(names) == ["B", "_", "a", "b", "ä", "é"]
    finally:
        conference.close()


def test_what_is_hidden_is_no_order(conference):
    """A caller who sees an event sorts by its name; for others it is as if there were none."""
    by_name = {"sort": "parent.name,id"}
    assert ids(conference.get("/v1/events", "root", **by_name)) == ["5", "3", "4", "1", "2"]
    assert ids(conference.get("/v1/events", "nobody", **by_name)) == ["3", "1", "5"]
