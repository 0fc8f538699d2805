"""`licet audit`: who may call each endpoint."""

import json

import pytest
from tests.unit.cli.conftest import SITE

APP = "tests.unit.cli.forgetful:app"
PROTECTED = "tests.unit.cli.forgetful:protected"


def test_a_declared_app(licet):
    """A table of rules, methods, endpoints and what guards them; nothing else."""
    result = licet("--app", SITE, "audit")
    assert (result.exit_code, result.stderr) == (0, "")
    head, *rows = result.stdout.splitlines()
    assert head.split() == ["rule", "methods", "endpoint", "access"]
    assert any(row.split() == ["/", "GET", "home", "public"] for row in rows)
    assert any(row.endswith("runnable_by") for row in rows)
    assert rows == sorted(rows, key=lambda row: row.split()[0])


def test_a_forgetful_app(licet):
    """The table says UNDECLARED, standard error lists the offenders, the exit code is 1."""
    result = licet("--app", APP, "audit")
    assert result.exit_code == 1
    [row] = [row for row in result.stdout.splitlines() if "/forgotten" in row]
    assert row.split() == ["/forgotten", "PUT", "forgotten", "UNDECLARED"]
    assert result.stderr.startswith("licet: Nothing says who may call:\n  PUT /forgotten")
    assert "/open" not in result.stderr


@pytest.mark.parametrize(("name", "count"), [(APP, 6), (PROTECTED, 1)])
def test_as_json(licet, name: str, count: int):
    """For scripts; of an app that refuses to be made only the offenders are known."""
    result = licet("--app", name, "audit", "--json")
    assert result.exit_code == 1
    endpoints = json.loads(result.stdout)["endpoints"]
    assert len(endpoints) == count
    [found] = [one for one in endpoints if not one["declared"]]
    location = found.pop("location")
    assert "forgetful.py:" in location
    assert found == {
        "endpoint": "forgotten",
        "rule": "/forgotten",
        "methods": ["PUT"],
        "access": [],
        "declared": False,
        "remarks": [],
    }


def test_json_of_a_declared_app(licet):
    """Each guard has its kind, its text and its resource."""
    result = licet("--app", SITE, "audit", "--json")
    assert result.exit_code == 0
    [home] = [one for one in json.loads(result.stdout)["endpoints"] if one["endpoint"] == "home"]
    assert home["access"] == [{"kind": "public", "text": "public", "resource": None}]
    assert home["declared"] is True


def test_serve_refuses_an_undeclared_app(licet):
    """`licet serve` tells it before any worker starts."""
    result = licet("--app", APP, "serve")
    assert result.exit_code == 2
    assert result.stderr.startswith("licet: Nothing says who may call:\n  PUT /forgotten")


def test_a_bare_app_is_audited_when_asked(licet):
    """An app without licet has its endpoints printed too."""
    result = licet("--app", "tests.unit.cli.bare:plain", "audit")
    assert result.exit_code == 0
    assert "no such folder" in result.stdout
