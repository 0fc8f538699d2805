"""Programs started as processes of their own, on free ports, and always ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """A process, what it printed so far, and a way to end it."""

    def __init__(self, command: list[str], folder: Path, environ: dict[str, str], out: Path):
        self.output_file = out
        with out.open("wb") as sink:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environ},
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """Everything it printed."""
        return self.output_file.read_text()

    def wait_until(self, claim: Callable[[], Any]) -> None:
        """Until the claim holds; fails when the program ends before or takes too long."""
        deadline = time.monotonic() + SECONDS
        while not claim():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            select_wait()

    def answers(self, url: str) -> Any:
        """The HTTP status at `url`, or None while nobody listens."""
        try:
            with urllib.request.urlopen(url, timeout=SECONDS) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def stop(self, seconds: float = SECONDS) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def end(self) -> None:
        """Whatever it takes."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(SECONDS)


def select_wait() -> None:
    """Give the other process a moment before the condition is looked at again."""
    time.sleep(0.05)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """A function that starts a Python program; all are ended after the test."""
    started: list[Program] = []

    def run(*arguments: str, folder: Path = ROOT, **environ: str) -> Program:
        settings = {"LICET_INSTANCE_PATH": str(tmp_path / "instance"), **environ}
        out = tmp_path / f"output-{len(started)}"
        started.append(Program([sys.executable, *arguments], folder, settings, out))
        return started[-1]

    yield run
    for program in started:
        program.end()
