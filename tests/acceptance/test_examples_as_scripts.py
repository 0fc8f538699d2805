"""Each example started the way its document says: as a script, from its own folder."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.acceptance.conftest import ROOT, Program

# Runs a script as `python script` does, with Flask's server on a port that is free.
ON_A_FREE_PORT = """
import runpy, sys
from pathlib import Path
import flask
port, script = int(sys.argv[1]), sys.argv[2]
original = flask.Flask.run
def run(self, *args, **kwargs):
    assert kwargs == {"port": 5000}, kwargs
    original(self, port=port)
flask.Flask.run = run
sys.path[0] = str(Path(script).resolve().parent)
sys.argv[:] = [script]
runpy.run_path(script, run_name="__main__")
"""
EXAMPLES = [("watchasay", "app/provider.py", "/skeleton"), ("apt_blueprint", "app.py", "/apt")]


@pytest.mark.parametrize(("folder", "script", "prefix"), EXAMPLES)
def test_an_example_runs_as_a_script(
    start: Callable[..., Program], free_port: int, folder: str, script: str, prefix: str
):
    """It serves its provider: open to introspection, and asking for a token otherwise."""
    program = start("-c", ON_A_FREE_PORT, str(free_port), script, folder=ROOT / "examples" / folder)
    url = f"http://127.0.0.1:{free_port}{prefix}"

    program.wait_until(lambda: program.answers(f"{url}/") is not None)

    assert program.answers(f"{url}/") == 200
    assert program.answers(f"{url}/actions") == 401
    program.stop()
    assert "Traceback" not in program.output


@pytest.mark.parametrize(("folder", "script", "prefix"), EXAMPLES)
def test_the_documented_command_gets_as_far_as_its_port(
    start: Callable[..., Program], folder: str, script: str, prefix: str
):
    """`python <script>` imports everything and listens on port 5000, or finds it taken."""
    program = start(script, folder=ROOT / "examples" / folder)

    def has_come_to_its_port() -> bool:
        return "http://127.0.0.1:5000" in program.output or "Port 5000 is in use" in program.output

    try:
        program.wait_until(has_come_to_its_port)
    except AssertionError:
        assert has_come_to_its_port(), program.output
    assert "Traceback" not in program.output
