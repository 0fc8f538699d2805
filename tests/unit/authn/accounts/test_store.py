"""Accounts in SQL, on SQLite and PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from tests.processes import in_processes, meet
from tests.unit.authn.made_tokens import NOW

from licet.authn.accounts.records import Account, Mark, NewSession
from licet.authn.accounts.revocation import ALL_GENERATIONS
from licet.authn.accounts.store import AccountStore
from licet.authn.accounts.tables import refresh_token, reset, revocation, session, sign_up, throttle
from licet.authn.throttle import Limit
from licet.db.engine import Database
from licet.errors import TooManyAttempts


@pytest.fixture
def store(database):
    return AccountStore(lambda: database, mark_seconds=960)


def account(account_id="ann", **changes):
    """An account that is not stored yet."""
    values = {
        "id": account_id,
        "email": f"{account_id}@Example.org",
        "password_hash": "hash",
        "is_admin": False,
        "generation": 0,
        "created_at": NOW,
        "blocked_at": None,
    }
    return Account(**(values | changes))


def added(store, account_id="ann", **changes):
    """A stored account."""
    made = account(account_id, **changes)
    assert store.add(made, made.email.casefold())
    return made


def opened(store, owner, session_id="s1", *, cookie_hash=None, refresh_hash="r1", at=NOW):
    """A stored session."""
    new = NewSession(
        id=session_id,
        scope="read",
        created_at=at,
        expires_at=NOW + 3600,
        cookie_hash=cookie_hash,
        refresh_hash=refresh_hash,
    )
    assert store.open_session(owner, new)


def count(database, table):
    """How many rows a table has."""
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()


@pytest.mark.parametrize("changes", [{}, {"is_admin": True, "blocked_at": NOW}])
def test_an_account_is_found_as_it_was_kept(store, changes):
    """By its address or its id, with everything that it has."""
    made = added(store, **changes)
    assert store.find("ann@example.org") == store.get("ann") == made
    assert made.roles == (("admin",) if made.is_admin else ())
    assert store.find("bob@example.org") is None
    assert store.get("bob") is None


def test_no_record_shows_address_or_hash():
    """What is logged by accident tells neither."""
    assert "xample" not in repr(account())
    assert "hash" not in repr(account())


def test_a_decoy_stands_for_nobody(store):
    """An address without an account gives a record that looks like one, and says that it is not."""
    made = added(store, blocked_at=NOW)
    assert store.find_or_decoy("ann@example.org", "decoy") == (made, True)
    decoy, exists = store.find_or_decoy("bob@example.org", "decoy")
    assert not exists
    assert (decoy.password_hash, decoy.is_admin, decoy.blocked_at) == ("decoy", False, None)


@pytest.mark.parametrize("changes", [{"email": "ANN@example.org", "account_id": "b"}, {}])
def test_an_address_has_one_account(store, changes):
    """A second account of an address or id is not kept."""
    made = added(store)
    again = account(**changes)
    assert not store.add(again, again.email.casefold())
    assert store.find("ann@example.org") == made


def test_pages_are_in_the_order_of_addresses(store):
    """All accounts are listed, some at a time."""
    for name in ("cy", "ann", "bob"):
        added(store, name)
    assert [found.id for found in store.page(count=2)] == ["ann", "bob"]
    assert [found.id for found in store.page(after="bob@example.org")] == ["cy"]


def test_a_rehash_changes_the_hash_it_was_made_of(store):
    """A password that was changed meanwhile is not overwritten by a hash of the old one."""
    made = added(store)
    store.rehash(made, "better")
    store.rehash(made, "worse")
    assert store.get("ann").password_hash == "better"


def sign_up_values(token_hash="h", email="Ann@example.org", password_hash="hash"):
    """A sign-up that waits."""
    return {
        "token_hash": token_hash,
        "email": email,
        "email_key": email.casefold(),
        "password_hash": password_hash,
        "expires_at": NOW + 60,
    }


def test_a_sign_up_is_confirmed_once(store, database):
    """The account has the password that came with the confirmed sign-up; all others are gone."""
    store.add_sign_up(sign_up_values("theirs", password_hash="theirs"))
    store.add_sign_up(sign_up_values("mine", "ANN@example.org", "mine"))
    assert store.confirm_sign_up("mine", "id", NOW)
    assert store.find("ann@example.org").password_hash == "mine"
    assert store.get("id").email == "ANN@example.org"
    assert not store.confirm_sign_up("mine", "id2", NOW)
    assert not store.confirm_sign_up("theirs", "id2", NOW)
    assert count(database, sign_up) == 0


def test_a_sign_up_waits_only_so_long(store):
    """At its end it is no longer good."""
    store.add_sign_up(sign_up_values())
    assert not store.confirm_sign_up("h", "id", NOW + 60)


def test_an_address_that_was_taken_meanwhile_stays_as_it_is(store):
    """A confirmation does not change an account that the operator made in between."""
    store.add_sign_up(sign_up_values())
    made = added(store)
    assert not store.confirm_sign_up("h", "id", NOW)
    assert store.find("ann@example.org") == made


def test_a_reset_is_used_once_and_in_time(store, database):
    """It sets the password, ends everything, and spends all other links of the account."""
    opened(store, added(store))
    for token_hash in ("h1", "h2"):
        store.add_reset(token_hash, "ann", NOW + 60)
    assert store.owner_of_reset("h1", NOW)
    assert store.owner_of_reset("h1", NOW + 60) is None
    assert store.use_reset("h1", "new", NOW + 60) is None
    found = store.use_reset("h1", "new", NOW)
    assert found == Mark(found.serial, "ann", "", 1, NOW + 960)
    assert store.get("ann").password_hash == "new"
    assert store.use_reset("h1", "newer", NOW) is store.use_reset("h2", "newer", NOW) is None
    assert count(database, session) == count(database, refresh_token) == 0


def test_a_new_password_ends_everything(store, database):
    """Sessions, reset links and all tokens of the account; nobody else's."""
    opened(store, added(store))
    opened(store, added(store, "bob"), "s2", refresh_hash="r2")
    store.add_reset("h", "ann", NOW + 60)
    found = store.set_password("ann", "new", NOW)
    assert found[1:] == ("ann", "", 1, NOW + 960)
    assert store.get("ann").password_hash == "new"
    assert count(database, session) == 1
    assert count(database, reset) == 0
    assert store.set_password("nobody", "new", NOW) is None


