"""One process migrates, wholly or not at all, and says what went wrong."""

import signal
import sqlite3

import pytest
import sqlalchemy as sa
from tests.processes import exit_of, in_processes, meet
from tests.unit.db.branches.notes import FIRST, branch_of, models, script

from licet.db.branches.checks import check
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.lock import migration_lock
from licet.db.branches.moves.run import move
from licet.db.branches.moves.scripts import heads_in_database
from licet.errors import ConfigurationError, SchemaUnusable, StoreUnavailable

HALF = "op.execute(\"INSERT INTO author (name) VALUES ('half')\"); {}"
ROWS = (
    "INSERT INTO author VALUES (1, 'ann')",
    "INSERT INTO note (id, title, kind, author_id) VALUES (1, 'a', 'open', 1)",
)


def add(branch, *scripts):
    """The branch with further revisions."""
    return branch_of(models(), branch.url, branch.versions.parent, FIRST, *scripts)


def ask(branch, sql):
    """The rows of a query, or of a statement that is committed."""
    with connected(branch, writes=True) as connection:
        found = connection.exec_driver_sql(sql)
        rows = found.all() if found.returns_rows else []
        connection.commit()
        return rows


def heads(branch):
    with connected(branch, writes=False) as connection:
        return heads_in_database(branch, connection)


def test_up_down_and_up_again(branch):
    """Each way leaves the revision, and in the end what the models say."""
    move(branch, "downgrade", "base")
    assert heads(branch) == frozenset()
    move(branch, "upgrade")
    assert heads(branch) == {"aa01"}
    assert check(branch).differences == ()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise ValueError('no luck')", "It raised ValueError: no luck"),
        ("op.execute('SELECT nothing FROM nowhere')", "The database says: "),
        ("nonsense", "It raised NameError"),
    ],
)
def test_a_script_that_fails_changes_nothing(branch, body, told):
    """The error names the revision, and what it did before is undone, the whole run included."""
    broken = add(
        branch,
        script("bb02", "aa01", "op.add_column('note', sa.Column('x', sa.Integer))"),
        script("cc03", "bb02", HALF.format(body)),
    )
    with pytest.raises(
        SchemaUnusable, match=r"Migration cc03 of app failed .* nothing was"
    ) as error:
        move(broken, "upgrade")
    assert told in str(error.value)
    assert heads(branch) == {"aa01"}
    assert ask(branch, "SELECT * FROM author") == []
    assert check(add(branch)).schema == ()


def test_a_script_that_cannot_be_loaded_is_named(branch):
    """A syntax error or a failing import is one sentence with the file's path."""
    for text in ("def upgrade(:", "import nowhere_at_all"):
        with pytest.raises(SchemaUnusable, match=r"versions/1.py cannot be loaded \(\w+Error: "):
            move(add(branch, text), "upgrade")


def test_an_unknown_target_is_told(branch):
    """A revision that does not exist is named."""
    with pytest.raises(ConfigurationError, match="zz99"):
        move(branch, "upgrade", "zz99")


def test_an_unknown_revision_of_the_database_is_told(branch):
    """Nothing is migrated from a revision of which there is no script; the folder is named."""
    ask(branch, "UPDATE alembic_version SET version_num = 'ffff'")
    with pytest.raises(
        ConfigurationError, match=r"at revision ffff, .* none after aa01: bring its"
    ):
        move(branch, "upgrade")


def test_rows_that_lose_what_they_refer_to_are_told(branch):
    """On SQLite too, where nothing else checks foreign keys during a migration."""
    ask(branch, ROWS[0])
    ask(branch, ROWS[1])
    lossy = add(branch, script("bb02", "aa01", "op.execute('DELETE FROM author')"))
    with pytest.raises(SchemaUnusable, match=r"note"):
        move(lossy, "upgrade")
    assert ask(branch, "SELECT count(*) FROM author") == [(1,)]


def migrate_at_once(url, folder):
    """Migrate, or end because another process does."""
    move(branch_of(models(), url, folder), "upgrade", wait_seconds=0)


def give_up(url, folder):
    """Find out what a process is told that does not wait."""
    with pytest.raises(
        SchemaUnusable, match=r"Another process has been migrating .* for 0 s: wait"
    ):
        migrate_at_once(url, folder)


def place(branch):
    """What a process needs to have the branch."""
    return branch.url.render_as_string(hide_password=False), branch.versions.parent


