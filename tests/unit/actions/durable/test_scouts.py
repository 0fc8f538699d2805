"""Who looks for work: one while it takes no time, another in the place of who takes long."""

import threading
import time
from datetime import timedelta

import pytest

from licet.actions.durable import scouts as scouts_module
from licet.actions.durable.scouts import Scouts, scouts_beside_a_writer, scouts_for

LONG = 20.0


class Crew:
    """Threads that wait to be called; each that was is in the test's hands."""

    def __init__(self, n_threads, *, runs=False):
        self.runs = runs
        self.scouts = Scouts(threading.RLock())
        self.out: list[Thread] = []
        self.threads = [Thread(self) for _ in range(n_threads)]
        wait_until(lambda: self.scouts._n_idle == n_threads)

    def end(self):
        self.scouts.close()
        for thread in self.threads:
            thread.leave(None)
            thread.thread.join(LONG)
            assert not thread.thread.is_alive()


class Thread:
    """One that waits; when it was called, it does what the test says."""

    def __init__(self, crew):
        self.crew = crew
        self.orders: list[object] = []
        self.ordered = threading.Condition()
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.thread.start()

    def live(self):
        while self.crew.scouts.wait():
            if self.crew.runs:
                self.crew.scouts.begin_run()
            self.crew.out.append(self)
            with self.ordered:
                assert self.ordered.wait_for(lambda: self.orders, LONG)
                self.crew.scouts.retire(self.orders.pop())

    def leave(self, n_told):
        with self.ordered:
            self.orders.append(n_told)
            self.ordered.notify()


def wait_until(condition):
    give_up_at = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.001)


@pytest.fixture
def make_crew():
    crews = []

    def make(n_threads=3, **options):
        crews.append(Crew(n_threads, **options))
        return crews[-1]

    yield make
    for crew in crews:
        crew.end()


@pytest.fixture
def crew(make_crew):
    return make_crew()


def stays(condition):
    """Whether it holds, and still after a while in which threads could have changed it."""
    time.sleep(0.05)
    return condition()


def test_one_is_called_however_much_is_told(crew):
    """Who is out will look again; the others sleep."""
    for _ in range(10):
        crew.scouts.tell()
    wait_until(lambda: crew.out)
    crew.scouts.tell()
    assert stays(lambda: len(crew.out) == 1)
    assert crew.scouts.n_told == 11


def test_another_is_called_in_the_place_of_who_runs_long(make_crew):
    """One after the other, until all are at work."""
    crew = make_crew(runs=True)
    crew.scouts.tell()
    for n in range(1, 4):
        wait_until(lambda n=n: len(crew.out) == n)
        time.sleep(scouts_module.SOON_SECONDS)
        crew.scouts.watch(0)
    assert len(set(crew.out)) == 3


def test_who_runs_no_time_is_left_alone(make_crew, monkeypatch):
    """Nobody goes in its place."""
    monkeypatch.setattr(scouts_module, "SOON_SECONDS", LONG)
    crew = make_crew(runs=True)
    crew.scouts.tell()
    wait_until(lambda: crew.out)
    crew.scouts.watch(0)
    assert stays(lambda: len(crew.out) == 1)


def test_of_two_who_ask_at_once_one_stays(crew, monkeypatch):
    """Else nobody would look any more."""
    monkeypatch.setattr(scouts_module, "SOON_SECONDS", LONG)
    scouts = crew.scouts
    asked = threading.Barrier(2)
    left: list[bool] = []

    def ask():
        scouts.begin_run()
        asked.wait(LONG)
        left.append(scouts.retire_if_too_many(1))
        asked.wait(LONG)
        scouts.retire()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert sorted(left) == [False, True]


@pytest.mark.parametrize("is_out", [False, True])
def test_who_takes_long_is_nobody_to_leave_it_to(crew, monkeypatch, is_out):
    """They will not look in a moment."""
    monkeypatch.setattr(scouts_module, "SOON_SECONDS", 0.0)
    other = threading.Thread(target=crew.scouts.begin_run)
    other.start()
    other.join(LONG)
    if is_out:
        crew.scouts.begin_look()
    assert not crew.scouts.retire_if_too_many(1)
    crew.scouts.retire()


def test_as_many_stay_as_are_wanted(crew):
    """The caller is one of them."""
    other = threading.Thread(target=crew.scouts.begin_look)
    other.start()
    other.join(LONG)
    crew.scouts.begin_look()
    assert not crew.scouts.retire_if_too_many(2)
    assert crew.scouts.retire_if_too_many(1)


@pytest.mark.parametrize(
    ("seconds", "wanted"), [(0.0, 1), (0.0001, 1), (0.0003, 2), (0.0011, 6), (3600.0, 16)]
)
def test_beside_a_writer(seconds, wanted):
    """As many as can be at an action while one of them writes."""
    assert scouts_beside_a_writer(seconds) == wanted


