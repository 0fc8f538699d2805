"""Where decorators stand, what lists they page, and answers of guards above them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask.views import MethodView
from tests.unit.authn.callers import by
from tests.unit.rest.library import Book, Shelf, book_changes, book_fields

from licet.errors import InvalidCondition
from licet.rest import (
    list_page,
    marshal_response,
    public,
    requires_auth,
    unmarshal_request,
    use_args,
    use_args_with_pagination,
    with_lookup,
)

AUTH, LOOKUP = requires_auth("placed"), with_lookup(Book, "book")
BODY = unmarshal_request(book_changes, "changes", load_sqla=False)
ARGS, PAGES = use_args({"q": str}), use_args_with_pagination({}, Book)
SHOW = marshal_response(book_fields)


def stacked(*decorators):
    def view(**_):
        raise AssertionError

    for decorate in reversed(decorators):
        view = decorate(view)
    return view


@pytest.mark.parametrize(
    "decorators",
    [
        (SHOW, LOOKUP),
        (SHOW, BODY),
        (SHOW, PAGES),
        (BODY, LOOKUP),
        (BODY, ARGS),
        (LOOKUP, AUTH),
        (SHOW, AUTH),
        (PAGES, AUTH),
        (LOOKUP, SHOW, AUTH),
    ],
)
def test_a_decorator_in_the_wrong_place_is_refused(decorators):
    """The sentence has the order."""
    with pytest.raises(InvalidCondition, match="requires_auth or public, with_lookup and use_args"):
        stacked(*decorators)


@pytest.mark.parametrize(
    "decorators",
    [
        (AUTH, LOOKUP, ARGS, BODY, SHOW),
        (public, ARGS, LOOKUP, with_lookup(Shelf, "shelf"), SHOW),
        (AUTH, AUTH, PAGES, SHOW),
    ],
)
def test_decorators_in_their_order_are_taken(decorators):
    """Lookups and arguments may change places."""
    assert callable(stacked(*decorators))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (sa.select(Book).limit(3), "has limit"),
        (sa.select(Book).offset(1), "has offset"),
        (sa.select(Book).fetch(1), "has fetch"),
        (sa.select(Book).group_by(Book.title), "has group_by"),
        (sa.select(Book.title), "selects title"),
        (sa.select(sa.func.count()), "selects count"),
    ],
)
def test_a_list_that_cannot_be_paged_is_refused(library, statement, told):
    """Its pages or its total would be wrong."""
    with library.app.test_request_context(), pytest.raises(InvalidCondition, match=told):
        list_page(statement, {"page_num": 0, "page_size": 2})


def test_refusals_of_guards_stay_out_of_shared_caches(library):
    """401 and 403 depend on who asks, as what the endpoint itself answers does."""
    app = library.app

    def nothing():
        raise AssertionError

    app.add_url_rule("/staff", "staff", requires_auth("staff", ["staff"])(SHOW(nothing)))

    class Shown(MethodView):
        @requires_auth("shown", ["staff"])
        @SHOW
        def get(self):
            raise AssertionError

    app.add_url_rule("/shown", view_func=Shown.as_view("shown"))
    for url in ("/staff", "/shown"):
        for headers, status in (({}, 401), (by("ann"), 403)):
            answer = library.client.get(url, headers=headers)
            assert (answer.status_code, answer.headers["Cache-Control"]) == (status, "no-store")
            assert {"Authorization", "Cookie"} <= set(answer.headers["Vary"].split(", ")) | {
                one.strip() for one in ",".join(answer.headers.getlist("Vary")).split(",")
            }
