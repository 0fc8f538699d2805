"""A rehearsal finds on a copy what a migration would do, and leaves the database as it is."""

import signal
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.counts import only_full
from tests.processes import exit_of
from tests.unit.actions.durable.test_worker import wait_until
from tests.unit.db.branches.notes import FIRST, branch_of, models, script
from tests.unit.db.branches.test_checks import FAULTS
from tests.unit.db.branches.test_moves import ROWS, ask, place

from licet.db.branches.checks.shape import schema_of
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.run import move
from licet.db.branches.rehearsal import rehearse
from licet.db.branches.rehearsal.contents import contents_of
from licet.db.branches.rehearsal.copies import copied
from licet.db.branches.rehearsal.losses import losses
from licet.errors import SchemaUnusable


@pytest.fixture
def branch(own_url, tmp_path):
    """The app at its first revision, in a database of its own, with a row in each table."""
    made = branch_of(models(), own_url, tmp_path / "migrations", FIRST)
    move(made, "upgrade")
    for row in ROWS:
        ask(made, row)
    return made


def add(branch, *scripts, fault=""):
    return branch_of(models(fault), branch.url, branch.versions.parent, FIRST, *scripts)


def state(branch):
    """Everything that the database holds."""
    with connected(branch, writes=False) as connection:
        found = schema_of(branch, connection), contents_of(branch, connection)
        connection.rollback()
    return found, ask(branch, "SELECT version_num FROM alembic_version")


ADD = "op.add_column('author', sa.Column('website', sa.String(80)))"
DROP = "op.drop_column('author', 'website')"


def test_what_is_sound_is_rehearsed_with_nothing_found(branch):
    """Up, down and up again, with the rows and, on PostgreSQL, the locks of each."""
    down = f'"""Lose author.website."""\n    {DROP}'
    before = state(branch)
    result = rehearse(add(branch, script("bb02", "aa01", ADD, down), fault="column"))
    assert result.findings == []
    assert [(step.direction, step.revision) for step in result.steps] == [
        ("upgrade", "bb02"),
        ("downgrade", "bb02"),
        ("upgrade", "bb02"),
    ]
    assert result.rows == {"author": 1, "note": 1}
    assert result.notes == [
        "author.website: the column, with 0 values, is gone (as the downgrade declares)."
    ]
    locks = {} if branch.is_sqlite else {"author": ("AccessExclusiveLock", 1)}
    assert result.steps[0].locks == locks
    assert all(step.held_seconds > 0 for step in result.steps)
    assert state(branch) == before


def test_a_downgrade_that_loses_data_is_found(branch):
    """It names the column that it drops, or is a finding that does."""
    before = state(branch)
    result = rehearse(add(branch, script("bb02", "aa01", ADD, DROP), fault="column"))
    (found,) = result.findings
    assert found.startswith("The downgrade loses data, author.website: the column, with 0 values, ")
    assert "Name it in the first line of the downgrade's docstring" in found
    assert state(branch) == before


@pytest.mark.parametrize(
    ("up", "told"),
    [
        ("op.execute('DELETE FROM note')", "note: 1 rows became 0"),
        (
            "op.execute(\"UPDATE author SET name = 'x'\")",
            "author.name: its values are not the same",
        ),
    ],
)
def test_data_that_does_not_come_back_is_found(branch, up, told):
    """Rows and values are compared with those of before."""
    result = rehearse(add(branch, script("bb02", "aa01", up)))
    assert f"After upgrade and downgrade, {told}." in result.findings


@pytest.mark.parametrize(
    ("up", "down", "told"),
    [
        ("op.execute('SELECT nowhere')", "pass", "Migration bb02 of app failed on the copy"),
        (ADD, "op.execute('SELECT nowhere')", "Migration bb02 of app failed on the copy"),
        (ADD, "pass", "Migration bb02 of app failed on the copy"),
        ("raise ValueError('no')", "pass", "ValueError: no"),
    ],
    ids=["up", "down", "down that does nothing", "raises"],
)
def test_a_script_that_fails_is_found(branch, up, down, told):
    """On the way up, down, and up again."""
    before = state(branch)
    result = rehearse(add(branch, script("bb02", "aa01", up, down), fault="column"))
    assert told in result.findings[-1]
    assert state(branch) == before


CASES = [
    pytest.param(fault, text, id=fault) if number < 2 else only_full(fault, text, id=fault)
    for number, (fault, _kind, text) in enumerate(FAULTS)
]


@pytest.mark.parametrize(("fault", "text"), CASES)
def test_what_a_check_finds_a_rehearsal_finds(branch, fault, text):
    """A migration that does not make what the models say is found before it is run."""
    before = state(branch)
    result = rehearse(add(branch, script("bb02", "aa01"), fault=fault))
    assert text in "\n".join(result.findings)
    assert state(branch) == before


