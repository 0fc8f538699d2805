"""RabbitMQ carries the messages: killed workers and a broker that restarts, as with Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.acceptance.kill.system import System
from tests.acceptance.kill.test_outages import without_its_broker
from tests.acceptance.kill.test_processes_killed import assert_recovered
from tests.counts import unavailable
from tests.rabbitmq import RabbitMQ, stoppable_rabbitmq

pytestmark = pytest.mark.full
KINDS = ["sqlite-celery", "postgresql-celery"]


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A broker that the test may stop."""
    if not RabbitMQ.is_installed():
        unavailable("RabbitMQ is not installed: apt-get install rabbitmq-server")
    with stoppable_rabbitmq() as server:
        yield server


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("point", ["after the claim", "in a step", "after the finish"])
def test_a_worker_killed_that_rabbitmq_told(
    make_system: Callable[..., System],
    rabbitmq: RabbitMQ,
    kind: str,
    point: str,
    count: Callable[..., None],
    slack_seconds: float,
):
    """Another takes over within two leases."""
    system = make_system(kind, broker_url=rabbitmq.url)
    system.ensure()
    order = system.order(point)

    ids = system.submit(12, steps=3, seconds=0.02)
    pid, at = order.wait()

    counts = system.finish(ids)
    count(counts, recovery=assert_recovered(system, pid, at, slack_seconds))
    system.end()


@pytest.mark.parametrize("kind", KINDS)
def test_rabbitmq_restarts(
    make_system: Callable[..., System], rabbitmq: RabbitMQ, kind: str, count: Callable[..., None]
):
    """Its messages come twice then, those that it kept and the sweeper's: each action runs once."""
    system = make_system(kind, broker_url=rabbitmq.url)
    count(without_its_broker(system, rabbitmq, 500))
    system.end()
