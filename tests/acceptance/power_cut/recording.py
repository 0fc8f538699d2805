"""Runs of the program under the recorder."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.acceptance.conftest import ROOT
from tests.acceptance.power_cut.program import Run, described
from tests.acceptance.power_cut.replayer import Record
from tests.counts import unavailable

from licet.db import Database, upgrade

SECONDS_OF_A_RUN = 60


def compiled_recorder(folder: Path) -> Path:
    """The recorder as a library; the test is skipped where it cannot be had."""
    if not sys.platform.startswith("linux"):
        unavailable("the recorder needs Linux")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        unavailable("there is no C compiler: apt-get install gcc libc6-dev")
    library = folder / "recorder.so"
    source = Path(__file__).with_name("recorder.c")
    told = [compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-pthread"]
    done = subprocess.run(told, capture_output=True, text=True, check=False)
    if done.returncode:
        unavailable(f"the recorder cannot be compiled: {done.stderr}")
    return library


class Recorded:
    """Several runs: their folders as they were at the beginning, and their logs.

    Args:
        folder: for all of their files.
        recorder: as a library.
        seeds: one for each run.
        synchronous: of SQLite; licet's default if it is None.
    """

    def __init__(
        self, folder: Path, recorder: Path, seeds: Iterable[int], synchronous: str | None = None
    ) -> None:
        self._folder = folder
        migrated = folder / "migrated"
        migrated.mkdir(parents=True)
        upgrade(database := Database(f"sqlite:///{migrated}/licet.sqlite3"))
        database.close()
        self.runs = [self._prepare(seed, migrated, synchronous) for seed in seeds]
        told = folder / "runs.json"
        told.write_text(described(self.runs))
        unmeasured = {k: v for k, v in os.environ.items() if k != "COVERAGE_PROCESS_START"}
        done = subprocess.run(
            [sys.executable, "-m", "tests.acceptance.power_cut.program", told],
            cwd=ROOT,
            env=unmeasured | {"LD_PRELOAD": str(recorder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30 + SECONDS_OF_A_RUN * len(self.runs),
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _prepare(self, seed: int, migrated: Path, synchronous: str | None) -> Run:
        chance = random.Random(seed)
        data = self._folder / str(seed)
        initial = self.initial(seed)
        if chance.random() < 0.9:
            shutil.copytree(migrated, initial)
        else:
            initial.mkdir()
        shutil.copytree(initial, data)
        n_actions = chance.randint(5, 40)
        return Run(
            data=str(data),
            log=str(self._folder / f"{seed}.log"),
            instance=str(self._folder / "instance"),
            seed=seed,
            n_actions=n_actions,
            stop_after=chance.choice([n_actions, chance.randint(0, n_actions)]),
            merge_pages=chance.choice([10, 30, 100, 4000]),
            is_merged_by_others=chance.random() < 0.3,
            has_worker_apart=chance.random() < 0.25,
            stops_in_order=chance.random() < 0.25,
            synchronous=synchronous,
        )

    def initial(self, seed: int) -> Path:
        """The recorded folder as it was before the run."""
        return self._folder / f"{seed}.initial"


def random_cut(records: Sequence[Record], chance: random.Random) -> int:
    """Anywhere, or, as often, right behind a claim."""
    behind_claims = [n + 1 for n, record in enumerate(records) if record.kind == "M"]
    if behind_claims and chance.random() < 0.5:
        return min(len(records), chance.choice(behind_claims) + chance.choice([0, 0, 1, 2, 5]))
    return chance.randint(0, len(records))
