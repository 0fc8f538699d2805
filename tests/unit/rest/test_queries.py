"""`use_args` and `use_args_with_pagination`, and pages that neither share nor lose a row."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from tests.unit.authn.callers import by
from tests.unit.rest.library import Book, Kind, principal

from licet.errors import InvalidCondition, InvalidRequest, MalformedRequest
from licet.rest import (
    list_page,
    marshal_response,
    public,
    schema_for,
    use_args,
    use_args_with_pagination,
)
from licet.rest.ordering import after_cursor, cursor_at, in_order, order_of, parsed_cursor
from licet.rest.paging import Cursor, last_page, read_cursor, write_cursor


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("x=1", ["x"]),
        ("page_num=-1", ["page_num"]),
        ("page_num=1.5", ["page_num"]),
        ("page_num=%D9%A1", ["page_num"]),
        ("page_num=1_0", ["page_num"]),
        ("page_num=99999999999999999999", ["page_num"]),
        ("page_num=", ["page_num"]),
        ("page_num=1&page_num=2", ["page_num"]),
        ("page_size=0", ["page_size"]),
        ("page_size=many", ["page_size"]),
        ("sort_field=note", ["sort_field"]),
        ("sort_field=shelf", ["sort_field"]),
        ("sort_field=nothing", ["sort_field"]),
        ("sort_field=metadata", ["sort_field"]),
        ("sort_direction=up", ["sort_direction"]),
        ("cursor=x", ["cursor"]),
        ("cursor=" + "A" * 5000, ["cursor"]),
        ("cursor=WzAsWzFdLCJpZCJd&page_num=1", ["cursor"]),
        ("kind=poem&x=1", ["kind", "x"]),
        ("kind=novel&kind=atlas", ["kind"]),
        ("kind=a%00b", ["kind"]),
    ],
)
def test_a_wrong_parameter_is_422_with_its_place(library, query, places):
    """Each is told, and the rows are not asked for."""
    answer = library.client.get(f"/books/?{query}")
    assert answer.status_code == 422
    found = [one["parameter"] for one in answer.json["errors"]]
    assert found == places or (len(places) == 2 and set(found) <= set(places))


def test_a_hidden_field_cannot_be_sorted_by(library):
    """Where the note is hidden on some row, an order by it would tell; staff see it on all."""
    url = "/books/?sort_field=note"
    assert library.client.get(url, headers=by("ben")).status_code == 422
    rows = library.client.get(url, headers=by("sue")).json["_items"]
    assert [row["note"] for row in rows] == ["secret", "signed", "torn"]


def test_a_page_has_what_is_asked_for_and_the_total(library):
    """Pages count from 0; the total is of the rows that the caller may list."""
    query = "page_size=1&page_num=1&sort_field=title&sort_direction=desc"
    answer = library.client.get(f"/books/?{query}")
    assert [row["title"] for row in answer.json["_items"]] == ["Atlas"]
    assert answer.json["_meta"] == {"total": 2}
    assert library.client.get("/books/?page_num=7").json == {"_items": [], "_meta": {"total": 2}}
    assert library.client.get("/books/?kind=atlas").json["_meta"]["total"] == 0


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_of_a_nullable_field_are_the_whole_list(library, direction):
    """By number and by cursor, whatever the size of a page: NULL has a place in the order."""
    owner = principal("ann")
    library.add(*(Book(title="b", owner=owner, pages=[None, 3, 1][n % 3]) for n in range(9)))
    query = f"sort_field=pages&sort_direction={direction}"
    whole = [one["id"] for one in library.client.get(f"/books/?{query}").json["_items"]]
    for size in (1, 2, 4):
        found, next_page = [], ""
        while next_page is not None:
            page = library.client.get(f"/books/?{query}&page_size={size}{next_page}").json
            found += [one["id"] for one in page["_items"]]
            cursor = page["_meta"].get("next")
            next_page = cursor and f"&cursor={cursor}"
        assert found == whole
    assert len(whole) == 11


def test_more_rows_than_are_allowed_are_cut(library):
    """A page has 25 rows when nothing is said, and 200 at most."""
    library.add(*(Book(title="b", owner=principal("ann")) for _ in range(210)))
    assert len(library.client.get("/books/").json["_items"]) == 25
    assert len(library.client.get("/books/?page_size=5000").json["_items"]) == 200


def test_values_have_their_types(library):
    """Lists may be sent several times, others once; what is not sent is not there."""
    answer = library.client.get("/search?tag=a&tag=b&limit=3")
    assert answer.json == {"tag": ["a", "b"], "limit": 3}
    wrong = library.client.get("/search?q=1&q=2&tag=a&zz=1&limit=x").json["errors"]
    assert {one["parameter"] for one in wrong} <= {"q", "zz", "limit"}


class Search(BaseModel):
    q: str
    limit: int = 10
    tag: str | None = None


def test_a_pydantic_class_reads_a_query(library):
    """Its defaults are there, save for None; a missing parameter has its place."""

    @library.app.get("/find")
    @public
    @use_args(Search)
    def find(args):
        return args

    assert library.client.get("/find?q=a").json == {"q": "a", "limit": 10}
    (fault,) = library.client.get("/find").json["errors"]
    assert fault == {"detail": "Field required", "parameter": "q"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: use_args(None),
        lambda: use_args({}, location="json"),
        lambda: use_args_with_pagination({}, dict),
        lambda: use_args_with_pagination({"page_num": int}, Book),
        lambda: use_args({})(Book),
    ],
)
def test_what_cannot_work_is_refused_when_it_decorates(make):
    """The program is told at once."""
    with pytest.raises(InvalidCondition):
        make()


def test_pagination_has_no_other_names(library):
    """A misspelt name is not dropped."""
    with library.app.test_request_context(), pytest.raises(TypeError, match="page_number"):
        list_page(Book, {"page_number": 1})


def test_a_list_without_a_policy_has_pages_too(library):
    """Every row is listed, by two statements."""

    @library.app.get("/labels")
    @public
    @use_args_with_pagination({}, Label)
    @marshal_response(schema_for(Label))
    def labels(args, pagination_args):
        return list_page(Label, pagination_args)

    Labels.metadata.create_all(library.engine)
    library.add(*(Label(text=text, weight=n / 3) for n, text in enumerate("abc")))
    with library.counted() as found:
        page = library.client.get("/labels?page_size=2&sort_field=weight").json
    assert ([row["text"] for row in page["_items"]], page["_meta"]["total"]) == (["a", "b"], 3)
    assert len(found) == 2
    query = f"page_size=2&sort_field=weight&cursor={page['_meta']['next']}"
    assert [row["text"] for row in library.client.get(f"/labels?{query}").json["_items"]] == ["c"]


class Labels(DeclarativeBase):
    pass


class Label(Labels):
    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    weight: Mapped[float]


# --- cursors -------------------------------------------------------------------------------------

VALUES = [
    None,
    True,
    7,
    1.5,
    "ü",
    datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    date(2030, 1, 2),
    Decimal("1.20"),
    uuid.UUID(int=5),
    b"\x00\xff",
]


def test_a_cursor_is_read_as_it_was_written():
    """Values of every type, and the direction; it is a word for URLs."""
    order = [f"k{index}" for index in range(len(VALUES))]
    cursor = Cursor(order=tuple(order), values=tuple(VALUES), is_before=True)
    text = write_cursor(cursor)
    assert text.replace("-", "").replace("_", "").isalnum()
    assert read_cursor(text, order) == cursor
    with pytest.raises(MalformedRequest):
        read_cursor(text, order[1:])
    with pytest.raises(InvalidRequest):
        read_cursor(text, order[::-1], status=422)


MADE_UP = r"""