def test_another_process_is_waited_for(branch):
    """While one migrates, another waits, and says so when it gives up."""
    with migration_lock(branch):
        assert exit_of(give_up, *place(branch)) == 0
    assert exit_of(migrate_at_once, *place(branch)) == 0


def migrate(url, folder):
    """What this process finds after it has migrated, at the same time as others."""
    branch = branch_of(models(), url, folder)
    meet()
    move(branch, "upgrade")
    return sorted(heads(branch)), [str(one) for one in check(branch).differences]


def test_processes_that_start_at_once_migrate_once(database_url, tmp_path):
    """All find the newest revision, and no script ran twice."""
    branch_of(models(), database_url, tmp_path, FIRST)
    found = in_processes(migrate, *[(database_url, tmp_path)] * 3)
    assert found == [(["aa01"], [])] * 3


def killed(branch):
    """Migrate in a process that a script of the branch kills."""
    assert exit_of(migrate_at_once, *place(branch)) == -signal.SIGKILL


KILL = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


def test_killed_in_the_middle_nothing_has_changed(branch):
    """The lock of the dead is free, the database as before, and the next run does it all."""
    add(
        branch,
        script(
            "bb02",
            "aa01",
            HALF.format(f"op.add_column('note', sa.Column('x', sa.Integer)); {KILL}"),
        ),
    )
    killed(branch)
    assert heads(branch) == {"aa01"}
    assert ask(branch, "SELECT count(*) FROM author") == [(0,)]
    whole = add(branch, script("bb02", "aa01", HALF.format("pass")))
    move(whole, "upgrade")
    assert heads(branch) == {"bb02"}
    assert ask(branch, "SELECT count(*) FROM author") == [(1,)]


AUTOCOMMIT = """
    with op.get_context().autocommit_block():
        op.execute("CREATE TABLE half (id INTEGER)")
    {}"""


@pytest.fixture
def sqlite_branch(tmp_path):
    branch = branch_of(models(), f"sqlite:///{tmp_path / 'x.sqlite3'}", tmp_path / "m", FIRST)
    move(branch, "upgrade")
    ask(branch, ROWS[0])
    return branch


def test_a_table_made_anew_keeps_the_rows_that_refer_to_it(sqlite_branch):
    """A batch operation drops the old table; no row of another one goes with it."""
    ask(sqlite_branch, ROWS[1])
    body = (
        "\n    with op.batch_alter_table('author', recreate='always') as batch:"
        "\n        batch.alter_column('name', type_=sa.String(80))"
    )
    move(add(sqlite_branch, script("bb02", "aa01", body)), "upgrade")
    assert ask(sqlite_branch, "SELECT author_id FROM note") == [(1,)]


def test_sqlite_is_restored_when_a_script_had_committed(sqlite_branch):
    """A script that commits on its own and fails leaves the file as it was, rows included."""
    broken = add(sqlite_branch, script("bb02", "aa01", AUTOCOMMIT.format("raise ValueError")))
    with pytest.raises(SchemaUnusable, match="nothing was changed"):
        move(broken, "upgrade")
    assert check(add(sqlite_branch)).schema == ()
    assert ask(sqlite_branch, "SELECT name FROM author") == [("ann",)]


def test_sqlite_is_restored_after_a_kill(sqlite_branch, caplog):
    """The next run finds the copy, puts it back, keeps what was half done, and goes on."""
    add(sqlite_branch, script("bb02", "aa01", AUTOCOMMIT.format(KILL)))
    killed(sqlite_branch)
    assert "half" in str(check(add(sqlite_branch)).schema)
    whole = add(sqlite_branch, script("bb02", "aa01", AUTOCOMMIT.format("pass")))
    move(whole, "upgrade")
    assert "is again as it was before" in caplog.text
    assert ask(sqlite_branch, "SELECT name FROM author") == [("ann",)]
    assert heads(sqlite_branch) == {"bb02"}
    folder = sqlite_branch.file.parent
    assert {path.name for path in folder.glob("x.sqlite3*migrat*")} == {"x.sqlite3.half-migrated"}


@pytest.mark.parametrize("end", ["raise ValueError", KILL])
def test_rows_that_a_script_had_committed_go_as_well(sqlite_branch, end):
    """Neither the schema nor the revision shows that it was done by half."""
    body = AUTOCOMMIT.replace("CREATE TABLE half (id INTEGER)", "UPDATE author SET name = 'half'")
    half = add(sqlite_branch, script("bb02", "aa01", body.format(end)))
    if end is KILL:
        killed(half)
    else:
        with pytest.raises(SchemaUnusable, match="nothing was changed"):
            move(half, "upgrade")
    move(add(sqlite_branch, script("bb02", "aa01")), "upgrade")
    assert ask(sqlite_branch, "SELECT name FROM author") == [("ann",)]


