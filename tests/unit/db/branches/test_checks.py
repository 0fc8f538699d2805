"""The three comparisons find what is planted, and nothing in what fits."""

import dataclasses

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from tests.unit.db.branches.notes import FIRST, branch_of, models, script

from licet.db.branches.checks import check
from licet.db.branches.moves.run import move
from licet.db.branches.writing import write_revision
from licet.errors import ConfigurationError, SchemaUnusable

# The fault in the models, the kind of the finding, and a part of its text on both databases.
FAULTS = [
    ("table", "missing_table", "page is missing: the models have the table, the database has not."),
    ("column", "missing_column", "author.website is missing: the models have the column"),
    ("index", "missing_index", "note lacks the index ix_note_kind"),
    ("CHECK", "missing_check", "note lacks the CHECK constraint ck_note_title"),
    ("UNIQUE", "missing_unique", "note lacks the UNIQUE constraint"),
    ("enum value", "missing_enum_value", "lacks the value 'shut' in the database"),
    ("leftover enum value", "leftover_enum_value", "has the value 'open' in the database"),
    ("foreign key", "missing_foreign_key", "ON DELETE CASCADE"),
    ("condition", "changed_check", "the CHECK constraint ck_note_size as size >= 0 in the"),
    ("type", "changed_type", "author.name is"),
    (
        "nullability",
        "changed_nullability",
        "note.title does not take NULL in the database, and does",
    ),
    ("default", "changed_default", "note.size has the server default"),
    ("leftover column", "leftover_column", "author.name is left over: the database has the column"),
]

KINDS = {"foreign key": {"missing_foreign_key", "leftover_foreign_key", "changed_foreign_key"}}


def texts(found):
    """All that was found."""
    return "\n".join(map(str, found))


def test_what_fits_has_no_differences(migrated):
    """Models and a database that was migrated to them agree in all three comparisons."""
    report = check(migrated(models()))
    assert texts(report.differences) == ""


