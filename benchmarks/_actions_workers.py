"""One worker process of actions.py, until its standard input is closed.

    python benchmarks/_actions_workers.py licet DATABASE_URL BROKER_URL
    python benchmarks/_actions_workers.py celery - BROKER_URL
    python benchmarks/_actions_workers.py waiting DATABASE_URL -

`licet` takes Celery's messages and runs the actions that they name; `celery` runs bare tasks that
store their result in the broker; `waiting` polls the database, for actions that take 50 ms.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from celery import Celery

from _durables import LIMIT_SECONDS, folder, make_app
from licet.actions.durable.celery_worker import run_celery_worker
from licet.actions.durable.runtime import durable_runtime
from licet.actions.durable.worker import Worker
from licet.settings.state import app_state

THREADS = 8
WAIT_SECONDS = 0.05


def bare_celery(broker_url: str) -> tuple[Celery, Any]:
    """A Celery app and its only task, everything else at Celery's defaults."""
    celery = Celery("bare", broker=broker_url, backend=broker_url, set_as_current=False)
    celery.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)
    return celery, celery.task(name="bare.nothing")(_nothing)


def _nothing(_n: int) -> dict[str, Any]:
    return {}


def _wait(_action: Any, _body: Any) -> dict[str, Any]:
    time.sleep(WAIT_SECONDS)
    return {}


def run_licet(where: str, database_url: str, broker_url: str) -> None:
    app = make_app(
        where,
        lambda _action, _body: {},
        LICET_DATABASE_URL=database_url,
        LICET_MIGRATE_AT_START=True,
        LICET_DISPATCH="celery",
        LICET_BROKER_URL=broker_url,
    )
    run_celery_worker(durable_runtime(app), app_state(app).settings, threads=THREADS)


def run_bare(broker_url: str) -> None:
    celery, _ = bare_celery(broker_url)
    celery.Worker(
        pool="threads",
        concurrency=THREADS,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()


def run_waiting(where: str, database_url: str) -> None:
    app = make_app(where, _wait, LICET_DATABASE_URL=database_url, LICET_MIGRATE_AT_START=True)
    worker = Worker(durable_runtime(app).jobs, threads=THREADS)
    worker.start()
    time.sleep(LIMIT_SECONDS * 10)


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    kind, database_url, broker_url = sys.argv[1:]
    threading.Thread(target=_end_with_input, daemon=True).start()
    with folder() as where:
        if kind == "licet":
            run_licet(where, database_url, broker_url)
        elif kind == "celery":
            run_bare(broker_url)
        else:
            run_waiting(where, database_url)


if __name__ == "__main__":
    main()