def test_a_blocked_account_opens_no_session(store, database):
    """Blocking ends what is open; unblocking opens the door, not the old sessions."""
    made = added(store)
    opened(store, made)
    assert store.set_blocked("ann", NOW, blocked=True).generation == 1
    blocked = store.get("ann")
    assert blocked.blocked_at == NOW
    new = NewSession(id="s2", scope="", created_at=NOW, expires_at=NOW + 1)
    assert not store.open_session(blocked, new)
    assert store.set_blocked("ann", NOW, blocked=False).generation == 2
    assert not store.open_session(blocked, new)
    assert count(database, session) == 0
    assert store.open_session(store.get("ann"), new)


def test_a_session_is_not_opened_with_an_old_password(store):
    """Whoever verified the old password while it was changed stays out."""
    made = added(store)
    store.set_password("ann", "new", NOW)
    new = NewSession(id="s", scope="", created_at=NOW, expires_at=NOW + 1)
    assert not store.open_session(made, new)


def test_a_deleted_account_leaves_nothing_but_the_withdrawal(store, database):
    """Sessions, tokens and links go with it; tokens of every generation are withdrawn."""
    opened(store, added(store))
    store.add_reset("h", "ann", NOW + 60)
    assert store.delete("ann", NOW)[1:] == ("ann", "", ALL_GENERATIONS, NOW + 960)
    assert store.delete("ann", NOW) is None
    assert store.end_all_sessions("ann", NOW) is None
    tables = (session, refresh_token, reset)
    assert [count(database, table) for table in tables] == [0, 0, 0]


def test_a_refresh_token_gives_way_to_another(store):
    """The session goes on under a new token, as long as it lasts."""
    made = added(store)
    opened(store, made)
    rotation = store.rotate("r1", "r2", NOW)
    assert rotation.session == ("s1", "read", made)
    assert rotation.reused is None
    assert store.rotate("r2", "r3", NOW + 3599).session is not None
    assert store.rotate("r3", "r4", NOW + 3600) == (None, None)
    assert store.rotate("unknown", "r4", NOW) == (None, None)


def test_a_second_use_ends_the_session(store, database):
    """After a reuse neither the old nor the new token is good, and access tokens are withdrawn."""
    opened(store, added(store))
    store.rotate("r1", "r2", NOW)
    found = store.rotate("r1", "r3", NOW)
    assert found.session is None
    assert found.reused[1:] == ("ann", "s1", 0, NOW + 960)
    assert store.rotate("r2", "r3", NOW) == (None, None)
    assert count(database, refresh_token) == 0


def test_of_simultaneous_refreshes_one_wins_and_the_family_ends(store, database):
    """However they fall, one token is given out, and it is good no more."""
    opened(store, added(store))
    barrier = threading.Barrier(4)

    def use(number):
        barrier.wait(10)
        return store.rotate("r1", f"new-{number}", NOW)

    with ThreadPoolExecutor(4) as pool:
        rotations = list(pool.map(use, range(4)))
    assert sum(found.session is not None for found in rotations) == 1
    assert sum(found.reused is not None for found in rotations) == 1
    assert count(database, session) == count(database, refresh_token) == 0


def test_a_session_of_a_cookie(store):
    """It is found while it lasts."""
    made = added(store)
    opened(store, made, cookie_hash="c", refresh_hash=None)
    assert store.session_of_cookie("c", NOW) == ("s1", "read", made)
    assert store.session_of_cookie("c", NOW + 3600) is None
    assert store.session_of_cookie("d", NOW) is None