@pytest.mark.parametrize(("fault", "kind", "text"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
def test_a_planted_fault_is_found(migrated, fault, kind, text):
    """It is told in one sentence, by the name of the column or constraint, and nothing else is."""
    report = check(migrated(models(fault)))
    assert {one.kind for one in report.schema} <= KINDS.get(fault, {kind})
    assert text in texts(report.schema)
    assert report.revisions == ()


@pytest.mark.parametrize(
    ("fault", "model"), [("column", "Author"), ("table", "Page")], ids=["column", "table"]
)
def test_a_select_on_every_model_names_the_model(migrated, fault, model):
    """A column without a migration fails its model's SELECT, be it deferred; others pass."""
    (found,) = check(migrated(models(fault))).selects
    assert found.text.startswith(f"{model} model out of date with migrations: ")


def test_a_select_of_a_broken_mapping_is_told(migrated):
    """A relationship to nothing is a finding about its model, not a traceback."""
    base = models()

    class Broken(base):
        __tablename__ = "broken"
        id = orm.mapped_column(sa.ForeignKey("author.id"), primary_key=True)
        nothing = orm.relationship("Nothing")

    assert "model out of date with migrations" in texts(check(migrated(base)).selects)


def test_a_database_that_is_behind(database_url, tmp_path):
    """Before its first migration the database is behind, and its tables are missing."""
    branch = branch_of(models(), database_url, tmp_path / "migrations", FIRST)
    with sa.create_engine(database_url, poolclass=sa.NullPool).connect():
        pass
    report = check(branch)
    assert texts(report.revisions) == (
        "The database is at revision none, and the code at aa01: run `licet db upgrade`."
    )
    assert {one.kind for one in report.schema} == {"missing_table"}


def test_two_heads_are_found(branch, tmp_path):
    """Two revisions that follow the same one are told, with what to do."""
    branch_of(models(), branch.url, tmp_path / "migrations", FIRST, script("bb02", "aa01"))
    (tmp_path / "migrations/versions/2.py").write_text(script("cc03", "aa01"))
    move(branch, "upgrade")
    (found,) = check(branch).revisions
    assert (found.kind, found.subject) == ("two_heads", "bb02, cc03")
    assert "licet db revision --merge" in found.text


def test_a_value_that_only_the_rows_have_is_found(database_url, tmp_path):
    """An enum without a type and without a CHECK: a row of another value cannot be read."""

    def pages(*values):
        base = orm.declarative_base()
        kind = sa.Enum(*values, name="kind", native_enum=False, length=9)
        sa.Table("page", base.metadata, sa.Column("id", sa.Integer, primary_key=True),
                 sa.Column("kind", kind))  # fmt: skip
        return branch_of(base, database_url, tmp_path)

    branch = pages("draft", "open")
    write_revision(branch, "first")
    move(branch, "upgrade")
    for number, kind in enumerate(("'open'", "'draft'", "'open'", "NULL")):
        execute(branch, f"INSERT INTO page VALUES ({number}, {kind})")
    assert check(branch).differences == ()
    (found,) = check(pages("draft", "shut")).differences
    assert (found.kind, found.subject) == ("unknown_enum_value", "page.kind")
    assert found.text.startswith("page.kind is 'open' in 2 rows, and the models have no such")


def test_a_native_enum_of_sqlite_is_compared_by_its_rows(tmp_path):
    """SQLite has no type of it, and by default SQLAlchemy makes no CHECK."""
    base = orm.declarative_base()
    kind = sa.Column("kind", sa.Enum("a", "b", name="kind"))
    sa.Table("page", base.metadata, sa.Column("id", sa.Integer, primary_key=True), kind)
    branch = branch_of(base, f"sqlite:///{tmp_path / 'x.sqlite3'}", tmp_path)
    write_revision(branch, "first")
    move(branch, "upgrade")
    execute(branch, "INSERT INTO page VALUES (1, 'c')")
    assert [one.kind for one in check(branch).differences] == ["unknown_enum_value"]


def test_labelled_heads_are_meant(branch, tmp_path):
    """Several heads are no finding where each has a branch label of its own."""
    for number, label in (("bb02", "first"), ("cc03", "second")):
        text = script(number, "aa01").replace(
            "branch_labels = None", f"branch_labels = ({label!r},)"
        )
        (tmp_path / f"migrations/versions/{number}.py").write_text(text)
    move(branch, "upgrade")
    assert check(branch).differences == ()


def test_an_unknown_revision_is_found(branch):
    """A database that other code has migrated is told, with its revision."""
    execute(branch, "UPDATE alembic_version SET version_num = 'ffff'")
    report = check(branch)
    assert report.is_ahead
    assert texts(report.revisions).startswith(
        "The database is at revision ffff, of which app has no"
    )


def test_a_lying_revision_is_found(branch):
    """A database that says it is at the head, with tables missing, is found all the same."""
    execute(branch, "DROP TABLE note")
    report = check(branch)
    assert report.revisions == ()
    assert "note is missing" in texts(report.schema)
    assert "Note model out of date with migrations" in texts(report.selects)


def test_names_that_the_models_give_count(branch):
    """A constraint under another name does its work, but the next migration would not find it."""
    execute(branch, "DROP INDEX ix_note_size")
    execute(branch, "CREATE INDEX ix_other ON note (size)")
    (found,) = check(branch).schema
    assert (
        found.text
        == "note has the index ix_other in the database, which the models call ix_note_size."
    )


def test_tables_of_others_are_left_out(branch):
    """Licet's tables beside the app's are no finding; any other table is, unless it is ignored."""
    execute(branch, "CREATE TABLE licet_kept (id INTEGER)")
    execute(branch, "CREATE TABLE celery_taskmeta (id INTEGER)")
    assert [one.subject for one in check(branch).schema] == ["celery_taskmeta"]


def test_a_model_of_an_ignored_table_is_only_asked(branch):
    """A view, or a table that others make: no revision is about it, and its SELECT is tried."""
    execute(branch, "CREATE VIEW names AS SELECT id, name FROM author")
    base = models()
    Name = type("Name", (base,), {  # noqa: N806 - a model
        "__tablename__": "names", "id": orm.mapped_column(sa.Integer, primary_key=True)
    })  # fmt: skip
    seen = dataclasses.replace(
        branch_of(base, branch.url, branch.versions.parent), ignored=frozenset({"names"})
    )
    assert check(seen).differences == ()
    assert write_revision(seen, "nothing") is None
    execute(branch, "DROP VIEW names")
    assert [one.kind for one in check(seen).differences] == ["select_failed"]
    assert Name.__tablename__ in texts(check(seen).selects)


def test_models_that_cannot_be_made_are_told(branch):
    """A foreign key to a table that no model is about is a sentence, not a traceback."""
    base = models()
    base.metadata.tables["note"].append_column(sa.Column("x", sa.ForeignKey("nowhere.id")))
    broken = branch_of(base, branch.url, branch.versions.parent)
    for ask in (check, lambda one: write_revision(one, "x")):
        with pytest.raises(
            ConfigurationError, match=r"tables of the models cannot be made: .*note\.x"
        ):
            ask(broken)


def test_a_check_changes_nothing(branch):
    """Nothing is made, and no table is locked, by a comparison."""
    before = names(branch)
    check(branch)
    assert names(branch) == before


def test_a_file_that_is_missing_is_not_made(tmp_path):
    """A comparison with no database is a sentence, and leaves no empty one."""
    branch = branch_of(models(), f"sqlite:///{tmp_path / 'none.sqlite3'}", tmp_path / "m", FIRST)
    with pytest.raises(SchemaUnusable, match=r"no database at .*none.sqlite3: `licet db upgrade`"):
        check(branch)
    assert not (tmp_path / "none.sqlite3").exists()


def execute(branch, sql):
    """One statement, committed."""
    engine = sa.create_engine(branch.url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(sql)
    engine.dispose()


def names(branch):
    """Every table of the database, whatever its schema, and every enum type."""
    engine = sa.create_engine(branch.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        if branch.is_sqlite:
            return set(connection.exec_driver_sql("SELECT name, sql FROM sqlite_master").all())
        return set(
            connection.exec_driver_sql(
                "SELECT relname::text, relnamespace::int FROM pg_class WHERE relpersistence = 't'"
            ).all()
        )


def test_what_postgresql_makes_nowhere_else_is_compared(postgresql_schema_url, tmp_path):
    """Tables that are not logged, indexes that are built concurrently, keys to others' tables."""
    others = sa.Table("other", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    base = orm.declarative_base()
    page = sa.Table(
        "page",
        base.metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("other_id", sa.ForeignKey(others.c.id), unique=True),
        prefixes=["UNLOGGED"],
    )
    sa.Index("ix_page", page.c.id, postgresql_concurrently=True)
    sa.Index("ix_page_two", page.c.other_id, page.c.id, unique=True, postgresql_concurrently=True)
    branch = branch_of(base, postgresql_schema_url, tmp_path)
    for sql in (
        "CREATE TABLE other (id integer PRIMARY KEY)",
        "CREATE UNLOGGED TABLE page (id serial PRIMARY KEY, other_id integer UNIQUE"
        " REFERENCES other)",
        "CREATE INDEX ix_page ON page (id)",
        "CREATE UNIQUE INDEX ix_page_two ON page (other_id, id)",
    ):
        execute(branch, sql)
    found = dataclasses.replace(branch, ignored=frozenset({"other"}))
    assert texts(check(found).differences) == ""
    execute(branch, "ALTER TABLE page DROP CONSTRAINT page_other_id_fkey")
    assert [one.kind for one in check(found).differences] == ["missing_foreign_key"]


@pytest.mark.parametrize("what", ["table", "column"])
def test_names_that_postgresql_cuts_are_told(postgresql_schema_url, tmp_path, what):
    """It counts bytes, and says nothing."""
    base, long = orm.declarative_base(), "ü" * 40
    table, column = (long, "id") if what == "table" else ("page", long)
    sa.Table(table, base.metadata, sa.Column(column, sa.Integer, primary_key=True))
    with pytest.raises(ConfigurationError, match=rf"the {what} ü+ has 80 bytes, .* after 63"):
        check(branch_of(base, postgresql_schema_url, tmp_path))


def test_a_role_that_may_not_read_is_told(own_postgresql_url, tmp_path):
    """The models are not out of date, then."""
    admin = branch_of(models(), own_postgresql_url, tmp_path, FIRST)
    move(admin, "upgrade")
    execute(admin, "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN OTHERS THEN NULL; END $$")
    execute(admin, "GRANT SELECT ON alembic_version TO reader")
    reader = admin.at(admin.url.set(username="reader"))
    (author, note) = check(reader).selects
    assert author.text.startswith("Author model may not be read by this role: permission denied")
    assert note.subject == "Note"


def test_a_search_path_to_nowhere_is_told(own_postgresql_url, tmp_path):
    """No schema is there to compare with, or to make tables in."""
    url = sa.make_url(own_postgresql_url)
    branch = branch_of(models(), url.update_query_dict({"options": "-csearch_path=no"}), tmp_path)
    with pytest.raises(
        ConfigurationError, match=r"none of the schemas of the search_path, .* no: "
    ):
        check(branch)
