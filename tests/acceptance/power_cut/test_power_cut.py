"""What was accepted, returned or seen to have ended survives a power cut on SQLite.

A program is recorded while it works, and its disk is cut off at random places: see `replayer` for
what may be on it then. `make prove` tries 200 runs.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.acceptance.power_cut.aftermath import Claimed, broken_claims, go_on
from tests.acceptance.power_cut.program import Run
from tests.acceptance.power_cut.recording import Recorded, random_cut
from tests.acceptance.power_cut.replayer import (
    read_records,
    state_after_cut,
    whole_state,
)
from tests.counts import count

N_RUNS = count(quick=3, full=25)  # of each of the parts
N_PARTS = count(quick=1, full=8)
N_RUNS_LOST = count(quick=2, full=10)
pytestmark = pytest.mark.usefixtures("unmeasured")
WORKED_ON = 3  # every so many-th cut a worker goes on after


@dataclass(frozen=True)
class Cut:
    """A run, and what is there of it after a cut."""

    run: Run  # on the disk as it is after the cut
    claimed: Claimed


def cuts_of(recorded: Recorded, run: Run, folder: Path) -> Iterator[Cut]:
    """One to three cuts of a run, each at a random place."""
    records = read_records(Path(run.log))
    chance = random.Random(run.seed)
    for n in range(chance.randint(1, 3)):
        after = folder / f"{run.seed}.cut-{n}"
        at = random_cut(records, chance)
        state_after_cut(records, at, recorded.initial(run.seed), after, chance)
        yield Cut(replace(run, data=str(after)), Claimed.before(records, at))


@pytest.mark.parametrize("part", range(N_PARTS))
def test_what_was_claimed_is_so_after_a_power_cut(part, recorder, tmp_path):
    """Nothing accepted is lost, nothing that ended or returned is done again."""
    seeds = range(part * N_RUNS, (part + 1) * N_RUNS)
    recorded = Recorded(tmp_path / "recorded", recorder, seeds)
    counts: Counter[str] = Counter()
    for run in recorded.runs:
        assert_log_is_complete(recorded, run)
        for cut in cuts_of(recorded, run, tmp_path):
            claimed = cut.claimed
            assert broken_claims(cut.run, claimed) == [], (cut, "before the work goes on")
            if claimed.accepted and counts["cuts"] % WORKED_ON == 0:
                carried_out = go_on(cut.run)
                assert max(carried_out.values(), default=1) == 1
                assert not carried_out.keys() & claimed.steps
                assert not {action_id for action_id, _ in carried_out} & claimed.ended
                assert broken_claims(cut.run, replace(claimed, ended=claimed.accepted)) == []
                counts.update({"worked on": 1, "steps carried out": carried_out.total()})
            counts.update(cuts=1, accepted=len(claimed.accepted), ended=len(claimed.ended))
            counts.update(returned=len(claimed.steps))
    print(f"{len(recorded.runs)} runs: {dict(counts)}")  # noqa: T201 - what was tried
    assert counts["accepted"] > 0
    assert counts["worked on"] > 0


def assert_log_is_complete(recorded: Recorded, run: Run) -> None:
    """The record, carried out wholly, gives the files that the program left."""
    left = {
        file.name: file.read_bytes()
        for file in Path(run.data).iterdir()
        if not file.name.endswith("-shm")
    }
    assert whole_state(read_records(Path(run.log)), recorded.initial(run.seed)) == left


def test_commits_that_do_not_wait_for_the_disk_are_lost(recorder, tmp_path):
    """With LICET_SQLITE_SYNCHRONOUS=NORMAL, so that the test above is able to fail."""
    recorded = Recorded(tmp_path / "recorded", recorder, range(N_RUNS_LOST), synchronous="NORMAL")
    lost = [
        broken
        for run in recorded.runs
        for cut in cuts_of(recorded, run, tmp_path)
        for broken in broken_claims(cut.run, cut.claimed)
    ]
    kinds = Counter(text.split(",")[0] for text in lost)
    print(f"with NORMAL: {dict(kinds)}")  # noqa: T201 - what was found
    assert kinds["accepted"], kinds
