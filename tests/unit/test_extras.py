"""What is optional is optional: everything works without the extras, or names the one it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

# What each extra brings that nothing else of licet's does, by the names that are imported.
PACKAGES = {
    "celery": {"celery", "kombu", "billiard", "amqp", "vine"},
    "console": {"authlib"},
    "globus": {"globus_sdk"},
    "metrics": {"prometheus_client"},
    "postgres": {"psycopg", "psycopg_binary"},
    "redis": {"redis"},
    "rest": {"flask_cors"},
}
# Modules that need an extra to be imported at all; their names are what programs ask for.
NEEDING = {
    "licet.actions.durable.celery_dispatch": "celery",
    "licet.actions.durable.celery_worker": "celery",
    "licet.actions.interface.hooks.prometheus": "metrics",
    "licet.authn.sign_in._oauth": "console",
}
BLOCKED = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {set().union(*PACKAGES.values())!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
"""
# An app of one file, with accounts, a durable action and a declared endpoint.
SHOP = """
import os

from flask import Flask
from licet import Licet, public
from licet.actions import ActionProviderBlueprint, ActionProviderDescription

def create_app():
    blueprint = ActionProviderBlueprint(
        "unit", __name__, url_prefix="/unit",
        provider_description=ActionProviderDescription(
            globus_auth_scope="s", title="t", admin_contact="c", synchronous=False, input_schema={}
        ),
    )
    blueprint.durable()(lambda action, body: {})
    app = Flask(__name__)
    app.config |= {name: os.environ.get(f"SHOP_{name}") for name in ("CLIENT_ID", "CLIENT_SECRET")}
    Licet(app)
    app.register_blueprint(blueprint)
    app.add_url_rule("/", view_func=public(lambda: "open"))
    return app
"""
# Calls commands one after another; prints what each ended with.
COMMANDS = """
import json
from click.testing import CliRunner
from licet.cli import main

for words, given, environ in json.loads(sys.argv[1]):
    result = CliRunner().invoke(main, words, input=given, env=environ)
    error = result.exception
    crash = None if error is None or isinstance(error, SystemExit) else repr(error)
    print(json.dumps([result.exit_code, crash or result.output]))
"""
# Asks every command at every depth for its help, then imports every module; prints what came of it.
EVERYTHING = """
import importlib, json, os, pkgutil
import click, licet
from click.testing import CliRunner
from licet.cli import main

def commands(command, words):
    yield words
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from commands(command.get_command(click.Context(command), name), [*words, name])

def modules(path, prefix):
    for found in pkgutil.iter_modules([path], prefix):
        yield found.name
        if found.ispkg:
            yield from modules(os.path.join(path, found.name.rpartition(".")[2]), found.name + ".")

helped = {" ".join(words): CliRunner().invoke(main, [*words, "--help"]).exit_code
          for words in commands(main, [])}
imported = {}
for name in modules(os.path.dirname(licet.__file__), "licet."):
    if ".migrations." in name:
        continue  # Alembic runs them
    try:
        importlib.import_module(name)
        imported[name] = ""
    except Exception as error:
        imported[name] = f"{type(error).__name__}: {error}"
print(json.dumps([helped, imported]))
"""


def without_extras(program: str, *words: str, folder: Path, **environ: str) -> str:
    """What the program prints in an environment that has none of the extras' packages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LICET_")}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + program, *words],
        cwd=folder,
        env=kept | {"LICET_INSTANCE_PATH": str(folder / "instance")} | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], dict[str, str]]:
    """The exit code of each command's help, and the error of each module's import."""
    helped, imported = json.loads(without_extras(EVERYTHING, folder=tmp_path_factory.mktemp("all")))
    return helped, imported


def test_every_extra_is_blocked_here():
    """An extra that is new in pyproject.toml is new in these tests, too."""
    pyproject = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))

    assert set(pyproject["project"]["optional-dependencies"]) == set(PACKAGES)


def test_every_module_is_imported_or_names_its_extra(everything):
    """Without extras each module can be imported, but for those that say which they need."""
    _, imported = everything
    failed = {name: error for name, error in imported.items() if error}

    assert len(imported) > 200
    assert set(failed) == set(NEEDING)
    for name, error in failed.items():
        assert error.startswith("ConfigurationError: ")
        assert f"pip install 'licet[{NEEDING[name]}]'" in error


def test_every_command_has_help(everything):
    """``--help`` works for every command and subcommand without extras."""
    helped, _ = everything

    assert {"action run", "account create", "db upgrade", "serve", "worker"} <= set(helped)
    assert set(helped.values()) == {0}


def test_commands_work_or_name_their_extra(tmp_path: Path):
    """Commands look after an app without extras, unless a setting of it needs one."""
    (tmp_path / "shop.py").write_text(SHOP)
    email, accounts = "ada@example.org", {"LICET_ACCOUNTS": "true"}
    working = [
        ("db current", None),
        ("db upgrade", None),
        (f"account create {email} --password-stdin", "correct horse battery\n"),
        ("account list", None),
        (f"account block {email}", None),
        ("audit", None),
        ("matrix", None),
        ("token ada --all-scopes", None),
        ("keys rotate", None),
        ("doctor tokens", None),
        ("sweep --once", None),
        ("db downgrade --yes", None),
    ]
    needing = [
        ({"LICET_OIDC_CLIENT_ID": "c", "LICET_OIDC_ISSUER": "https://idp.example"}, "console"),
        ({"LICET_DISPATCH": "celery"}, "celery"),
        ({"LICET_DATABASE_URL": "postgresql+psycopg://someone@localhost/some"}, "postgres"),
        (accounts | {"LICET_THROTTLE_STORAGE_URL": "redis://localhost"}, "redis"),
        ({"SHOP_CLIENT_ID": "c", "SHOP_CLIENT_SECRET": "s"}, "globus"),
        ({"LICET_CORS_ORIGINS": "https://portal.example"}, "rest"),
    ]
    called = [(words, given, accounts) for words, given in working]
    called += [("audit", None, environ) for environ, _ in needing]
    named = [[["--app", "shop:create_app", *words.split()], *rest] for words, *rest in called]

    printed = without_extras(COMMANDS, json.dumps(named), folder=tmp_path).splitlines()

    for (words, _), line in zip(working, printed, strict=False):
        exit_code, output = json.loads(line)
        assert exit_code == 0, (words, output)
    for (_, extra), line in zip(needing, printed[len(working) :], strict=True):
        exit_code, output = json.loads(line)
        assert exit_code == 2, output
        assert output.startswith("licet: ")
        assert f"pip install 'licet[{extra}]'" in output