x
[]
{}
[0,[1]]
[2,[1],"id"]
[0,["1"],"id"]
[0,[null],"id"]
[0,[true],"id"]
[0,[{"t":"x"}],"id"]
[0,[{"q":"x"}],"id"]
[0,[{}],"id"]
[0,[[1]],"id"]
[0,[18446744073709551616],"id"]
[0,[{"n":"NaN"}],"id"]
"""


@pytest.mark.parametrize("document", [*MADE_UP.splitlines(), "[" * 3000, "9" * 3000])
def test_a_cursor_that_was_made_up_is_refused(document):
    """Whatever its text says, the answer is one of a wrong parameter."""
    import base64

    text = base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")
    with pytest.raises(MalformedRequest):
        parsed_cursor(text, order_of(Book))


@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("name", ["pages", "title", "kind"])
def test_pages_by_cursor_are_the_whole_list_forward_and_backward(
    database_url, tmp_path, name, is_descending
):
    """NULLs, ties and both directions: each row comes once, in the order of the whole list."""
    from tests.unit.rest.library import Library

    library = Library(database_url, str(tmp_path / "instance"))
    pages = [None, 3, None, 1, 3, 2, None, 1, 5, 3, 4]
    library.add(
        *(
            Book(title="ab"[n % 2], pages=count, kind=list(Kind)[n % 2], owner="o")
            for n, count in enumerate(pages)
        )
    )
    order = order_of(Book, [(name, is_descending)])
    with Session(library.engine) as session:
        whole = [row.id for row in session.scalars(in_order(sa.select(Book), order))]
        assert len(whole) == len(pages)
        for size in (1, 2, 3, 4):  # a page may end at each row
            assert walked(session, order, size, is_before=False) == whole
            assert walked(session, order, size, is_before=True) == whole[::-1]
    library.close()


def walked(session, order, size, *, is_before):
    """The ids of all rows, page by page, forward or backward."""
    found, after = [], None
    while True:
        page = in_order(sa.select(Book), order, is_backward=is_before).limit(size)
        if after is not None:
            text = cursor_at(after, order, is_before=is_before)
            page = page.where(after_cursor(order, parsed_cursor(text, order)))
        rows = session.scalars(page).all()
        if not rows:
            return found
        found += [row.id for row in rows]
        after = rows[-1]


def test_pages_by_cursor_lose_no_row_while_others_insert(library):
    """1,000 rows come between the pages, before and behind: each old row is seen once."""
    owner = principal("ann")
    library.add(*(Book(title=f"m{n:03}", owner=owner) for n in range(60)))
    old = {row["id"] for row in library.client.get("/books/?page_size=200").json["_items"]}
    seen, cursor, added = [], None, 0
    while True:
        query = f"&cursor={cursor}" if cursor else ""
        page = library.client.get(f"/books/?page_size=20&sort_field=title{query}").json
        seen += [row["id"] for row in page["_items"]]
        if (cursor := page["_meta"].get("next")) is None:
            break
        if added < 1000:
            titles = ["a", "m030", "zz"]
            library.add(*(Book(title=titles[n % 3], owner=owner) for n in range(500)))
            added += 500
    assert len(seen) == len(set(seen))
    assert old <= set(seen)


@pytest.mark.parametrize(
    ("total", "size", "last"), [(0, 10, 0), (1, 10, 0), (10, 10, 0), (11, 10, 1), (20, 10, 1)]
)
def test_the_last_page_is_not_empty(total, size, last):
    """Whatever the total; of an empty list it is the first."""
    assert last_page(total, size) == last
    assert last_page(total, size, first=1) == last + 1
