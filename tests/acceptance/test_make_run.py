"""The reference site as `make run` starts it, used with the curl lines that it prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from services.serve import main
from tests.acceptance.conftest import ROOT, Program, find_free_port, programs

LICET = f"{Path(sys.executable).with_name('licet')} --app services.site:create_app"


@dataclass
class Running:
    """The site, and the lines that it printed."""

    program: Program
    url: str
    instance: Path

    def shell(self, script: str) -> str:
        """What a shell prints for a script, with `make` and the instance folder in place."""
        script = re.sub(r"make -s token USER=(\w+)", rf"{LICET} token \1 --all-scopes", script)
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=ROOT,
            env={**os.environ, "LICET_INSTANCE_PATH": str(self.instance), "NO_PROXY": "*"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    @cached_property
    def token(self) -> str:
        """A token of alice's, which outlives the server."""
        return self.shell("make -s token USER=alice").strip()

    def curl(self, arguments: str, token: bool = True) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of one request."""
        header = f'-H "Authorization: Bearer {self.token}"' if token else ""
        out = self.shell(f"curl -sS -i -H 'Expect:' {header} {arguments}")
        head, _, body = out.replace("\r\n", "\n").partition("\n\n")
        first, *lines = head.split("\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split()[1]), headers, json.loads(body)

    def printed(self) -> list[str]:
        """The printed commands, one a line."""
        joined = self.program.output.replace("\\\n", " ")
        return [line.strip() for line in joined.splitlines() if re.match(r"  (curl|export) ", line)]


def serve(start: Callable[..., Program], port: int, instance: Path) -> Running:
    """The site, ready."""
    url = f"http://localhost:{port}"
    program = start("-m", "services.serve", PORT=str(port), LICET_INSTANCE_PATH=str(instance))
    program.wait_until(lambda: "Stop it with Ctrl-C" in program.output)
    program.wait_until(lambda: program.answers(f"{url}/skeleton/") == 200)
    return Running(program, url, instance)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One site for the tests that do not stop it."""
    folder = tmp_path_factory.mktemp("site")
    with programs(folder) as start:
        yield serve(start, find_free_port(), folder / "instance")


@pytest.fixture
def run_site(
    start: Callable[..., Program], free_port: int, tmp_path: Path
) -> Callable[[], Running]:
    """A function that starts a site, always with the same port and instance folder."""
    return lambda: serve(start, free_port, tmp_path / "instance")


def test_the_printed_lines_work(site: Running):
    """Introspection, a token, a run and its listing, copied from what was printed."""
    introspect, export, run, listing, count, counts, speakers, own_speaker = site.printed()

    described = json.loads(site.shell(introspect))
    typed = f"{run}\necho\n{listing}\necho\n{count}\necho\n{counts}"
    started, listed, counting, active = map(
        json.loads, filter(None, site.shell(f"{export}\n{typed}").splitlines())
    )

    seen_by_all = json.loads(site.shell(speakers))
    seen_by_owner = json.loads(site.shell(own_speaker))

    assert "email" not in seen_by_all["data"][0]["attributes"]
    assert seen_by_owner["data"]["attributes"]["email"] == "ada0@example.org"
    assert described["title"] == "skeleton_action_provider"
    assert started["details"] == {"you_said": "hey"}
    assert [action["action_id"] for action in listed] == [started["action_id"]]
    assert [action["action_id"] for action in active] == [counting["action_id"]]


def test_the_printed_folder_is_where_things_are_stored(site: Running):
    """The last printed lines name the instance folder and the database in use."""
    assert f"The keys stay in {site.instance}, and what is stored in" in site.program.output
    assert f"{site.instance}/licet.sqlite3." in site.program.output
    assert site.token
    assert (site.instance / "licet-signing-keys.json").exists()


def test_a_token_is_asked_for(site: Running):
    """Introspection needs none; everything else answers 401 with a challenge."""
    assert site.curl(f"{site.url}/skeleton/", token=False)[0] == 200
    status, headers, body = site.curl(f"{site.url}/skeleton/actions", token=False)
    assert (status, body["code"]) == (401, "UnauthorizedRequest")
    metadata = f"{site.url}/.well-known/oauth-protected-resource"
    assert headers["www-authenticate"] == f'bearer realm="licet", resource_metadata="{metadata}"'


def test_an_action_outlives_the_server(run_site: Callable[[], Running]):
    """SIGTERM ends it quietly; after a new start the action is there, and the request known."""
    site = run_site()
    request_id = uuid.uuid4().hex
    body = json.dumps({"request_id": request_id, "body": {"input_string": "hey"}})
    _, _, started = site.curl(f"{site.url}/skeleton/run --data '{body}'")

    assert site.program.stop(15) == 0
    assert "Traceback" not in site.program.output
    again = run_site()

    again.token = site.token
    status, _, found = again.curl(f"{again.url}/skeleton/{started['action_id']}/status")
    assert (status, found) == (200, started)
    assert again.curl(f"{again.url}/skeleton/run --data '{body}'")[0] == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_ten_megabytes_is_refused(site: Running, tmp_path: Path, chunked: bool):
    """413 with the interface's error, whether its length was declared or not."""
    big = tmp_path / "big.json"
    big.write_bytes(b'{"request_id": "' + b"x" * 10_000_000 + b'"}')
    how = "-H 'Transfer-Encoding: chunked'" if chunked else ""

    status, _, body = site.curl(f"{how} --data-binary @{big} {site.url}/skeleton/run")

    assert (status, body["code"]) == (413, "RequestTooLarge")


def test_a_port_in_use_is_told_in_one_line(site: Running, start: Callable[..., Program]):
    """The second server ends at once, and says what to do."""
    port = site.url.rpartition(":")[2]

    second = start("-m", "services.serve", PORT=port)

    assert second.process.wait(30) != 0
    (line,) = second.output.strip().splitlines()
    assert line.startswith(f"licet: The server cannot listen on 127.0.0.1:{port}")


def test_a_port_that_is_none_is_told_in_one_line(start: Callable[..., Program]):
    """PORT has to be a port."""
    program = start("-m", "services.serve", PORT="x")

    assert program.process.wait(30) == 1
    (line,) = program.output.strip().splitlines()
    assert line == "licet: PORT is 'x': write a number from 1 to 65535."


@pytest.mark.parametrize("port", ["", "0", "65536", "-1"])
def test_other_ports_that_are_none(monkeypatch: pytest.MonkeyPatch, port: str):
    """They are told in the same way."""
    monkeypatch.setenv("PORT", port)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == f"licet: PORT is {port!r}: write a number from 1 to 65535."
