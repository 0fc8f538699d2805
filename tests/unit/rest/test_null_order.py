"""NULL has one place in an order, by both kinds of pages, on both databases."""

import itertools
import math

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from tests.unit.rest.jsonapi.conference import Conference, Event, fill
from tests.unit.rest.library import Book, Library

from licet.rest.ordering import after_cursor, cursor_at, in_order, order_of, parsed_cursor

VALUES = [None, 3, None, 1, 3, 2, None, 1, 5]
SIZES = (1, 2, 4, 20)


def joined(pages):
    return list(itertools.chain.from_iterable(pages))


def assert_in_order(found, *, descends):
    """Each row once, NULL after all values, or before them where the order descends."""
    assert sorted(found) == list(range(100, 100 + len(VALUES)))
    keys = [(VALUES[n - 100] is None, VALUES[n - 100] or 0) for n in found]
    assert keys == sorted(keys, reverse=descends)


@pytest.fixture
def library(database_url, tmp_path):
    made = Library(database_url, str(tmp_path / "instance"))
    books = (Book(id=100 + n, title="b", owner="o", pages=value) for n, value in enumerate(VALUES))
    made.add(*books)
    yield made
    made.close()


def pages_of(library, query, size, *, by_cursor):
    place = ""
    for number in itertools.count():
        url = f"/books/?{query}&page_size={size}{place if by_cursor else f'&page_num={number}'}"
        page = library.client.get(url).json
        yield [row["id"] for row in page["_items"]]
        if "next" not in page["_meta"]:
            return
        place = f"&cursor={page['_meta']['next']}"


@pytest.mark.parametrize("descends", [False, True])
def test_decorated_lists(library, descends):
    """By number and by cursor, whatever the size of a page."""
    query = f"sort_field=pages&sort_direction={'desc' if descends else 'asc'}"
    whole = None
    for size, by_cursor in itertools.product(SIZES, (False, True)):
        found = joined(pages_of(library, query, size, by_cursor=by_cursor))
        assert_in_order(found, descends=descends)
        whole = whole or found
        assert found == whole, (size, by_cursor)


@pytest.fixture
def conference(database_url, tmp_path):
    made = fill(Conference(database_url, instance=tmp_path))
    events = [
        Event(id=100 + n, name=f"e{n}", owner="x", budget=value) for n, value in enumerate(VALUES)
    ]
    made.add(*events)
    yield made
    made.close()


def walked(conference, url, name):
    """The ids on all pages, by a link, or a cursor of `meta`."""
    while url is not None:
        document = conference.ask("GET", url, "root").json
        yield [int(one["id"]) for one in document["data"]]
        cursors = {f"cursor {key}": one for key, one in document["meta"]["cursors"].items()}
        url = (document["links"] | cursors)[name]


@pytest.mark.parametrize("descends", [False, True])
def test_lists_of_json_api(conference, descends):
    """By number and by cursor, there and back."""
    sort = "-budget" if descends else "budget"
    query = f'/v1/events?filter=[{{"name":"owner","op":"eq","val":"x"}}]&sort={sort}&page[size]='
    whole = None
    for size in SIZES:
        for start, name in (("", "next"), ("", "cursor next"), ("&page[after]=", "next")):
            found = joined(walked(conference, f"{query}{size}{start}", name))
            assert_in_order(found, descends=descends)
            whole = whole or found
            assert found == whole, (size, start, name)
        back = list(walked(conference, f"{query}{size}&page[before]=", "prev"))
        assert joined(reversed(back)) == whole, size


@pytest.mark.parametrize("descends", [False, True])
def test_a_related_row_that_is_not_there_is_null(conference, descends):
    """An order by the attribute of a related row has those without one where NULL is."""
    conference.add(
        *(
            Event(id=200 + n, name=f"p{n}", owner="y", parent_id=1 if n % 3 else None)
            for n in range(7)
        )
    )
    url = "/v1/events?filter[owner]=y&sort=" + ("-parent.name" if descends else "parent.name")
    values = [bool(n % 3) for n in range(7)]
    for size, start in itertools.product((1, 3, 20), ("", "&page[after]=")):
        found = joined(walked(conference, f"{url}&page[size]={size}{start}", "next"))
        has_parent = [values[n - 200] for n in found]
        assert has_parent == sorted(values, reverse=not descends), (size, start)
        assert len(set(found)) == 7


@pytest.mark.parametrize("descends", [False, True])
def test_a_list_goes_on_after_numbers_that_json_does_not_have(database_url, tmp_path, descends):
    """Infinities, and NaN where a database has it, stand in no body, and in a row perhaps."""
    made = Conference(database_url, instance=tmp_path)
    ratings = [math.inf, None, -math.inf, 1.0, math.nan, math.inf, None, -math.inf, math.nan]
    made.add(*(Event(name=f"e{n}", owner="x", rating=value) for n, value in enumerate(ratings)))
    sort = "-rating" if descends else "rating"
    whole = joined(walked(made, f"/v1/events?sort={sort}&page[size]=20", "next"))
    assert len(set(whole)) == len(ratings)
    for size in (1, 2, 4):
        url = f"/v1/events?sort={sort}&page[size]={size}&page"
        assert joined(walked(made, f"{url}[after]=", "next")) == whole
        assert joined(reversed(list(walked(made, f"{url}[before]=", "prev")))) == whole
    order = order_of(Event, [("rating", descends)])
    with Session(made.engine) as session:
        found, after = [], None
        while page := session.scalars(next_page(order, after)).all():
            found, after = found + [one.id for one in page], cursor_at(page[-1], order)
    assert len(found) == len(set(found)) == len(ratings)
    made.close()


def next_page(order, after):
    statement = in_order(sa.select(Event), order).limit(2)
    if after is None:
        return statement
    return statement.where(after_cursor(order, parsed_cursor(after, order)))
