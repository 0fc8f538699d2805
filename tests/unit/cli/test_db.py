"""`licet db`: up, down, and where it stands."""

import pytest
from tests.unit.cli.conftest import SITE

from licet.db import head_revision


@pytest.fixture
def db(licet):
    return lambda *words, **options: licet("--app", SITE, "db", *words, **options)


def test_up_and_where_it_stands(db):
    """An upgrade leads from nothing to the code's revision, and again to the same."""
    assert db("current").stdout == f"database none, code {head_revision()}\n"
    for _ in range(2):
        assert db("upgrade").stdout == f"revision {head_revision()}\n"
    assert db("current").stdout == f"database {head_revision()}, code {head_revision()}\n"


def test_down_when_asked_twice(db):
    """A downgrade asks first; only a yes removes anything."""
    db("upgrade")
    refused = db("downgrade", input="n\n")
    assert refused.exit_code == 1
    assert db("current").stdout == f"database {head_revision()}, code {head_revision()}\n"
    assert db("downgrade", input="y\n").stdout.endswith("removed\n")
    assert db("current").stdout == f"database none, code {head_revision()}\n"


def test_down_without_a_question(db):
    """With --yes nothing is asked."""
    db("upgrade")
    result = db("downgrade", "--yes")
    assert (result.exit_code, result.stdout) == (0, "removed\n")


@pytest.mark.parametrize("command", [("upgrade",), ("current",), ("downgrade", "--yes")])
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "LICET_DATABASE_URL is not a database URL"),
        ("mysql://x", "SQLite and PostgreSQL are supported"),
        ("postgresql+psycopg://x@/x?host=/nowhere", "does not answer"),
    ],
)
def test_a_database_that_is_not_there(db, command, url: str, told: str):
    """A database that cannot be used is one line."""
    result = db(*command, env={"LICET_DATABASE_URL": url})
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output
