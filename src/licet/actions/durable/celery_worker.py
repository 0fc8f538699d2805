"""A Celery worker: takes the messages that name actions, and claims and runs those rows.

Needs the extra ``licet[celery]``.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from typing import TYPE_CHECKING, Any, Final

from licet.actions.durable.celery_dispatch import QUEUE, RUN, SWEEP, make_celery
from licet.actions.durable.runtime import Runtime
from licet.actions.durable.worker import Worker
from licet.errors import StoreUnavailable
from licet.settings import Settings

if TYPE_CHECKING:
    from celery import Celery

__all__ = ["run_celery_worker"]

log = logging.getLogger(__name__)
STOPPING_SECONDS: Final = 1.0
RESTART_SECONDS: Final = 1.0
PASS_ON_SECONDS: Final = 1.0
MAX_PASSED_ON: Final = 60  # a message of a version that another worker has; then the sweeper sends


def run_celery_worker(runtime: Runtime, settings: Settings, *, threads: int) -> None:
    """Take messages and run what they name, until SIGTERM or SIGINT.

    Running steps may end within ``LICET_STOP_SECONDS``; what is left is given back.
    """
    # celery_dispatch has told already when the extra is missing
    from celery.signals import worker_shutting_down  # noqa: PLC0415

    celery = make_celery(settings.broker_url)
    worker = runtime.make_worker(threads)
    worker.start(polling=False)
    _serve(celery, runtime, worker)

    def stop(**_: Any) -> None:
        threading.Thread(target=_stop, args=(worker, settings.stop_seconds), daemon=True).start()

    worker_shutting_down.connect(stop, weak=False)
    try:
        while not worker.is_stopping:  # what is in the queue and no message ends Celery's worker
            _celery_worker(celery, threads).start()
            if not worker.is_stopping:
                log.error("Celery's worker ended: it is begun again.")
                worker.wait_for_stop(RESTART_SECONDS)
    finally:
        worker_shutting_down.disconnect(stop)
        worker.stop(0)


def _celery_worker(celery: Celery, threads: int) -> Any:
    return celery.Worker(
        pool="threads",
        concurrency=threads,
        # RabbitMQ admits one worker of a name, and Celery's own is that of the host
        hostname=f"licet-{uuid.uuid4().hex}@{socket.gethostname()}",
        queues=[QUEUE],
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )


def _serve(celery: Celery, runtime: Runtime, worker: Worker) -> None:
    """Register the tasks: not shared, which would put them into the app's own Celery as well."""

    @celery.task(name=RUN, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def run(provider: Any = None, action_id: Any = None, n_passed_on: int = 0) -> None:
        job = runtime.job(provider) if isinstance(provider, str) else None
        if job is None or not isinstance(action_id, str):
            log.error("A message names the provider %.99r, which this app has not.", provider)
            return
        if worker.is_stopping:  # it is for another
            run.apply_async(args=[provider, action_id], countdown=STOPPING_SECONDS)
            return
        try:
            has_run = worker.run_named(job, action_id)
            if not has_run and n_passed_on < MAX_PASSED_ON and job.runs.is_for_others(action_id):
                run.apply_async(
                    args=[provider, action_id, n_passed_on + 1], countdown=PASS_ON_SECONDS
                )
        except StoreUnavailable:
            log.warning("Action %s cannot be claimed: the database is away.", action_id)

    sweeper = runtime.make_sweeper()

    @celery.task(name=SWEEP, shared=False)  # type: ignore[untyped-decorator]  # as above
    def sweep() -> None:
        sweeper.sweep()


def _stop(worker: Worker, limit_seconds: float) -> None:
    """Let steps end; then end the process, whose other threads Celery would wait for."""
    worker.stop(limit_seconds)
    if worker.n_running:
        logging.shutdown()
        os._exit(0)
