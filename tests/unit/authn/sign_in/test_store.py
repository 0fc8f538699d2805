"""What is kept of sign-ins, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.authn.made_tokens import NOW

from licet.authn.sign_in.store import ForeignSession, SignInStore
from licet.db.engine import Database
from licet.db.migrate import upgrade

CLAIMS = {"iss": "https://idp.example", "sub": "\x00é", "groups": ["a"], "n": 1.5}


@pytest.fixture
def store(database_url):
    database = Database(database_url)
    upgrade(database)
    yield SignInStore(lambda: database)
    database.close()


def session(cookie="c", principal="p"):
    return ForeignSession(
        cookie_hash=cookie, principal=principal, provider="oidc", scope="a b", claims=CLAIMS
    )


def test_a_sign_in_is_taken_once_and_in_time(store):
    """However many take it at once, one gets it."""
    store.add_attempt("k", "/lab", NOW + 10)
    assert store.take_attempt("other", NOW) is None
    assert store.take_attempt("k", NOW + 10) is None
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: store.take_attempt("k", NOW), range(8)))
    assert sorted(taken, key=str) == ["/lab", *[None] * 7]


def test_a_session_is_found_while_it_lasts(store):
    """With all that the provider said."""
    store.open(session(), NOW, NOW + 10)
    assert store.find("c", NOW) == session()
    assert store.find("c", NOW + 10) is None
    assert store.find("other", NOW) is None
    store.end("c")
    assert store.find("c", NOW) is None


def test_all_sessions_of_one_person_end(store):
    """And nobody else's."""
    for cookie, principal in (("a", "ann"), ("b", "ann"), ("c", "bob")):
        store.open(session(cookie, principal), NOW, NOW + 10)
    store.end_all("ann")
    assert [bool(store.find(cookie, NOW)) for cookie in "abc"] == [False, False, True]


def test_the_hundred_newest_sessions_remain(store):
    """So that nobody fills the database by signing in; the newest is always one of them."""
    for number in range(102):
        store.open(session(f"c{number:03}"), NOW + number, NOW + 1000)
    store.open(session("early"), NOW, NOW + 1000)
    found = [bool(store.find(f"c{number:03}", NOW)) for number in range(102)]
    assert found == [False] * 2 + [True] * 100
    assert store.find("early", NOW) is not None


def test_what_has_expired_is_deleted_now_and_then(store):
    """Both kinds; not again within ten minutes."""
    store.add_attempt("k", "/", NOW)
    store.open(session("c"), NOW, NOW)
    store.purge(NOW)
    assert store.take_attempt("k", NOW - 5) is None
    assert store.find("c", NOW - 5) is None
    store.add_attempt("k", "/", NOW)
    store.purge(NOW + 599)
    assert store.take_attempt("k", NOW - 5) == "/"
    store.add_attempt("k", "/", NOW)
    store.purge(NOW + 600)
    assert store.take_attempt("k", NOW - 5) is None
