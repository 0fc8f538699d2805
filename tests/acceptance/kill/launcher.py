"""Starts processes that have licet loaded already, so that a test does not wait seconds for each.

Run as a program it is a small process that forks one child for each line of its input; each child
has its own session, environment and output, as if started by a shell. It tells when they end, and
kills what is left when its input ends. `Launcher` is the test's end of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 60


class Launched:
    """A process that the launcher started."""

    def __init__(self, role: str, out: Path) -> None:
        self.role = role
        self.out = out
        self.pid = 0
        self.code: int | None = None
        self._is_killed = False
        self.has_begun = threading.Event()
        self.has_ended = threading.Event()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not self.has_ended.is_set()

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self.out.read_text() if self.out.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """A signal to the process itself, unless it has ended."""
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_group(self) -> None:
        """SIGKILL for it and its children; once, since the number may be another's later."""
        if not self._is_killed:
            self._is_killed = True
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit code; that of a signal is negative."""
        assert self.has_ended.wait(seconds), f"still running: {self.role}\n{self.output}"
        assert self.code is not None
        return self.code


class Launcher:
    """The launcher's process, and what it started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starting: list[Launched] = []
        self._started: dict[int, Launched] = {}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self, role: str, *arguments: str, environ: dict[str, str], out: Path) -> Launched:
        """A ``licet`` command as a process of its own."""
        launched = Launched(role, out)
        asked = {"arguments": [role, *arguments], "environ": environ, "out": str(out)}
        with self._lock:
            self._starting.append(launched)
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(asked) + "\n")
        assert launched.has_begun.wait(SECONDS), "the launcher starts nothing"
        return launched

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            pid, code = json.loads(line)
            if code is None:
                launched = self._started[pid] = self._starting.pop(0)
                launched.pid = pid
                launched.has_begun.set()
            else:
                launched = self._started.pop(pid)
                launched.code = code
                launched.has_ended.set()

    def end(self) -> None:
        """End it and all that it started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(SECONDS)
        self._reader.join(SECONDS)
        self._process.stdout.close()


def _launch() -> None:
    """The launcher's own life."""
    os.chdir(ROOT)
    sys.path[0] = str(ROOT)
    _preload()
    alive: set[int] = set()
    lock = threading.Lock()
    wanted = threading.Semaphore(0)

    def reap() -> None:
        while True:
            wanted.acquire()
            pid, status = os.wait()
            with lock:
                alive.discard(pid)
                _tell(pid, os.waitstatus_to_exitcode(status))

    reaper = threading.Thread(target=reap, daemon=True)
    for line in sys.stdin:
        asked = json.loads(line)
        with lock:
            pid = os.fork()
            if pid == 0:
                _become(asked)
            alive.add(pid)
            _tell(pid, None)
        wanted.release()
        if not reaper.is_alive():
            reaper.start()
    with lock:
        for pid in alive:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _tell(pid: int, code: int | None) -> None:
    sys.stdout.write(f"{json.dumps([pid, code])}\n")
    sys.stdout.flush()


def _preload() -> None:
    import celery.apps.worker
    import celery.concurrency.thread
    import gunicorn.workers.gthread
    import kombu.transport.redis
    import psycopg

    import licet.actions
    import licet.actions.durable.celery_dispatch
    import licet.cli

    assert all((celery, gunicorn, kombu, psycopg, licet))


def _become(asked: dict[str, Any]) -> None:
    """The child: a ``licet`` command with its own session, environment and output."""
    os.setsid()
    os.environ.clear()
    os.environ.update(asked["environ"])
    out = os.open(asked["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(number, target)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", 1, closefd=False) for n in (1, 2))
    sys.argv = ["licet", *asked["arguments"]]
    from licet.cli import main

    try:
        main()
    except Exception:  # noqa: BLE001 - the process ends
        traceback.print_exc()
        sys.exit(1)
    sys.exit(0)


if __name__ == "__main__":
    _launch()
