"""The broker or the database goes away under load, servers die at random: all that was accepted
ends, once.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.acceptance.kill.conftest import Systems, new_database
from tests.acceptance.kill.system import Counts, System, wait_until
from tests.acceptance.kill.test_processes_killed import LOSES_NONE
from tests.postgresql import stoppable_server
from tests.rabbitmq import RabbitMQ
from tests.valkey import Valkey

N_THREADS = 8  # of two workers


def in_the_middle(system: System, count: int) -> list[str]:
    """The ids of actions of which some have ended, eight run, and all others wait."""
    ended = system.submit(count // 10, steps=2)
    system.wait_ended(ended)
    others = system.submit(count - len(ended), steps=2, gate="gate")
    wait_until(lambda: len(system.witness.begun(others)) == N_THREADS, "busy workers")
    assert system.count_in("queued") == len(others) - N_THREADS
    return [*ended, *others]


def without_its_broker(system: System, broker: Valkey | RabbitMQ, n_actions: int) -> Counts:
    """The counts of actions during which the broker stops, and comes back a lease later."""
    system.ensure()
    ids = in_the_middle(system, n_actions)
    broker.stop()
    system.open_gate("gate")
    system.outlast(leases=1)
    broker.start()
    return system.finish(ids, seconds=120)


@pytest.mark.parametrize(
    ("kind", "n_actions"),
    [
        pytest.param("sqlite-celery", 500, marks=pytest.mark.full),
        pytest.param("postgresql-celery", 500, marks=pytest.mark.full),
        ("sqlite-celery", 60),
    ],
)
def test_the_broker_restarts(
    make_system: Callable[..., System],
    valkey: Valkey,
    kind: str,
    n_actions: int,
    count: Callable[..., None],
):
    """It loses every message; the sweeper has the actions run that they named."""
    system = make_system(kind, broker_url=valkey.url)
    count(without_its_broker(system, valkey, n_actions))
    system.end()


@pytest.mark.parametrize(
    ("kind", "n_actions"),
    [
        pytest.param("postgresql-threads", 500, marks=pytest.mark.full),
        pytest.param("postgresql-celery", 500, marks=pytest.mark.full),
        ("postgresql-threads", 60),
    ],
)
def test_postgresql_restarts(
    make_system: Callable[..., System], kind: str, n_actions: int, count: Callable[..., None]
):
    """Requests are refused while it is away, for longer than a lease; what was accepted before goes
    on when it is back, and no attempt is lost.
    """
    with stoppable_server() as server:
        system = make_system(kind, database_url=new_database(server.url), options=LOSES_NONE)
        system.ensure()
        ids = in_the_middle(system, n_actions)
        server.stop()
        assert system.run({}).status_code == 503
        system.open_gate("gate")
        system.outlast(leases=2)
        server.start()

        count(system.finish(ids, seconds=120), attempts=system.witness.attempts(ids))
        assert all(process.is_alive for process in system.processes)
        system.end()


@pytest.mark.parametrize(
    ("n_actions", "n_kills"), [pytest.param(200, 8, marks=pytest.mark.full), (40, 2)]
)
def test_embedded_workers_killed_at_random(
    make_system: Callable[..., System], n_actions: int, n_kills: int, count: Callable[..., None]
):
    """Three server processes on one SQLite file, each with workers and a sweeper of its own."""
    system = make_system("sqlite-threads", settings={"LICET_WORKER_THREADS": "4"})
    system.start_server(workers=3)
    system.ensure(workers=0, sweepers=0)
    chooser = random.Random(n_actions)
    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(system.submit, n_actions, steps=3, seconds=0.05)
        for _ in range(n_kills):
            n_ended = system.count_in("ended")
            wait_until(lambda n=n_ended: system.count_in("ended") > n, "ends")
            system.kill_child(chooser)
        ids = submitting.result()

    count(system.finish(ids), kills=n_kills)
    system.end()


@pytest.mark.full
def test_whole_servers_killed_at_random(
    make_system: Callable[..., System], count: Callable[..., None]
):
    """With everything gone for a moment, and started again on the same file."""
    system = make_system("sqlite-threads", settings={"LICET_WORKER_THREADS": "4"})
    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(system.submit, 200, steps=3, seconds=0.01)
        for n in range(5):
            system.start_server(workers=3)
            system.ensure(workers=0, sweepers=0)
            wait_until(lambda n=n: system.count_in("ended") > 15 * n, "ends")
            (server,) = system.living("serve")
            server.kill_group()
        system.start_server(workers=3)
        ids = submitting.result()

    count(system.finish(ids), kills=5)
    system.end()


SQLITE_AND_POSTGRESQL = [
    pytest.param("sqlite-threads", marks=pytest.mark.full),
    "postgresql-celery",
]


@pytest.mark.parametrize("kind", SQLITE_AND_POSTGRESQL)
def test_a_request_sent_by_fifty_at_once(systems: Systems, kind: str, count: Callable[..., None]):
    """One action, one 202, and 200 for all others."""
    system = systems(kind)
    with ThreadPoolExecutor(50) as pool:
        request_id = f"same-{kind}"
        answers = list(
            pool.map(lambda _: system.run({"steps": 1}, request_id=request_id), range(50))
        )

    assert sorted(a.status_code for a in answers) == [200] * 49 + [202]
    ids = {answer.json()["action_id"] for answer in answers}
    assert len(ids) == 1
    count(system.finish(ids), requests=50)


@pytest.mark.parametrize("kind", SQLITE_AND_POSTGRESQL)
def test_a_request_id_sent_by_fifty_with_other_bodies(
    systems: Systems, kind: str, count: Callable[..., None]
):
    """One action; whoever sent the same body gets it, and all others a 409."""
    system = systems(kind)
    with ThreadPoolExecutor(50) as pool:
        request_id = f"other-{kind}"
        answers = list(
            pool.map(lambda n: system.run({"steps": 1, "n": n}, request_id=request_id), range(50))
        )

    assert sorted(a.status_code for a in answers) == [202] + [409] * 49
    ids = [answer.json()["action_id"] for answer in answers if answer.status_code == 202]
    count(system.finish(ids), requests=50)


@pytest.mark.full
def test_a_server_told_to_stop_gives_back(
    make_system: Callable[..., System], count: Callable[..., None]
):
    """SIGTERM: its embedded workers give back what does not end in time, though requests wait."""
    system = make_system(
        "sqlite-threads",
        lease_seconds=30.0,
        options=LOSES_NONE,
        settings={"LICET_WORKER_THREADS": "2", "LICET_STOP_SECONDS": "11"},
    )
    system.ensure(workers=0, sweepers=0)
    (action_id,) = system.submit(1, steps=2, gate="gate")
    wait_until(lambda: system.witness.begun([action_id]), "a step under way")
    (server,) = system.living("serve")

    server.send(signal.SIGTERM)
    server.wait()
    system.open_gate("gate")
    system.ensure(workers=0, sweepers=0)

    count(system.finish([action_id], seconds=15))
    system.end()
