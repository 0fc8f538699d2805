"""What a worker claims: turns, room, and from where it reads on."""

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
    return Claims(jobs, "w")


def sinces(bench, monkeypatch):
    """A list of where each claim began to read."""
    found, claim = [], bench.runs.claim_many

    def noted(*args, since, **options):
        found.append(since)
        return claim(*args, since=since, **options)

    monkeypatch.setattr(bench.runs, "claim_many", noted)
    return found


def job_that_reads_on(bench):
    """As on PostgreSQL, where many write at once."""
    bench.runs.takes_turns = False
    return bench.job()


def ids(claims):
    return [claim.held.action_id for claim in claims]


class TestWhereItReads:
    def test_the_whole_queue_on_sqlite(self, bench, clock, monkeypatch):
        """Nothing is left behind there that would have to be walked over."""
        read = sinces(bench, monkeypatch)
        claims = make_claims(bench.job())
        bench.submit()
        assert len(claims.take(1)) == 1
        assert claims.take(1) == []
        assert read == [THE_BEGINNING] * 2

    def test_on_from_the_last(self, bench, clock, monkeypatch):
        """The whole queue at first, and then from where the one before stood."""
        read = sinces(bench, monkeypatch)
        claims = make_claims(job_that_reads_on(bench))
        for _ in range(5):
            bench.submit()
            bench.clock.advance(1)
        for count in (1, 2, 1):
            assert len(claims.take(count)) == count
        on = [START + timedelta(seconds=n) - OVERLAP for n in (0, 2)]
        assert read == [THE_BEGINNING, *on]
        clock.now += 2 * claims_module.WHOLE_SECONDS
        assert len(claims.take(1)) == 1
        assert read[-1] == THE_BEGINNING

    def test_what_came_late(self, bench, clock, monkeypatch):
        """From a clock that is behind: who finds too few reads the whole queue."""
        read = sinces(bench, monkeypatch)
        claims = make_claims(job_that_reads_on(bench))
        bench.submit()
        assert len(claims.take(1)) == 1
        assert claims.take(1) == []  # the whole queue was read a moment ago
        clock.now += 2 * claims_module.FRESH_SECONDS
        assert claims.take(1) == []
        on = START - OVERLAP
        assert read == [THE_BEGINNING, on, on, THE_BEGINNING]

    def test_each_queue_has_a_place_of_its_own(self, bench, clock, sqlite_database, monkeypatch):
        """And is read whole first."""
        other = Bench(sqlite_database, "other")
        claims = make_claims(job_that_reads_on(bench), job_that_reads_on(other))
        read, read_of_other = sinces(bench, monkeypatch), sinces(other, monkeypatch)
        bench.submit()
        for _ in range(2):
            claims.take(2)
        assert read == [THE_BEGINNING, START - OVERLAP]
        assert read_of_other == [THE_BEGINNING, THE_BEGINNING - OVERLAP]


class TestRoom:
    def test_jobs_take_turns(self, bench, sqlite_database):
        """However long one's queue is."""
        other = Bench(sqlite_database, "other")
        for _ in range(3):
            bench.submit()
            other.submit()
        claims = make_claims(bench.job(), other.job())
        taken = [claims.take(1)[0] for _ in range(4)]
        assert [claim.job.provider for claim in taken] == ["other", "unit"] * 2
        taken += claims.take(5)
        assert len(taken) == 6
        assert claims.take(1) == []
        for claim in taken:
            claims.free(claim.job)
        assert claims.is_empty

    def test_who_has_no_room_is_passed_over(self, bench, sqlite_database):
        """The others have the rest."""
        other = Bench(sqlite_database, "other")
        for _ in range(4):
            bench.submit()
            other.submit()
        narrow, wide = bench.job(concurrency=2), other.job()
        claims = make_claims(wide, narrow)
        assert [claim.job.provider for claim in claims.take(3)] == ["unit", "unit", "other"]
        assert [claim.job.provider for claim in claims.take(2)] == ["other"] * 2
        claims.free(narrow)
        assert [claim.job.provider for claim in claims.take(3)] == ["unit", "other"]

    def test_a_claim_that_fails_keeps_no_room(self, bench, monkeypatch):
        """Neither one of the next nor one that was named."""

        def away(*_args, **_options):
            raise StoreUnavailable

        job = bench.job(concurrency=1)
        claims = make_claims(job)
        for name in ("claim_many", "claim_one"):
            monkeypatch.setattr(bench.runs, name, away)
        with pytest.raises(StoreUnavailable):
            claims.take(2)
        with pytest.raises(StoreUnavailable):
            claims.named(job, "x")
        assert claims.is_empty

    def test_a_failure_behind_what_was_claimed(self, bench, sqlite_database, monkeypatch):
        """It is run all the same."""
        other = Bench(sqlite_database, "other")
        action_id = other.submit()

        def broken(*_args, **_options):
            raise ValueError

        monkeypatch.setattr(bench.runs, "claim_many", broken)
        claims = make_claims(bench.job(), other.job())
        assert ids(claims.take(2)) == [action_id]
        with pytest.raises(ValueError):
            claims.take(2)

    def test_a_message_that_there_is_no_room_for(self, bench):
        """Whoever makes room runs one more: it need not come again."""
        job = bench.job(concurrency=1)
        claims = make_claims(job)
        first, second = bench.submit(), bench.submit()
        claim = claims.named(job, first)
        assert claim is not None
        assert claims.named(job, second) is None
        claims.free(job)
        claim = claims.instead(job)
        assert claim is not None
        assert claim.held.action_id == second
        claims.free(job)
        assert claims.instead(job) is None
        assert claims.is_empty

    def test_what_is_put_off_while_somebody_asks(self, bench, monkeypatch):
        """It is asked for again."""
        job = bench.job(concurrency=1)
        claims = make_claims(job)
        assert claims.named(job, bench.submit()) is not None
        assert claims.named(job, "x") is None
        claims.free(job)
        claim_ready, later = bench.runs.claim_ready, []

        def ask(*args):
            if later:
                return claim_ready(*args)
            later.append(bench.submit())
            assert claims.named(job, later[0]) is None
            return None

        monkeypatch.setattr(bench.runs, "claim_ready", ask)
        claim = claims.instead(job)
        assert claim is not None
        assert claim.held.action_id == later[0]

    def test_asking_in_vain_keeps_no_room(self, bench, monkeypatch):
        """Nor forgets what is to be asked for."""

        def away(*_args):
            raise StoreUnavailable

        job, claim_ready = bench.job(concurrency=1), bench.runs.claim_ready
        claims = make_claims(job)
        assert claims.named(job, bench.submit()) is not None
        assert claims.named(job, "x") is None
        claims.free(job)
        monkeypatch.setattr(bench.runs, "claim_ready", away)
        with pytest.raises(StoreUnavailable):
            claims.instead(job)
        assert claims.is_empty
        bench.submit()
        monkeypatch.setattr(bench.runs, "claim_ready", claim_ready)
        assert claims.instead(job) is not None

    def test_the_end(self, bench):
        """Nothing is claimed any more."""
        job = bench.job()
        claims, action_id = make_claims(job), bench.submit()
        claims.close()
        assert claims.named(job, action_id) is None
        assert claims.take(1) == []
        assert claims.instead(job) is None
        assert claims.is_empty
        assert bench.life(action_id).phase == "queued"
