"""The life of a durable action: what may follow from what."""

from datetime import UTC, datetime, timedelta

import pytest

from licet.actions import lifecycle
from licet.actions.documents import ActionStatusValue
from licet.actions.lifecycle import Ending, Life, Phase
from licet.errors import ActionConflict

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
HOUR = timedelta(hours=1)
LEASE = timedelta(seconds=30)
DONE = Ending(status=ActionStatusValue.SUCCEEDED, details={"n": 1})
BROKEN = Ending(status=ActionStatusValue.FAILED, details={"code": "X", "description": "x"})


def queued(**fields) -> Life:
    return lifecycle.begin(NOW)._replace(**fields)


def running(**fields) -> Life:
    return lifecycle.claim(lifecycle.begin(NOW), NOW, LEASE)._replace(**fields)


def paused(**fields) -> Life:
    return lifecycle.pause(running(), NOW, {"code": "C"})._replace(**fields)


def ended(**fields) -> Life:
    return lifecycle.end(running(), NOW, DONE)._replace(**fields)


def code_of(life: Life) -> str:
    return life.details["code"]


class TestBegin:
    def test_it_is_queued_and_may_be_claimed_at_once(self):
        """A new action is nobody's, and due now."""
        life = lifecycle.begin(NOW, deadline=LATER, release_after=LEASE)
        assert (life.phase, life.status, life.attempt) == (Phase.QUEUED, "ACTIVE", 1)
        assert (life.ready_at, life.due_at, life.deadline) == (NOW, NOW, LATER)

    def test_what_somebody_was_told_of_is_looked_at_later(self):
        """It may be claimed at once all the same."""
        life = lifecycle.begin(NOW, dispatch_again_after=LEASE)
        assert (life.ready_at, life.due_at) == (NOW, NOW + LEASE)


class TestClaim:
    def test_a_claim_raises_the_lease_number(self):
        """Each claim has a number that no earlier one had."""
        life = lifecycle.claim(queued(lease_number=4), NOW, LEASE)
        assert (life.phase, life.lease_number) == (Phase.RUNNING, 5)
        assert life.lease_until == life.due_at == NOW + LEASE

    @pytest.mark.parametrize("life", [running(), paused(), ended()])
    def test_only_what_is_queued(self, life: Life):
        """Nothing else can be claimed."""
        with pytest.raises(ActionConflict, match="cannot be claimed"):
            lifecycle.claim(life, NOW, LEASE)


class TestEnd:
    def test_it_ends_and_is_kept_for_a_while(self):
        """What has ended is due when it is to be released."""
        life = lifecycle.end(running(), LATER, DONE)
        assert (life.phase, life.status, life.details) == (Phase.ENDED, "SUCCEEDED", {"n": 1})
        assert life.completion_time == LATER
        assert life.due_at == LATER + timedelta(days=30)
        assert life.lease_until is None

    @pytest.mark.parametrize(
        ("asked", "kept"),
        [
            (None, timedelta(days=30)),
            (timedelta(hours=1), timedelta(hours=1)),
            (timedelta(days=365), timedelta(days=365)),
            (timedelta(0), timedelta(0)),
        ],
    )
    def test_how_long_it_is_kept(self, asked, kept):
        """As long as the row says, which is no longer than the provider keeps anything."""
        life = lifecycle.end(running(release_after=asked), NOW, DONE)
        assert life.due_at == NOW + kept

    def test_past_the_deadline_it_is_too_late(self):
        """A result that comes after the deadline does not count."""
        life = lifecycle.end(running(deadline=NOW), LATER, DONE)
        assert (life.status, code_of(life)) == ("FAILED", "DeadlineExceeded")
        assert NOW.isoformat() in life.details["description"]

    @pytest.mark.parametrize("life", [queued(), paused(), ended()])
    def test_only_what_runs(self, life: Life):
        """Nobody can finish what nobody holds."""
        with pytest.raises(ActionConflict, match="cannot be finished"):
            lifecycle.end(life, NOW, DONE)


class TestFail:
    def fail(self, life: Life, retry_after=LEASE, max_attempts=2) -> Life:
        return lifecycle.fail(life, NOW, BROKEN, retry_after=retry_after, max_attempts=max_attempts)

    def test_another_attempt_follows_later(self):
        """A failure that may be mended is one attempt less, and waits."""
        life = self.fail(running())
        assert (life.phase, life.status, life.attempt) == (Phase.QUEUED, "ACTIVE", 2)
        assert life.ready_at == life.due_at == NOW + LEASE

    def test_the_last_attempt_is_the_last(self):
        """When no attempt is left, the failure is the end."""
        assert code_of(self.fail(running(attempt=2))) == "X"

    def test_what_cannot_be_mended(self):
        """A failure that is not to be tried again ends it at the first attempt."""
        assert self.fail(running(), retry_after=None).phase is Phase.ENDED

    def test_what_was_cancelled_is_not_tried_again(self):
        """Who asked for its end gets it."""
        life = self.fail(running(cancel_requested_by="bob"))
        assert (code_of(life), life.phase) == ("Cancelled", Phase.ENDED)


