"""Writes that lose no other's: ETags, `If-Match`, and UPDATEs that name the version."""

import threading
from collections import Counter

import pytest
import sqlalchemy as sa
from flask import request
from sqlalchemy.orm import Session
from tests.unit.authn.callers import by
from tests.unit.rest.conftest import fill
from tests.unit.rest.library import Book, Library

from licet.authz import VIEW
from licet.rest import public, requires_auth, with_lookup

WRITERS = 20


@pytest.fixture(params=[False, True], ids=["unguarded", "guarded"])
def shared(request, database_url, tmp_path):
    """The library on each kind of database, for many threads, with guarded sessions and without."""
    options = {"pool_size": WRITERS, "guard_writes": request.param}
    made = Library(database_url, str(tmp_path / "instance"), **options)
    fill(made)
    yield made
    made.close()


def tag_of(library, key=1, name="ann"):
    return library.client.get(f"/books/{key}", headers=by(name)).headers["ETag"]


def at_once(calls):
    """What the calls give, each made by a thread of its own, at one moment."""
    barrier, found = threading.Barrier(len(calls)), [None] * len(calls)

    def run(index, call):
        barrier.wait(30)
        found[index] = call()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def patch(library, title, tag):
    headers = by("ann") | {"If-Match": tag}
    return library.app.test_client().patch("/books/1", json={"title": title}, headers=headers)


def test_of_twenty_writers_with_one_tag_one_wins(shared):
    """One is answered 200 and nineteen 412, and the row is the winner's."""
    tag = tag_of(shared)
    answers = at_once([lambda n=n: patch(shared, f"by {n}", tag) for n in range(WRITERS)])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: WRITERS - 1}
    (winner,) = (answer for answer in answers if answer.status_code == 200)
    row = shared.row(1)
    assert (row.title, row.version) == (winner.json["title"], 2)


def test_a_delete_and_a_change_with_one_tag_do_not_both_win(shared):
    """Whichever comes first is answered as done, and the other is told that it was late."""
    tag = tag_of(shared)
    headers = by("ann") | {"If-Match": tag}
    calls = [lambda: shared.app.test_client().delete("/books/1", headers=headers)]
    calls += [lambda n=n: patch(shared, f"by {n}", tag) for n in range(5)]
    answers = [answer.status_code for answer in at_once(calls)]
    assert len([status for status in answers if status < 300]) == 1
    assert {status for status in answers if status >= 300} <= {404, 412}
    assert (shared.row(1) is None) is (answers[0] == 204)


def slip_in(library, change):
    """Have another transaction change the row once, between the view's reading and its writing."""
    done = []

    def before_flush(session, *_):
        if not done:
            done.append(True)
            with Session(library.engine) as other:
                change(other)
                other.commit()

    sa.event.listen(library.session.session_factory, "before_flush", before_flush)


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_write_between_reading_and_writing_is_not_lost(library, method):
    """The UPDATE or DELETE names the version that was read, so a check before it is not all."""
    tag = tag_of(library)
    slip_in(library, lambda other: setattr(other.get(Book, 1), "title", "theirs"))
    answer = getattr(library.client, method)(
        "/books/1", json={"title": "ours"}, headers=by("ann") | {"If-Match": tag}
    )
    assert answer.status_code == 412
    assert library.row(1).title == "theirs"


def test_a_view_that_reads_the_row_anew_overrules_no_writer(library):
    """After a commit the object has another's version, which is not the one in If-Match."""
    session, seen = library.session, []

    @library.app.patch("/twice/<int:book>")
    @requires_auth("twice")
    @with_lookup(Book, "book", check_etag=True)
    def twice(book):
        book.title = "ours"
        session.commit()
        seen.append(book.version)
        if request.args:
            with Session(library.engine) as other:
                other.get(Book, 1).title = "theirs"
                other.commit()
            session.refresh(book)
        book.title = "ours again"
        session.commit()
        return ""

    for query, status in (("", 200), ("?late=1", 412)):
        headers = by("ann") | {"If-Match": tag_of(library)}
        assert library.client.patch(f"/twice/1{query}", headers=headers).status_code == status
    assert (library.row(1).title, seen) == ("theirs", [2, 4])


def test_a_row_that_goes_away_between_reading_and_writing_is_412(library):
    """A row that another deleted meanwhile is no row of this version."""
    tag = tag_of(library)
    slip_in(library, lambda other: other.delete(other.get(Book, 1)))
    answer = patch(library, "ours", tag)
    assert (answer.status_code, library.row(1)) == (412, None)


