"""A server, workers and a sweeper as real processes, orders to die, and what came of it."""

from __future__ import annotations

import json
import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa
from tests.acceptance.conftest import find_free_port
from tests.acceptance.kill.journal import Counts, Witness
from tests.acceptance.kill.launcher import Launched, Launcher

from licet.db.engine import Database
from licet.db.migrate import upgrade

SECONDS = 60
LIFETIME_SECONDS = 600
PEACE_SECONDS = 5


def wait_until(claim: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """What the claim gives once it holds; fails when that takes too long."""
    give_up_at = time.monotonic() + seconds
    while not (found := claim()):
        assert time.monotonic() < give_up_at, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Order:
    """An order to the process that comes by a point first."""

    system: System
    point: str

    def _taken(self) -> list[Path]:
        return list(self.system.orders.glob(f"{self.point}.*.taken"))

    def wait(self) -> tuple[int, float]:
        """Who took it, and when; who was killed has ended."""
        (taken,) = wait_until(self._taken, f"nobody came by: {self.point}")
        pid, at = int(taken.name.split(".")[-2]), taken.stat().st_ctime
        killed = taken.read_text() == "SIGKILL"
        taken.unlink()
        for process in self.system.processes:
            if killed and process.pid == pid:
                process.wait()
        return pid, at


@dataclass
class System:
    """One installation: a database, perhaps a broker, and the processes that use them.

    `lease_seconds` is how long a silent worker keeps an action; `options` are the other ones of
    ``durable``, for which the default declaration has none.
    """

    launcher: Launcher
    folder: Path
    database_url: str
    broker_url: str | None = None
    lease_seconds: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.orders = self.folder / "orders"
        self.orders.mkdir(parents=True)
        self.processes: list[Launched] = []
        self.witness = Witness(self.database_url, self.folder / "journal")
        self.n_started = 0
        upgrade(database := Database(self.database_url))
        database.close()
        self.witness.install()
        self.client = httpx2.Client(trust_env=False, timeout=SECONDS)
        said = self.licet("token", "alice", "--all-scopes", "--ttl-seconds", "3600")
        token = said.splitlines()[-1]  # after what is said of new keys
        self.client.headers["Authorization"] = f"Bearer {token}"

    @property
    def environ(self) -> dict[str, str]:
        """What its processes are told."""
        told = {
            "PYTHONUNBUFFERED": "1",
            "LICET_APP": "tests.acceptance.kill.program:create_app",
            "LICET_INSTANCE_PATH": str(self.folder / "instance"),
            "LICET_DATABASE_URL": self.database_url,
            "LICET_WORKER_THREADS": "0",
            "KILL_FOLDER": str(self.folder),
            "KILL_OPTIONS": json.dumps({"lease_seconds": self.lease_seconds} | self.options),
            "KILL_LIFETIME_SECONDS": str(LIFETIME_SECONDS),
        }
        if self.broker_url:
            told |= {"LICET_DISPATCH": "celery", "LICET_BROKER_URL": self.broker_url}
        return {**os.environ, **told, **self.settings}

    # --- processes

    def licet(self, *arguments: str) -> str:
        """What a command of licet prints, once it has ended well."""
        done = self.start(*arguments)
        assert done.wait() == 0, done.output
        return done.output.strip()

    def start(self, role: str, *arguments: str) -> Launched:
        """A process with a life of its own."""
        self.n_started += 1
        out = self.folder / f"{self.n_started:03}-{role}.out"
        started = self.launcher.start(role, *arguments, environ=self.environ, out=out)
        self.processes.append(started)
        return self.processes[-1]

    def start_server(self, *, workers: int = 1) -> Launched:
        """The web server."""
        return self.start("serve", "--port", str(self.port), "--workers", str(workers))

    def start_worker(self, *, threads: int = 4) -> Launched:
        """A worker that does not sweep."""
        return self.start("worker", "--no-sweep", "--threads", str(threads))

    def living(self, role: str) -> list[Launched]:
        """Its processes of a role."""
        for process in self.processes:
            if not process.is_alive:
                process.kill_group()  # what is left of it
        self.processes = [process for process in self.processes if process.is_alive]
        return [process for process in self.processes if process.role == role]

    def ensure(self, *, workers: int = 2, sweepers: int = 1, servers: int = 1) -> None:
        """Have so many of each, no more, that have begun."""
        for role, count in (("worker", workers), ("sweep", sweepers)):
            for process in self.living(role)[count:]:
                process.kill_group()
        for _ in range(len(self.living("worker")), workers):
            self.start_worker()
        for _ in range(len(self.living("sweep")), sweepers):
            self.start("sweep")
        for _ in range(len(self.living("serve")), servers):
            self.start_server()
        wait_until(self.has_begun, f"processes that begin: {self.outputs()}")

    def has_begun(self) -> bool:
        """Whether each living process has said that it has begun, and the server answers."""
        for process in self.living("worker") + self.living("sweep"):
            if f"licet {process.role}:" not in process.output:
                return False
        return not self.living("serve") or self.is_answering()

    def is_answering(self) -> bool:
        """Whether the server takes requests."""
        try:
            return bool(self.client.get(f"{self.url}/work/").status_code == 200)
        except httpx2.TransportError:
            return False

    def is_stopping(self, process: Launched) -> bool:
        """Whether it has seen a signal: it claims nothing any more while work waits."""
        return f"SigPnd:\t{'0' * 16}" in Path(f"/proc/{process.pid}/status").read_text()

    def end(self) -> None:
        """End what is left of it; who can end in peace may."""
        peaceful = self.living("worker") + self.living("sweep")
        for process in peaceful:
            process.send(signal.SIGTERM)
        for process in peaceful:
            process.has_ended.wait(PEACE_SECONDS)
        for process in self.processes:
            process.kill_group()
        self.client.close()

    def outputs(self) -> str:
        """What its processes printed."""
        files = sorted(self.folder.glob("*.out"))
        return "\n".join(f"== {file.name}\n{file.read_text()[-3000:]}" for file in files)

    # --- requests

    def order(self, point: str, number: signal.Signals = signal.SIGKILL) -> Order:
        """Have the next process that comes by a point send itself a signal."""
        (self.orders / "new").write_text(number.name)
        (self.orders / "new").rename(self.orders / point)
        return Order(self, point)

    def run(
        self, body: dict[str, Any], *, request_id: str | None = None, provider: str = "work"
    ) -> httpx2.Response:
        """The answer to one request for an action."""
        asked = {"request_id": request_id or uuid.uuid4().hex, "body": body}
        return self.client.post(f"{self.url}/{provider}/run", json=asked)

    def accepted(self, body: dict[str, Any], provider: str = "work") -> str:
        """The id of an action that was accepted, asked for again while no answer comes."""
        request_id = uuid.uuid4().hex

        def ask() -> str | None:
            with suppress(httpx2.TransportError):
                answer = self.run(body, request_id=request_id, provider=provider)
                if answer.status_code in (200, 202):
                    return str(answer.json()["action_id"])
                assert answer.status_code in (502, 503), answer.text
            return None

        return str(wait_until(ask, "a request that is accepted"))

    def submit(
        self, count: int, *, threads: int = 4, provider: str = "work", **body: Any
    ) -> list[str]:
        """The ids of so many actions."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda _: self.accepted(body, provider), range(count)))

    def open_gate(self, name: str) -> None:
        """Let the steps that wait for it go on."""
        (self.folder / name).touch()

    def wait_ended(self, ids: Iterable[str], seconds: float = SECONDS) -> None:
        """Until all have ended."""
        wanted = set(ids)
        wait_until(
            lambda: self._n_in("ended", wanted) == len(wanted),
            f"the end of {len(wanted)} actions",
            seconds,
        )

    def outlast(self, leases: float) -> None:
        """Let so many leases pass."""
        until = time.monotonic() + leases * self.lease_seconds
        wait_until(lambda: time.monotonic() >= until, "a clock that goes")

    def count_in(self, phase: str) -> int:
        """How many actions are in a phase."""
        return self.witness.n_in(phase)

    def kill_child(self, chooser: random.Random) -> None:
        """SIGKILL for one of the server's worker processes."""
        (server,) = self.living("serve")
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        pids = wait_until(lambda: children.read_text().split(), "a worker of the server")
        os.kill(int(chooser.choice(pids)), signal.SIGKILL)

    def _n_in(self, phase: str, ids: Iterable[str]) -> int:
        try:
            return self.witness.n_in(phase, ids)
        except sa.exc.DBAPIError:
            return -1  # it is being stopped

    def finish(self, ids: Iterable[str], seconds: float = SECONDS, **expected: str) -> Counts:
        """Wait for their ends, and count."""
        ids = list(ids)
        self.wait_ended(ids, seconds)
        return self.witness.audit(ids, **expected)
