"""Databases that earlier revisions of licet made, with rows in every table."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask

from licet import Licet
from licet.db import Database, database_of, head_revision
from licet.db.branches.checks import check
from licet.db.branches.checks.shape import schema_of
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.run import move
from licet.db.branches.rehearsal.contents import contents_of, differences
from licet.db.branches.rehearsal.losses import declared_by, is_declared
from licet.db.migrate import alembic_config, licet_branch
from licet.db.tables import all_tables

SCRIPTS = list(reversed(list(ScriptDirectory.from_config(alembic_config()).walk_revisions())))
REVISIONS = [script.revision for script in SCRIPTS]
EARLIER = Path(__file__).with_name("earlier")  # the DDL that each licet of the history has run
MOMENT = datetime(2030, 1, 31, 12, tzinfo=UTC)
VALUES = {
    "DATETIME": MOMENT,
    "VARCHAR": "x",
    "TEXT": "{}",
    "BOOLEAN": False,
    "TIMESTAMP": "2030-01-31 12:00:00.000000",
}


@pytest.fixture
def branch(database_url):
    """Licet's own branch, in an empty database."""
    all_tables()
    return licet_branch(sa.make_url(database_url))


def value(column, number):
    """One that a column of this type takes."""
    kind = str(column.type).partition("(")[0].partition(" ")[0]
    found = VALUES.get(kind, number)
    return f"{found}{number}" if found == "x" else found


def fill(branch):
    """Put two rows into every table that has none; numbers that refer to others fit."""
    with connected(branch, writes=True) as connection:
        found = sa.MetaData()
        found.reflect(connection, only=lambda name, _: branch.owns(name))
        for table in found.sorted_tables:
            count = sa.select(sa.func.count()).select_from(table)
            for number in () if connection.scalar(count) else (1, 2):
                row = {one.name: value(one, number) for one in table.columns}
                connection.execute(sa.insert(table).values(**row))
        connection.commit()


def contents(branch):
    with connected(branch, writes=False) as connection:
        return contents_of(branch, connection)


@pytest.mark.parametrize("number", range(len(REVISIONS)), ids=REVISIONS)
def test_every_migration_up_down_and_up_with_rows(branch, number):
    """The rows of before come through each way, and the schema at the end is the code's."""
    if number:
        move(branch, "upgrade", REVISIONS[number - 1])
        fill(branch)
    before = contents(branch) if number else {}
    move(branch, "upgrade", REVISIONS[number])
    fill(branch)
    above = contents(branch)
    move(branch, "downgrade", "-1")
    assert contents(branch) == before
    move(branch, "upgrade", REVISIONS[number])
    assert contents(branch).keys() == above.keys()
    move(branch, "upgrade")
    assert check(branch).differences == ()


def files(kind):
    """The names of the dumps of a kind of database: a revision, and how it differed."""
    return sorted(path.name.removesuffix(f".{kind}.sql") for path in EARLIER.glob(f"*.{kind}.sql"))


DUMPS = [(kind, name) for kind in ("sqlite", "postgresql") for name in files(kind)]


def made(branch, name):
    """Run the DDL of an earlier licet."""
    kind = "sqlite" if branch.is_sqlite else "postgresql"
    with connected(branch, writes=True) as connection:
        for statement in (EARLIER / f"{name}.{kind}.sql").read_text("utf-8").split(";\n"):
            if statement:
                connection.exec_driver_sql(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("database_url", "name"),
    DUMPS,
    indirect=["database_url"],
    ids=[f"{name} {kind}" for kind, name in DUMPS],
)
def test_a_database_of_an_earlier_licet_is_upgraded_and_served(branch, tmp_path, name):
    """An app that starts on it has all rows and the code's tables, and the way back is open."""
    made(branch, name)
    fill(branch)
    before = contents(branch)
    app = Flask("served", instance_path=str(tmp_path / "instance"))
    url = branch.url.render_as_string(hide_password=False)
    app.config.update(LICET_DATABASE_URL=url, LICET_MIGRATE_AT_START=True)
    Licet(app)
    database = database_of(app)
    assert app.test_client().get("/.well-known/jwks.json").status_code == 200
    assert [str(one) for one in check(branch).differences] == []
    assert [one for one in differences(before, contents(branch)) if ".phase" not in one[0]] == []
    database.close()
    move(branch, "downgrade", "base")


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_no_revision_is_edited_once_it_has_a_successor(tmp_path, revision):
    """It makes today what it made then: another revision mends it."""
    all_tables()
    now, then = (
        licet_branch(sa.make_url(f"sqlite:///{tmp_path / name}.sqlite3"))
        for name in ("now", "then")
    )
    move(now, "upgrade", revision)
    assert revision in files("sqlite"), f"write {EARLIER}/{revision}.sqlite.sql: what it makes"
    made(then, revision)
    with connected(now, writes=False) as here, connected(then, writes=False) as there:
        assert schema_of(now, here) == schema_of(then, there)


@pytest.mark.parametrize("number", range(len(REVISIONS)), ids=REVISIONS)
def test_every_downgrade_says_what_it_loses(tmp_path, number):
    """The tables and columns that it drops stand in the first sentence of its docstring."""
    all_tables()
    branch = licet_branch(sa.make_url(f"sqlite:///{tmp_path / 'x.sqlite3'}"))
    move(branch, "upgrade", REVISIONS[number])
    above = contents(branch)
    move(branch, "downgrade", "-1")
    below, said = contents(branch), declared_by([SCRIPTS[number]])
    lost = above.keys() - below.keys()
    for name in above.keys() & below.keys():
        lost |= {f"{name}.{column}" for column in above[name].columns.keys() - below[name].columns}
    assert [name for name in sorted(lost) if not is_declared(name, said)] == []


def test_the_head_is_where_they_lead(branch):
    """The last of them is what the code expects."""
    move(branch, "upgrade")
    database = Database(branch.url.render_as_string(hide_password=False))
    assert head_revision() == REVISIONS[-1]
    database.close()
