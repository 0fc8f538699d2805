"""The plugin's fixtures at every scope, and that nothing stays open behind them."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = ("-p", "licet.testing.plugin", "-p", "pytest_randomly", "-p", "no:cacheprovider")
PROGRAM = """
from flask import Blueprint, Flask

from licet.actions import (
    ActionProviderBlueprint, ActionProviderDescription, ActionStatus, add_action_routes_to_blueprint
)

description = ActionProviderDescription(
    globus_auth_scope="scope", title="t", admin_contact="a", synchronous=True, input_schema={}
)
aptb = ActionProviderBlueprint("apt", __name__, "/p", description)


@aptb.action_enumerate
def listing(auth, params):
    return [ActionStatus(status="ACTIVE", creator_id=auth.effective_identity, details={})]


def blueprint_app():
    app = Flask(__name__)
    app.register_blueprint(aptb)
    return app


def helper_app():
    app = Flask(__name__)
    blueprint = Blueprint("p", __name__, url_prefix="/p")
    callbacks = [listing] * 4
    add_action_routes_to_blueprint(
        blueprint, "", "", None, description, *callbacks, action_enumeration_callback=listing
    )
    app.register_blueprint(blueprint)
    return app
"""
TESTS = """
import pytest

from program_{scope} import aptb, blueprint_app, helper_app


@pytest.fixture(scope="{scope}")
def blueprint_client(apt_blueprint_noauth):
    apt_blueprint_noauth(aptb)
    apt_blueprint_noauth(aptb)
    return blueprint_app().test_client()


@pytest.fixture(scope="{scope}")
def helper_client(flask_helpers_noauth):
    return helper_app().test_client()


@pytest.mark.parametrize("time", [1, 2])
def test_blueprint_is_open(blueprint_client, time):
    assert blueprint_client.get("/p/actions").status_code == 200


@pytest.mark.parametrize("time", [1, 2])
def test_helper_is_open(helper_client, time):
    assert helper_client.get("/p/actions").status_code == 200


@pytest.mark.parametrize("time", [1, 2])
@pytest.mark.parametrize("make", [blueprint_app, helper_app])
def test_others_are_closed(make, time):
    assert make().test_client().get("/p/actions").status_code == 401


def test_a_failing_test_closes_too(blueprint_client, helper_client):
    raise RuntimeError
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_fixtures_are_in_force_where_they_are_asked_for(tmp_path: Path, seed: int):
    """At each scope and in any order: open in the tests that ask, closed in all others."""
    for scope in ("function", "module", "session"):
        (tmp_path / f"program_{scope}.py").write_text(PROGRAM)
        (tmp_path / f"test_{scope}.py").write_text(TESTS.replace("{scope}", scope))

    settings = {
        "LICET_INSTANCE_PATH": str(tmp_path / "instance"),
        "PYTHONPATH": str(tmp_path),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGINS, f"--randomly-seed={seed}"],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "3 failed, 24 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_is_an_entry_point():
    """It is there wherever licet is installed, with nothing to configure."""
    (found,) = importlib.metadata.entry_points(group="pytest11", name="licet")

    assert found.value == "licet.testing.plugin"


def test_a_run_that_asks_for_no_fixture_imports_nothing(tmp_path: Path):
    """In an environment with licet, the tests of other programs start as fast as without it."""
    (tmp_path / "conftest.py").write_text(
        "import sys\n\n\ndef pytest_unconfigure():\n    print('loaded', *sys.modules)\n"
    )
    (tmp_path / "test_nothing.py").write_text("def test_nothing():\n    pass\n")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGINS[:2], "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    loaded = set(done.stdout.partition("loaded ")[2].split())
    assert {name for name in loaded if name.partition(".")[0] == "licet"} == {
        "licet",
        "licet.errors",
        "licet.errors._lazy",
        "licet.testing",
        "licet.testing.plugin",
    }
    assert not loaded & {"flask", "sqlalchemy", "werkzeug", "unittest.mock"}
