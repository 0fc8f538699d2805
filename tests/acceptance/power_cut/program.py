"""The program whose power is cut: durable actions on SQLite, and what is claimed of them.

Three kinds of claims are made to the outside, and stand in the recorder's log between the writes:
``accepted ID`` after the answer 202, ``step ID n returned`` within the handler, and ``ended ID``
once a reader saw SUCCEEDED.

``python -m tests.acceptance.power_cut.program RUNS`` carries out the runs of a JSON file, one after
the other, each in a process of its own that is forked from one which has loaded licet. The recorder
is loaded with LD_PRELOAD.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import sqlalchemy as sa
from flask import Flask

from licet import Licet
from licet.actions import (
    ActionProviderBlueprint,
    ActionProviderDescription,
    RunningAction,
    durable_runtime,
)
from licet.authn import embedded_issuer
from licet.db import database_of

N_STEPS = 3
N_CLIENTS = 16
SCOPE = "https://example.org/scopes/work"
FLUSH_MICROSECONDS = 400
LIFETIME_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Run:
    """One recorded run.

    `data` is the recorded folder, `log` the recorder's file, and `instance` the folder of the keys.
    The log is merged into the database every `merge_pages` pages, and now and then by another
    connection if `is_merged_by_others`. The worker is of the server's process, or of another one if
    it `has_worker_apart`. The program ends after `stop_after` ends were seen: at once, unless it
    `stops_in_order`.
    """

    data: str
    log: str
    instance: str
    seed: int
    n_actions: int
    stop_after: int
    merge_pages: int
    is_merged_by_others: bool
    has_worker_apart: bool
    stops_in_order: bool
    synchronous: str | None = None

    @property
    def database(self) -> str:
        """The database's file."""
        return f"{self.data}/licet.sqlite3"


def make_app(
    run: Run,
    mark: Callable[[str], object],
    do_step: Callable[[str, int], Any],
    *,
    threads: int = 8,
) -> Flask:
    """An app with one provider, ``work``, whose actions have three steps.

    Args:
        run: where its files are.
        mark: told of each step that returned.
        do_step: called with the action's id and the number of each step that is carried out.
        threads: of the worker.
    """

    def run_step(action_id: str, n: int) -> None:
        """Of one name before and after the cut: it is part of a step's identity."""
        do_step(action_id, n)

    def work(action: RunningAction, _body: dict[str, Any]) -> dict[str, Any]:
        for n in range(N_STEPS):
            action.step(f"step-{n}", run_step, action.action_id, n)
            mark(f"step {action.action_id} {n} returned")
        return {"steps": N_STEPS}

    app = Flask(__name__)
    app.config.update(
        LICET_DATABASE_URL=f"sqlite:///{run.database}",
        LICET_INSTANCE_PATH=run.instance,
        LICET_WORKER_THREADS=threads,
    )
    if run.synchronous is not None:
        app.config.update(LICET_SQLITE_SYNCHRONOUS=run.synchronous)
    licet = Licet(app)
    blueprint = ActionProviderBlueprint(
        "work",
        __name__,
        url_prefix="/work",
        provider_description=ActionProviderDescription(
            globus_auth_scope=SCOPE,
            title="work",
            admin_contact="nobody@example.org",
            synchronous=False,
            input_schema={"type": "object"},
        ),
    )
    blueprint.durable()(work)
    app.register_blueprint(blueprint)
    licet.protect(app)
    return app


