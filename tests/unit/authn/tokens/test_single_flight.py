"""One question at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from licet.authn.tokens._asked_once import SingleFlight
from licet.errors import AuthenticationUnavailable


class Service:
    """Answers when it is let, counts its questions, and remembers its answer."""

    def __init__(self, answer="answer"):
        self.answer = answer
        self.asked = 0
        self.remembered = None
        self.reached, self.let = threading.Event(), threading.Event()

    def look(self):
        return self.remembered

    def ask(self):
        self.asked += 1
        self.reached.set()
        assert self.let.wait(10)
        if isinstance(self.answer, BaseException):
            raise self.answer
        self.remembered = self.answer
        return self.answer


@pytest.fixture
def pool():
    with ThreadPoolExecutor(20) as threads:
        yield threads


def waiting(flights):
    """How many wait for the answer that is on its way."""
    return sum(len(flight._condition._waiters) for flight in flights._flights.values())


def follow(pool, flights, service, count):
    """One that asks, and `count` that wait for it."""
    leader = pool.submit(flights.run, "key", service.look, service.ask)
    assert service.reached.wait(10)
    followers = [pool.submit(flights.run, "key", service.look, service.ask) for _ in range(count)]
    pause = threading.Event()
    for _ in range(1000):
        if waiting(flights) == count:
            break
        pause.wait(0.01)
    return leader, followers


def test_those_who_come_meanwhile_wait_for_the_answer(pool):
    """Twenty callers, one question."""
    flights, service = SingleFlight(wait_seconds=10), Service()
    leader, followers = follow(pool, flights, service, 19)
    service.let.set()
    assert {future.result(10) for future in [leader, *followers]} == {"answer"}
    assert service.asked == 1
    assert not flights._flights


def test_what_is_known_is_not_asked():
    """Whoever finds the answer asks nothing."""
    flights, service = SingleFlight(wait_seconds=10), Service()
    service.remembered = "known"
    assert flights.run("key", service.look, service.ask) == "known"
    assert service.asked == 0


def test_what_was_learnt_between_two_looks_is_not_asked_again():
    """Whoever is late for one question finds its answer, and does not ask a second."""
    flights, service = SingleFlight(wait_seconds=10), Service()
    looks = iter([None, "known"])
    assert flights.run("key", lambda: next(looks), service.ask) == "known"
    assert service.asked == 0


@pytest.mark.parametrize("error", [ValueError, AuthenticationUnavailable, KeyboardInterrupt])
def test_a_failure_reaches_those_who_wait(pool, error):
    """The one that asked gets the failure itself, the others that there is no answer."""
    flights, service = SingleFlight(wait_seconds=10), Service(error())
    leader, followers = follow(pool, flights, service, 3)
    service.let.set()
    assert type(leader.exception(10)) is type(service.answer)
    for follower in followers:
        with pytest.raises(AuthenticationUnavailable) as caught:
            follower.result(10)
        assert caught.value.__cause__ is service.answer


def test_the_next_one_asks_again_after_a_failure():
    """A failure is not remembered."""
    flights, service = SingleFlight(wait_seconds=10), Service(ValueError("x"))
    service.let.set()
    with pytest.raises(ValueError, match="x"):
        flights.run("key", service.look, service.ask)
    service.answer = "answer"
    assert flights.run("key", service.look, service.ask) == "answer"


def test_nobody_waits_without_end(pool):
    """Who has waited long enough gets that there is no answer, and the question goes on."""
    flights, service = SingleFlight(wait_seconds=0.01), Service()
    leader = pool.submit(flights.run, "key", service.look, service.ask)
    assert service.reached.wait(10)
    with pytest.raises(AuthenticationUnavailable):
        flights.run("key", service.look, service.ask)
    service.let.set()
    assert leader.result(10) == "answer"


def test_two_keys_are_two_questions(pool):
    """Who asks something else waits for nobody."""
    flights, service, other = SingleFlight(wait_seconds=10), Service(), Service("other")
    leader = pool.submit(flights.run, "key", service.look, service.ask)
    assert service.reached.wait(10)
    other.let.set()
    assert flights.run("other", other.look, other.ask) == "other"
    service.let.set()
    assert leader.result(10) == "answer"
