"""ETags of resources, and writes that lose no other's."""

import threading
from collections import Counter

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from tests.unit.rest.jsonapi import conference as conferences
from tests.unit.rest.jsonapi.conference import Conference, Event, Talk, fill

WRITERS = 20


def titled(title, key=5):
    return {"data": {"type": "talk", "id": str(key), "attributes": {"title": title}}}


def tag_of(conference, path="/v1/talks/5", caller="ann", **query):
    return conference.ask("GET", path, caller, query_string=query).headers.get("ETag")


def row(conference, key=5):
    return next(one for one in conference.rows(Talk) if one["id"] == key)


def test_a_tag_is_of_the_version_and_of_what_is_seen(conference):
    """Strong, the same for who sees the same, counted up by a change; the write tells the next."""
    tag = tag_of(conference)
    assert tag.startswith('"1-')
    assert tag_of(conference, caller="nobody") != tag  # who does not see the note
    assert tag_of(conference, caller="zoe") == tag_of(conference, caller="nobody")
    changed = conference.ask("PATCH", "/v1/talks/5", "ann", document=titled("New"))
    assert changed.headers["ETag"] == tag_of(conference)
    assert tag_of(conference).startswith('"2-')


def test_documents_of_more_than_one_row_have_no_tag(conference):
    """Lists, includes, related resources and relationships; and models without a version."""
    assert tag_of(conference, include="event") is None
    for path in (
        "/v1/talks",
        "/v1/talk-files/1/talk",
        "/v1/talks/5/relationships/event",
        "/v1/events/1",
    ):
        assert tag_of(conference, path, "root") is None, path
    changed = conference.ask("PATCH", "/v1/talks/5?include=event", "ann", document=titled("New"))
    assert (changed.status_code, "ETag" in changed.headers) == (200, False)


def test_what_is_linked_changes_the_tag(conference):
    """An event that is closed since is no more shown, so that the document is another one."""
    before = tag_of(conference, "/v1/talks/1", "cid")
    with Session(conference.engine) as session:
        session.get(Event, 1).is_open = False
        session.commit()
    assert tag_of(conference, "/v1/talks/1", "cid") != before


def test_who_has_the_document_gets_304(conference):
    """With its headers and no body; another's tag, or one of another version, is not this one."""
    tag = tag_of(conference)
    for given in (tag, "*", f'W/{tag}, "x"'):
        headers = {"If-None-Match": given}
        same = conference.ask("GET", "/v1/talks/5", "ann", headers=headers)
        assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", tag)
        assert same.headers["Cache-Control"] == "private, no-cache"
    for given in ('"1-000000000000"', tag_of(conference, caller="nobody")):
        headers = {"If-None-Match": given}
        assert conference.ask("GET", "/v1/talks/5", "ann", headers=headers).status_code == 200
    hidden = conference.ask("GET", "/v1/talks/3", headers={"If-None-Match": "*"})
    assert hidden.status_code == 404


CHANGES = [
    ("PATCH", "/v1/talks/5", titled("late")),
    ("DELETE", "/v1/talks/5", None),
    ("PATCH", "/v1/talks/5/relationships/speakers", {"data": []}),
    ("POST", "/v1/talks/5/relationships/speakers", {"data": [{"type": "speaker", "id": "1"}]}),
]


def ask(conference, method, path, document, headers, caller="root"):
    options = {} if document is None else {"document": document}
    return conference.ask(method, path, caller, headers=headers, **options)


@pytest.mark.parametrize(("method", "path", "document"), CHANGES)
def test_a_change_of_another_version_is_refused(conference, method, path, document):
    """412, whatever is changed, and nothing is."""
    before = conference.rows(Talk)
    for headers in (
        {"If-Match": '"2-000000000000"'},
        {"If-Match": 'W/"1-000000000000"'},
        {"If-None-Match": "*"},
        {"If-Match": "*", "If-None-Match": '"1-000000000000"'},
    ):
        answer = ask(conference, method, path, document, headers)
        assert (answer.status_code, answer.json["errors"][0]["status"]) == (412, "412")
        assert answer.json["errors"][0]["code"] == "precondition_failed"
    assert conference.rows(Talk) == before
    assert len(conference.get("/v1/talks/5/speakers", "root")["data"]) == 1


@pytest.mark.parametrize(("method", "path", "document"), CHANGES)
def test_a_change_of_this_version_is_done(conference, method, path, document):
    """The version counts, whatever mask it was read with."""
    answer = ask(conference, method, path, document, {"If-Match": '"x", "1-000000000000"'})
    assert answer.status_code in (200, 204), answer.text


