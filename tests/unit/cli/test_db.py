"""`licet db`: up, down, and where it stands."""

import re
import sqlite3

import pytest
from tests.unit.cli.conftest import SITE

from licet.db import head_revision

HEAD = head_revision()


@pytest.fixture
def db(licet):
    return lambda *words, **options: licet("--app", SITE, "db", *words, **options)


def test_up_and_where_it_stands(db):
    """An upgrade leads from nothing to the code's revision, and again to the same."""
    assert db("current").stdout == f"licet: database none, code {HEAD}\n"
    for _ in range(2):
        assert db("upgrade").stdout == f"licet: revision {HEAD}\n"
    assert db("current").stdout == f"licet: database {HEAD}, code {HEAD}\n"
    assert db("heads").stdout == f"licet: {HEAD}\n"


def test_down_when_asked_twice(db):
    """A downgrade first says what it loses, and asks; only a yes removes anything."""
    db("upgrade")
    refused = db("downgrade", "base", input="n\n")
    assert refused.exit_code == 1
    assert refused.stdout.startswith("This loses licet_a")
    assert db("current").stdout == f"licet: database {HEAD}, code {HEAD}\n"
    done = db("downgrade", "base", input="y\n")
    assert done.stdout.endswith("licet: revision none\n")
    assert db("current").stdout == f"licet: database none, code {HEAD}\n"
    assert db("downgrade").stdout == "licet: revision none, so there is nothing to undo\n"


def test_down_without_a_question(db):
    """With --yes nothing is asked; without a revision it is the newest that is undone."""
    db("upgrade")
    result = db("downgrade", "--yes")
    assert (result.exit_code, result.stdout) == (0, "licet: revision 0003\n") or HEAD != "0004"
    assert db("downgrade", "0002", "--yes").stdout == "licet: revision 0002\n"
    assert db("upgrade", "0003").stdout == "licet: revision 0003\n"


def test_the_history_is_printed(db):
    """The newest first, with the head, and on demand with where the database is."""
    lines = db("history").stdout.splitlines()
    assert f" -> {HEAD} (head), " in lines[0]
    assert lines[1].startswith("licet: 0006 -> 0007, Idempotency-Keys: the first answer")
    assert lines[-1].startswith("licet: none -> 0001, Actions, ")
    db("upgrade", "0002")
    (marked,) = [line for line in db("history", "-i").stdout.splitlines() if "(current)" in line]
    assert marked.startswith("licet: 0001 -> 0002 (current), ")


def test_a_revision_is_written_down(db):
    """Nothing is run: a check tells whether it is true. What has no script can be purged."""
    assert "There is no database at " in db("stamp", "0002").stderr
    db("upgrade", "0001")
    found = db("stamp", "0002").stdout
    assert found == "licet: revision 0002 is written down; `licet db check` compares\n"
    assert "licet_account is missing" in db("check").stdout
    assert db("stamp", "base").stdout.startswith("licet: revision none is written down")
    assert db("stamp").stdout.startswith(f"licet: revision {HEAD} is written down")
    assert "There is no revision zzzz in" in db("stamp", "zzzz").stderr


def test_what_has_no_script_is_purged(db, tmp_path):
    """A revision of newer code is forgotten only when that is asked for."""
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    env = {"LICET_DATABASE_URL": url}
    db("upgrade", "0001", env=env)
    with sqlite3.connect(tmp_path / "x.sqlite3") as file:
        file.execute("UPDATE licet_alembic_version SET version_num = '9999'")
    file.close()
    refused = db("stamp", "0001", env=env)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "is at revision 9999, of which there is no script: `licet db stamp --purge`" in (
        refused.stderr
    )
    assert db("stamp", "0001", "--purge", env=env).stdout.startswith("licet: revision 0001 is")


def test_a_check_says_what_differs(db):
    """Its exit code is 1 then; where all agrees it is 0."""
    db("upgrade")
    found = db("check")
    assert (found.exit_code, found.stdout.count("agree")) == (0, 3)
    db("downgrade", "0001", "--yes")
    found = db("check")
    assert found.exit_code == 1
    assert f"The database is at revision 0001, and the code at {HEAD}" in found.stdout
    assert "licet_account model out of date with migrations" in found.stdout


def test_a_rehearsal_is_printed(db):
    """Each step, its time, and what was found."""
    db("upgrade")
    found = db("rehearse")
    assert found.exit_code == 0, found.output
    assert re.search(rf"^  downgrade  {HEAD}  +\d+\.\d", found.stdout, re.MULTILINE)
    assert found.stdout.endswith("  nothing found\n")


def test_a_rehearsal_of_another_database(db, tmp_path):
    """Its URL is given; the app's own is not touched."""
    url = f"sqlite:///{tmp_path / 'staging.sqlite3'}"
    db("upgrade", "0002", env={"LICET_DATABASE_URL": url})
    found = db("rehearse", url)
    assert f"a copy of {tmp_path / 'staging.sqlite3'}" in found.stdout
    assert "upgrade    0003" in found.stdout


def test_a_dump_and_a_restore(db, tmp_path):
    """What was dumped is there again after the restore, which asks first."""
    db("upgrade")
    file = str(tmp_path / "dump")
    assert f"bytes in {file}" in db("dump", file).stdout
    db("downgrade", "base", "--yes")
    assert db("restore", file, input="n\n").exit_code == 1
    assert db("restore", file, "--yes").stdout.endswith(f"restored from {file}\n")
    assert db("current").stdout == f"licet: database {HEAD}, code {HEAD}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("upgrade", "zzzz"), "There is no revision zzzz in "),
        (("upgrade", "--branch", "app"), "The app has registered no models"),
        (("check",), "There is no database at "),
        (("rehearse",), "There is no database at "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_one_line(db, words, told):
    """One sentence, and no traceback."""
    result = db(*words)
    assert result.exit_code in (1, 2)
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


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
