"""Celery as the transport: a message names an action, and a worker claims that action's row.

A message that is lost is sent again by the sweeper; one that comes twice, late or early finds
nothing to claim. Results, retries and time limits are the row's, so Celery keeps none.

Needs the extra ``licet[celery]``.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from licet.actions.runtime import Runtime
from licet.actions.worker import Worker
from licet.errors import ConfigurationError, StoreUnavailable
from licet.settings import Settings

try:
    from celery import Celery
    from celery.signals import worker_shutting_down
except ImportError as error:
    raise ConfigurationError(
        "LICET_DISPATCH is celery, which is not installed: pip install 'licet[celery]'"
    ) from error

__all__ = ["RUN", "SWEEP", "CeleryDispatcher", "make_celery", "run_celery_worker"]

log = logging.getLogger(__name__)
RUN: Final = "licet.run"
SWEEP: Final = "licet.sweep"
QUEUE: Final = "licet"
CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 10.0
REST_SECONDS: Final = 5.0  # how long a broker that did not answer is left alone
STOPPING_SECONDS: Final = 1.0
RESTART_SECONDS: Final = 1.0


def make_celery(broker_url: str, *, answer_seconds: float = ANSWER_SECONDS) -> Celery:
    """A Celery app that only carries messages, by a broker that answers within some seconds."""
    transport: dict[str, Any] = {}
    if broker_url.startswith(("redis", "sentinel")):
        transport = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": answer_seconds}
    celery = Celery("licet", broker=broker_url, set_as_current=False)
    celery.conf.update(
        accept_content=["json"],
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_transport_options=transport,
        enable_utc=True,
        task_acks_late=False,
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_publish_retry=False,
        task_serializer="json",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        # with it, a worker takes nothing more from RabbitMQ after that has been away
        worker_enable_prefetch_count_reduction=False,
    )
    return celery


class CeleryDispatcher:
    """Sends a message for each action; a broker that is away is left alone for some seconds."""

    def __init__(
        self, settings: Settings, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.celery = make_celery(settings.broker_url, answer_seconds=CONNECT_SECONDS)
        self._monotonic = monotonic
        self._rest_until = float("-inf")

    def dispatch(self, provider: str, action_id: str) -> bool:
        """Whether the broker took the message."""
        if self._monotonic() < self._rest_until:
            return False
        try:
            self.celery.send_task(RUN, args=[provider, action_id], ignore_result=True, retry=False)
        except Exception as error:  # noqa: BLE001 - each transport has errors of its own
            self._rest_until = self._monotonic() + REST_SECONDS
            log.warning(
                "The broker took no message (%s): the sweeper will have the action run.",
                type(error).__name__,
            )
            return False
        return True


def run_celery_worker(runtime: Runtime, settings: Settings, *, threads: int) -> None:
    """Take messages and run what they name, until SIGTERM or SIGINT.

    Running steps may end within ``LICET_STOP_SECONDS``; what is left is given back.
    """
    celery = make_celery(settings.broker_url)
    worker = Worker(runtime.jobs, threads=threads)
    worker.start(polling=False)
    runtime.worker = worker
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
    def run(provider: Any = None, action_id: Any = None) -> None:
        job = runtime.job(provider) if isinstance(provider, str) else None
        if job is None or not isinstance(action_id, str):
            log.error("A message names the provider %.99r, which this app has not.", provider)
            return
        if worker.is_stopping:  # it is for another
            run.apply_async(args=[provider, action_id], countdown=STOPPING_SECONDS)
            return
        try:
            worker.run_named(job, action_id)
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