def test_one_session_ends_alone(store):
    """By its id, or by one of its refresh tokens, used or not; a second time nothing happens."""
    made = added(store)
    for number in "123":
        opened(store, made, f"s{number}", refresh_hash=f"r{number}")
    store.rotate("r2", "r2b", NOW)
    assert store.end_session("s1", NOW)[1:3] == ("ann", "s1")
    assert store.end_session_of_token("r2", NOW)[1:3] == ("ann", "s2")
    assert store.end_session("s1", NOW) is None
    assert store.end_session_of_token("r2b", NOW) is None
    assert store.rotate("r3", "r3b", NOW).session is not None
    assert store.end_all_sessions("ann", NOW)[1:4] == ("ann", "", 1)
    assert store.rotate("r3b", "r3c", NOW) == (None, None)


def test_an_account_has_a_hundred_sessions_at_most(store, database):
    """The oldest make room for the newest."""
    made = added(store)
    for number in range(103):
        opened(store, made, f"s{number}", refresh_hash=f"r{number}", at=NOW + number)
    assert count(database, session) == 100
    assert store.rotate("r2", "x", NOW) == (None, None)
    assert store.rotate("r3", "x", NOW).session is not None


def test_marks_are_numbered_in_the_order_of_their_transactions(store):
    """Whoever read up to a number has missed none before it."""
    added(store)
    first = store.end_all_sessions("ann", NOW)
    second = store.end_all_sessions("ann", NOW)
    assert second.serial == first.serial + 1
    assert list(store.marks_after(first.serial - 1)) == [first, second]
    assert list(store.marks_after(first.serial)) == [second]


def test_simultaneous_withdrawals_have_numbers_of_their_own(store):
    """Threads that withdraw at once queue for their numbers."""
    for number in range(8):
        added(store, f"a{number}")
    barrier = threading.Barrier(8)

    def end(number):
        barrier.wait(10)
        return store.end_all_sessions(f"a{number}", NOW).serial

    with ThreadPoolExecutor(8) as pool:
        serials = set(pool.map(end, range(8)))
    assert len(serials) == 8
    assert max(serials) - min(serials) == 7


TWICE = Limit(attempts=2, seconds=60)


def test_attempts_are_counted_until_the_time_is_over(store):
    """The limit holds for everybody together; then counting begins anew."""
    for _ in range(2):
        store.count_attempt("k", TWICE, NOW)
    store.count_attempt("other", TWICE, NOW)
    for seconds in (0, 59):
        with pytest.raises(TooManyAttempts) as caught:
            store.count_attempt("k", TWICE, NOW + seconds)
        assert caught.value.retry_after_seconds == 60 - seconds
    store.count_attempt("k", TWICE, NOW + 60)
    store.count_attempt("k", TWICE, NOW + 119)
    with pytest.raises(TooManyAttempts):
        store.count_attempt("k", TWICE, NOW + 119)
    store.forget_attempts("k")
    store.count_attempt("k", TWICE, NOW + 119)


def test_simultaneous_attempts_are_all_counted(store):
    """Of many at once, no more get through than the limit says."""
    barrier = threading.Barrier(8)

    def attempt(_number):
        barrier.wait(10)
        try:
            store.count_attempt("k", TWICE, NOW)
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 2


def test_what_has_expired_is_deleted(store, database):
    """Sessions, sign-ups, links, counts and marks go; accounts stay."""
    made = added(store)
    store.end_all_sessions("ann", NOW)
    opened(store, store.get("ann"))
    store.add_sign_up(sign_up_values())
    store.add_reset("h", made.id, NOW + 60)
    store.count_attempt("k", TWICE, NOW)
    tables = (session, refresh_token, sign_up, reset, throttle, revocation)
    store.purge(NOW)
    assert [count(database, table) for table in tables] == [1] * 6
    store.purge(NOW + 599)
    store.purge(NOW + 3600)
    assert [count(database, table) for table in tables] == [0] * 6
    assert store.get("ann") is not None


def test_deleting_is_tried_only_now_and_then(store, database):
    """Two sign-ins in ten minutes look once for what has expired."""
    store.purge(NOW)
    store.add_sign_up(sign_up_values())
    store.purge(NOW + 599)
    assert count(database, sign_up) == 1
    store.purge(NOW + 600)
    assert count(database, sign_up) == 0


def refresh(url, new):
    """What becomes of the refresh token r1 in this process."""
    database = Database(url)
    store = AccountStore(lambda: database, mark_seconds=960)
    store.get("warm up")
    meet()
    found = store.rotate("r1", new, NOW)
    database.close()
    return "won" if found.session else "reused" if found.reused else "unknown"


def test_processes_that_refresh_at_once_end_the_family(store, database):
    """So it is between processes."""
    opened(store, added(store))
    url = database.url.render_as_string(hide_password=False)
    assert sorted(in_processes(refresh, (url, "n0"), (url, "n1"))) == ["reused", "won"]
    assert count(database, session) == 0