def test_what_a_migration_writes_is_its_owners_alone(sqlite_branch, tmp_path):
    """The database, and the copies of one that holds secrets."""
    folder = sqlite_branch.file.parent
    assert sqlite_branch.file.stat().st_mode & 0o077 == 0
    add(sqlite_branch, script("bb02", "aa01", AUTOCOMMIT.format(KILL)))
    killed(sqlite_branch)
    move(add(sqlite_branch, script("bb02", "aa01")), "upgrade")
    add(sqlite_branch, script("bb02", "aa01"), script("cc03", "bb02", AUTOCOMMIT.format(KILL)))
    killed(sqlite_branch)
    found = {path.name: path.stat().st_mode & 0o077 for path in folder.glob("x.sqlite3.*migrat*")}
    assert found["x.sqlite3.half-migrated"] == found["x.sqlite3.before-migration"] == 0


def test_a_copy_that_cannot_be_put_back_is_told(sqlite_branch, monkeypatch):
    """With what is to be ended first; the copy stays."""
    add(sqlite_branch, script("bb02", "aa01", AUTOCOMMIT.format(KILL)))
    killed(sqlite_branch)
    monkeypatch.setattr("licet.db.branches.moves.copy.BUSY_SECONDS", 0.1)
    whole = add(sqlite_branch, script("bb02", "aa01", AUTOCOMMIT.format("pass")))
    with sqlite3.connect(sqlite_branch.file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SchemaUnusable, match=r"is half migrated, .* end the programs that use"):
            move(whole, "upgrade")
        other.execute("ROLLBACK")
    move(whole, "upgrade")
    assert heads(sqlite_branch) == {"bb02"}


def test_a_link_to_a_file_is_the_file(sqlite_branch, tmp_path):
    """Whoever migrates it by its own name has the same lock, and finds the same copy."""
    (tmp_path / "links").mkdir()
    link = tmp_path / "links/y.sqlite3"
    link.symlink_to(sqlite_branch.file)
    linked = sqlite_branch.at(sqlite_branch.url.set(database=str(link)))
    add(sqlite_branch, script("bb02", "aa01", AUTOCOMMIT.format(KILL)))
    killed(linked)
    with migration_lock(linked):
        assert exit_of(give_up, *place(sqlite_branch)) == 0
    move(add(sqlite_branch, script("bb02", "aa01")), "upgrade")
    assert check(add(sqlite_branch, script("bb02", "aa01"))).schema == ()
    assert list(link.parent.iterdir()) == [link]


def test_what_was_written_after_a_kill_stays(sqlite_branch):
    """A migration that SQLite itself undid is not undone again over later rows."""
    add(sqlite_branch, script("bb02", "aa01", KILL))
    killed(sqlite_branch)
    ask(sqlite_branch, "INSERT INTO author VALUES (2, 'ben')")
    move(add(sqlite_branch, script("bb02", "aa01")), "upgrade")
    assert ask(sqlite_branch, "SELECT count(*) FROM author") == [(2,)]


def test_a_concurrent_index_on_postgresql(postgresql_schema_url, tmp_path):
    """What may not run in a transaction runs in an autocommit block, while others wait in line."""
    branch = branch_of(models("index"), postgresql_schema_url, tmp_path, FIRST)
    move(branch, "upgrade")
    body = (
        "\n    with op.get_context().autocommit_block():"
        "\n        op.create_index('ix_note_kind', 'note', ['kind', 'size'],"
        " postgresql_concurrently=True)"
    )
    (branch.versions / "1.py").write_text(script("bb02", "aa01", body))
    assert in_processes(migrate_index, *[place(branch)] * 2) == [["bb02"]] * 2
    assert check(branch).differences == ()


def migrate_index(url, folder):
    """The revision after a migration that all processes want to run."""
    branch = branch_of(models("index"), url, folder)
    meet()
    move(branch, "upgrade")
    return sorted(heads(branch))


def test_a_locked_file_is_told(sqlite_branch, monkeypatch):
    """A program that keeps a transaction open is told of as such."""
    monkeypatch.setattr("licet.db.branches.moves.connecting.BUSY_SECONDS", 0.1)
    with sqlite3.connect(sqlite_branch.file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SchemaUnusable, match="is locked by another program"):
            move(add(sqlite_branch, script("bb02", "aa01")), "upgrade")
        other.execute("ROLLBACK")


