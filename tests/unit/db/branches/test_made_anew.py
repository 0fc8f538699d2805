"""A SQLite table that a batch operation makes anew keeps what hung on the old one."""

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from tests.unit.db.branches.notes import branch_of, script
from tests.unit.db.branches.test_moves import ask

from licet.db.branches.checks import check
from licet.db.branches.moves.run import move
from licet.db.branches.rehearsal import rehearse
from licet.db.branches.writing import write_revision
from licet.errors import SchemaUnusable

AGAIN = "\n    with op.batch_alter_table('page', recreate='always') as batch:\n        {}"
WIDER = AGAIN.format("batch.alter_column('text', type_=sa.String(80))")
WITHOUT = AGAIN.format("batch.drop_column('text')")


def pages(url, folder, *, is_needed=False):
    """The branch of two tables with a CHECK, two indexes and two options."""
    metadata = sa.MetaData()
    page = sa.Table(
        "page",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.String(40), nullable=not is_needed),
        sa.CheckConstraint("id > 0", name="ck_page_id"),
        sqlite_autoincrement=True,
    )
    sa.Index("ix_lower", sa.func.lower(page.c.text))
    sa.Index("ix_turned", page.c.text.desc())
    name = sa.Column("id", sa.String, primary_key=True)
    number = sa.Column("x", sa.Integer, nullable=not is_needed)
    sa.Table("label", metadata, name, number, sqlite_with_rowid=False)
    base = type("Base", (), {"metadata": metadata, "registry": orm.registry()})
    return branch_of(base, url, folder)


@pytest.fixture
def branch(tmp_path):
    """The table, with a trigger and a view, and a row less than it had."""
    made = pages(f"sqlite:///{tmp_path / 'x.sqlite3'}", tmp_path)
    first = write_revision(made, "first").path
    first.rename(first.with_name("first.py"))
    text = first.with_name("first.py").read_text()
    revision = first.name.split("_")[0]
    first.with_name("first.py").write_text(text.replace(revision, "aa01"))
    move(made, "upgrade")
    for sql in (
        "INSERT INTO page VALUES (7, 'a')",
        "DELETE FROM page",
        "INSERT INTO page VALUES (1, 'a')",
        "CREATE TRIGGER shout AFTER INSERT ON page BEGIN"
        " UPDATE page SET text = upper(text) WHERE id = new.id; END",
        "CREATE VIEW texts AS SELECT text FROM page",
    ):
        ask(made, sql)
    return made


def objects(branch):
    """The schema of the database, apart from the texts of the tables."""
    rows = ask(branch, "SELECT name, sql FROM sqlite_master WHERE type <> 'table'")
    return {name: sql for name, sql in rows if sql}


def test_what_hangs_on_the_table_is_there_afterwards(branch):
    """Its triggers, its indexes as they were, and the views of it."""
    before = objects(branch)
    (branch.versions / "1.py").write_text(script("bb02", "aa01", WIDER, WIDER))
    for way in ("upgrade", "downgrade"):
        move(branch, way, "heads" if way == "upgrade" else "-1")
        assert objects(branch) == before
    ask(branch, "INSERT INTO page VALUES (2, 'b')")
    assert ask(branch, "SELECT text FROM texts ORDER BY text") == [("B",), ("a",)]


def test_a_written_revision_keeps_the_options(branch):
    """AUTOINCREMENT goes on from the greatest number that ever was, be its row gone or not."""
    changed = pages(branch.url, branch.versions.parent, is_needed=True)
    assert write_revision(changed, "needed").unresolved == ()
    assert rehearse(changed).findings == []
    move(changed, "upgrade")
    assert check(changed).differences == ()
    ask(branch, "INSERT INTO page (text) VALUES ('b')")
    assert ask(branch, "SELECT max(id) FROM page") == [(8,)]


def test_options_that_are_lost_are_found(branch):
    """As by a batch operation that is written by hand."""
    (branch.versions / "1.py").write_text(script("bb02", "aa01", WIDER))
    move(branch, "upgrade")
    (found,) = [one for one in check(branch).schema if one.kind == "changed_options"]
    assert found.text == (
        "page has the options none in the database, and AUTOINCREMENT in the models."
    )


def test_a_script_that_makes_the_trigger_again_is_left_alone(branch):
    """As is one that drops what is gone already."""
    other = "CREATE TRIGGER shout AFTER DELETE ON page BEGIN SELECT 1; END"
    body = f"{WIDER}\n    op.execute('{other}')\n    op.execute('DROP INDEX IF EXISTS ix_lower')"
    (branch.versions / "1.py").write_text(script("bb02", "aa01", body))
    move(branch, "upgrade")
    assert objects(branch)["shout"] == other
    assert "ix_lower" not in objects(branch)


def test_a_table_that_goes_takes_all_with_it(branch):
    """Made anew by one script, and dropped by the next, or renamed."""
    (branch.versions / "1.py").write_text(script("bb02", "aa01", WIDER))
    renamed = "\n    op.rename_table('page', 'leaf')\n    op.execute('DROP VIEW texts')"
    (branch.versions / "2.py").write_text(script("cc03", "bb02", renamed))
    move(branch, "upgrade")
    assert 'ON "leaf"' in objects(branch)["shout"]
    again = WIDER.replace("page", "leaf") + "\n    op.drop_table('leaf')"
    (branch.versions / "3.py").write_text(script("dd04", "cc03", again))
    move(branch, "upgrade")
    assert objects(branch) == {}


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("DROP TRIGGER shout", "the view texts does not fit .*no such column: text"),
        ("DROP VIEW texts", "a trigger of page does not fit .*no such column: "),
    ],
)
def test_what_does_not_fit_any_more_is_told(branch, first, told):
    """A view or a trigger of a column that goes; nothing is changed."""
    before = objects(branch)
    indexes = "\n    op.drop_index('ix_lower', 'page')\n    op.drop_index('ix_turned', 'page')"
    body = f"{indexes}\n    op.execute('{first}'){WITHOUT}"
    (branch.versions / "1.py").write_text(script("bb02", "aa01", body))
    with pytest.raises(SchemaUnusable, match=told):
        move(branch, "upgrade")
    assert objects(branch) == before
