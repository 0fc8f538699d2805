"""The README: its links, and its first program started and asked as it says."""

from __future__ import annotations

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
