"""Celery as the transport: a message names an action, and a worker claims that action's row.

A message that is lost is sent again by the sweeper; one that comes twice, late or early finds
nothing to claim. Results, retries and time limits are the row's, so Celery keeps none.

Needs the extra ``licet[celery]``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from licet.errors import ConfigurationError
from licet.settings import Settings

__all__ = [
    "RUN",
    "SWEEP",
    "CeleryDispatcher",
    "make_celery",
]

try:
    from celery import Celery
except ImportError as error:
    raise ConfigurationError(
        "LICET_DISPATCH is celery, which is not installed: pip install 'licet[celery]'"
    ) from error

log = logging.getLogger(__name__)
RUN: Final = "licet.run"
SWEEP: Final = "licet.sweep"
QUEUE: Final = "licet"
CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 10.0
REST_SECONDS: Final = 5.0  # how long a broker that did not answer is left alone


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
