"""Real servers that are told to stop while handlers use executors: all is done once, in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.acceptance.conftest import DIRECT, ROOT, find_free_port
from tests.acceptance.kill import served
from tests.acceptance.kill.journal import Witness
from tests.acceptance.kill.system import wait_until
from tests.counts import only_full

from licet.authn import embedded_issuer
from licet.testing import run_pending

APP = "tests.acceptance.kill.served:create_app"
TERM, INT = signal.SIGTERM, signal.SIGINT
LIMIT_SECONDS = served.STOP_SECONDS + 3
CLAIM_SECONDS = 0.7  # after which a server that was told to stop claims nothing more
LONG = ["pool", "loop"]
N_SHORT = 40


# What each server's command has behind Python's name; P is its port.
GUNICORN = ["-m", "gunicorn", "-b", "127.0.0.1:P", f"{APP}()"]
UWSGI = "--http-socket 127.0.0.1:P --master --die-on-term --enable-threads --module"
SERVERS: dict[str, list[str]] = {
    "flask run": ["-m", "flask", "--app", APP, "run", "--port", "P"],
    "waitress": ["-m", "waitress", "--listen=127.0.0.1:P", "--call", APP],
    "gunicorn sync": GUNICORN,
    "gunicorn gthread": [*GUNICORN, "--threads", "4"],
    "gunicorn preload": [*GUNICORN, "--threads", "4", "--preload"],
    "gunicorn gevent": [*GUNICORN, "-k", "gevent"],
    "licet serve": ["-m", "licet", "--app", APP, "serve", "--port", "P", "--workers", "1"],
    "uwsgi": ["-c", "import sys, pyuwsgi; pyuwsgi.run(sys.argv[1:])", *UWSGI.split(), f"{APP}()"],
}
QUICK = {("flask run", TERM), ("waitress", INT), ("gunicorn gthread", TERM)}
CASES = [
    pytest.param(name, number, id=f"{name}-{number.name}")
    if (name, number) in QUICK
    else only_full(name, number, id=f"{name}-{number.name}")
    for name in SERVERS
    for number in (TERM, INT)
]


class Stopped:
    """A server with actions of each kind under way, and what became of them."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder = folder
        self.app = served.create_app(LICET_WORKER_THREADS=0)
        self._n_submitted = 0
        self.ids = [self._submit("steps", 20) for _ in range(2)]
        self.ids += [self._submit(provider, 0) for provider in LONG]
        self.witness = Witness(f"sqlite:///{folder / 'licet.sqlite3'}", folder / "journal")
        self.witness.install()
        self.ids += [self._submit("steps", 1) for _ in range(N_SHORT)]
        port = str(find_free_port())
        command = [port if x == "P" else x.replace(":P", f":{port}") for x in SERVERS[server]]
        self.out = folder / "server.out"
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a run in the background
            signal.signal(signal.SIGINT, signal.default_int_handler)  # else the server ignores it
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._ask_until_it_answers(f"http://127.0.0.1:{port}/steps/")
        wait_until(lambda: self.witness.n_in("ended") >= 2, "short actions that end")

    def _submit(self, provider: str, steps: int) -> str:
        token = embedded_issuer(self.app).mint("alice", [served.SCOPE])
        self._n_submitted += 1
        answer = self.app.test_client().post(
            f"/{provider}/run",
            json={"request_id": str(self._n_submitted), "body": {"steps": steps}},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json["action_id"])

    def _ask_until_it_answers(self, url: str) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, self.out.read_text()
            try:
                with DIRECT.open(url, timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        wait_until(answers, "a server that answers")

    def send(self, number: signal.Signals) -> float:
        """When the server itself was sent a signal."""
        self.process.send_signal(number)
        return time.time()

    def wait(self) -> int:
        """The server's exit code."""
        return self.process.wait(30)

    def end(self) -> None:
        """Whatever it takes."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Stopped]]:
    """A function that starts a server, which is ended at the end."""
    monkeypatch.setenv(served.FOLDER_VARIABLE, str(tmp_path))
    started: list[Stopped] = []

    def run(server: str) -> Stopped:
        started.append(Stopped(tmp_path, server))
        return started[-1]

    yield run
    for stopped in started:
        stopped.end()


@pytest.mark.parametrize(("server", "number"), CASES)
def test_a_server_told_to_stop(
    start: Callable[[str], Stopped],
    server: str,
    number: signal.Signals,
    count: Callable[..., None],
    slack_seconds: float,
):
    """Handlers end or are given back; the next process goes on where they were."""
    stopped = start(server)
    witness = stopped.witness

    at = stopped.send(number)
    code = stopped.wait()
    seconds = time.time() - at

    output = stopped.out.read_text()
    assert witness.n_in("running") == 0, output
    assert witness.n_in("queued") > len(LONG), "the queue was too short to see claims stop"
    claims = [change.at - at for change in witness.changes() if change.phase == "running"]
    looks_seconds = 1.0 if "gevent" in server else 0.0  # how often that looks whether to stop
    assert max(claims) <= CLAIM_SECONDS + looks_seconds + slack_seconds
    assert seconds <= LIMIT_SECONDS + slack_seconds, output

    (stopped.folder / "gate").touch()
    run_pending(stopped.app)
    counts = witness.audit(stopped.ids)
    assert witness.attempts(stopped.ids) == 1
    assert counts.unfinished == 0, "a step was broken off"
    count(counts, code=code, stopped_in=f"{seconds:.1f} s", last_claim=f"{max(claims):.2f} s")


@pytest.mark.parametrize("server", ["flask run", only_full("waitress")])
def test_the_second_sigterm(start: Callable[[str], Stopped], server: str):
    """It ends the process at once, while handlers still have time from the first."""
    stopped = start(server)
    pid = stopped.process.pid
    assert not is_default(pid), "nobody takes the first one"

    at = stopped.send(TERM)
    wait_until(lambda: is_default(pid), "the first one taken")
    stopped.send(TERM)

    assert stopped.wait() == -TERM
    assert time.time() - at < served.STOP_SECONDS


def is_default(pid: int) -> bool:
    """Whether SIGTERM would end a process at once."""
    status = Path(f"/proc/{pid}/status").read_text()
    (caught,) = [line for line in status.splitlines() if line.startswith("SigCgt:")]
    return not int(caught.split()[1], 16) >> (TERM - 1) & 1
