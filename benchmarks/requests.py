"""CPU time of a request, in process: bare Flask (the floor), licet, and the original toolkit.

    make bench                       # or: .venv/bin/python benchmarks/requests.py --rounds 15

Each contestant is a process of its own that calls its WSGI app directly, without a server or a test
client. They take turns, round by round, and the medians are compared. The original (0.21.0, in an
environment of its own, made at the first run) keeps actions in a dictionary and is spared the check
of tokens; licet checks the token, and keeps actions in SQLite.

A stored run waits for the disk, as licet has it by default; what that costs the processor depends
on the machine, so that one contestant runs with ``LICET_SQLITE_SYNCHRONOUS=NORMAL`` beside it.

The claims, as multiples of the floor: stored status at most 2.4 × a bare GET; stored run at most
6.5 × a bare POST, and 3.7 × without the wait for the disk.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ORIGINAL = "globus-action-provider-tools==0.21.0"
ENVIRONMENT = HERE.parent / ".tools" / "bench-original"
CLAIMS = {"GET": ("status", 2.4), "POST": ("run", 6.5)}
WITHOUT = "licet, not waiting for the disk"
WITHOUT_LIMIT = 3.7


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--requests", type=int, default=500, help="in each round")
    arguments.add_argument("--no-rival", action="store_true")
    options = arguments.parse_args()
    contestants = {
        "bare Flask": worker(sys.executable, "bare"),
        "licet, callbacks and store": worker(sys.executable, "licet"),
        "licet, served by the store": worker(sys.executable, "licet-store"),
        WITHOUT: worker(sys.executable, "licet-store", LICET_SQLITE_SYNCHRONOUS="NORMAL"),
    }
    if not options.no_rival:
        contestants["original, dictionary"] = worker(original_python(), "original")
    medians = measure(contestants, options.rounds, options.requests)
    print(report(medians, options))


def worker(python: str, kind: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, str(HERE / "_worker.py"), kind],
        env=os.environ | settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def original_python() -> str:
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        uv = str(HERE.parent / ".tools" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, ENVIRONMENT], check=True)
        subprocess.run(
            [uv, "pip", "install", "-q", "--python", python, ORIGINAL, "flask"], check=True
        )
    return str(python)


def measure(
    contestants: dict[str, subprocess.Popen[str]], rounds: int, requests: int
) -> dict[str, dict[str, float]]:
    """Median µs of CPU time a request, by contestant and method."""
    times: dict[str, dict[str, list[float]]] = {
        name: {method: [] for method in CLAIMS} for name in contestants
    }
    for turn in range(rounds + 1):
        for name, process in contestants.items():
            for method in CLAIMS:
                answer = ask(process, {"method": method, "requests": requests})
                if turn:  # the first round warms up
                    times[name][method].append(answer)
    for process in contestants.values():
        process.stdin.close()
        process.wait(timeout=30)
    return {
        name: {method: statistics.median(found) for method, found in by_method.items()}
        for name, by_method in times.items()
    }


def ask(process: subprocess.Popen[str], question: dict[str, Any]) -> float:
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def report(medians: dict[str, dict[str, float]], options: argparse.Namespace) -> str:
    floor = medians["bare Flask"]
    lines = [
        f"CPU µs a request, medians of {options.rounds} rounds of {options.requests}, "
        f"Python {platform.python_version()}",
        "",
        f"{'':30}{'GET status':>22}{'POST run':>22}",
    ]
    for name, found in medians.items():
        cells = (f"{found[m]:8.1f}  {found[m] / floor[m]:5.2f} ×" for m in CLAIMS)
        lines.append(f"{name:30}" + "".join(f"{cell:>22}" for cell in cells))
    lines.append("")
    ours = [
        found for name, found in medians.items() if name.startswith("licet, ") and name != WITHOUT
    ]
    for method, (operation, limit) in CLAIMS.items():
        ratio = max(found[method] for found in ours) / floor[method]
        verdict = "holds" if ratio <= limit else "FAILS"
        lines.append(f"stored {operation} ≤ {limit} × bare {method}: {ratio:.2f} ×, {verdict}")
    ratio = medians[WITHOUT]["POST"] / floor["POST"]
    verdict = "holds" if ratio <= WITHOUT_LIMIT else "FAILS"
    lines.append(f"the same without the disk ≤ {WITHOUT_LIMIT} ×: {ratio:.2f} ×, {verdict}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
