"""One contestant of actions.py: stores and runs actions that do nothing, as often as it is told.

    python benchmarks/_actions_rivals.py licet|procrastinate|dbos-started|dbos-queued URL

A line of JSON is asked, ``{"way": "end to end" | "backlog", "number": N}``, and one is answered:
the seconds, on the wall and of this process' CPU, from the first submission (of a backlog: from
when all are stored) until all have run and their ends are stored. Each is used as its documentation
has it, one process with room for 8 at once:

- licet: the embedded worker, 8 threads; its heartbeat and polls are on
- procrastinate: an async task, deferred and run in one event loop, ``concurrency=8``
- dbos-started: ``DBOS.start_workflow`` in its thread pool; dbos-queued: a queue without a limit,
  which asks the database every 50 ms instead of every second
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg

from _durables import PROVIDER, Durables, Finished, folder, make_requests
from licet.actions.durable.worker import Worker

CONCURRENCY = 8
Seconds = tuple[float, float]
Contestant = Callable[[str, int], Seconds]


class Stopwatch:
    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def read(self) -> Seconds:
        return time.perf_counter() - self._began[0], time.process_time() - self._began[1]


class Ended:
    """How many have ended in the database, asked on a connection of its own."""

    def __init__(self, url: str, counted: str) -> None:
        self._driver = psycopg.connect(url, autocommit=True)
        self._counted = counted
        self._before = 0

    def wait(self, number: int) -> None:
        while self._driver.execute(self._counted).fetchone()[0] < self._before + number:
            time.sleep(0.002)
        self._before += number


def licet(url: str, where: str) -> Contestant:
    durables = Durables(where, url.replace("postgresql://", "postgresql+psycopg://"), polls=True)
    ended = Ended(url, "SELECT count(*) FROM licet_action WHERE phase = 'ended'")

    def run(way: str, number: int) -> Seconds:
        requests = make_requests(number)
        worker = Worker(durables.runtime.jobs, threads=CONCURRENCY)
        durables.finished.expect(number)
        if way == "backlog":
            durables.submit(requests)
            watch = Stopwatch()
            worker.start()
            for _ in range(CONCURRENCY):
                worker.wake()
        else:
            worker.start()
            durables.runtime.worker = worker  # which `submit` wakes
            watch = Stopwatch()
            durables.submit(requests)
        durables.finished.wait()
        ended.wait(number)
        times = watch.read()
        worker.stop(5)
        return times

    return run


def licet_drain(url: str, where: str) -> Contestant:
    """Works off what is stored, perhaps together with other processes."""
    durables = Durables(where, url.replace("postgresql://", "postgresql+psycopg://"), polls=True)
    left = "SELECT count(*) FROM licet_action WHERE phase <> 'ended'"
    driver = psycopg.connect(url, autocommit=True)

    def run(way: str, _number: int) -> Seconds:
        watch = Stopwatch()
        if way == "drain":
            worker = Worker(durables.runtime.jobs, threads=CONCURRENCY)
            worker.start()
            while driver.execute(left).fetchone()[0]:
                time.sleep(0.005)
            worker.stop(5)
        return watch.read()

    return run


def procrastinate(url: str, _where: str) -> Contestant:
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    loop = asyncio.new_event_loop()
    finished = Finished()
    ended = Ended(url, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'")

    @app.task(queue=PROVIDER)
    async def nothing(n: int) -> dict[str, Any]:
        finished.one()
        return {}

    async def work(*, wait: bool) -> None:
        await app.run_worker_async(
            concurrency=CONCURRENCY, wait=wait, install_signal_handlers=False
        )

    async def end_to_end(number: int) -> Seconds:
        worker = asyncio.create_task(work(wait=True))
        await asyncio.sleep(0.2)  # until it listens
        watch = Stopwatch()
        for n in range(number):
            await nothing.defer_async(n=n)
        await asyncio.to_thread(finished.wait)
        await asyncio.to_thread(ended.wait, number)
        times = watch.read()
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        return times

    async def backlog(number: int) -> Seconds:
        for n in range(number):
            await nothing.defer_async(n=n)
        watch = Stopwatch()
        await work(wait=False)
        ended.wait(number)
        return watch.read()

    loop.run_until_complete(app.open_async())
    loop.run_until_complete(app.schema_manager.apply_schema_async())

    def run(way: str, number: int) -> Seconds:
        finished.expect(number)
        return loop.run_until_complete((backlog if way == "backlog" else end_to_end)(number))

    return run


def dbos(url: str, *, queued: bool) -> Contestant:
    from dbos import DBOS

    config = {"name": "bench", "system_database_url": url, "log_level": "ERROR"}
    DBOS(config=config | {"console_log_level": "ERROR", "run_admin_server": False})
    finished = Finished()

    @DBOS.workflow()
    def nothing(n: int) -> dict[str, Any]:
        finished.one()
        return {}

    DBOS.launch()
    counted = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"
    ended = Ended(url, counted)
    queue = DBOS.register_queue(PROVIDER, polling_interval_sec=0.05) if queued else None

    def run(way: str, number: int) -> Seconds:
        finished.expect(number)
        if way == "backlog" and queue is not None:
            queue.set_concurrency(0)
        watch = Stopwatch()
        for n in range(number):
            if queue is None:
                DBOS.start_workflow(nothing, n)
            else:
                queue.enqueue(nothing, n)
        if way == "backlog" and queue is not None:
            watch = Stopwatch()
            queue.set_concurrency(None)
        finished.wait()
        ended.wait(number)
        return watch.read()

    return run


CONTESTANTS: dict[str, Callable[[str, str], Contestant]] = {
    "licet": licet,
    "licet-drain": licet_drain,
    "procrastinate": procrastinate,
    "dbos-started": lambda url, _where: dbos(url, queued=False),
    "dbos-queued": lambda url, _where: dbos(url, queued=True),
}


def main() -> None:
    kind, url = sys.argv[1:]
    with folder() as where:
        run = CONTESTANTS[kind](url, where)
        for line in sys.stdin:
            asked = json.loads(line)
            print(json.dumps(run(asked["way"], asked["number"])), flush=True)
    sys.stdout.flush()
    # what DBOS left running shall not keep the process
    import os

    os._exit(0)


if __name__ == "__main__":
    main()