def test_where_nothing_is_pending_the_newest_is_undone(branch):
    """With rows in what it drops, the loss is told with how many."""
    result = rehearse(add(branch))
    assert [step.direction for step in result.steps] == ["downgrade", "upgrade"]
    assert "author: the table, with 1 rows, is gone (as the downgrade declares)." in result.notes


def test_an_unknown_revision_is_a_sentence(branch):
    """A database that other code has migrated cannot be rehearsed with this."""
    ask(branch, "UPDATE alembic_version SET version_num = 'ffff'")
    (found,) = rehearse(add(branch, script("bb02", "aa01"))).findings
    assert "revision ffff" in found


def test_a_role_that_may_make_no_database_is_told(own_postgresql_url, tmp_path):
    """The right that is missing is named."""
    url = sa.make_url(own_postgresql_url)
    admin = branch_of(models(), url, tmp_path, FIRST)
    ask(admin, "DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN OTHERS THEN NULL; END $$")
    with pytest.raises(SchemaUnusable, match=r"The role poor may not make a database .* CREATEDB"):
        rehearse(branch_of(models(), url.set(username="poor"), tmp_path))


@pytest.mark.full  # the server waits five seconds for the others to leave
def test_a_database_in_use_needs_pg_dump(own_postgresql_url, tmp_path, monkeypatch):
    """Others are connected, and no program makes a copy: the ways out are named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    branch = branch_of(models(), own_postgresql_url, tmp_path, FIRST)
    engine = sa.create_engine(own_postgresql_url, poolclass=sa.NullPool)
    with engine.connect(), pytest.raises(SchemaUnusable, match=r"is in use, .* pg_dump is not"):
        rehearse(branch)


def test_no_copy_stays(own_postgresql_url, tmp_path):
    """The copy is dropped, whatever was found."""
    branch = branch_of(models("column"), own_postgresql_url, tmp_path, FIRST)
    assert rehearse(branch).findings
    assert (
        ask(branch, "SELECT 1 FROM pg_database WHERE starts_with(datname, 'licet_rehearsal_')")
        == []
    )


def copies(branch):
    """What rehearsals have made and not removed: databases of the server, or folders."""
    if branch.is_sqlite:
        return sorted(Path(tempfile.gettempdir()).glob("licet_rehearsal_*"))
    named = "SELECT datname FROM pg_database WHERE starts_with(datname, 'licet_rehearsal_')"
    return sorted(name for (name,) in ask(branch, f"{named}"))


def rehearsed(url, folder, temporary):
    """Rehearse in a process of its own."""
    tempfile.tempdir = temporary
    rehearse(branch_of(models(), url, folder))


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files that no other test uses."""
    found = str(tmp_path / "temporary")
    Path(found).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", found)
    return found


def is_free(branch, name):
    """Whether the server has noticed that the process is gone."""
    return branch.is_sqlite or not ask(
        branch, f"SELECT 1 FROM pg_stat_activity WHERE datname = '{name}'"
    )


def test_what_a_killed_rehearsal_leaves_the_next_one_removes(branch, temporary, caplog):
    """Its copy, which holds all data; no copy of one that runs, and no database of others."""
    add(branch, script("bb02", "aa01", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    (branch.versions.parent / "licet_rehearsal_other").mkdir()
    arguments = (*place(branch), temporary)
    assert exit_of(rehearsed, *arguments) == -signal.SIGKILL
    (left,) = copies(branch)
    wait_until(lambda: is_free(branch, left))
    with copied(branch) as running:  # removes it, and is at work itself
        (mine,) = copies(branch)
        assert mine != left
        add(branch, script("bb02", "aa01"))
        assert rehearse(branch).findings == []
        assert copies(branch) == [mine]
        assert ask(running, "SELECT count(*) FROM author") == [(1,)]
    assert copies(branch) == []
    assert "which a rehearsal that was killed has left" in caplog.text


def test_a_trial_never_commits(branch):
    """A script that would commit on its own is not tried on the database, but on a copy."""
    down = "with op.get_context().autocommit_block():\n        op.execute('DROP TABLE note')"
    changed = add(branch, script("bb02", "aa01", "pass", down))
    move(changed, "upgrade")
    before = state(branch)
    with pytest.raises(SchemaUnusable, match=r"commits on its own .* `licet db downgrade --yes`"):
        losses(changed, "-1")
    assert state(branch) == before
    assert "note: the table, with 1 rows, is gone" in "\n".join(rehearse(changed).findings)


def test_what_a_downgrade_would_lose_is_told_beforehand(branch):
    """With how many rows and values; nothing is lost by asking."""
    before = state(branch)
    assert losses(branch, "base") == [("author", 1), ("note", 1)]
    assert state(branch) == before