def test_a_file_that_may_not_be_written_is_told(sqlite_branch):
    """A read-only database is told of by its path, with what to do."""
    read_only = sa.make_url(f"sqlite:///file:{sqlite_branch.file}?mode=ro&uri=true")
    add(sqlite_branch, script("bb02", "aa01", "op.execute('CREATE TABLE t (x)')"))
    branch = branch_of(models(), read_only, sqlite_branch.versions.parent)
    with pytest.raises(SchemaUnusable, match=r"x.sqlite3 takes no writes .* make the file and its"):
        move(branch, "upgrade")


def test_a_role_without_rights_is_told(own_postgresql_url, tmp_path):
    """The role and the missing right are named; nothing is made."""
    url = sa.make_url(own_postgresql_url)
    admin = branch_of(models(), url, tmp_path, FIRST)
    ask(admin, "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN OTHERS THEN NULL; END $$")
    branch = branch_of(models(), url.set(username="reader"), tmp_path)
    with pytest.raises(SchemaUnusable, match=r"The role reader lacks a right \(permission denied"):
        move(branch, "upgrade")
    assert heads(admin) == frozenset()


def test_a_server_that_does_not_answer_is_told(tmp_path):
    """An outage is no fault of the schema."""
    branch = branch_of(models(), f"postgresql+psycopg://x@/none?host={tmp_path}", tmp_path, FIRST)
    with pytest.raises(StoreUnavailable) as error:
        move(branch, "upgrade")
    assert not isinstance(error.value, SchemaUnusable)


def test_a_table_that_others_hold_is_not_waited_for_long(
    postgresql_schema_url, tmp_path, monkeypatch
):
    """While a migration waits, everybody else would wait behind it; a limit of the role's stays."""
    monkeypatch.setattr("licet.db.branches.moves.connecting.BUSY_SECONDS", 0.1)
    branch = branch_of(models(), postgresql_schema_url, tmp_path, FIRST)
    move(branch, "upgrade")
    shown = "op.execute(\"INSERT INTO author (name) VALUES (current_setting('lock_timeout'))\")"
    locking = "\n    op.add_column('note', sa.Column('x', sa.Integer))"
    (branch.versions / "1.py").write_text(script("bb02", "aa01", f"{shown}{locking}"))
    with connected(branch, writes=False) as other:
        other.exec_driver_sql("SELECT * FROM note")
        with pytest.raises(SchemaUnusable, match=r"bb02 .* locked by others .*lock timeout"):
            move(branch, "upgrade")
    own = branch.at(branch.url.set(query=_with_option(branch.url, "-clock_timeout=7s")))
    move(own, "upgrade")
    assert ask(branch, "SELECT name FROM author") == [("7s",)]


def _with_option(url, option):
    return {**url.query, "options": f"{url.query['options']} {option}"}


def test_a_value_that_is_added_is_used_by_the_next_run(postgresql_schema_url, tmp_path):
    """PostgreSQL wants the transaction ended first; the error says how."""
    branch = branch_of(models(), postgresql_schema_url, tmp_path, FIRST)
    move(branch, "upgrade")
    for row in ROWS:
        ask(branch, row)
    added = script("bb02", "aa01", "op.execute(\"ALTER TYPE kind ADD VALUE 'shut'\")")
    used = script("cc03", "bb02", "op.execute(\"UPDATE note SET kind = 'shut'\")")
    branch_of(models(), branch.url, tmp_path, FIRST, added, used)
    with pytest.raises(SchemaUnusable, match="upgrade` to the revision that adds it first"):
        move(branch, "upgrade")
    move(branch, "upgrade", "bb02")
    move(branch, "upgrade")
    assert ask(branch, "SELECT kind::text FROM note") == [("shut",)]


def test_a_limit_of_the_server_is_told(postgresql_schema_url, tmp_path):
    """What ends a statement is no lock, and would end it again."""
    url = sa.make_url(postgresql_schema_url)
    short = url.set(query=_with_option(url, "-cstatement_timeout=50ms"))
    body = "op.execute('SELECT pg_sleep(5)')"
    branch = branch_of(models(), short, tmp_path, FIRST, script("bb02", "aa01", body))
    with pytest.raises(SchemaUnusable, match=r"has ended a statement .* SET statement_timeout = 0"):
        move(branch, "upgrade")
