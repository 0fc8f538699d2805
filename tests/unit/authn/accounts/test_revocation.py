"""Tokens that were withdrawn before their time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.authn.made_tokens import NOW, Clock

from licet.authn.accounts.records import Mark
from licet.authn.accounts.revocation import ALL_GENERATIONS, AccountTokenVerifier, Revocations
from licet.authn.identity import Identity
from licet.errors import AuthenticationUnavailable, InvalidToken, StoreUnavailable


def mark(serial=1, session_id="", generation=1, expires_at=NOW + 900, account_id="ann"):
    """A withdrawal."""
    return Mark(serial, account_id, session_id, generation, expires_at)


class Table:
    """What the database would say, and how often it was asked."""

    def __init__(self, *marks):
        self.marks = list(marks)
        self.asked = []
        self.fails = False

    def __call__(self, serial):
        """The marks after this one."""
        self.asked.append(serial)
        if self.fails:
            raise StoreUnavailable
        return [found for found in self.marks if found.serial > serial]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def revocations(table, clock):
    return Revocations(table, clock=clock, monotonic=clock)


def test_a_mark_on_an_account_is_about_older_generations(revocations, table):
    """Tokens made before it are withdrawn, those made after it are not, nor anybody else's."""
    table.marks.append(mark(generation=3))
    assert revocations.is_revoked("ann", "s", 2)
    assert not revocations.is_revoked("ann", "s", 3)
    assert not revocations.is_revoked("bob", "s", 0)


def test_a_mark_on_a_session_is_about_that_one(revocations, table):
    """Other sessions of the account go on."""
    table.marks.append(mark(session_id="s1", generation=0))
    assert revocations.is_revoked("ann", "s1", 0)
    assert not revocations.is_revoked("ann", "s2", 0)


def test_marks_of_others_count_within_two_seconds(revocations, table, clock):
    """The database is read at most every two seconds, and only for what is new."""
    assert not revocations.is_revoked("ann", "s", 0)
    table.marks.append(mark(serial=7))
    clock.now += 1.99
    assert not revocations.is_revoked("ann", "s", 0)
    clock.now += 0.01
    assert revocations.is_revoked("ann", "s", 0)
    clock.now += 2
    assert revocations.is_revoked("ann", "s", 0)
    assert table.asked == [0, 0, 7]


def test_ones_own_mark_counts_at_once(revocations, table):
    """The process that withdraws a token does not wait for the database to tell it."""
    assert not revocations.is_revoked("ann", "s", 0)
    revocations.add(mark())
    assert revocations.is_revoked("ann", "s", 0)
    assert table.asked == [0]


def test_ones_own_mark_does_not_hide_those_before_it(revocations, table, clock):
    """A mark with a lower number, of another process, is still read."""
    revocations.add(mark(serial=9))
    table.marks.append(mark(serial=8, account_id="bob"))
    assert revocations.is_revoked("bob", "s", 0)


def test_the_highest_generation_counts(revocations):
    """Marks that come late take nothing back."""
    for generation in (2, ALL_GENERATIONS, 3):
        revocations.add(mark(generation=generation))
    assert revocations.is_revoked("ann", "s", 10**6)


def test_expired_marks_are_forgotten(revocations, table, clock):
    """What is past the life of every token takes no memory."""
    table.marks += [mark(1), mark(2, session_id="s1")]
    assert revocations.is_revoked("ann", "s1", 0)
    clock.now += 900
    assert not revocations.is_revoked("ann", "s1", 0)
    assert revocations._accounts == revocations._sessions == {}


def test_a_database_that_does_not_answer_lets_nobody_in(revocations, table, clock):
    """When nobody can know, nobody is let in; what is known for two seconds still counts."""
    assert not revocations.is_revoked("ann", "s", 0)
    table.fails = True
    assert not revocations.is_revoked("ann", "s", 0)
    clock.now += 2
    with pytest.raises(AuthenticationUnavailable):
        revocations.is_revoked("ann", "s", 0)
    table.fails = False
    assert not revocations.is_revoked("ann", "s", 0)


def test_threads_that_ask_at_once_read_once(clock):
    """One thread reads and the others wait for what it finds."""
    barrier, table = threading.Barrier(4), Table(mark())

    def slow(serial):
        barrier.wait(10)
        return table(serial)

    revocations = Revocations(slow, clock=clock, monotonic=clock)

    def ask(number):
        if number:
            barrier.wait(10)
        return revocations.is_revoked("ann", "s", 0)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [True] * 4
    assert table.asked == [0]


def test_a_thread_that_waited_does_not_read_again(table, clock):
    """Whoever finds the marks fresh after waiting uses them."""
    times = iter([5.0, 5.0, 6.0, 7.0, 7.0])
    revocations = Revocations(table, clock=clock, monotonic=lambda: next(times))
    revocations.is_revoked("ann", "s", 0)
    revocations._fresh_until = 6.0
    # Stale when it looked, fresh when it had the lock: another thread was quicker.
    revocations._monotonic = lambda: 6.0 if revocations._lock.locked() is False else 5.5
    assert not revocations.is_revoked("ann", "s", 0)
    assert table.asked == [0]


class Always:
    """A verifier that believes everything."""

    def __init__(self, **claims):
        self.identity = Identity(
            issuer="i", subject="ann", principal="p", claims={"sub": "ann"} | claims
        )

    def verify(self, _token):
        """The one identity."""
        return self.identity


def test_the_verifier_asks_each_time(revocations):
    """A token that was good a moment ago is refused once it is withdrawn."""
    verifier = AccountTokenVerifier(Always(sid="s", gen=0), revocations)
    assert verifier.verify("t").subject == "ann"
    revocations.add(mark())
    with pytest.raises(InvalidToken, match="withdrawn"):
        verifier.verify("t")


def test_roles_come_from_the_token(revocations):
    """An account's roles are the identity's; a token that names none has none."""
    assert AccountTokenVerifier(Always(roles=["admin"]), revocations).verify("t").roles == {"admin"}
    assert AccountTokenVerifier(Always(), revocations).verify("t").roles == frozenset()
