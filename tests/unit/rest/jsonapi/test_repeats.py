"""Idempotency-Key: resources that are asked for twice and created once."""

import threading
from collections import Counter

import pytest
from sqlalchemy.orm import Session
from tests.unit.rest.jsonapi.conference import Conference, Event, Policies, Speaker, Talk, fill

from licet.authz import CREATE, everyone

URL = "/v1/events/1/talks"


def new(title="new", **links):
    given = {"type": "talk", "attributes": {"title": title}}
    return {"data": {**given, "relationships": links} if links else given}


def post(conference, document=None, *, by="zoe", key="k1", url=URL):
    options = {"document": document or new(), "headers": {"Idempotency-Key": key}}
    return conference.ask("POST", url, by, **options)


def count(conference, model=Talk):
    return len(conference.rows(model))


def change(conference, model, key, **values):
    with Session(conference.engine) as session:
        for name, value in values.items():
            setattr(session.get(model, key), name, value)
        session.commit()


EVENT = {"data": {"type": "event", "id": "1"}}


@pytest.mark.parametrize(
    ("url", "document"), [(URL, new()), ("/v1/talks?include=event", new(event=EVENT))]
)
def test_the_same_request_again_gets_the_first_answer(conference, url, document):
    """One row is made; status, body, place and ETag are those of the first time."""
    first, second = (post(conference, document, url=url) for _ in range(2))
    assert (first.status_code, count(conference)) == (201, 6)
    assert (second.status_code, second.data) == (201, first.data)
    for name in ("Location", "ETag", "Content-Type", "Cache-Control"):
        assert second.headers.get(name) == first.headers.get(name)
    assert sorted(second.headers.getlist("Vary")) == sorted(first.headers.getlist("Vary"))


def test_another_request_with_the_key_is_refused(conference):
    """422; the keys of others are not in its way."""
    assert post(conference).status_code == 201
    refused = post(conference, new("other"))
    error = refused.json["errors"][0]
    assert (refused.status_code, error["code"]) == (422, "idempotency_key_reused")
    assert post(conference, url="/v1/events/3/talks").status_code == 422
    assert post(conference, new("other"), by="yan").status_code == 201
    assert count(conference) == 7


def test_what_was_refused_may_be_sent_again(conference):
    """Nothing was done, and the key is free: for the body as it should have been, too."""
    refused = post(conference, {"data": {"type": "talk", "attributes": {"title": 7}}})
    assert (refused.status_code, post(conference).status_code) == (422, 201)
    assert count(conference) == 6


def test_who_is_not_signed_in_has_no_key(tmp_path):
    """A creation by everybody is done each time."""
    policies = Policies()
    policies.speakers.allow(everyone, CREATE)
    made = fill(Conference(policies=policies, instance=tmp_path))
    document = {"data": {"type": "speaker", "attributes": {"name": "x"}}}
    for _ in range(2):
        assert post(made, document, by="nobody", url="/v1/speakers").status_code == 201
    assert count(made, Speaker) == 5
    made.close()


@pytest.mark.parametrize("key", ["", "ä", "x" * 256, "a b"])
def test_a_key_that_is_none_is_refused(conference, key):
    """400, with the header as its place, and nothing is done."""
    response = post(conference, key=key)
    assert response.status_code == 400
    assert response.json["errors"][0]["source"] == {"header": "Idempotency-Key"}
    assert count(conference) == 5


def test_who_sees_it_no_more_gets_no_first_answer(conference):
    """404, once it is somebody else's."""
    assert post(conference).status_code == 201
    change(conference, Talk, 6, creator="dan")
    again = post(conference)
    assert (again.status_code, count(conference)) == (404, 6)


def test_nothing_is_given_again_under_a_parent_that_is_hidden_since(conference):
    """404 for the parent in the URL, with the same key or without."""
    url = f"{URL}?include=event"
    first = post(conference, url=url)
    assert [one["id"] for one in first.json["included"]] == ["1"]
    change(conference, Event, 1, is_open=False)
    again = post(conference, url=url)
    assert again.status_code == 404
    assert count(conference) == 6


def test_what_was_included_and_is_hidden_since_is_left_out(conference):
    """The resource is answered as it is seen now, and not made again."""
    links = {"event": EVENT, "speakers": {"data": [{"type": "speaker", "id": "3"}]}}
    url = "/v1/talks?include=speakers"
    first = post(conference, new(**links), url=url)
    assert [one["id"] for one in first.json["included"]] == ["3"]
    change(conference, Speaker, 3, is_public=False)
    again = post(conference, new(**links), url=url)
    assert (again.status_code, again.json["included"]) == (201, [])
    assert again.headers["Location"] == first.headers["Location"]
    assert "Chi" not in again.text
    assert count(conference) == 6


def test_of_ten_at_once_one_is_done(tmp_path):
    """The others get its answer, or are told to come back."""
    url = f"sqlite:///{tmp_path / 'c.sqlite3'}"
    made = fill(Conference(url, instance=tmp_path / "instance", pool_size=10))
    post(made, key="k0")  # the tables of keys are there
    barrier, found = threading.Barrier(10), []

    def run():
        barrier.wait(30)
        found.append(post(made))

    threads = [threading.Thread(target=run) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    statuses = Counter(answer.status_code for answer in found)
    assert statuses[201] >= 1
    assert set(statuses) <= {201, 409}
    assert len({answer.data for answer in found if answer.status_code == 201}) == 1
    assert count(made) == 7
    made.close()
