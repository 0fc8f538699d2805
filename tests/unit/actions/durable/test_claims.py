"""What a worker claims: turns, room, and from where it reads on."""

import threading
from datetime import timedelta

import pytest
from tests.unit.actions.durables import START, Bench

from licet.actions.durable import claims as claims_module
from licet.actions.durable.claims import OVERLAP, Claims
from licet.actions.durable.store.runs import THE_BEGINNING
from licet.errors import StoreUnavailable


class Monotonic:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Monotonic()
    monkeypatch.setattr(claims_module, "time", found)
    return found


@pytest.fixture
def bench(sqlite_database):
    return Bench(sqlite_database)


def make_claims(*jobs):
    lock = threading.RLock()
    return Claims(jobs, "w", lock, threading.Condition(lock))


def sinces(bench, monkeypatch):
    """A list of where each claim began to read."""
    found, claim = [], bench.runs.claim

    def noted(*args, since, **options):
        found.append(since)
        return claim(*args, since=since, **options)

    monkeypatch.setattr(bench.runs, "claim", noted)
    return found


def job_that_reads_on(bench):
    """As on PostgreSQL, where many write at once."""
    bench.runs.takes_turns = False
    return bench.job()


class TestWhereItReads:
    def test_the_whole_queue_on_sqlite(self, bench, clock):
        """Nothing is left behind there that would have to be walked over."""
        job = bench.job()
        claims = make_claims(job)
        bench.submit()
        assert claims.next() is not None
        assert claims.then(job).since == THE_BEGINNING
        clock.now += 2 * claims_module.WHOLE_SECONDS
        assert claims.knows_all_of(job)

    def test_on_from_the_last(self, bench, clock, monkeypatch):
        """The whole queue at first, and then from where the one before stood."""
        read = sinces(bench, monkeypatch)
        claims = make_claims(job_that_reads_on(bench))
        for _ in range(4):
            bench.submit()
            bench.clock.advance(1)
        for _ in range(3):
            assert claims.next() is not None
        on = [START + timedelta(seconds=n) - OVERLAP for n in (0, 1)]
        assert read == [THE_BEGINNING, *on]
        clock.now += 2 * claims_module.FRESH_SECONDS
        assert claims.next() is not None
        assert read[-1] == THE_BEGINNING

    def test_what_came_late(self, bench, clock):
        """From a clock that is behind: who would sleep otherwise finds it, others soon."""
        job = job_that_reads_on(bench)
        claims = make_claims(job)
        bench.clock.advance(60)
        bench.submit()
        assert claims.next() is not None
        bench.clock.advance(-30)
        late = bench.submit()
        bench.clock.advance(31)
        clock.now += 2 * claims_module.FRESH_SECONDS
        assert claims.then(job).since > START
        assert not claims.knows_all_of(job)
        found = claims.next()
        assert found is not None
        assert found.held.action_id == late
        assert claims.knows_all_of(job)
        clock.now += 2 * claims_module.WHOLE_SECONDS
        assert claims.then(job).since == THE_BEGINNING

    def test_of_several_queues_nobody_knows_all(self, bench, clock, sqlite_database):
        """What is read with an end is one of them."""
        job = bench.job()
        claims = make_claims(job, Bench(sqlite_database, "other").job())
        claims.next()
        assert not claims.knows_all_of(job)

    def test_what_is_claimed_with_another_write_counts(self, bench, clock):
        """It reads on from there as well."""
        job = job_that_reads_on(bench)
        claims = make_claims(job)
        assert claims.then(job).since == THE_BEGINNING
        bench.submit()
        claims.note(job, bench.claim())
        assert claims.then(job).since == START - OVERLAP

    def test_each_queue_has_a_place_of_its_own(self, bench, clock, sqlite_database):
        """And is read whole first."""
        other = Bench(sqlite_database, "other")
        one, two = job_that_reads_on(bench), job_that_reads_on(other)
        claims = make_claims(one, two)
        bench.submit()
        claims.note(one, bench.claim())
        assert claims.then(one).since == THE_BEGINNING
        assert claims.then(one).since == START - OVERLAP
        assert claims.then(two).since == THE_BEGINNING
        assert claims.then(two).since == THE_BEGINNING - OVERLAP


