"""CPU time and memory from start to end: licet's command, its pytest plugin, and importing it.

    make bench                       # or: .venv/bin/python benchmarks/startup.py --rounds 15

Every run is a process of its own, and what is compared takes turns. CPU time is user and system
time of the process; memory is its peak (`os.wait4`), and no less than the 18 MiB of this script,
from which it is forked. Medians are compared, and for the plugin the median of the differences
within a round. An empty pytest run has one test that does nothing and all plugins that are
installed, with licet's and without (``-p no:licet``).

The claims: ``licet --version`` at most 2.5 × the time of ``flask --version`` and 1.5 × its memory;
the plugin at most 0.1 s; ``import licet``, and importing `Licet` from it, at most 1.3 × the time of
Flask, SQLAlchemy with its ORM, and pydantic.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from _rounds import verdict

BIN = Path(sys.executable).parent
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
LIBRARIES = "import flask, sqlalchemy, sqlalchemy.orm, pydantic"
CONTESTANTS = {
    "flask --version": [BIN / "flask", "--version"],
    "licet --version": [BIN / "licet", "--version"],
    "licet --help": [BIN / "licet", "--help"],
    "empty pytest run": [*PYTEST, "-p", "no:licet"],
    "with the plugin": PYTEST,
    "Flask, SQLAlchemy, pydantic": [sys.executable, "-c", LIBRARIES],
    "import licet": [sys.executable, "-c", "import licet"],
    "from licet import Licet": [sys.executable, "-c", "from licet import Licet"],
    "licet.actions.client": [sys.executable, "-c", "import licet.actions.client"],
}


@dataclass(frozen=True)
class Run:
    """What one process used: seconds of CPU time, and its peak memory in MiB."""

    cpu: float
    memory: float


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        runs = {name: [] for name in CONTESTANTS}
        for turn in range(options.rounds + 1):
            for name, command in CONTESTANTS.items():
                found = run(command, folder)
                if turn:  # the first round writes bytecode and fills the disk's cache
                    runs[name].append(found)
    print(report(runs, options.rounds))


def run(command: list[str | Path], folder: str) -> Run:
    environ = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} ended with {process.returncode}.")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Run(cpu=used.ru_utime + used.ru_stime, memory=used.ru_maxrss / unit)


def report(runs: dict[str, list[Run]], rounds: int) -> str:
    cpu = {name: statistics.median(one.cpu for one in found) for name, found in runs.items()}
    memory = {name: statistics.median(one.memory for one in found) for name, found in runs.items()}
    versions = ", ".join(f"{name} {version(name)}" for name in ("flask", "sqlalchemy", "pydantic"))
    lines = [f"medians of {rounds} rounds, Python {platform.python_version()}, {versions}", ""]
    lines += [f"{name:30}{cpu[name]:8.3f} s{memory[name]:8.1f} MiB" for name in runs]
    pairs = zip(runs["with the plugin"], runs["empty pytest run"], strict=True)
    plugin = statistics.median(mine.cpu - theirs.cpu for mine, theirs in pairs)
    flask, libraries = "flask --version", "Flask, SQLAlchemy, pydantic"
    ours = ["import licet", "from licet import Licet"]
    claims = [
        ("licet --version, time", cpu["licet --version"] / cpu[flask], 2.5, "×"),
        ("licet --version, memory", memory["licet --version"] / memory[flask], 1.5, "×"),
        ("the plugin in an empty pytest run", plugin, 0.1, "s"),
        *((f"{name} beside the libraries", cpu[name] / cpu[libraries], 1.3, "×") for name in ours),
    ]
    return "\n".join([*lines, "", *(verdict(*claim) for claim in claims)])


if __name__ == "__main__":
    main()