def test_who_looks_slowly_is_not_replaced_by_who_looks_as_slowly(crew, monkeypatch):
    """Else an empty queue would be read all the time, by one after the other; unless it hangs."""
    crew.scouts.tell()
    wait_until(lambda: crew.out)
    time.sleep(scouts_module.SOON_SECONDS)
    crew.scouts.watch(0)
    assert stays(lambda: len(crew.out) == 1)
    monkeypatch.setattr(scouts_module, "LOOK_SECONDS", 0.0)
    crew.out[0].leave(None)
    wait_until(lambda: crew.scouts._n_idle == 3)
    crew.scouts.tell()
    wait_until(lambda: len(crew.out) == 2)
    crew.scouts.watch(0)
    wait_until(lambda: len(crew.out) == 3)


def test_who_tells_does_not_wait_for_the_keeper(make_crew):
    """It may be waiting for the database: who runs long is nobody to rely on."""
    crew = make_crew(runs=True)
    crew.scouts.tell()
    wait_until(lambda: crew.out)
    time.sleep(scouts_module.SOON_SECONDS)
    crew.scouts.tell()
    wait_until(lambda: len(crew.out) == 2)


def test_the_keeper_is_woken_by_who_goes_on(make_crew, monkeypatch):
    """It slept while all were at long actions; one of them ended, and the next has begun."""
    monkeypatch.setattr(scouts_module, "_WATCHES_ON", 1)
    scouts, watched = make_crew(0).scouts, threading.Event()
    scouts._n_quiet = 1
    thread = threading.Thread(target=lambda: (scouts.watch(LONG), watched.set()), daemon=True)
    thread.start()
    assert not watched.wait(0.05)
    scouts.begin_run()
    assert watched.wait(LONG)
    thread.join(LONG)
    scouts.retire()


def test_who_did_not_look_answers_no_call(make_crew):
    """A thread that was given up on goes home; what it was called for is for another."""
    scouts = make_crew(0).scouts
    scouts.tell()
    scouts.retire()
    assert scouts.wait()
    scouts.retire()


def test_a_second_one_may_be_called(crew):
    """And no third."""
    crew.scouts.tell()
    wait_until(lambda: crew.out)
    for _ in range(3):
        crew.scouts.call(limit=2)
    wait_until(lambda: len(crew.out) == 2)
    assert stays(lambda: len(crew.out) == 2)


@pytest.mark.parametrize(
    ("seconds", "n"), [(-5, 1), (0, 1), (0.049, 1), (0.05, 2), (0.5, 4), (5, 16), (1e6, 16)]
)
def test_the_longer_actions_wait_the_more_are_wanted(seconds, n):
    """Also by a clock that is behind."""
    assert scouts_for(timedelta(seconds=seconds)) == n


def test_who_was_told_of_more_meanwhile_looks_again(make_crew):
    """What was told of while they looked may have been stored after that."""
    scouts = make_crew(0).scouts
    scouts.tell()
    assert scouts.wait()
    n_told = scouts.n_told
    scouts.tell()
    assert not scouts.retire(n_told)
    assert scouts.retire(n_told + 1)


def test_what_was_told_before_anybody_waited(make_crew):
    """The first to wait need not."""
    scouts = make_crew(0).scouts
    scouts.tell()
    assert scouts.wait()
    assert scouts.retire(1)


def test_who_has_looked_knows_of_all_that_was_told(make_crew):
    """Nobody looks again for what a thread at work was called for in vain."""
    crew = make_crew(1)
    crew.scouts.tell()
    wait_until(lambda: crew.out)
    crew.scouts.begin_run()
    time.sleep(scouts_module.SOON_SECONDS)
    crew.scouts.watch(0)  # there is no other
    crew.out[0].leave(crew.scouts.n_told)
    wait_until(lambda: crew.scouts._n_idle == 1)
    assert len(crew.out) == 1


def test_the_keeper_sleeps_when_nobody_was_out_for_a_while(make_crew, monkeypatch):
    """And is woken when somebody goes."""
    monkeypatch.setattr(scouts_module, "SOON_SECONDS", 0.0001)
    crew, watched = make_crew(1), threading.Event()
    for _ in range(scouts_module._WATCHES_ON - 1):
        crew.scouts.watch(LONG)

    def watch():
        crew.scouts.watch(LONG)
        watched.set()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    assert not watched.wait(0.05)
    crew.scouts.tell()
    assert watched.wait(LONG)
    thread.join(LONG)


def test_the_keeper_can_be_woken(make_crew):
    """So that it ends at once."""
    scouts = make_crew(0).scouts
    scouts.wake_keeper()
    began = time.monotonic()
    scouts.watch(LONG)
    assert time.monotonic() - began < LONG / 2


def test_the_end(crew):
    """Nobody waits any more, and nobody is called."""
    crew.scouts.close()
    for thread in crew.threads:
        thread.thread.join(LONG)
    crew.scouts.tell()
    assert not crew.scouts.wait()
    assert crew.out == []
    assert crew.scouts.retire(0)  # though it was told of more
