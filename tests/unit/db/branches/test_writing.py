"""A revision that is written leads to the models and back, or says what is missing."""

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from tests.unit.db.branches.notes import FIRST, branch_of, models, script
from tests.unit.db.branches.test_checks import FAULTS, texts
from tests.unit.db.branches.test_moves import ROWS, ask

from licet.db.branches.checks import check
from licet.db.branches.moves.run import move
from licet.db.branches.writing import write_revision
from licet.errors import ConfigurationError, SchemaUnusable


def with_models(branch, fault):
    return branch_of(models(fault), branch.url, branch.versions.parent)


@pytest.mark.parametrize("fault", [fault for fault, _, _ in FAULTS if fault != "leftover column"])
def test_what_is_written_is_whole(branch, fault):
    """Columns, constraints, defaults, enum values: up to the models, and down to what was."""
    ask(branch, ROWS[0])
    changed = with_models(branch, fault)
    written = write_revision(changed, "what differs")
    assert written.unresolved == ()
    move(changed, "upgrade")
    assert texts(check(changed).differences) == ""
    move(changed, "downgrade", "-1")
    assert texts(check(with_models(branch, "")).schema) == ""
    assert ask(branch, "SELECT count(*) FROM author") == [(1,)]


def test_the_downgrade_names_what_it_loses(branch):
    """In the first line of its docstring."""
    written = write_revision(with_models(branch, "column"), "add author.website")
    assert '    """Lose author.website."""' in written.path.read_text()


def test_a_first_revision_makes_everything(database_url, tmp_path):
    """In an empty database, with enum types, which the way back drops as well."""
    branch = branch_of(models(), database_url, tmp_path / "deep/migrations")
    written = write_revision(branch, "first")
    assert written.unresolved == ()
    for _ in range(2):
        move(branch, "upgrade")
        assert check(branch).differences == ()
        move(branch, "downgrade", "base")
    assert '"""Lose author, note."""' in written.path.read_text()


def test_nothing_is_written_where_nothing_differs(branch):
    """No file is made."""
    assert write_revision(branch, "nothing") is None
    assert len(list(branch.versions.glob("*.py"))) == 1


def test_a_dropped_column_that_takes_no_null_cannot_come_back(branch):
    """Its values are gone, so that the way back is left to be resolved."""
    ask(branch, ROWS[0])
    changed = with_models(branch, "leftover column")
    (told,) = write_revision(changed, "drop author.name").unresolved
    assert "NULL" in told or "null" in told
    text = changed.versions.glob("*drop*.py").__next__().read_text()
    assert "raise Unresolved(" in text.partition("def downgrade")[2]
    assert "raise Unresolved(" not in text.partition("def downgrade")[0]


def a_table(*rules):
    """Models with one table."""
    base = orm.declarative_base()
    sa.Table("page", base.metadata, sa.Column("id", sa.Integer, primary_key=True), *rules)
    return base


def test_what_cannot_be_written_is_left_to_be_resolved(tmp_path):
    """The script says so, the check reports it, and no upgrade passes it by."""
    database_url = f"sqlite:///{tmp_path / 'x.sqlite3'}"  # PostgreSQL names it by itself
    branch = branch_of(a_table(), database_url, tmp_path)
    write_revision(branch, "first")
    move(branch, "upgrade")
    changed = branch_of(a_table(sa.CheckConstraint("id > 0")), database_url, tmp_path)
    written = write_revision(changed, "a CHECK without a name")
    assert "raise Unresolved(" in written.path.read_text()
    assert "page has no name, so that no statement can" in written.unresolved[0]
    (found,) = [one for one in check(changed).revisions if one.kind == "unresolved"]
    assert "is not complete: the CHECK id > 0 of page has no name" in found.text
    with pytest.raises(SchemaUnusable, match=r"is not complete: .* write what is missing in place"):
        move(changed, "upgrade")


def test_a_batch_keeps_a_check_without_a_name(tmp_path):
    """On SQLite a table is made anew, and has all its CHECKs afterwards."""
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    rule = "id > 0"
    branch = branch_of(a_table(sa.CheckConstraint(rule)), url, tmp_path)
    write_revision(branch, "first")
    move(branch, "upgrade")
    base = a_table(
        sa.CheckConstraint(rule), sa.Column("n", sa.Integer, sa.ForeignKey("page.id", name="fk"))
    )
    changed = branch_of(base, url, tmp_path)
    assert write_revision(changed, "second").unresolved == ()
    move(changed, "upgrade")
    assert texts(check(changed).differences) == ""