def test_the_version_is_asked_after_the_right_and_before_the_body(conference):
    """404 and 403 come first; a body that is no JSON comes later."""
    headers = {"If-Match": '"9-000000000000"'}
    for path, caller, status in (
        ("/v1/talks/98", "root", 404),
        ("/v1/talks/3", "zoe", 404),
        ("/v1/talks/5", "zoe", 403),
        ("/v1/talks/5", "ann", 412),
    ):
        answer = conference.ask("PATCH", path, caller, headers=headers, data=b"{")
        assert answer.status_code == status, path
    wrong = conference.ask("PATCH", "/v1/talks/5", "ann", headers={"If-Match": '"'}, data=b"{")
    assert (wrong.status_code, wrong.json["errors"][0]["source"]) == (400, {"header": "If-Match"})


def test_the_version_is_the_servers(monkeypatch):
    """Where a resource shows it, nobody sets it; the same value again is no change."""
    make = conferences.resources_of

    def with_version(policies):
        found = make(policies)
        found["talk"].attributes += ("version",)
        return found

    monkeypatch.setattr(conferences, "resources_of", with_version)
    made = fill(Conference())
    for version, status in ((7, 422), (1, 200)):
        document = titled("New")
        document["data"]["attributes"]["version"] = version
        answer = made.ask("PATCH", "/v1/talks/5", "root", document=document)
        assert answer.status_code == status
    assert answer.json["data"]["attributes"]["version"] == row(made)["version"] == 2
    made.close()


def test_what_has_no_version_has_none_that_matches(conference):
    """Any tag is refused, and * is not."""
    document = {"data": {"type": "event", "id": "1", "attributes": {"name": "New"}}}
    for given, status in (('"None-000000000000"', 412), ('"None"', 412), ("*", 200)):
        answer = ask(conference, "PATCH", "/v1/events/1", document, {"If-Match": given}, "ann")
        assert answer.status_code == status
    assert conference.rows(Event)[0]["name"] == "New"


def test_trash_is_taken_out_in_the_version_that_is_named(conference):
    """A restore is a change of the row, too."""
    late = ask(conference, "POST", "/v1/talks/4/restore", None, {"If-Match": '"7"'}, "eve")
    assert late.status_code == 412
    done = ask(conference, "POST", "/v1/talks/4/restore", None, {"If-Match": '"1"'}, "eve")
    assert (done.status_code, row(conference, 4)["version"]) == (200, 2)


@pytest.fixture
def shared(database_url):
    """The conference on each kind of database, for many threads."""
    made = fill(Conference(database_url, pool_size=WRITERS))
    yield made
    made.close()


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


def patch(conference, title, headers):
    return ask(conference, "PATCH", "/v1/talks/5", titled(title), headers, "ann")


def test_of_twenty_writers_with_one_tag_one_wins(shared):
    """One is answered 200 and nineteen 412, and the row is the winner's."""
    headers = {"If-Match": tag_of(shared)}
    answers = at_once([lambda n=n: patch(shared, f"by {n}", headers) for n in range(WRITERS)])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: WRITERS - 1}
    (winner,) = (answer for answer in answers if answer.status_code == 200)
    found = row(shared)
    title = winner.json["data"]["attributes"]["title"]
    assert (found["title"], found["version"]) == (title, 2)
    assert winner.headers["ETag"] == tag_of(shared)


def write_theirs(conference):
    """What another writer commits meanwhile, of whom this process knows nothing."""
    connection = conference.engine.raw_connection()
    connection.cursor().execute("UPDATE talk SET title = 'theirs', version = 2 WHERE id = 5")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}, {"If-Match": '"1"'}])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_write_between_reading_and_writing_is_not_lost(conference_on_file, method, headers):
    """The UPDATE names the version that was read, so a check before it is not all."""
    conference, done = conference_on_file, []

    def change(_talk):
        if not done:
            done.append(True)
            write_theirs(conference)

    for moment in ("before_update", "before_delete"):
        getattr(conference.resources["talk"], moment)(change)
    document = titled("ours") if method == "PATCH" else None
    answer = ask(conference, method, "/v1/talks/5", document, headers)
    assert (answer.status_code, done) == (412, [True])
    assert (row(conference)["title"], row(conference)["deleted_at"]) == ("theirs", None)


def test_a_row_that_is_read_anew_overrules_no_writer(conference_on_file):
    """A hook's refresh brings another's version, which is not the one in If-Match."""
    conference = conference_on_file

    def reread(talk):
        write_theirs(conference)
        session = sa.orm.object_session(talk)
        session.refresh(talk)
        talk.title = "ours again"

    conference.resources["talk"].before_update(reread)
    answer = ask(conference, "PATCH", "/v1/talks/5", titled("ours"), {"If-Match": '"1"'})
    assert (answer.status_code, row(conference)["title"]) == (412, "theirs")


@pytest.fixture
def conference_on_file(tmp_path):
    """One where a second connection can write."""
    made = fill(Conference(f"sqlite:///{tmp_path / 'c.sqlite3'}"))
    yield made
    made.close()
