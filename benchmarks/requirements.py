"""CPU time of checking requirements: licet, and Flask-Allows 0.7.1 as the rival.

    make bench                       # or: .venv/bin/python benchmarks/requirements.py --rounds 15

Each contestant is a process of its own. A check is `bool(permission)` and `allows.fulfill([...])`
of three requirements joined by And or by Or, all three asked, in a request. A guarded request goes
through a WSGI app with an Allows, whose view `requires` two requirements; a bare one through an app
without either. They take turns, round by round, and medians are compared. A process that never
opened a context of overrides or additions does not look for one; the second contestant has once.

Flask-Allows does not import on Flask 3: it runs on the last Flask that it works with, 1.1, in an
environment of its own that is made at the first run. Its figures are those of the same program with
the import root changed; its bare request is that of Flask 1.1.

The claims: a check of three at most 2 µs, a guarded request at most 8 µs over a bare one.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RIVAL = ["flask-allows==0.7.1", "flask<1.2", "werkzeug<1.1", "jinja2<3.1", "markupsafe<2.1"]
RIVAL += ["itsdangerous<2.1"]
ENVIRONMENT = HERE.parent / ".tools" / "bench-flask-allows"
CHECKS = ["And, Permission", "Or, Permission", "And, fulfill", "Or, fulfill"]
REQUESTS = ["bare", "guarded"]
CHECK_LIMIT_MICROSECONDS, GUARD_LIMIT_MICROSECONDS = 2.0, 8.0
Figures = dict[str, float]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--calls", type=int, default=1000, help="requests in each round")
    arguments.add_argument("--no-rival", action="store_true")
    options = arguments.parse_args()
    contestants = {
        "licet": worker(sys.executable, "licet.authz"),
        "licet, contexts used": worker(sys.executable, "licet.authz", "--use-contexts"),
    }
    rival = None if options.no_rival else rival_python()
    if rival is not None:
        contestants["Flask-Allows 0.7.1"] = worker(rival, "flask_allows")
    measured = measure(contestants, options.rounds, options.calls)
    print(report(measured, options))


def worker(python: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-W", "ignore", str(HERE / "_requirements_worker.py"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def rival_python() -> str | None:
    """An interpreter that has the rival; None, and why, when it cannot be had."""
    python = str(ENVIRONMENT / "bin" / "python")
    uv = str(HERE.parent / ".tools" / "bin" / "uv")
    try:
        if not Path(python).exists():
            subprocess.run([uv, "venv", "-q", "--python", sys.executable, ENVIRONMENT], check=True)
            install = [uv, "pip", "install", "-q", "--python", python, *RIVAL]
            subprocess.run(install, check=True)
        subprocess.run([python, "-c", "import flask_allows"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"No rival: Flask-Allows 0.7.1 does not run here ({error}).\n")
        return None
    return python


def measure(
    contestants: dict[str, subprocess.Popen[str]], rounds: int, calls: int
) -> dict[str, Figures]:
    """Median µs of CPU time of each thing measured, and of what the guard adds, by contestant."""
    times = {name: {what: [] for what in CHECKS + REQUESTS} for name in contestants}
    for turn in range(rounds + 1):
        for name, process in contestants.items():
            for what in CHECKS + REQUESTS:
                answer = ask(process, what, calls if what in REQUESTS else calls * 10)
                if turn:  # the first round warms up
                    times[name][what].append(answer)
    for process in contestants.values():
        process.stdin.close()
        process.wait(timeout=30)
    return {name: summary(found) for name, found in times.items()}


def summary(found: dict[str, list[float]]) -> Figures:
    figures = {what: statistics.median(times) for what, times in found.items()}
    pairs = zip(found["bare"], found["guarded"], strict=True)
    figures["added"] = statistics.median(guarded - bare for bare, guarded in pairs)
    return figures


def ask(process: subprocess.Popen[str], what: str, calls: int) -> float:
    process.stdin.write(json.dumps({"what": what, "calls": calls}) + "\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def report(measured: dict[str, Figures], options: argparse.Namespace) -> str:
    lines = [
        f"CPU µs, medians of {options.rounds} rounds of {options.calls} requests and "
        f"{options.calls * 10} checks, Python {platform.python_version()}",
        "",
        f"{'':24}" + "".join(f"{name:>22}" for name in measured),
    ]
    rows = [f"{what} of three" for what in CHECKS] + ["bare request", "guarded request", "added"]
    for row, what in zip(rows, [*CHECKS, *REQUESTS, "added"], strict=True):
        cells = (f"{figures[what]:22.2f}" for figures in measured.values())
        lines.append(f"{row:24}" + "".join(cells))
    ours = [figures for name, figures in measured.items() if name.startswith("licet")]
    slowest = max(figures[what] for figures in ours for what in CHECKS)
    added = max(figures["added"] for figures in ours)
    lines += [
        "",
        verdict("And/Or of three requirements", slowest, CHECK_LIMIT_MICROSECONDS),
        verdict("guarded request over a bare one", added, GUARD_LIMIT_MICROSECONDS),
    ]
    return "\n".join(lines)


def verdict(claim: str, found: float, limit: float) -> str:
    return f"{claim} ≤ {limit:g} µs: {found:.2f} µs, {'holds' if found <= limit else 'FAILS'}"


if __name__ == "__main__":
    main()
