"""Celery's messages are wake-ups: lost, doubled, foreign or malformed ones do no harm."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from tests.acceptance.kill.system import System, wait_until
from tests.valkey import Valkey, stoppable_valkey

from licet.actions.durable.celery_dispatch import QUEUE, RUN, make_celery


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    """A broker that the tests stop and freeze."""
    with stoppable_valkey() as server:
        yield server


@pytest.fixture(scope="module")
def system(make_system: Callable[..., System], valkey: Valkey) -> System:
    """A system with that broker."""
    return make_system("sqlite-celery", broker_url=valkey.url)


def send(system: System, *args: object, name: str = RUN) -> None:
    """A message of the test's own."""
    assert system.broker_url is not None
    with make_celery(system.broker_url) as celery:
        celery.send_task(name, args=args, ignore_result=True, retry=False)


def test_lost_messages(system: System, valkey: Valkey, count: Callable[..., None]):
    """Deleted from the broker, they are sent again by the sweeper."""
    system.ensure(workers=0)
    ids = system.submit(5, steps=1)
    valkey.command("FLUSHALL")

    system.ensure(workers=1)

    count(system.finish(ids))


def test_doubled_messages(system: System, count: Callable[..., None]):
    """The first one that comes runs the action, the others find nothing to claim."""
    system.ensure(workers=0, sweepers=0)
    ids = system.submit(5, steps=1)
    for action_id in ids * 3:
        send(system, "work", action_id)

    system.ensure(workers=1, sweepers=0)
    counts = system.finish(ids)

    count(counts)
    assert (counts.claims, counts.executions) == (5, 5)


def test_messages_that_name_nothing(system: System, valkey: Valkey, count: Callable[..., None]):
    """Neither an unknown action nor an unknown provider, task or text stops the worker."""
    system.ensure(workers=1)
    send(system, "work", str(uuid.uuid4()))
    send(system, "nobody", str(uuid.uuid4()))
    send(system, "work")
    send(system, "work", 7)
    send(system, "work", "\0")
    send(system, {"a": []}, ["b"])
    send(system, name="licet.unheard-of")
    for text in ("", "{", "7", "[]", "{}", '{"body": 1, "headers": 2, "properties": 3}'):
        valkey.command("LPUSH", QUEUE, text)

    ids = system.submit(5, steps=1)
    count(system.finish(ids))

    (worker,) = system.living("worker")
    assert worker.is_alive


@pytest.mark.parametrize("outage", [pytest.param("stopped", marks=pytest.mark.full), "frozen"])
def test_the_broker_is_away_when_actions_are_submitted(
    system: System, valkey: Valkey, outage: str, count: Callable[..., None]
):
    """The first request waits for it two seconds at most, and those that follow not at all."""
    system.ensure(workers=1)
    system.finish(system.submit(2, steps=1))
    valkey.stop() if outage == "stopped" else valkey.freeze()

    began = time.monotonic()
    ids = [system.accepted({"steps": 1})]
    first_seconds = time.monotonic() - began
    ids += system.submit(20, threads=1, steps=1)
    later_seconds = time.monotonic() - began - first_seconds

    valkey.start() if outage == "stopped" else valkey.thaw()
    count(
        system.finish(ids),
        first=f"{first_seconds:.2f} s",
        next_twenty=f"{later_seconds:.2f} s",
    )
    assert first_seconds < 3.0
    assert later_seconds < 2.0


def test_one_round_of_the_sweeper(make_system: Callable[..., System], count: Callable[..., None]):
    """``licet sweep --once`` takes back what a killed worker held, and says so."""
    system = make_system("sqlite-threads")
    system.ensure(workers=1, sweepers=0)
    order = system.order("in a step")
    ids = system.submit(1, steps=1)
    order.wait()
    wait_until(lambda: system.licet("sweep", "--once").count("1 reclaimed"), "a round", 10)
    system.ensure(workers=1, sweepers=0)

    count(system.finish(ids))
    assert "0 reclaimed" in system.licet("sweep", "--once")
    system.end()
