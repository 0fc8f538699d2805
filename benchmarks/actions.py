"""Durable actions that do nothing: licet beside raw SQL, other durable runtimes, and bare Celery.

    make bench                       # or: .venv/bin/python benchmarks/actions.py --rounds 15

Five questions, each answered in one run, the contestants taking turns round by round:

- durable: with commits that wait for the disk, on both databases and for everybody: what grouping
  of writes is worth beside raw SQL (`_actions_durable.py`), and the rivals once more. What that is
  depends on the disk: ``--only durable --fsync-ms 2.5`` has one that takes so much longer.
- writes: `Runtime.submit` without HTTP, and submit, claim, run and finish, by a worker of one and
  of eight threads, beside the floor: the same rows, written and committed one after another in raw
  SQL by the bare driver, in the same tables with the same indexes. On SQLite and on PostgreSQL.
  Rounds are of 2,000 actions: SQLite writes its log back once in 500, which takes 12 ms, and in
  short rounds always the same contestant may get it.
- rivals: actions from submission to the stored end beside Procrastinate and DBOS, each in a process
  of its own with room for eight at once, on the same PostgreSQL server; and a stored backlog worked
  off. Whose turn it is not is stopped (SIGSTOP), since all of them poll.
- celery: ``LICET_DISPATCH=celery`` beside bare Celery tasks whose results are stored in the same
  Valkey, both by one worker process with a pool of eight threads.
- workers: actions that wait 50 ms, by two worker processes and by one.

In the other four the server runs without fsync (``-F``) for everybody, which is hardest on licet's
own share. SQLite is in WAL mode with ``synchronous=FULL``, as licet sets it, for the floor as well.

The claims: at most twice the floor's time; three times the actions a second of each rival; at most
1.5 × the time of bare Celery; two workers 1.7 × as fast as one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from _actions_durable import durable
from _actions_floor import Floor
from _actions_workers import WAIT_SECONDS, bare_celery
from _durables import (
    CALLER,
    PROVIDER,
    Durables,
    folder,
    make_app,
    make_database,
    make_requests,
    temporary_server,
    temporary_valkey,
)
from _rounds import Times, verdict
from licet.actions.durable.runtime import durable_runtime

HERE = Path(__file__).parent
RIVALS = ("licet", "procrastinate", "dbos-started", "dbos-queued")
WAYS = ("end to end", "backlog")
N_WAITING = 640
N_WRITTEN = 2000


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--actions", type=int, default=1000, help="in each round")
    arguments.add_argument("--only", choices=["durable", "writes", "rivals", "celery", "workers"])
    arguments.add_argument(
        "--fsync-ms",
        type=float,
        help="of durable alone: how much longer the disk takes for each fsync (needs gcc)",
    )
    options = arguments.parse_args()
    if options.fsync_ms and "SLOW_DISK_US" not in os.environ:
        run_with_slow_disk(options.fsync_ms)
    rounds, number = options.rounds, options.actions
    print(
        f"medians of {rounds} rounds of {number} actions ({N_WRITTEN} beside raw SQL), "
        f"Python {platform.python_version()}"
    )
    claims: list[str] = []
    if options.only in (None, "durable"):
        with temporary_server(fsync=True) as server, folder() as where:
            claims += durable(server, where, max(3, rounds // 2))
            claims += rivals(server, max(3, rounds // 2), 500, ways=WAYS[:1], least=6)
    with temporary_server() as server, folder() as where:
        if options.only in (None, "writes"):
            claims += writes(server, where, rounds, N_WRITTEN)
        if options.only in (None, "rivals"):
            claims += rivals(server, max(3, rounds // 2), number)
        if options.only in (None, "celery"):
            claims += celery(server, where, max(3, rounds // 2), number)
        if options.only in (None, "workers"):
            claims += workers(server, where, 3)
    print("\n" + "\n".join(claims))


def run_with_slow_disk(milliseconds: float) -> None:
    """Begin again, on a disk that takes that much longer."""
    library = Path(tempfile.mkdtemp(prefix="licet-disk-")) / "slow_disk.so"
    library.parent.chmod(0o755)  # PostgreSQL runs as somebody else
    source = str(HERE / "_slow_disk.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    added = {"LD_PRELOAD": str(library), "SLOW_DISK_US": str(int(milliseconds * 1000))}
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | added)


# --- beside raw SQL ------------------------------------------------------------------------------


def writes(server: str, where: str, rounds: int, number: int) -> list[str]:
    claims = []
    for name in ("SQLite", "PostgreSQL"):

        def url(database: str, name: str = name) -> str:
            if name == "SQLite":
                return f"sqlite:///{where}/{database}.sqlite3"
            return make_database(server, database)

        found = time_writes(url, where, rounds, number)
        print(f"\n{name + ', µs an action':28}{'CPU':>10}{'wall':>10}{'a second':>10}")
        for what, times in found.items():
            print(f"  {what:26}{times.cpu:10.0f}{times.wall:10.0f}{1e6 / times.wall:10,.0f}")
        for what in ("submit", "to the end, 1 thread", "to the end, 8 threads"):
            floor = found["floor, submit" if what == "submit" else "floor, to the end"]
            ratio = found[f"licet, {what}"].wall_beside(floor)
            claims.append(verdict(f"{name}, {what}: time beside the floor", ratio, 2, "×"))
    return claims


def time_writes(
    url: Callable[[str], str], where: str, rounds: int, number: int
) -> dict[str, Times]:
    floor = Floor(url("floor"))
    licet = {n: Durables(f"{where}/{n}", url(f"licet{n}")) for n in (1, 8)}
    workers = {n: durables.start(n) for n, durables in licet.items()}
    kept: dict[str, list[tuple[float, float]]] = {}
    for turn in range(rounds + 1):
        rows = floor.rows(number)
        submitted = timed(lambda rows=rows: floor.submit(rows), number)
        done = timed(lambda: floor.work_off(number), number)
        found = {"floor, submit": submitted, "floor, to the end": added(submitted, done)}
        for n, durables in licet.items():
            asked = make_requests(number)
            submitted = timed(lambda d=durables, asked=asked: d.submit(asked), number)
            done = timed(lambda d=durables, n=n: d.work_off(workers[n], number), number)
            found[f"licet, to the end, {n} thread{'s' if n > 1 else ''}"] = added(submitted, done)
            if n == 1:
                found["licet, submit"] = submitted
        if turn:  # the first round warms up
            for what, times in found.items():
                kept.setdefault(what, []).append(times)
    ended = {store.n_ended() for store in (floor, *licet.values())}
    if ended != {(rounds + 1) * number}:
        raise SystemExit(f"Not all ended: {ended}")
    for store in (floor, *licet.values()):
        store.close()
    return {what: Times(found) for what, found in sorted(kept.items())}


def timed(call: Callable[[], None], number: int) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return (
        (time.process_time() - cpu) / number * 1e6,
        (time.perf_counter() - wall) / number * 1e6,
    )


def added(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


# --- beside other durable runtimes ---------------------------------------------------------------


def rivals(
    server: str, rounds: int, number: int, *, ways: tuple[str, ...] = WAYS, least: float = 3
) -> list[str]:
    used = ", ".join(f"{name} {version(name)}" for name in ("procrastinate", "dbos", "psycopg"))
    print(f"\nPostgreSQL, {used}")
    contestants = {name: contestant(server, name) for name in RIVALS}
    times: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for turn in range(rounds + 1):
        for name, process in contestants.items():
            for way in ways:
                if (name, way) == ("dbos-started", "backlog"):
                    continue  # it runs at once, or when the process begins again
                process.send_signal(signal.SIGCONT)
                wall, cpu = ask(process, {"way": way, "number": number})
                process.send_signal(signal.SIGSTOP)
                if turn:
                    found = cpu / number * 1e6, wall / number * 1e6
                    times.setdefault((name, way), []).append(found)
    for process in contestants.values():
        process.send_signal(signal.SIGCONT)
        end(process)
    return rival_claims(times, ways, least)


def rival_claims(
    times: dict[tuple[str, str], list[tuple[float, float]]], ways: tuple[str, ...], least: float
) -> list[str]:
    claims = []
    for way in ways:
        print(f"  {way + ', µs an action':28}{'CPU':>10}{'wall':>10}{'a second':>10}")
        licet = Times(times["licet", way])
        for name in (name for name in RIVALS if (name, way) in times):
            it = Times(times[name, way])
            print(f"    {name:26}{it.cpu:10.0f}{it.wall:10.0f}{1e6 / it.wall:10,.0f}")
            if name != "licet":
                claims.append(at_least(f"{way}: licet beside {name}", it.wall_beside(licet), least))
    return claims


def at_least(claim: str, value: float, limit: float) -> str:
    outcome = "holds" if value >= limit else "FAILS"
    return f"{claim} ≥ {limit:g} ×: {value:.2f} ×, {outcome}"


def contestant(server: str, name: str) -> subprocess.Popen[str]:
    url = make_database(server, name.replace("-", "_")).replace("+psycopg", "")
    return script("_actions_rivals.py", name, url)


def script(name: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(HERE / name), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None,
        text=True,
    )


def ask(process: subprocess.Popen[str], question: dict[str, Any]) -> tuple[float, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    wall, cpu = json.loads(process.stdout.readline())
    return wall, cpu


def end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(timeout=60)


@contextlib.contextmanager
def running(*scripts: tuple[str, ...]) -> Iterator[None]:
    processes = [script(*arguments) for arguments in scripts]
    try:
        yield
    finally:
        for process in processes:
            end(process)


# --- beside bare Celery --------------------------------------------------------------------------


def celery(server: str, where: str, rounds: int, number: int) -> list[str]:
    url = make_database(server, "celery")
    with tempfile.TemporaryDirectory() as kept, temporary_valkey(Path(kept)) as broker_url:
        config = {"LICET_DISPATCH": "celery", "LICET_BROKER_URL": broker_url}
        config["LICET_MIGRATE_AT_START"] = "true"
        app = make_app(f"{where}/celery", nothing, LICET_DATABASE_URL=url, **config)
        runtime = durable_runtime(app)
        runtime.database()  # makes the tables
        bare, task = bare_celery(broker_url)
        counted = Counted(url)

        def by_licet() -> None:
            asked = make_requests(number)
            with app.app_context():
                for request in asked:
                    runtime.submit(PROVIDER, request, CALLER)
            counted.wait(number)

        def by_celery() -> None:
            for result in [task.delay(n) for n in range(number)]:
                result.get(timeout=60)

        workers = [("licet", url, broker_url), ("celery", "-", broker_url)]
        with running(*(("_actions_workers.py", *arguments) for arguments in workers)):
            found = turns({"licet": by_licet, "bare Celery": by_celery}, rounds, number)
        bare.close()
    print(f"\n{'Celery and Valkey, µs an action':34}{'wall':>8}{'a second':>10}")
    for name, times in found.items():
        print(f"  {name:32}{times.wall:8.0f}{1e6 / times.wall:10,.0f}")
    ratio = found["licet"].wall_beside(found["bare Celery"])
    return [verdict("by Celery: time beside bare Celery", ratio, 1.5, "×")]


def nothing(_action: Any, _body: Any) -> dict[str, Any]:
    return {}


def turns(contestants: dict[str, Callable[[], None]], rounds: int, number: int) -> dict[str, Times]:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, call in contestants.items():
            found = timed(call, number)
            if turn:
                times[name].append(found)
    return {name: Times(found) for name, found in times.items()}


class Counted:
    """Actions that have ended, asked of the database every 5 ms."""

    def __init__(self, url: str) -> None:
        self._driver = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self._before = 0

    def wait(self, number: int) -> None:
        statement = "SELECT count(*) FROM licet_action WHERE phase = 'ended'"
        while self._driver.execute(statement).fetchone()[0] < self._before + number:
            time.sleep(0.005)
        self._before += number


# --- two workers beside one ----------------------------------------------------------------------


def workers(server: str, where: str, rounds: int) -> list[str]:
    calls: dict[str, Callable[[], None]] = {}
    scripts = []
    for n in (1, 2):
        url = make_database(server, f"workers{n}")
        app = make_app(
            f"{where}/w{n}",
            nothing,
            LICET_DATABASE_URL=url,
            LICET_WORKER_THREADS=0,
            LICET_MIGRATE_AT_START=True,
        )
        runtime, counted = durable_runtime(app), None
        runtime.database()  # makes the tables
        counted = Counted(url)

        def call(app: Any = app, runtime: Any = runtime, counted: Counted = counted) -> None:
            with app.app_context():
                for request in make_requests(N_WAITING):
                    runtime.submit(PROVIDER, request, CALLER)
            counted.wait(N_WAITING)

        calls[f"{n} worker{'s' if n > 1 else ''}"] = call
        scripts += [("_actions_workers.py", "waiting", url, "-")] * n
    with running(*scripts):
        found = turns(calls, rounds, N_WAITING)
    print(f"\n{N_WAITING} actions that wait {WAIT_SECONDS * 1000:.0f} ms, 8 threads a worker, s")
    for name, times in found.items():
        walls = [wall * N_WAITING / 1e6 for _, wall in times.rounds]
        print(f"  {name:12}{statistics.median(walls):8.2f}")
    ratio = found["1 worker"].wall_beside(found["2 workers"])
    return [at_least("two workers beside one", ratio, 1.7)]


if __name__ == "__main__":
    main()