class TestRoom:
    def test_jobs_take_turns(self, bench, sqlite_database):
        """However long one's queue is."""
        other = Bench(sqlite_database, "other")
        for _ in range(3):
            bench.submit()
            other.submit()
        claims = make_claims(bench.job(), other.job())
        claimed = [claims.next() for _ in range(6)]
        providers = [claim.job.provider for claim in claimed if claim is not None]
        assert providers == ["other", "unit"] * 3
        assert claims.next() is None
        for claim in claimed:
            claims.free(claim.job)
        assert claims.is_empty

    def test_who_has_no_room_is_passed_over(self, bench, sqlite_database, monkeypatch):
        """The others are asked once each."""
        other = Bench(sqlite_database, "other")
        narrow, wide = bench.job(concurrency=1), other.job()
        claims = make_claims(narrow, wide)
        assert claims.reserve(narrow)
        assert not claims.reserve(narrow)
        asked = []
        monkeypatch.setattr(other.runs, "claim", lambda *_, **__: asked.append(1))
        assert claims.next() is None
        assert asked == [1]
        claims.free(narrow)
        assert claims.is_empty

    def test_nobody_has_room(self, bench):
        """Then there is nothing to do."""
        job = bench.job(concurrency=1)
        claims = make_claims(job)
        bench.submit()
        assert claims.reserve(job)
        assert claims.next() is None
        assert claims.reserve_next() is None

    def test_a_claim_that_fails_keeps_no_room(self, bench, monkeypatch):
        """Neither one of the next nor one that was named."""

        def away(*_args, **_options):
            raise StoreUnavailable

        job = bench.job(concurrency=1)
        claims = make_claims(job)
        for name in ("claim", "claim_one"):
            monkeypatch.setattr(bench.runs, name, away)
        with pytest.raises(StoreUnavailable):
            claims.next()
        assert claims.reserve(job)
        with pytest.raises(StoreUnavailable):
            claims.named(job, "x")
        assert claims.is_empty

    def test_what_is_put_off_while_somebody_asks(self, bench, monkeypatch):
        """It is asked for again: the message need not come again."""
        job = bench.job(concurrency=1)
        claims = make_claims(job)
        assert claims.reserve(job)
        assert not claims.reserve_or_put_off(job)
        claims.free(job)
        claim_ready, later = bench.runs.claim_ready, []

        def ask(*args):
            if later:
                return claim_ready(*args)
            later.append(bench.submit())
            assert not claims.reserve_or_put_off(job)
            return None

        monkeypatch.setattr(bench.runs, "claim_ready", ask)
        claim = claims.instead(job)
        assert claim is not None
        assert claim.held.action_id == later[0]
        claims.free(job)
        assert claims.instead(job) is None
        assert claims.is_empty

    def test_asking_in_vain_keeps_no_room(self, bench, monkeypatch):
        """Nor forgets what is to be asked for."""

        def away(*_args):
            raise StoreUnavailable

        job, claim_ready = bench.job(concurrency=1), bench.runs.claim_ready
        claims = make_claims(job)
        assert claims.reserve(job)
        assert not claims.reserve_or_put_off(job)
        claims.free(job)
        monkeypatch.setattr(bench.runs, "claim_ready", away)
        with pytest.raises(StoreUnavailable):
            claims.instead(job)
        assert claims.is_empty
        bench.submit()
        monkeypatch.setattr(bench.runs, "claim_ready", claim_ready)
        assert claims.instead(job) is not None

    def test_the_end(self, bench):
        """Nothing is claimed any more, nor what was being claimed."""
        job = bench.job()
        claims, action_id = make_claims(job), bench.submit()
        assert claims.reserve(job)
        claims.close()
        assert claims.named(job, action_id) is None
        assert not claims.reserve(job)
        assert claims.next() is None
        assert claims.is_empty
        assert bench.life(action_id).phase == "queued"
