"""The README: its links, and its first program started and asked as it says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.conftest import ROOT, Program

README = (ROOT / "README.md").read_text("utf-8")
START = README[README.index("## Start") : README.index("## The reference site")]
PROVIDER = README[README.index("## An action provider") : README.index("## A session")]
LINKS = re.findall(r"^\[[^\]]+\]: (\S+)$|\]\((\S+?)\)", README, re.MULTILINE)


def test_every_link_is_absolute_and_leads_to_a_file():
    """A reader at a package index has no files beside the README."""
    source = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]
    links = [first or second for first, second in LINKS]

    own = [link.removeprefix(f"{source}/blob/main/") for link in links]
    assert len(own) > 10
    assert [path for path in own if not (ROOT / path).exists()] == []


def test_the_references_are_all_defined():
    """No link of the text lacks its address."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", README, flags=re.DOTALL)
    definition = re.compile(r"^\[([^\]]+)\]: \S+$", re.MULTILINE)
    defined = {name.lower() for name in definition.findall(prose)}
    used = re.findall(r"\[([^\][]+)\](?:\[([^\]]+)\])?", definition.sub("", prose))

    assert {(name or text).lower() for text, name in used} <= defined


def test_the_first_program_prints_what_the_readme_says(
    start: Callable[..., Program], free_port: int, tmp_path: Path
):
    """The program is saved, started and asked with the lines of the README."""
    (program,) = re.findall(r"```python\n(.*?)```", START, re.DOTALL)
    (tmp_path / "hello.py").write_text(program)
    words = ["flask", "--app", "hello", "run"]
    assert f"`{shlex.join(words)}`" in START
    server = start("-m", *words, "--port", str(free_port), folder=tmp_path)
    server.wait_until(lambda: server.answers(f"http://localhost:{free_port}/") == 200)

    (session,) = re.findall(r"```console\n(.*?)```", START, re.DOTALL)
    asked = re.findall(r"^\$ (.*)\n(.*)$", session, re.MULTILINE)

    assert len(asked) == 3
    for line, expected in asked:
        assert _shell(line.replace(":5000", f":{free_port}"), tmp_path) == expected


def test_the_action_provider_does_what_the_readme_says(
    start: Callable[..., Program], free_port: int, tmp_path: Path
):
    """The provider is saved, started and run with the lines of the README."""
    (program,) = re.findall(r"```python\n(.*?)```", PROVIDER, re.DOTALL)
    (tmp_path / "shout.py").write_text(program)
    words = ["flask", "--app", "shout", "run"]
    assert "Save this one as `shout.py`" in PROVIDER
    assert f"`{shlex.join(words)}`" in PROVIDER
    server = start("-m", *words, "--port", str(free_port), folder=tmp_path)
    server.wait_until(lambda: server.answers(f"http://localhost:{free_port}/shout/") == 200)

    (session,) = re.findall(r"```console\n(.*?)```", PROVIDER, re.DOTALL)
    lines = re.findall(r"^\$ (.*)$", session, re.MULTILINE)
    printed = _shell("\n".join(lines).replace(":5000", f":{free_port}"), tmp_path)

    assert json.loads(printed)["status"] == "SUCCEEDED"
    told = session.splitlines()[-1].split("…")
    assert all(part.strip(", ") in printed for part in told[1:])


def test_the_description_has_what_the_readme_lists():
    """The log is listed where `log_supported` announces it, and only there."""
    listed = PROVIDER.rpartition("Introspection, run")[2]
    assert ("log" in listed) is ("log_supported=True" in PROVIDER)


def _shell(line: str, folder: Path) -> str:
    bin_folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euc", line],
        cwd=folder,
        env={
            "PATH": f"{bin_folder}:/usr/bin:/bin",
            "NO_PROXY": "*",
            "LICET_INSTANCE_PATH": str(folder / "instance"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()