def test_a_database_that_is_locked_by_a_writer_of_the_row_is_412(tmp_path):
    """SQLite refuses a transaction that began before another's write: that came too late, too."""
    made = Library(f"sqlite:///{tmp_path / 'l.sqlite3'}", str(tmp_path / "instance"))
    made.engine.dispose()  # of the connection that made the tables
    sa.event.listen(made.engine, "connect", lambda dbapi, _record: explicit(dbapi))
    sa.event.listen(made.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    fill(made)
    tag = tag_of(made)
    slip_in(made, lambda other: setattr(other.get(Book, 1), "title", "theirs"))
    assert patch(made, "ours", tag).status_code == 412
    assert made.row(1).title == "theirs"
    made.close()


def explicit(dbapi):
    dbapi.isolation_level = None
    dbapi.execute("PRAGMA journal_mode = WAL")


@pytest.mark.parametrize(
    ("name", "key", "header", "status"),
    [
        (None, 1, None, 401),
        ("bad", 1, None, 401),
        ("ann", 1, None, 428),
        ("ann", 1, "", 428),
        ("ann", 99, None, 428),
        ("ann", 99, '"1-x"', 404),
        ("ann", 2, '"1-x"', 404),
        ("ann", 3, '"9-x"', 403),
        ("ann", 1, '"9-x"', 412),
        ("ann", 1, 'W/"1-000000000000"', 412),
        ("ann", 1, '"a"b"', 400),
        ("ann", 1, '"1-000000000000"', 400),
        ("ann", 1, '"7-000000000000", "1-000000000000"', 400),
        ("ann", 1, "*", 400),
        ("ann", 1, "1-000000000000", 400),
        ("ann", 1, ' , "7-000000000000",, "1-000000000000",', 400),
        ("ann", 1, ",", 412),
        ("ann", 1, '"1-000000000000:gzip"', 400),
        ("ann", 1, '"1-000000000000-gzip"', 400),
    ],
)
def test_refusals_come_in_one_order(library, name, key, header, status):
    """Sign-in, then 428, 404, 403 and 412; the body is read last, and is no JSON here."""
    headers = by(name) if name else {}
    if header is not None:
        headers["If-Match"] = header
    answer = library.client.patch(
        f"/books/{key}", data="{", content_type="application/json", headers=headers
    )
    assert answer.status_code == status
    assert answer.json["status"] == status


def test_a_hidden_object_and_an_absent_one_are_refused_in_the_same_bytes(library):
    """Neither the tag nor the body tells whether there is such an object."""
    headers = by("ann") | {"If-Match": '"1-x"'}
    hidden = library.client.patch("/books/2", data="{", headers=headers)
    absent = library.client.patch("/books/9", data="{", headers=headers)
    assert hidden.get_data().replace(b"/books/2", b"/books/9") == absent.get_data()
    assert hidden.headers == absent.headers


def test_if_match_is_heeded_where_it_is_not_demanded(library):
    """A writer who names a version is not overruled because the view does not insist."""
    url, body = "/books/1/title", {"title": "new"}
    stale = library.client.put(url, json=body, headers=by("ann") | {"If-Match": '"7-x"'})
    assert (stale.status_code, library.row(1).title) == (412, "Licet")
    assert library.client.put(url, json=body, headers=by("ann")).status_code == 200


def test_the_tag_is_not_that_of_an_object_above(library):
    """Of two objects in a URL, the one that is changed has the version; the other is only seen."""
    view = with_lookup(Book, "above", verb=VIEW)(
        with_lookup(Book, "book", check_etag=True)(lambda above, book: book.title)
    )
    library.app.add_url_rule("/in/<int:above>/<int:book>", "in", public(view), methods=["PATCH"])
    library.client.put("/books/1/title", json={"title": "b"}, headers=by("ann"))
    headers = by("ann") | {"If-Match": tag_of(library)}
    assert library.client.patch("/in/3/1", headers=headers).status_code == 200


def test_if_none_match_of_the_version_refuses_a_change(library):
    """A change for any version but this one is not made to this one."""
    headers = by("ann") | {"If-Match": "*", "If-None-Match": '"1-000000000000"'}
    assert library.client.patch("/books/1", json={}, headers=headers).status_code == 412


def test_callers_who_see_different_fields_have_different_tags(library):
    """The tag is of the mask, too; either one is good for a change of the same version."""
    anns, anybodys = tag_of(library), library.client.get("/books/1").headers["ETag"]
    assert anns != anybodys
    assert anns.split("-")[0] == anybodys.split("-")[0]
    assert patch(library, "new", anybodys).status_code == 200


def test_if_none_match_answers_304(library):
    """Who has this very representation gets no body; another mask's tag does not count."""
    tag = tag_of(library)
    for given in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        answer = library.client.get("/books/1", headers=by("ann") | {"If-None-Match": given})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    assert library.client.get("/books/1", headers={"If-None-Match": tag}).status_code == 200


def test_the_tag_in_the_body_is_taken_as_it_is(library):
    """Clients of seed document 004 send `_etag` back without quotes."""
    body = library.client.get("/books/1", headers=by("ann")).json
    assert patch(library, "new", body["_etag"]).json["_etag"].startswith("2-")


def test_a_change_that_takes_the_callers_right_away_is_refused(library):
    """The object is decided about as it was written, and nothing of the change stays."""
    library.add(Book(id=7, title="Gift", owner=library.row(1).owner))

    answer = library.client.put("/books/7/owner", json={"to": "ben"}, headers=by("ann"))
    assert answer.status_code == 403
    assert library.row(7).owner == library.row(1).owner
