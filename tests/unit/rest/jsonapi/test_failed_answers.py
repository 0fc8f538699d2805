"""A write whose answer cannot be made is not done: the answer is made before the commit."""

import pytest
import sqlalchemy as sa
from tests.unit.rest.jsonapi.conference import (
    Conference,
    Event,
    File,
    Policies,
    Speaker,
    Talk,
    fill,
    speaking,
)

from licet.authz import UPDATE, registered

MANY = 501  # of which an answer includes one fewer


@pytest.fixture
def shared(database_url, tmp_path):
    """A conference on each kind of database, whose first event has more talks than an answer."""
    made = fill(Conference(database_url, instance=tmp_path))
    talks = [
        {"id": n, "event_id": 1, "title": f"t{n}", "state": "shown", "creator": "eve"}
        for n in range(100, 100 + MANY)
    ]
    with made.engine.begin() as connection:
        connection.execute(sa.insert(Talk.__table__), talks)
        if made.engine.dialect.name == "postgresql":  # which does not count the ids that were given
            for name in ("event", "talk", "speaker", "file"):
                connection.execute(sa.text(f"SELECT setval('{name}_id_seq', 1000)"))
    yield made
    made.close()


def stored(conference):
    """All that is committed."""
    with conference.engine.connect() as connection:
        links = sorted(map(tuple, connection.execute(sa.select(speaking))))
    return [*(conference.rows(model) for model in (Event, Talk, Speaker, File)), links]


def document(kind, key=None, links=None, **attributes):
    data = {"type": kind, "attributes": attributes, "relationships": links or {}}
    return {"data": data if key is None else {**data, "id": str(key)}}


EVENT = {"event": {"data": {"type": "event", "id": "1"}}}
NONE = {"speakers": {"data": []}}
TALKS = "include=event.talks"
WRITES = {
    "create": ("POST", f"/v1/talks?{TALKS}", document("talk", None, EVENT, title="n")),
    "create beneath": ("POST", f"/v1/events/1/talks?{TALKS}", document("talk", title="n")),
    "update": ("PATCH", "/v1/events/1?include=talks", document("event", 1, name="New")),
    "replace links": ("PATCH", f"/v1/talks/1?{TALKS}", document("talk", 1, NONE, title="New")),
    "restore": ("POST", f"/v1/talks/4/restore?{TALKS}", None),
}


def send(conference, method, path, body, by="root", **headers):
    options = {} if body is None else {"document": body}
    return conference.ask(method, path, by, headers=headers, **options)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_whose_includes_are_too_many_is_not_done(shared, write):
    """400 with the parameter; nothing is written, and the hooks' changes go with the rest."""
    shared.resources["talk"].after_update(lambda talk: setattr(talk, "note", "from a hook"))
    before = stored(shared)
    answer = send(shared, *write)
    (error,) = answer.json["errors"]
    assert (answer.status_code, error["source"]) == (400, {"parameter": "include"})
    assert stored(shared) == before
    path = write[1].partition("?")[0]
    assert send(shared, write[0], path, write[2]).status_code in (200, 201)
    assert stored(shared) != before


LINKS = "/v1/talks/1/relationships/speakers"


@pytest.mark.parametrize("query", ["include=no", "fields[talk]=no", "fields[x]=title", "a=b"])
def test_wrong_parameters_are_told_before_anything_is_done(conference, query):
    """400, whatever the write."""
    before = stored(conference)
    of_links = [(method, LINKS, {"data": []}) for method in ("POST", "PATCH", "DELETE")]
    for method, path, body in [*WRITES.values(), ("DELETE", "/v1/talks/1", None), *of_links]:
        answer = send(conference, method, f"{path.partition('?')[0]}?{query}", body)
        assert answer.status_code == 400, (method, path)
    assert stored(conference) == before


def test_what_cannot_be_read_back_is_not_written(shared):
    """A stored value that its type does not know ends the answer, and the change with it."""
    with shared.engine.begin() as connection:
        connection.execute(sa.text("UPDATE talk SET event_id = 3, state = 'odd' WHERE id = 2"))
    before = shared.rows(Event), _events_of_talks(shared)
    body = document("event", 3, name="New")
    assert send(shared, "PATCH", "/v1/events/3?include=talks", body).status_code == 500
    link = {"data": [{"type": "talk", "id": "5"}]}
    assert send(shared, "POST", "/v1/events/3/relationships/talks", link).status_code == 500
    assert (shared.rows(Event), _events_of_talks(shared)) == before


def _events_of_talks(conference):
    with conference.engine.connect() as connection:
        found = connection.execute(sa.text("SELECT id, event_id FROM talk ORDER BY id"))
        return list(map(tuple, found))


def test_the_key_of_a_failed_answer_is_free(shared):
    """Nothing was done with the Idempotency-Key, so that another request may have it."""
    body, before = document("talk", title="n"), len(shared.rows(Talk))
    for path, status in [(f"?{TALKS}", 400), ("", 201), ("", 201)]:
        url = f"/v1/events/1/talks{path}"
        answer = send(shared, "POST", url, body, "zoe", **{"Idempotency-Key": "k"})
        assert answer.status_code == status
    assert len(shared.rows(Talk)) == before + 1


def test_a_version_is_not_used_up_by_a_failed_answer(shared):
    """The tag that the request named is good for the next one."""
    tag = shared.ask("GET", "/v1/talks/1", "root").headers["ETag"]
    body = document("talk", 1, title="New")
    for query, status in [(f"?{TALKS}", 400), ("", 200)]:
        answer = send(shared, "PATCH", f"/v1/talks/1{query}", body, **{"If-Match": tag})
        assert answer.status_code == status


def test_a_refused_change_is_refused_before_its_answer_is_made(shared):
    """403: how much a change would show is not told to who may not do it."""
    link = {"talk": {"data": {"type": "talk", "id": "5"}}}  # which is not cid's
    body = document("talk-file", 1, link)
    for query in ("", "?include=talk.event.talks"):
        answer = send(shared, "PATCH", f"/v1/talk-files/1{query}", body, "cid")
        assert answer.status_code == 403
    assert shared.rows(File)[0]["talk_id"] == 1


def test_who_writes_what_they_do_not_see_is_told_that_it_is_done(tmp_path):
    """204 for a relationship, as its document would be one of something hidden."""
    policies = Policies()
    policies.speakers.allow(registered, UPDATE)
    made = fill(Conference(policies=policies, instance=tmp_path))
    link = {"data": [{"type": "talk", "id": "5"}]}
    answer = send(made, "POST", "/v1/speakers/2/relationships/talks", link, "ann")
    assert (answer.status_code, answer.data) == (204, b"")
    assert (5, 2) in stored(made)[-1]
    made.close()
