"""Tables of every shape: what is written from the models is what the check then finds.

Each is one that a public report says Alembic's autogenerate finds anew, loses or cannot write.
"""

import enum

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql as pg
from tests.unit.db.branches.notes import branch_of
from tests.unit.db.branches.test_checks import execute, texts
from tests.unit.db.branches.test_moves import ask

from licet.db.branches.checks import check
from licet.db.branches.moves.run import move
from licet.db.branches.writing import write_revision
from licet.db.types import UTCDateTime

C = sa.Column


class Colour(enum.Enum):
    red = 1
    blue = 2


def table(metadata, name, *parts, **options):
    key = C("id", sa.Integer, primary_key=True)
    return sa.Table(name, metadata, key, *parts, **options)


def shapes(metadata, *, is_sqlite):
    """Put a table of each shape into the metadata."""
    table(
        metadata,
        "defaults",
        C("a", sa.Boolean, server_default=sa.true()),
        C("b", sa.String(9), server_default=""),
        C("c", sa.String(9), server_default="it's"),
        C("d", sa.String(9), server_default=sa.text("'x:y'")),
        C("e", sa.Integer, server_default=sa.text("-1")),
        C("f", sa.String(9), server_default="50%"),
        C("g", sa.DateTime(timezone=True), server_default=sa.func.now()),
        C("h", sa.DateTime, server_default=sa.func.current_timestamp()),
    )
    indexed = table(metadata, "indexed", C("x", sa.Integer), C("y", sa.String(9)))
    sa.Index("ix_desc", indexed.c.x.desc())
    sa.Index("ix_lower", sa.func.lower(indexed.c.y), unique=True)
    only = sa.text("x > 1")
    sa.Index("ix_partial", indexed.c.x, unique=True, sqlite_where=only, postgresql_where=only)
    table(
        metadata,
        "order",
        C("group", sa.Integer, nullable=False),
        C("Mixed", sa.String(4), unique=True),
        C("with space", sa.Integer, index=True),
        sa.CheckConstraint('"group" > 0', name="ck_order_group"),
        sa.UniqueConstraint("Mixed", "group", name="uq_Mixed"),
    )
    table(
        metadata,
        "checked",
        C("x", sa.String(9)),
        C("y", sa.Boolean(create_constraint=True, name="ck_y")),
        C("z", sa.Enum(Colour, native_enum=False, create_constraint=True, name="ck_z")),
        sa.CheckConstraint("x NOT LIKE 'a:b%'", name="ck_percent"),
        sa.CheckConstraint("(x = '' AND (y OR z IN ('red', 'x'))) OR x <> ':y'", name="ck_nested"),
        sa.CheckConstraint("x <> 'a'\n  AND x <> 'b'", name="ck_lines"),
    )
    table(metadata, "coloured", C("x", sa.Enum(Colour, name="colour")))
    table(metadata, "again", C("x", sa.Enum(Colour, name="colour"), server_default="red"))
    table(metadata, "odd", C("x", sa.Enum("it's", "50%", "a:b", name="Odd Name")))
    table(metadata, "parent", C("p", sa.Integer, sa.ForeignKey("parent.id", name="fk_self")))
    sa.Table(
        "pair", metadata, C("p", sa.Integer, primary_key=True), C("q", sa.Integer, primary_key=True)
    )
    table(
        metadata,
        "child",
        C("p", sa.Integer),
        C("q", sa.Integer),
        C("o", sa.ForeignKey("order.id", name="fk_late", deferrable=True, initially="DEFERRED")),
        C("n", sa.ForeignKey("parent.id")),
        sa.ForeignKeyConstraint(["p", "q"], ["pair.p", "pair.q"], name="fk", ondelete="SET NULL"),
        comment="a 'table' -- CHECK (x > 0)",
    )
    table(
        metadata,
        "typed",
        C("a", sa.Numeric(10, 2)),
        C("b", sa.Double),
        C("c", sa.Uuid),
        C("d", sa.JSON),
        C("e", UTCDateTime),
        C("f", sa.Interval),
        C("x", sa.Integer),
        C("y", sa.Integer, sa.Computed("x + 1", persisted=True)),
    )
    if not is_sqlite:
        _of_postgresql(metadata)


def _of_postgresql(metadata):
    ops = {"j": "jsonb_path_ops"}
    table(
        metadata,
        "own",
        C("j", pg.JSONB),
        C("letters", pg.ARRAY(sa.Enum("a", "b", name="letter"))),
        C("r", pg.INT4RANGE),
        C("u", sa.Integer),
        C("t", sa.String(9, collation="C")),
        sa.Index("ix_gin", "j", postgresql_using="gin", postgresql_ops=ops),
        sa.Index("ix_include", "u", postgresql_include=["t"]),
        sa.UniqueConstraint("u", name="uq_u", postgresql_nulls_not_distinct=True),
        pg.ExcludeConstraint((sa.column("r"), "&&"), name="ex_r"),
    )
    key = C("id", sa.Uuid, primary_key=True, server_default=sa.func.gen_random_uuid())
    sa.Table("by_uuid", metadata, key)
    sa.Table("counted", metadata, C("id", sa.Integer, sa.Identity(always=True), primary_key=True))


