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
    ],
)
def test_a_setting_that_names_no_database(db, command, url: str, told: str):
    """A URL that cannot be one of a database is one line, and wrong usage."""
    result = db(*command, env={"LICET_DATABASE_URL": url})
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output


NOWHERE = "postgresql+psycopg://ann:hidden-word@127.0.0.1:1/shop?sslpassword=hidden-word"


@pytest.mark.parametrize(
    "words",
    [
        ("db", "upgrade"),
        ("db", "current"),
        ("db", "downgrade", "--yes"),
        ("account", "list"),
        ("account", "block", "ann@example.org"),
        ("sweep", "--once"),
        ("worker",),
        ("explain", "VIEW", "events", "1"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_postgresql_that_does_not_answer(licet, words):
    """The command names the database, the driver's reason and the remedy, and ends with 4."""
    result = licet("--app", SITE, *words, env={"LICET_DATABASE_URL": NOWHERE})
    assert result.exit_code == 4, result.output
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(
        "licet: The database postgresql+psycopg://127.0.0.1:1/shop does not answer: "
    )
    assert "refused" in result.stderr
    assert result.stderr.endswith(
        "Start it, or set LICET_DATABASE_URL to a database that this machine reaches.\n"
    )
    assert "hidden-word" not in result.output


def test_a_file_that_is_no_database(db, tmp_path):
    """A wrong file is told by its path, with what SQLite says of it."""
    path = tmp_path / "notes.txt"
    path.write_text("Nothing but notes, and more than a hundred bytes of them. " * 20)
    result = db("upgrade", env={"LICET_DATABASE_URL": f"sqlite:///{path}"})
    assert result.exit_code == 4
    assert result.stderr == (
        f"licet: The database {path} cannot be used: DatabaseError: file is not a database. Make "
        "the file and its folder readable and writable for this user, or set LICET_DATABASE_URL to "
        "another place.\n"
    )


@pytest.mark.parametrize("setting", ["LICET_INSTANCE_PATH", "LICET_DATABASE_URL"])
@pytest.mark.parametrize("below", ["file/folder", "folder"])
def test_a_place_that_cannot_be_written(db, tmp_path, setting, below):
    """The error names the one setting that says where the database is."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "licet.sqlite3").mkdir(parents=True)  # no file can be made there
    place = tmp_path / below
    given = f"sqlite:///{place}/licet.sqlite3" if setting == "LICET_DATABASE_URL" else str(place)
    result = db("upgrade", env={setting: given})
    (other,) = {"LICET_INSTANCE_PATH", "LICET_DATABASE_URL"} - {setting}
    assert result.exit_code in (2, 4)
    assert f"set {setting} to " in result.stderr
    assert other not in result.stderr
