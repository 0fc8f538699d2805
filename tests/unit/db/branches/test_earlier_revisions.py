"""Databases that earlier revisions of licet made, with rows in every table."""

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask

from licet import Licet
from licet.db import Database, database_of, head_revision
from licet.db.branches.checks import check
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.run import move
from licet.db.branches.rehearsal.contents import contents_of
from licet.db.branches.rehearsal.losses import declared_by, is_declared
from licet.db.migrate import alembic_config, licet_branch
from licet.db.tables import all_tables

SCRIPTS = list(reversed(list(ScriptDirectory.from_config(alembic_config()).walk_revisions())))
REVISIONS = [script.revision for script in SCRIPTS]
VALUES = {"VARCHAR": "x", "TEXT": "{}", "BOOLEAN": False, "TIMESTAMP": "2030-01-31 12:00:00.000000"}


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


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_an_earlier_revision_is_upgraded_and_served(branch, tmp_path, revision):
    """An app that starts on it has all rows, and its tables are the code's."""
    move(branch, "upgrade", revision)
    fill(branch)
    before = contents(branch)
    app = Flask("served", instance_path=str(tmp_path / "instance"))
    url = branch.url.render_as_string(hide_password=False)
    app.config.update(LICET_DATABASE_URL=url, LICET_MIGRATE_AT_START=True)
    Licet(app)
    database = database_of(app)
    assert app.test_client().get("/.well-known/jwks.json").status_code == 200
    assert {name: found.rows for name, found in contents(branch).items() if name in before} == {
        name: found.rows for name, found in before.items()
    }
    assert check(branch).differences == ()
    database.close()


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
