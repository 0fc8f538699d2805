"""What all subcommands share: finding the app, and errors as one line."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.unit.cli.conftest import SITE

from licet.db import head_revision


def test_help_and_version(licet):
    """Help names the subcommands; the version is the package's."""
    helped = licet("-h")
    assert helped.exit_code == 0
    for name in ("action", "db", "serve", "token"):
        assert name in helped.stdout
    assert licet("--version").stdout == f"licet, version {version('licet')}\n"


@pytest.mark.parametrize("words", [("token", "alice"), ("db", "current"), ("serve",)])
def test_without_an_app(licet, words):
    """A command that needs an app says how to name one."""
    result = licet(*words)
    assert result.exit_code == 2
    assert "Give --app module:name before the command, set LICET_APP, or" in result.stderr
    assert "app.py or wsgi.py" in result.stderr


def forget_at_the_end(monkeypatch, module: str) -> None:
    """Have the module imported anew in the test, and not left to others."""
    monkeypatch.setitem(sys.modules, module, None)
    del sys.modules[module]


FOUND = "from services.site import create_app\napp = create_app()\n"


@pytest.mark.parametrize("name", ["app.py", "wsgi.py"])
@pytest.mark.parametrize("words", [("db", "current"), ("audit",), ("matrix",)])
def test_the_app_of_the_current_folder(licet, monkeypatch, tmp_path: Path, name: str, words):
    """Without --app, app.py or wsgi.py of the current folder is taken, as by `flask`."""
    (tmp_path / name).write_text(FOUND)
    monkeypatch.chdir(tmp_path)
    forget_at_the_end(monkeypatch, Path(name).stem)
    assert licet(*words).exit_code == 0


def test_a_broken_app_of_the_current_folder(licet, monkeypatch, tmp_path: Path):
    """A file that holds no app is named, instead of asking for one."""
    (tmp_path / "app.py").write_text("nothing = None\n")
    monkeypatch.chdir(tmp_path)
    forget_at_the_end(monkeypatch, "app")
    result = licet("db", "current")
    assert result.exit_code == 2
    assert "'app'" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "name", ["no_such_module:app", "services.site:nothing", "services:x()", ""]
)
def test_an_app_that_is_not_there(licet, name: str):
    """A module or a name that does not exist is one line, not a traceback."""
    result = licet("--app", name, "db", "current")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert result.stderr.startswith("licet: ")


@pytest.mark.parametrize("variable", ["LICET_APP", "FLASK_APP"])
def test_the_app_from_the_environment(licet, variable: str):
    """The app may be named once, in the environment."""
    result = licet("db", "current", env={variable: SITE})
    assert (result.exit_code, result.stdout) == (
        0,
        f"licet: database none, code {head_revision()}\n",
    )


def test_a_misconfigured_app_is_one_line(licet):
    """A setting that is wrong is told by its name, without a traceback."""
    result = licet("--app", SITE, "db", "current", env={"LICET_MAX_BODY_BYTES": "many"})
    assert result.exit_code == 2
    assert result.stderr.startswith("licet: LICET_MAX_BODY_BYTES is 'many'")


@pytest.mark.parametrize("words", [("--app", SITE, "db", "current"), ("whoami",)])
def test_a_misspelt_variable_is_one_line(licet, words):
    """With an app and without one, before anything is done."""
    result = licet(*words, env={"LICET_TOKN": "hidden"})
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "licet: The environment has 'LICET_TOKN', which is no setting: "
    )
    assert "did you mean LICET_TOKEN?" in result.stderr
    assert "hidden" not in result.output


OF_LICET = [
    ("token", "alice"),
    ("doctor", "tokens"),
    ("keys", "rotate"),
    ("account", "list"),
    ("account", "block", "ann@example.org"),
]


@pytest.mark.parametrize("words", OF_LICET, ids=" ".join)
def test_an_app_without_licet(licet, tmp_path: Path, words):
    """What would prove nothing, or change what the app does not use, is refused."""
    result = licet("--app", "tests.unit.cli.bare:plain", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "licet: The app 'tests.unit.cli.bare' has no Licet, so it takes no token and serves no "
        "account: call Licet(app) where the app is made.\n"
    )
    assert not (tmp_path / "instance").exists()


@pytest.mark.parametrize("words", [*OF_LICET, ("serve",)], ids=" ".join)
def test_an_app_with_a_late_setting(licet, words):
    """A setting that has no effect is told before anything is made with another value."""
    result = licet("--app", "tests.unit.cli.bare:late", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("licet: LICET_ISSUER of app.config was changed after licet ")


@pytest.mark.parametrize("words", [("nothing",), ("action", "nothing"), ("--nothing",)])
def test_unknown_words(licet, words):
    """What is no command is wrong usage."""
    assert licet(*words).exit_code == 2


def test_the_command_itself(tmp_path: Path):
    """The installed command finds an app in the folder where it is started."""
    (tmp_path / "mine.py").write_text("from services.site import create_app as make\n")
    command = [Path(sys.executable).with_name("licet"), "--app", "mine:make", "token", "alice"]
    environ = {
        **os.environ,
        "LICET_INSTANCE_PATH": str(tmp_path / "instance"),
        "PYTHONPATH": str(Path.cwd()),
    }
    found = subprocess.run(
        [*command, "--all-scopes"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert found.stdout.count(".") == 2
    assert found.stderr.startswith(f"licet: {tmp_path}/instance/licet-signing-keys.json was made ")
    assert found.stderr.count("\n") == 1
