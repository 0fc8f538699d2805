"""Faults that are planted in a copy of the source, which the tests named beside them must find."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Fault", "run_with_copy"]

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 300
_PYTEST = ("-x", "-q", "--no-header", "-p", "no:randomly", "-p", "no:cacheprovider")


@dataclass(frozen=True)
class Fault:
    """One fault: where it is, what is written there, and what takes its place.

    `tests` names files or folders of tests, of which one must fail.
    """

    kind: str
    file: str
    right: str
    wrong: str
    tests: str

    def planted(self) -> str:
        """The text of the file with the fault in it.

        Raises:
            AssertionError: what the fault replaces is not there once: the fault must be written
                anew for the code as it now is.
        """
        text = (ROOT / self.file).read_text("utf-8")
        times = text.count(self.right)
        assert times == 1, f"{self.file} has {times} times: {self.right}"
        return text.replace(self.right, self.wrong)


def run_with_copy(
    folder: Path, file: str, text: str, tests: list[str]
) -> subprocess.CompletedProcess[str]:
    """Run tests against a copy of the source, in which one file has another text."""
    source = folder / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / file).write_text(text, "utf-8")
    compile(text, file, "exec")
    environ = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    environ.pop("COVERAGE_PROCESS_START", None)
    command = [sys.executable, "-m", "pytest", *_PYTEST, *tests]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environ,
        text=True,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