def test_a_column_that_existing_rows_cannot_have_is_left_open(branch):
    """NOT NULL without a default fails where there are rows: the trial says so."""
    ask(branch, ROWS[0])
    base = models()
    base.metadata.tables["author"].append_column(sa.Column("born", sa.Integer, nullable=False))
    changed = branch_of(base, branch.url, branch.versions.parent)
    written = write_revision(changed, "born")
    assert "raise Unresolved(" in written.path.read_text()
    assert written.unresolved


def test_the_database_must_be_at_the_newest_revision(branch):
    """What differs would be written twice otherwise."""
    (branch.versions / "1.py").write_text(script("bb02", "aa01"))
    with pytest.raises(ConfigurationError, match=r"at revision aa01, and its scripts end at bb02"):
        write_revision(branch, "more")


def test_heads_are_merged(branch):
    """Two become one; where there is one, nothing is to be merged."""
    with pytest.raises(ConfigurationError, match="one head"):
        write_revision(branch, "merge", is_merge=True)
    for number in ("bb02", "cc03"):
        (branch.versions / f"{number}.py").write_text(script(number, "aa01"))
    write_revision(branch, "merge", is_merge=True)
    move(branch, "upgrade")
    assert check(branch).differences == ()


def test_an_empty_one_is_to_be_filled_by_hand(branch):
    """It follows the newest, and does nothing yet."""
    written = write_revision(branch, "move the rows", is_empty=True)
    text = written.path.read_text()
    assert 'down_revision = "aa01"' in text.replace("'", '"')
    move(branch, "upgrade")
    assert check(branch).differences == ()


def test_a_message_is_needed(branch):
    with pytest.raises(ConfigurationError, match="needs a message"):
        write_revision(branch, " ")


def test_the_first_script_is_what_the_models_say(branch):
    """FIRST, which every test begins with, is not at odds with the models."""
    assert FIRST in (branch.versions / "0.py").read_text()
    assert texts(check(branch).differences) == ""


def notes(url, folder, *values, has_zone=False, schema=None):
    """A table with an enum, a moment and a CHECK, in a schema if one is named."""
    base = orm.declarative_base()
    sa.Table(
        "page",
        base.metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Enum(*values, name="kind", schema=schema), server_default=values[-1]),
        sa.Column("at", sa.DateTime(timezone=has_zone)),
        sa.CheckConstraint(f"id > {-len(values)}", name="ck_page_id"),
        schema=schema,
    )
    return branch_of(base, url, folder)


def test_a_moment_gets_a_zone_wherever_the_server_is(postgresql_schema_url, tmp_path):
    """The revision says of which zone the values are; the server's setting has no say."""
    branch = notes(postgresql_schema_url, tmp_path, "a")
    write_revision(branch, "first")
    move(branch, "upgrade")
    ask(branch, "INSERT INTO page (at) VALUES ('2030-01-01 12:00')")
    changed = notes(postgresql_schema_url, tmp_path, "a", has_zone=True)
    assert write_revision(changed, "zone").unresolved == ()
    options = changed.url.query["options"] + " -ctimezone=America/New_York"
    away = changed.at(changed.url.update_query_dict({"options": options}))
    move(away, "upgrade")
    assert check(away).differences == ()
    assert ask(away, "SELECT at = '2030-01-01 12:00Z' FROM page") == [(True,)]
    move(away, "downgrade", "-1")
    assert ask(away, "SELECT at::text FROM page") == [("2030-01-01 12:00:00",)]


@pytest.mark.parametrize("schema", [None, "other"])
def test_a_type_that_gets_values_sorts_as_the_models_do(own_postgresql_url, tmp_path, schema):
    """In whichever schema it is, as its table, whose CHECK and default change as well."""
    branch = notes(own_postgresql_url, tmp_path, "b", "d", schema=schema)
    ask(branch, "CREATE SCHEMA other")
    assert write_revision(branch, "first").unresolved == ()
    move(branch, "upgrade")
    assert check(branch).differences == ()
    changed = notes(own_postgresql_url, tmp_path, "a", "b", "c", "d", schema=schema)
    assert write_revision(changed, "more").unresolved == ()
    move(changed, "upgrade")
    assert check(changed).differences == ()
    (labels,) = ask(
        changed, "SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum"
    )
    assert labels == (["a", "b", "c", "d"],)
    move(changed, "downgrade", "-1")
    assert check(notes(own_postgresql_url, tmp_path, "b", "d", schema=schema)).schema == ()
