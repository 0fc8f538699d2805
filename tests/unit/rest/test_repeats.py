"""Idempotency-Key: requests that are sent twice and done once."""

import threading
from collections import Counter

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from tests.unit.authn.callers import by
from tests.unit.rest.conftest import fill
from tests.unit.rest.library import Book, Library

from licet.db import Database, upgrade
from licet.errors import KeyInUse, KeyReused
from licet.rest.idempotency import Answer, request_digest
from licet.rest.store.keys import KEPT_SECONDS, LEASE_SECONDS, Keys
from licet.settings.state import app_state


def post(library, title="new", *, name="ann", key="k1"):
    return library.app.test_client().post(
        "/books/", json={"title": title}, headers=by(name) | {"Idempotency-Key": key}
    )


def count(library):
    with Session(library.engine) as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Book))


def test_the_same_request_again_gets_the_first_answer(library):
    """One row is made; status, body and ETag are those of the first time."""
    first, second = post(library), post(library)
    assert (first.status_code, count(library)) == (201, 4)
    assert (second.status_code, second.data) == (201, first.data)
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.content_type == first.content_type
    assert second.headers["Cache-Control"] == first.headers["Cache-Control"]


def test_an_answer_that_is_too_long_is_not_given_again(library):
    """The request is not done a second time, and its sender is told why."""
    settings = app_state(library.app).settings
    object.__setattr__(settings, "max_result_bytes", 10)
    first, second = post(library), post(library)
    assert (first.status_code, second.status_code, count(library)) == (201, 409, 4)
    assert "too long to be kept" in second.json["detail"]


def test_nothing_is_done_while_the_postgresql_of_the_keys_is_down(tmp_path):
    """What could be done twice is not done once; without a key it is."""
    keys = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    instance = str(tmp_path / "instance")
    made = Library(f"sqlite:///{tmp_path / 'l.sqlite3'}", instance, LICET_DATABASE_URL=keys)
    answer = post(made)
    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
    assert count(made) == 0
    assert made.client.post("/books/", json={"title": "a"}, headers=by("ann")).status_code == 201
    made.close()


def test_another_request_with_the_key_is_422(library):
    """Another body, or another endpoint, is no repetition."""
    post(library)
    answer = post(library, "other")
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert count(library) == 4


def test_a_key_is_its_callers_alone(library):
    """Two callers with one key make two rows, and neither sees the other's answer."""
    assert post(library).json["id"] != post(library, name="ben").json["id"]


@pytest.mark.parametrize("header", ['"quoted"', "x" * 255, "a-b_c.d~e"])
def test_a_key_is_printable_ascii(library, header):
    """With quotes, as the draft has it, or without."""
    assert post(library, key=header).status_code == post(library, key=header).status_code == 201
    assert count(library) == 4


@pytest.mark.parametrize("header", ["", " ", "a b", "x" * 256, "ü", '"', '"a"b'])
def test_what_is_no_key_is_400_with_its_place(library, header):
    """The header is named, and nothing is done."""
    answer = post(library, key=header)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["header"] == "Idempotency-Key"
    assert count(library) == 3


def test_a_refusal_is_not_kept(library):
    """A body that was wrong is sent right with the same key."""
    assert post(library, "x" * 41).status_code == 422
    assert post(library, "right").status_code == 201


def test_who_may_not_see_the_object_any_more_does_not_get_its_answer(library):
    """The rights are asked again: another's draft is 404, and a smaller mask is 403."""
    key = post(library).json["id"]
    with Session(library.engine) as session:
        session.get(Book, key).owner = "ben"
        session.commit()
    assert post(library).status_code == 403
    with Session(library.engine) as session:
        session.get(Book, key).rating = -1
        session.commit()
    assert post(library).status_code == 404
    with Session(library.engine) as session:
        session.delete(session.get(Book, key))
        session.commit()
    assert post(library).status_code == 404


def test_who_is_refused_at_the_door_gets_no_answer(library):
    """The guards above are asked each time: without a token there is no answer at all."""
    post(library)
    headers = {"Idempotency-Key": "k1"}
    assert library.client.post("/books/", json={"title": "new"}, headers=headers).status_code == 401


def test_other_methods_take_no_key(library):
    """PUT and PATCH are what they are."""
    headers = by("ann") | {"Idempotency-Key": "k1"}
    for _ in range(2):
        answer = library.client.put("/books/1/title", json={"title": "b"}, headers=headers)
        assert answer.status_code == 200


def test_twenty_requests_at_once_are_done_once(database_url, tmp_path):
    """One is done; others get its answer, or are told to come back."""
    library = Library(
        database_url,
        str(tmp_path / "instance"),
        pool_size=20,
        LICET_DATABASE_URL=database_url,
        LICET_MIGRATE_AT_START=True,
    )
    fill(library)
    library.session().execute(sa.text("SELECT 1"))
    library.session.remove()
    with Session(library.engine) as session:  # PostgreSQL does not count the ids that were given
        taken = session.scalar(sa.select(sa.func.max(Book.id)))
        if session.bind.dialect.name == "postgresql":
            session.execute(sa.text(f"SELECT setval('book_id_seq', {taken})"))
        session.commit()
    before, barrier, found = count(library), threading.Barrier(20), []

    def send():
        barrier.wait(30)
        found.append(post(library))

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert count(library) == before + 1
    statuses = Counter(answer.status_code for answer in found)
    assert statuses[201] >= 1
    assert statuses[201] + statuses[409] == 20
    assert len({answer.data for answer in found if answer.status_code == 201}) == 1
    assert all(a.headers["Retry-After"] == "1" for a in found if a.status_code == 409)
    library.close()


# --- the rows ------------------------------------------------------------------------------------


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(database_url, clock):
    """Keys in a database of each kind."""
    database = Database(database_url)
    upgrade(database)
    yield Keys(database, clock=clock)
    database.close()


ANSWER = Answer(status=201, headers={"ETag": '"1"'}, body="{}", resource="b", object_key=(1, "x"))


def test_a_key_has_one_answer_for_a_day(keys, clock):
    """Then it is free; while the request is being done it is nobody's."""
    taken = keys.begin("ann", "k", "d")
    assert isinstance(taken, int)
    with pytest.raises(KeyInUse):
        keys.begin("ann", "k", "d")
    keys.finish("ann", "k", taken, ANSWER)
    assert keys.begin("ann", "k", "d") == ANSWER
    with pytest.raises(KeyReused):
        keys.begin("ann", "k", "other")
    clock.now += KEPT_SECONDS
    assert isinstance(keys.begin("ann", "k", "other"), int)


def test_a_key_whose_process_died_can_be_taken_again(keys, clock):
    """After its lease; the late first process then keeps no answer."""
    first = keys.begin("ann", "k", "d")
    clock.now += LEASE_SECONDS
    second = keys.begin("ann", "k", "d")
    keys.finish("ann", "k", first, ANSWER)
    keys.give_up("ann", "k", first)
    with pytest.raises(KeyInUse):
        keys.begin("ann", "k", "d")
    keys.give_up("ann", "k", second)
    assert isinstance(keys.begin("ann", "k", "d"), int)


def test_parts_of_a_request_do_not_run_into_each_other():
    """A digest is of the parts, not of their text in a row."""
    digests = {
        request_digest("POST", "/a", b"b", None, b"c"),
        request_digest("POST", "/ab", b"", None, b"c"),
        request_digest("POST", "/a", b"bc", None, b""),
        request_digest("POST", "/a", b"b", "c", b""),
    }
    assert len(digests) == 4