class Clients:
    """Sixteen threads that submit, and one that watches for ends."""

    def __init__(self, app: Flask, run: Run, mark: Callable[[str], object]) -> None:
        self._app = app
        self._run = run
        self._mark = mark
        token = embedded_issuer(app).mint("alice", [SCOPE])
        self._headers = {"Authorization": f"Bearer {token}"}
        self._to_submit: SimpleQueue[int] = SimpleQueue()
        self._accepted: SimpleQueue[str] = SimpleQueue()
        for n in range(run.n_actions):
            self._to_submit.put(n)

    def work(self) -> None:
        """Until so many ends were seen as the run says."""
        for n in range(N_CLIENTS):
            threading.Thread(target=self._submit, args=(n,), daemon=True).start()
        self._watch()

    def _submit(self, client: int) -> None:
        chance = random.Random(self._run.seed * N_CLIENTS + client)
        http = self._app.test_client()
        while True:
            try:
                n = self._to_submit.get_nowait()
            except Empty:
                return
            time.sleep(chance.choice([0, 0, 0.002, 0.02]))
            request = {"request_id": str(n), "body": {"n": n}}
            answer = http.post("/work/run", json=request, headers=self._headers)
            if answer.status_code != 202:
                raise AssertionError(answer.get_data(as_text=True))
            self._mark(f"accepted {answer.json['action_id']}")
            self._accepted.put(answer.json["action_id"])

    def _watch(self) -> None:
        http = self._app.test_client()
        watched: list[str] = []
        n_ended = 0
        while n_ended < self._run.stop_after:
            while not self._accepted.empty():
                watched.append(self._accepted.get())
            for action_id in list(watched):
                answer = http.get(f"/work/{action_id}/status", headers=self._headers)
                if answer.json["status"] == "SUCCEEDED":
                    self._mark(f"ended {action_id}")
                    watched.remove(action_id)
                    n_ended += 1
            time.sleep(0.002)


def merge_now_and_then(run: Run) -> None:
    """Merge the log into the database, as a program for backups does."""
    chance = random.Random(run.seed)
    connection = sqlite3.connect(run.database, isolation_level=None, timeout=1)
    while True:
        time.sleep(chance.uniform(0.01, 0.08))
        kind = chance.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
        connection.execute(f"PRAGMA wal_checkpoint({kind})").fetchall()


def carry_out(run: Run) -> None:
    """One run, in a process that does nothing else."""
    signal.alarm(LIFETIME_SECONDS)
    recorder = ctypes.CDLL(None)
    if recorder.recorder_start(run.data.encode(), run.log.encode(), FLUSH_MICROSECONDS):
        raise AssertionError("the recorder does not start")

    def mark(text: str) -> None:
        recorder.recorder_mark(text.encode())

    def app_with(threads: int) -> Flask:
        """Made in the process that uses it."""
        chance = random.Random(run.seed)
        app = make_app(
            run,
            mark,
            lambda *_: time.sleep(chance.choice([0, 0, 0.001, 0.01])),
            threads=threads,
        )
        sa.event.listen(database_of(app).engine, "connect", merge_sooner)
        return app

    def merge_sooner(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA wal_autocheckpoint = {run.merge_pages}").close()

    with worker_apart(app_with) if run.has_worker_apart else nullcontext():
        app = app_with(0 if run.has_worker_apart else 8)
        if run.is_merged_by_others:
            threading.Thread(target=merge_now_and_then, args=(run,), daemon=True).start()
        Clients(app, run, mark).work()
        if run.stops_in_order:
            durable_runtime(app).stop(5)
        recorder.recorder_stop()


@contextmanager
def worker_apart(app_with: Callable[[int], Flask]) -> Iterator[None]:
    """A process that does nothing but work, until the block ends."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(LIFETIME_SECONDS)
        app = app_with(8)
        durable_runtime(app).start()
        while True:
            signal.pause()
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def main(file: str) -> None:
    """Carry out every run of the file; the exit code is 1 when one fails."""
    codes = []
    for described in json.loads(Path(file).read_text()):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                carry_out(Run(**described))
                code = 0
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    sys.exit(any(codes))


def described(runs: list[Run]) -> str:
    """The JSON of `main`'s file."""
    return json.dumps([asdict(run) for run in runs])


if __name__ == "__main__":
    main(sys.argv[1])
