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
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def find_free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on, the same throughout the test."""
    return find_free_port()


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
            with DIRECT.open(url, timeout=SECONDS) as response:
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


@contextmanager
def programs(folder_for_output: Path) -> Iterator[Callable[..., Program]]:
    """A function that starts a Python program; all are ended at the end."""
    started: list[Program] = []

    def run(*arguments: str, folder: Path = ROOT, **environ: str) -> Program:
        settings = {"LICET_INSTANCE_PATH": str(folder_for_output / "instance"), **environ}
        out = folder_for_output / f"output-{len(started)}"
        started.append(Program([sys.executable, *arguments], folder, settings, out))
        return started[-1]

    try:
        yield run
    finally:
        for program in started:
            program.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """`programs` for one test."""
    with programs(tmp_path) as run:
        yield run
