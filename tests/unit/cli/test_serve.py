"""`licet serve`: the app under gunicorn, and clear words when that cannot be."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.unit.actions.serving import unused_port
from tests.unit.cli.conftest import SITE

from licet.cli import serve as serve_module
from licet.cli.serve import check_port_is_free, serve_app
from licet.errors import ConfigurationError


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[serve_module._Server]:
    """Servers that would have run."""
    servers: list[serve_module._Server] = []

    def run(server: serve_module._Server) -> None:
        servers.append(server)

    monkeypatch.setattr(serve_module._Server, "run", run)
    return servers


def test_a_port_in_use(licet, taken_port: int):
    """A port that is taken is told in one line with what to do."""
    result = licet("--app", SITE, "serve", "--port", str(taken_port))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"licet: The server cannot listen on 127.0.0.1:{taken_port} (")
    assert "choose another" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "8000.0", " "])
def test_a_bad_port(licet, port: str):
    """A port that is none is wrong usage, from the environment as from the option."""
    for result in (
        licet("--app", SITE, "serve", env={"PORT": port}),
        licet("--app", SITE, "serve", "--port", port),
    ):
        assert result.exit_code == 2
        assert "--port" in result.stderr or "PORT" in result.stderr


@pytest.mark.parametrize("host", ["203.0.113.1", "no.such.host.invalid", "..", "a" * 70, "::zz"])
def test_a_host_that_is_not_ours(licet, host: str):
    """An address that this machine does not have is told in one line."""
    result = licet("--app", SITE, "serve", "--host", host)
    assert result.exit_code == 2
    assert result.stderr.startswith("licet: The server cannot listen on")


def test_a_broken_app_is_told_once(licet, ran):
    """An app that cannot be made is told before any worker starts."""
    result = licet("--app", SITE, "serve", env={"LICET_ISSUER": "x", "LICET_MIGRATE_AT_START": "?"})
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert ran == []


def test_options_reach_the_server(licet, ran):
    """Host, port, workers and threads are the server's."""
    port = str(unused_port())
    result = licet("--app", SITE, "serve", "--port", port, "--workers", "3", "--threads", "4")
    assert result.exit_code == 0
    [server] = ran
    assert server.cfg.settings["bind"].value == [f"127.0.0.1:{port}"]
    assert (server.cfg.workers, server.cfg.threads) == (3, 4)
    assert (server.cfg.forwarded_allow_ips, server.cfg.forwarder_headers) == ([], [])
    assert server.load().name == "services.site"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({}, "keys are in {0}/instance\nlicet: data is in {0}/instance/licet.sqlite3"),
        (
            {"LICET_DATABASE_URL": "sqlite:///{0}/other.sqlite3"},
            "keys are in {0}/instance\nlicet: data is in {0}/other.sqlite3",
        ),
        (
            {"LICET_DATABASE_URL": "sqlite:///{0}/other.sqlite3", "LICET_EMBEDDED_ISSUER": "no"},
            "data is in {0}/other.sqlite3",
        ),
    ],
)
def test_it_says_where_keys_and_data_are(licet, ran, capsys, tmp_path, env, told):
    """Each where it is; an app that makes no tokens has no keys."""
    given = {name: text.format(tmp_path) for name, text in env.items()}
    port = str(unused_port())
    result = licet("--app", "tests.unit.cli.bare:app", "serve", "--port", port, env=given)
    assert result.exit_code == 0
    [server] = ran
    server.cfg.when_ready("server")
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"licet: serving on http://127.0.0.1:{port}"
    assert rest == f"licet: {told.format(tmp_path)}".splitlines()


def test_ipv6_and_readiness(ran, monkeypatch: pytest.MonkeyPatch):
    """An IPv6 address is written in brackets, and readiness is reported to the caller."""
    monkeypatch.setattr(serve_module, "check_port_is_free", lambda *_: None)
    ready: list[object] = []

    def note(server: object) -> None:
        ready.append(server)

    serve_app(lambda: None, host="::1", port=80, workers=1, threads=1, on_ready=note)
    [server] = ran
    assert server.cfg.settings["bind"].value == ["[::1]:80"]
    server.cfg.when_ready("server")
    assert ready == ["server"]


@pytest.mark.parametrize("port", [65536, 2**40])
def test_a_port_that_cannot_be(port: int):
    """A number that is no port is a configuration error."""
    with pytest.raises(ConfigurationError):
        check_port_is_free("127.0.0.1", port)


def test_it_serves_until_told_to_stop(tmp_path: Path):
    """The real command answers requests and ends cleanly on SIGTERM."""
    port = unused_port()
    command = [Path(sys.executable).with_name("licet"), "--app", SITE, "serve"]
    environ = {**os.environ, "LICET_INSTANCE_PATH": str(tmp_path), "PORT": str(port)}
    process = subprocess.Popen(
        [*command, "--workers", "1"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == f"licet: serving on http://127.0.0.1:{port}\n".encode()
        assert process.stdout.readline() == f"licet: keys are in {tmp_path}\n".encode()
        place = f"licet: data is in {tmp_path}/licet.sqlite3\n"
        assert process.stdout.readline() == place.encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/skeleton/", timeout=30) as answer:
            assert answer.status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        more, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert more == b""
    assert b"Traceback" not in errors