class TestLoseLease:
    def test_it_is_queued_again(self):
        """A worker that was lost is counted, and costs no attempt."""
        life = lifecycle.lose_lease(running(), LATER, max_recoveries=2)
        assert (life.phase, life.attempt, life.ready_at) == (Phase.QUEUED, 1, LATER)
        assert life.recoveries == 1

    @pytest.mark.parametrize(("most", "words"), [(1, "1 worker died"), (3, "3 workers died")])
    def test_until_it_has_lost_too_many(self, most: int, words: str):
        """The last worker that may be lost is the end."""
        life = lifecycle.lose_lease(running(recoveries=most - 1), NOW, max_recoveries=most)
        assert (life.status, code_of(life)) == ("FAILED", "WorkersLost")
        assert words in life.details["description"]

    def test_one_that_gets_on_is_not_at_fault(self):
        """Only workers lost one after another, without a step in between, are counted."""
        life = lifecycle.lose_lease(
            running(recoveries=4), NOW, max_recoveries=5, has_progressed=True, apart=HOUR
        )
        assert (life.phase, life.recoveries, life.ready_at) == (Phase.QUEUED, 0, NOW)

    def test_those_that_are_lost_again_are_not_begun_together(self):
        """The first time it is begun at once."""
        again = lifecycle.lose_lease(running(recoveries=1), NOW, max_recoveries=5, apart=HOUR)
        first = lifecycle.lose_lease(running(), NOW, max_recoveries=5, apart=HOUR)
        assert (first.ready_at, again.ready_at) == (NOW, NOW + HOUR)

    def test_what_was_cancelled_is_not_tried_again(self):
        """Its worker was to stop anyway."""
        life = lifecycle.lose_lease(running(cancel_requested_by="bob"), NOW, max_recoveries=9)
        assert code_of(life) == "Cancelled"


def test_a_lease_that_is_given_back_costs_no_attempt():
    """A worker that stops in good order leaves the action as it found it."""
    life = lifecycle.give_back(running(attempt=2), LATER)
    assert (life.phase, life.attempt, life.ready_at) == (Phase.QUEUED, 2, LATER)


class TestPause:
    def test_it_waits_for_somebody(self):
        """INACTIVE, and no attempt less."""
        life = lifecycle.pause(running(), NOW, {"code": "C"})
        assert (life.phase, life.status, life.attempt) == (Phase.PAUSED, "INACTIVE", 1)
        assert (life.due_at, life.ready_at, life.details) == (None, None, {"code": "C"})

    def test_what_was_cancelled_is_not_paused(self):
        """It would wait for nobody."""
        life = lifecycle.pause(running(cancel_requested_by="bob"), NOW, {})
        assert code_of(life) == "Cancelled"


class TestResume:
    def test_it_is_queued_again(self):
        """ACTIVE, with the attempts that it had."""
        life = lifecycle.resume(paused(attempt=2), LATER)
        assert (life.phase, life.status, life.attempt) == (Phase.QUEUED, "ACTIVE", 2)
        assert (life.ready_at, life.details) == (LATER, {})

    @pytest.mark.parametrize("life", [queued(), running()])
    def test_what_goes_on_already(self, life: Life):
        """A second resume changes nothing."""
        assert lifecycle.resume(life, NOW) == life

    def test_what_has_ended_stays_ended(self):
        """The end is final."""
        with pytest.raises(ActionConflict, match="is SUCCEEDED and cannot be resumed"):
            lifecycle.resume(ended(), NOW)


class TestCancel:
    @pytest.mark.parametrize("life", [queued(), paused()])
    def test_what_nobody_works_on_ends_at_once(self, life: Life):
        """There is nobody to ask."""
        found = lifecycle.cancel(life, LATER, "bob")
        assert (found.phase, found.status, code_of(found)) == (Phase.ENDED, "FAILED", "Cancelled")
        assert found.details["description"] == "Cancelled by bob"
        assert found.completion_time == LATER

    def test_a_worker_is_asked(self):
        """A running action goes on until its worker has seen the request."""
        found = lifecycle.cancel(running(), NOW, "bob")
        assert (found.phase, found.cancel_requested_by) == (Phase.RUNNING, "bob")

    def test_the_first_to_ask_is_named(self):
        """A second request changes nothing."""
        life = running(cancel_requested_by="bob")
        assert lifecycle.cancel(life, NOW, "alice") == life

    def test_what_has_ended_stays_as_it_is(self):
        """The end is final."""
        assert lifecycle.cancel(ended(), NOW, "bob") == ended()


def test_who_lost_the_right_starts_nothing():
    """The code says why."""
    life = lifecycle.lose_right(running(), NOW)
    assert (life.status, code_of(life)) == ("FAILED", "NoLongerAuthorized")
