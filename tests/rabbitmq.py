"""A RabbitMQ server on loopback, Debian's, in a temporary folder, for as long as a test needs it.

It and Erlang's port mapper run in a session of their own, which ends with the test run whatever
happens. A restart on the same folder keeps the messages that were meant to be kept.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's wrapper changes the user
SECONDS = 90
# The server's whole session ends when the standard input does.
_WATCHED = """
import os, signal, subprocess, sys, threading
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
def end():
    sys.stdin.read()
    os.killpg(server.pid, signal.SIGKILL)
threading.Thread(target=end, daemon=True).start()
sys.exit(server.wait())
"""
_MAPPER = ["epmd", "-address", "127.0.0.1", "-port"]


class RabbitMQ:
    """A server that a test may stop, as by a crash, and start again; `url` stays the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._mapper_port, distribution = (_free_port() for _ in range(3))
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        self._mapper: subprocess.Popen[str] | None = None
        self._server: subprocess.Popen[str] | None = None
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),  # Erlang's cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": f"licet-{uuid.uuid4().hex[:8]}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        }

    @staticmethod
    def is_installed() -> bool:
        """Whether this machine has it."""
        return SERVER.exists() and shutil.which("epmd") is not None

    def start(self) -> None:
        """Until it takes connections."""
        self._mapper = self._mapper or self._watched([*_MAPPER, str(self._mapper_port)])
        self._server = self._watched([str(SERVER)])
        give_up_at = time.monotonic() + SECONDS
        while not self._answers():
            assert self._server.poll() is None, self._output()
            assert time.monotonic() < give_up_at, self._output()
            time.sleep(0.1)

    def stop(self) -> None:
        """At once, if it runs."""
        self._end(self._server)
        self._server = None

    def end(self) -> None:
        """It and its port mapper."""
        self.stop()
        self._end(self._mapper)

    def _watched(self, command: list[str]) -> subprocess.Popen[str]:
        with (self._folder / "output").open("a") as output:
            return subprocess.Popen(
                [sys.executable, "-c", _WATCHED, *command],
                env=self._environ,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                text=True,
            )

    def _end(self, process: subprocess.Popen[str] | None) -> None:
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(SECONDS)

    def _answers(self) -> bool:
        """Whether it greets a client with the header of its protocol's first frame."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), 1) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def _output(self) -> str:
        return (self._folder / "output").read_text()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def stoppable_rabbitmq() -> Iterator[RabbitMQ]:
    """A server in the hands of the test."""
    with tempfile.TemporaryDirectory(prefix="licet-rabbitmq-") as folder:
        server = RabbitMQ(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.end()