def test_every_shape_is_written_and_checked(database_url, tmp_path):
    """One revision makes them all, up, down and up; then nothing differs and nothing is written."""
    base = orm.declarative_base()
    shapes(base.metadata, is_sqlite=database_url.startswith("sqlite"))
    branch = branch_of(base, database_url, tmp_path)
    assert write_revision(branch, "first").unresolved == ()
    move(branch, "upgrade")
    assert texts(check(branch).differences) == ""
    assert write_revision(branch, "again") is None
    move(branch, "downgrade", "base")
    move(branch, "upgrade")
    assert texts(check(branch).differences) == ""


def _column_check(metadata, n):
    # SQLAlchemy 2.0.40 does not find a rule of several lines in SQLite
    space = " " if sa.__version__.startswith("2.0.4") else "\n "
    rule = sa.CheckConstraint(f"n{space}> {n}", name="ck_n")
    table(metadata, "t", C("n", sa.Integer, rule))


def _partial(metadata, n):
    column = table(metadata, "t", C("n", sa.Integer)).c.n
    only = sa.text(f"n > {n}")
    sa.Index("ix", column, sqlite_where=only, postgresql_where=only)


def _computed(metadata, n):
    table(metadata, "t", C("x", sa.Integer), C("y", sa.Integer, sa.Computed(f"x + {n}")))


def _wider_key(metadata, n):
    sa.Table(
        "t",
        metadata,
        C("a", sa.Integer, primary_key=True, autoincrement=False),
        C("b", sa.Integer, primary_key=n == 2, nullable=False),
    )


def _enum_with_check(metadata, n):
    kind = sa.Enum(*"abc"[: n + 1], "long" * n, native_enum=False, create_constraint=True, name="k")
    table(metadata, "t", C("k", kind))


def _text_to_enum(metadata, n):
    table(metadata, "t", C("k", sa.Enum("a", name="kk") if n == 2 else sa.String(9)))


def _enum_to_text(metadata, n):
    _text_to_enum(metadata, 3 - n)


@pytest.mark.parametrize("change", [_column_check, _enum_with_check, _text_to_enum, _enum_to_text])
def test_a_change_that_alembic_passes_over_is_written(database_url, tmp_path, change):
    """Up to the models, and down to what was."""
    before, after = _two(change, database_url, tmp_path)
    assert write_revision(before, "first").unresolved == ()
    move(before, "upgrade")
    assert write_revision(after, "second").unresolved == ()
    move(after, "upgrade")
    assert texts(check(after).differences) == ""
    move(after, "downgrade", "-1")
    assert texts(check(before).schema) == ""


@pytest.mark.parametrize("change", [_partial, _computed, _wider_key])
def test_a_change_that_cannot_be_written_is_left_to_be_resolved(database_url, tmp_path, change):
    """It is never taken for nothing: what `check` finds, the revision names."""
    before, after = _two(change, database_url, tmp_path)
    write_revision(before, "first")
    move(before, "upgrade")
    assert write_revision(after, "second").unresolved
    assert "unresolved" in {one.kind for one in check(after).revisions}


def _two(change, url, folder):
    """The branch with the models of before, and with those of after."""
    for number in (1, 2):
        base = orm.declarative_base()
        change(base.metadata, number)
        yield branch_of(base, url, folder)


def test_keys_in_a_circle_are_left_to_be_resolved(postgresql_schema_url, tmp_path):
    """Autogenerate leaves out what is added by ALTER: the trial notices."""
    base = orm.declarative_base()
    late = sa.ForeignKey("b.id", name="fk_a_b", use_alter=True)
    table(base.metadata, "a", C("b", sa.Integer, late))
    table(base.metadata, "b", C("a", sa.Integer, sa.ForeignKey("a.id", name="fk_b_a")))
    branch = branch_of(base, postgresql_schema_url, tmp_path)
    (told,) = write_revision(branch, "first").unresolved
    assert told.startswith("a lacks the foreign key fk_a_b")


def test_a_type_that_the_downgrade_leaves_is_told(postgresql_schema_url, tmp_path):
    """The next upgrade would fail on it."""
    base = orm.declarative_base()
    domain = pg.DOMAIN("positive", sa.Integer, check=sa.text("VALUE > 0"))
    table(base.metadata, "a", C("x", domain))
    branch = branch_of(base, postgresql_schema_url, tmp_path)
    (told,) = write_revision(branch, "first").unresolved
    newer = "the downgrade leaves the type positive: drop it"
    assert told == newer or "NameError" in told  # an older Alembic writes no domain


def test_an_index_that_was_not_built_to_its_end_is_found(postgresql_schema_url, tmp_path):
    """A concurrent build that fails leaves an index that no query uses."""
    base = orm.declarative_base()
    sa.Index("ix", table(base.metadata, "t", C("x", sa.Integer)).c.x)
    branch = branch_of(base, postgresql_schema_url, tmp_path)
    write_revision(branch, "first")
    move(branch, "upgrade")
    ask(branch, "INSERT INTO t VALUES (1, 0)")
    execute(branch, "DROP INDEX ix")
    engine = sa.create_engine(branch.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as on, pytest.raises(sa.exc.DataError):
        on.exec_driver_sql("CREATE INDEX CONCURRENTLY ix ON t ((1 / x))")
    assert "INVALID: it was not built to its end" in texts(check(branch).schema)
