"""Memory of a server with 0 and with 10,000 queued actions, and while they are worked off.

    make bench                       # or: .venv/bin/python benchmarks/memory.py --actions 10000

The process is the app under werkzeug's threaded server with its worker and its sweeper, as
``LICET_DISPATCH=threads`` has them, on SQLite. It first serves and runs 500 actions, so that
everything is imported and warm. Then it is stopped from working by a handler that waits, is sent
10,000 actions (500 by HTTP, the others into its database), and is let go.
Resident memory is read from /proc every 50 ms.

The claim: at most 5 MB more with 10,000 queued than with none, and while they are worked off.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from _durables import CALLER, PROVIDER, SCOPE, folder, make_app, make_requests
from _rounds import verdict
from licet.actions.durable.runtime import durable_runtime
from licet.authn import embedded_issuer

HERE = Path(__file__).parent
N_WARM = 500
LIMIT_MB = 5.0


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--actions", type=int, default=10_000)
    options = arguments.parse_args()
    with folder() as where:
        server = Server(where)
        server.run_by_http(N_WARM)
        server.wait_until_ended()
        empty = server.settled_mb()
        server.hold()
        server.run_by_http(N_WARM)
        server.queue(options.actions - N_WARM)
        full = server.settled_mb()
        server.let_go()
        working = server.highest_mb_until_ended()
        done = server.settled_mb()
        server.stop()
    print(f"Resident memory of app and worker, MB, Python {platform.python_version()}\n")
    for what, found in (
        ("nothing queued", empty),
        (f"{options.actions:,} queued", full),
        ("highest while worked off", working),
        ("all ended", done),
    ):
        print(f"  {what:28}{found:8.1f}")
    print()
    print(verdict(f"{options.actions:,} queued: more than with none", full - empty, LIMIT_MB, "MB"))
    print(verdict("worked off: more than with none", working - empty, LIMIT_MB, "MB"))


class Server:
    """The server's process, its database, and a file that makes its handler wait."""

    def __init__(self, where: str) -> None:
        self._gate = Path(where) / "gate"
        self._app = make_app(where, lambda _action, _body: {}, LICET_WORKER_THREADS=0)
        self._runtime = durable_runtime(self._app)
        self._database = self._runtime.database()
        with self._app.app_context():
            issuer = embedded_issuer(self._app)
            self._token = issuer.mint("bench", [SCOPE], ttl_seconds=86400)
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "_memory_server.py"), where],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._url = self._process.stdout.readline().strip()

    def run_by_http(self, number: int) -> None:
        for asked in make_requests(number):
            body = json.dumps({"request_id": asked.request_id, "body": asked.body})
            request = urllib.request.Request(
                f"{self._url}/{PROVIDER}/run",
                data=body.encode(),
                headers={"Authorization": f"Bearer {self._token}"},
            )
            with urllib.request.urlopen(request) as answer:
                assert answer.status == 202

    def queue(self, number: int) -> None:
        with self._app.app_context():
            for request in make_requests(number):
                self._runtime.submit(PROVIDER, request, CALLER)

    def hold(self) -> None:
        self._gate.touch()

    def let_go(self) -> None:
        self._gate.unlink()

    def resident_mb(self) -> float:
        statm = Path(f"/proc/{self._process.pid}/statm").read_text()
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def settled_mb(self) -> float:
        """After a second, in which nothing is sent."""
        time.sleep(1)
        return self.resident_mb()

    def wait_until_ended(self) -> None:
        self.highest_mb_until_ended()

    def highest_mb_until_ended(self) -> float:
        highest = 0.0
        while self._n_left():
            highest = max(highest, self.resident_mb())
            time.sleep(0.05)
        return highest

    def _n_left(self) -> int:
        with self._database.read() as connection:
            counted = "SELECT count(*) FROM licet_action WHERE phase <> 'ended'"
            return int(connection.exec_driver_sql(counted).scalar_one())

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)
        self._database.close()


if __name__ == "__main__":
    main()
