"""``Prefer: wait``: reading the header, seats, and the wait itself."""

import pytest
from tests.unit.actions.making import make_status

from licet.actions.interface.http import WaitingRoom, preferred_wait_seconds, wait_for_change


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("wait=5", 5),
        ("WAIT = 5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=10", 10),
        ("wait=10; foo=bar, wait=20", 10),
        ("handling=lenient, wait=100", 30),
        ("wait=999999999", 30),
        ("wait=0", 0),
        ("wait", 0),
        ("wait=", 0),
        ("wait=-5", 0),
        ("wait=1.5", 0),
        ("wait=١", 0),
        ("wait=1000000000", 0),
        ("awaits=5", 0),
        (",,,", 0),
    ],
)
def test_what_the_header_asks_for(header, seconds):
    """Whole seconds, at most 30; what is malformed asks for nothing (RFC 7240, section 2)."""
    assert preferred_wait_seconds(header) == seconds


class TestSeats:
    def test_there_are_so_many(self):
        """Who finds none is not made to wait for one."""
        room = WaitingRoom(2)
        with room.seat() as first, room.seat() as second, room.seat() as third:
            assert (first, second, third) == (True, True, False)
        with room.seat() as again:
            assert again

    def test_none_at_all(self):
        """Then nobody waits."""
        with WaitingRoom(0).seat() as seat:
            assert not seat

    def test_it_is_free_after_an_error(self):
        """Whatever happened to who sat there."""
        room = WaitingRoom(1)
        with pytest.raises(ZeroDivisionError), room.seat():
            raise ZeroDivisionError
        with room.seat() as seat:
            assert seat


class TestWait:
    @pytest.fixture(autouse=True)
    def _time(self):
        self.now, self.pauses = 0.0, []

    def wait(self, *states, before="ACTIVE", seconds=10):
        found = iter(states)
        return wait_for_change(
            lambda: next(found),
            make_status(before),
            seconds,
            monotonic=lambda: self.now,
            sleep=self.sleep,
        )

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def test_until_it_changes(self):
        """The first other state is the answer."""
        states = [make_status("ACTIVE")] * 3 + [make_status("INACTIVE")]
        assert self.wait(*states).status == "INACTIVE"
        assert self.pauses == sorted(self.pauses)

    @pytest.mark.parametrize("before", ["SUCCEEDED", "FAILED"])
    def test_what_has_ended_is_not_waited_for(self, before):
        """It will not change."""
        assert self.wait(before=before).status == before
        assert self.pauses == []

    def test_no_longer_than_asked(self):
        """Then the answer is the state as it is."""
        found = self.wait(*[make_status("ACTIVE")] * 100, seconds=3)
        assert found.status == "ACTIVE"
        assert sum(self.pauses) == pytest.approx(3)
        assert max(self.pauses) <= 0.5

    def test_it_may_be_released_meanwhile(self):
        """Then there is none."""
        assert self.wait(None) is None
