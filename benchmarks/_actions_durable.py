"""The part of actions.py in which every commit waits for the disk, for licet and beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _actions_floor import Floor
from _durables import Durables, make_database, make_requests
from _rounds import Times, verdict

HERE = Path(__file__).parent
N_BACKLOG = 2000
N_SUBMITTED = 800
N_WAITING = 800
WAIT_SECONDS = 0.01
CLIENTS = 16
Calls = dict[str, Callable[[], float]]


def durable(server: str, where: str, rounds: int) -> list[str]:
    """The claims, each with what was measured."""
    made: list[Any] = []

    def durables(name: str, url: str, **options: Any) -> Durables:
        made.append(Durables(f"{where}/{name}", url, **options))
        return made[-1]

    def floor(url: str) -> Floor:
        made.append(Floor(url))
        return made[-1]

    def sqlite(name: str) -> str:
        return f"sqlite:///{where}/{name}.sqlite3"

    def postgresql(name: str) -> str:
        return make_database(server, name)

    calls: Calls = {
        "PostgreSQL backlog, raw SQL, 8 connections": raw_backlog(floor(postgresql("f1"))),
        "PostgreSQL backlog, licet, 8 threads": backlog(durables("d1", postgresql("d1")), 8),
        "SQLite backlog, raw SQL": raw_backlog(floor(sqlite("f2"))),
        "SQLite backlog, licet, 8 threads": backlog(durables("d2", sqlite("d2")), 8),
        "SQLite backlog, licet, 32 threads": backlog(durables("d3", sqlite("d3")), 32),
        "SQLite submissions, raw SQL": raw_submissions(floor(sqlite("f4"))),
        "SQLite submissions, licet, 16 clients": submissions(durables("d4", sqlite("d4"))),
        "PostgreSQL, one submission, raw SQL": raw_submissions(floor(postgresql("f5"))),
        "PostgreSQL, one submission, licet": one_by_one(durables("d5", postgresql("d5"))),
        "10 ms each, 8 bare threads": bare_threads,
        "10 ms each, PostgreSQL, licet": waiting(durables("d6", postgresql("d6"), seconds=0.01)),
        "10 ms each, SQLite, licet": waiting(durables("d7", sqlite("d7"), seconds=0.01)),
    }
    times = in_turns(calls, rounds)
    print(f"\n{'commits that wait for the disk, µs each':44}{'CPU':>8}{'wall':>8}{'a second':>10}")
    for name, found in times.items():
        print(f"  {name:42}{found.cpu:8.0f}{found.wall:8.0f}{1e6 / found.wall:10,.0f}")
    for each in made:
        each.close()

    def faster(name: str, floor_name: str, limit: float) -> str:
        return at_least(name, times[floor_name].wall_beside(times[name]), limit)

    one = times["PostgreSQL, one submission, licet"]
    busy = times["10 ms each, 8 bare threads"]
    claims = [
        faster(
            "PostgreSQL backlog, licet, 8 threads", "PostgreSQL backlog, raw SQL, 8 connections", 2
        ),
        faster("SQLite backlog, licet, 8 threads", "SQLite backlog, raw SQL", 6),
        faster("SQLite backlog, licet, 32 threads", "SQLite backlog, raw SQL", 10),
        faster("SQLite submissions, licet, 16 clients", "SQLite submissions, raw SQL", 4),
        verdict(
            "one submission alone, PostgreSQL: time beside raw SQL",
            one.wall_beside(times["PostgreSQL, one submission, raw SQL"]),
            1.5,
            "×",
        ),
        *(
            at_least(f"busy threads, {name}", 100 * busy.wall_beside(times[found]), 95, "%")
            for name, found in [
                ("PostgreSQL", "10 ms each, PostgreSQL, licet"),
                ("SQLite", "10 ms each, SQLite, licet"),
            ]
        ),
    ]
    return claims + by_processes(server, rounds)


def at_least(claim: str, value: float, limit: float, unit: str = "×") -> str:
    outcome = "holds" if value >= limit else "FAILS"
    return f"{claim} ≥ {limit:g} {unit}: {value:.2f} {unit}, {outcome}"


def in_turns(calls: Calls, rounds: int) -> dict[str, Times]:
    """Each call does what it does once, and returns the seconds and how many actions they were."""
    kept: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            cpu = time.process_time()
            seconds_each = call()
            cpu = time.process_time() - cpu
            if turn:  # the first round warms up
                kept[name].append((cpu / _number_of(name) * 1e6, seconds_each * 1e6))
    return {name: Times(found) for name, found in kept.items()}


def _number_of(name: str) -> int:
    if "backlog" in name:
        return N_BACKLOG
    return N_SUBMITTED if "submission" in name else N_WAITING


def each(number: int, call: Callable[[], None]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) / number


def raw_backlog(floor: Floor) -> Callable[[], float]:
    def run() -> float:
        floor.submit_together(floor.rows(N_BACKLOG))
        if floor.is_sqlite:
            return each(N_BACKLOG, lambda: floor.work_off_in_one(N_BACKLOG))
        return each(N_BACKLOG, lambda: floor.work_off_at_once(N_BACKLOG, 8))

    return run


def backlog(durables: Durables, threads: int) -> Callable[[], float]:
    worker = durables.start(threads)

    def run() -> float:
        submit_at_once(durables, N_BACKLOG)
        return each(N_BACKLOG, lambda: durables.work_off(worker, N_BACKLOG))

    return run


def raw_submissions(floor: Floor) -> Callable[[], float]:
    def run() -> float:
        rows = floor.rows(N_SUBMITTED)
        return each(N_SUBMITTED, lambda: floor.submit(rows))

    return run


def submissions(durables: Durables) -> Callable[[], float]:
    return lambda: each(N_SUBMITTED, lambda: submit_at_once(durables, N_SUBMITTED))


def submit_at_once(durables: Durables, number: int) -> None:
    shares = [make_requests(number // CLIENTS) for _ in range(CLIENTS)]
    threads = [threading.Thread(target=durables.submit, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def one_by_one(durables: Durables) -> Callable[[], float]:
    def run() -> float:
        requests = make_requests(N_SUBMITTED)
        return each(N_SUBMITTED, lambda: durables.submit(requests))

    return run


def bare_threads() -> float:
    """Eight threads that wait, without any store."""

    def work() -> None:
        for _ in range(N_WAITING // 8):
            time.sleep(WAIT_SECONDS)

    def all_of_them() -> None:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return each(N_WAITING, all_of_them)


def waiting(durables: Durables) -> Callable[[], float]:
    worker = durables.start(8)

    def run() -> float:
        submit_at_once(durables, N_WAITING)
        return each(N_WAITING, lambda: durables.work_off(worker, N_WAITING))

    return run


# --- by several processes ------------------------------------------------------------------------


def contestant(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(HERE / "_actions_rivals.py"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(process: subprocess.Popen[str], way: str, number: int) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"way": way, "number": number}) + "\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> tuple[float, float]:
    assert process.stdout is not None
    wall, cpu = json.loads(process.stdout.readline())
    return wall, cpu


def end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(timeout=60)


def by_processes(server: str, rounds: int) -> list[str]:
    """A stored backlog of what does nothing, by one process and by two on the same queue."""
    times: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    url = {n: make_database(server, f"processes{n}") for n in times}
    stored = {n: Durables(f"{HERE}/../.tools/bench-{n}", url[n]) for n in times}
    for turn in range(rounds + 1):
        for n, found in times.items():
            submit_at_once(stored[n], N_BACKLOG)
            processes = [
                contestant("licet-drain", url[n].replace("+psycopg", "")) for _ in range(n)
            ]
            for process in processes:
                ask(process, "ready", 0)
            for process in processes:
                answer(process)
            began = time.perf_counter()
            for process in processes:
                ask(process, "drain", N_BACKLOG)
            for process in processes:
                answer(process)
            wall = time.perf_counter() - began
            for process in processes:
                end(process)
            if turn:
                found.append((0.0, wall / N_BACKLOG * 1e6))
    for each_store in stored.values():
        each_store.close()
    one, two = Times(times[1]), Times(times[2])
    print(f"\na stored backlog, µs each: one process {one.wall:.0f}, two {two.wall:.0f}")
    return [at_least("two processes beside one", one.wall_beside(two), 1)]
