"""An app with one durable action that does nothing, and actions for it, without HTTP."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask

from licet.actions import ActionProviderBlueprint, ActionProviderDescription
from licet.actions.documents import ActionRequest
from licet.actions.durable.runtime import Runtime, durable_runtime
from licet.actions.durable.worker import Worker
from licet.authn.auth_state import AuthState
from licet.authn.identity import Identity

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.postgresql import temporary_server  # noqa: E402, F401 - beside this folder
from tests.valkey import temporary_valkey  # noqa: E402, F401 - as above

PROVIDER = "bench"
SCOPE = "https://licet.example/scopes/bench"
ME = "urn:licet:identity:00000000-0000-4000-8000-00000000a11c"
CALLER = AuthState(Identity(issuer="bench", subject="me", principal=ME, principals=frozenset({ME})))
LIMIT_SECONDS = 60
# So that no thread looks for work that it was not told of: one that began while the next round is
# submitted would spoil both.
POLL_SECONDS = 3600
LEASE_SECONDS = 6 * POLL_SECONDS


class Finished:
    """How many actions have been through the handler, and a way to wait for the last."""

    def __init__(self) -> None:
        self._count = itertools.count(1)
        self._goal = 0
        self._reached = threading.Event()

    def expect(self, number: int) -> None:
        self._count, self._goal = itertools.count(1), number
        self._reached.clear()

    def one(self) -> None:
        if next(self._count) == self._goal:
            self._reached.set()

    def wait(self) -> None:
        if not self._reached.wait(LIMIT_SECONDS):
            raise SystemExit(f"The actions did not end within {LIMIT_SECONDS} s.")


def make_app(
    folder: str, handler: Callable[[Any, Any], Any], *, lease_seconds: float = 30, **config: Any
) -> Flask:
    app = Flask(PROVIDER, instance_path=folder)
    app.config.update({"LICET_INSTANCE_PATH": folder} | config)
    blueprint = ActionProviderBlueprint(
        PROVIDER,
        __name__,
        f"/{PROVIDER}",
        ActionProviderDescription(
            globus_auth_scope=SCOPE,
            title="bench",
            admin_contact="bench",
            synchronous=False,
            input_schema={"type": "object"},
            runnable_by=["all_authenticated_users"],
        ),
    )
    blueprint.durable(lease_seconds=lease_seconds)(handler)
    app.register_blueprint(blueprint)
    return app


class Nobody:
    """In place of a worker that submissions tell: the queue is left alone until `work_off`."""

    is_busy = False

    def wake(self) -> None:
        """Nobody wakes."""


class Durables:
    """Actions that do nothing: submitted, and worked off, when they are told to."""

    def __init__(
        self, folder: str, database_url: str, *, polls: bool = False, seconds: float = 0.0
    ) -> None:
        self.finished = Finished()
        self._seconds = seconds  # that each takes
        self.app = make_app(
            folder,
            self._handler,
            lease_seconds=30 if polls else LEASE_SECONDS,
            LICET_DATABASE_URL=database_url,
            LICET_MIGRATE_AT_START=True,
        )
        self.runtime: Runtime = durable_runtime(self.app)
        self.runtime.worker = Nobody()  # type: ignore[assignment]  # else others would be told
        self.database = self.runtime.database()
        self._workers: list[Worker] = []

    def _handler(self, _action: Any, _body: Any) -> dict[str, Any]:
        if self._seconds:
            time.sleep(self._seconds)
        self.finished.one()
        return {}

    def submit(self, requests: list[ActionRequest]) -> None:
        with self.app.app_context():
            for request in requests:
                self.runtime.submit(PROVIDER, request, CALLER)

    def start(self, threads: int) -> Worker:
        worker = Worker(self.runtime.jobs, threads=threads, poll_seconds=POLL_SECONDS)
        worker.start()
        self._workers.append(worker)
        return worker

    def work_off(self, worker: Worker, number: int) -> None:
        """Have the queued actions, this many, run to their ends; they are stored then."""
        self.finished.expect(number)
        for _ in range(number):  # as whoever submits does
            worker.wake()
        self.finished.wait()
        while worker.n_running:
            time.sleep(0.0005)

    def n_ended(self) -> int:
        with self.database.read() as connection:
            counted = "SELECT count(*) FROM licet_action WHERE phase = 'ended'"
            return int(connection.exec_driver_sql(counted).scalar_one())

    def close(self) -> None:
        for worker in self._workers:
            worker.stop(5)
        self.database.close()


def make_requests(number: int) -> list[ActionRequest]:
    return [
        ActionRequest.model_validate({"request_id": str(uuid.uuid4()), "body": {"n": n}})
        for n in range(number)
    ]


@contextlib.contextmanager
def folder() -> Iterator[str]:
    found = tempfile.mkdtemp(prefix="licet-bench-")
    try:
        yield found
    finally:
        shutil.rmtree(found, ignore_errors=True)


def make_database(server_url: str, name: str) -> str:
    """The URL of a fresh database of a PostgreSQL server."""
    engine = sa.create_engine(server_url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
