"""``licet openapi``: the document of an app, and whether a file has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from licet.cli import main

APP = """
from flask import Flask
from licet import Licet
from licet.rest import public
from licet.rest.openapi import OpenApi, documented

def create_app():
    app = Flask(__name__)
    app.config["LICET_INSTANCE_PATH"] = {folder!r}
    Licet(app)

    @app.get("/tides")
    @public
    @documented("The next high tide.", answer={{"type": "object"}})
    def tides():
        return {{}}

    {serve}
    return app
"""


@pytest.fixture(params=["OpenApi(app, title='Tides', docs_path=None)", "pass"])
def app(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An app with an `OpenApi`, and one without, in the current folder."""
    name = f"tides_{abs(hash(request.param)) % 1000}_{tmp_path.name}".replace("-", "_")
    text = APP.format(folder=str(tmp_path), serve=request.param)
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"{name}:create_app"


def run(*words):
    return CliRunner().invoke(main, ["openapi", *words])


def test_it_prints_the_document(app):
    """Also of an app that serves none."""
    result = run(app)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["paths"]["/tides"]["get"]["operationId"] == "tides_get"


def test_a_file_that_is_up_to_date_passes(app, tmp_path):
    """And nothing is printed."""
    page = tmp_path / "openapi.json"
    page.write_text(run(app).output)
    result = run(app, "--check", str(page))
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize(
    "kept", [None, b"{}\n", "{}\n".encode("utf-16")], ids=["no file", "another", "UTF-16"]
)
def test_another_file_fails_with_the_difference(app, tmp_path, kept):
    """Or one that is not there, or that a shell has written in another encoding."""
    page = tmp_path / "openapi.json"
    if kept is not None:
        page.write_bytes(kept)
    result = run(app, "--check", str(page))
    assert result.exit_code == 1
    assert '+  "openapi": "3.1.1",' in result.output
    assert "is not what the app serves: write it anew." in result.output


def test_what_an_app_prints_is_not_in_the_document(app, tmp_path, licet):
    """It is kept out of the standard output, which is to be read by programs."""
    (source,) = tmp_path.glob("*.py")
    source.write_text(f"print('Loading.')\n{source.read_text()}")
    result = licet("openapi", app)
    assert json.loads(result.stdout)["openapi"] == "3.1.1"
