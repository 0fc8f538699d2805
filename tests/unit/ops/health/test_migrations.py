"""Health knows of migrations: revisions each time, a SELECT on every model once."""

import sqlite3
import time

import pytest
import sqlalchemy as sa
from flask import Flask
from tests.unit.db.branches.notes import FIRST, branch_of, models, script
from tests.unit.db.branches.test_moves import ask

from licet import Licet
from licet.db import register_models, upgrade
from licet.db.branches.moves.run import move
from licet.db.flask import ENGINE, make_database
from licet.ops.health import check_migrations
from licet.settings.state import app_state

UP_TO_DATE = (True, "database up to date with migrations")


@pytest.fixture
def make(database_url, tmp_path):
    """Makes an app with authors and notes, and the branch of its models."""
    apps = []

    def made(fault="", *, is_migrated=True):
        base = models(fault)
        app = Flask("notes", instance_path=str(tmp_path / "instance"))
        app.config.update(LICET_DATABASE_URL=database_url, LICET_MIGRATE_AT_START=False)
        Licet(app)
        apps.append(app)
        register_models(app, base, migrations=tmp_path / "migrations")
        branch = branch_of(base, database_url, tmp_path / "migrations", FIRST)
        if is_migrated:
            upgrade(engine_of(app))
            move(branch, "upgrade")
        return app, branch

    yield made
    for app in apps:
        engine_of(app).close()


def engine_of(app):
    """The database of licet's tables, as the app connects to it."""
    return app_state(app).get_or_build(ENGINE, make_database)


def test_what_fits_is_healthy(make):
    """With a database that each of the two branches is at its newest revision of."""
    app, _branch = make()
    assert check_migrations(app) == UP_TO_DATE
    with app.app_context():
        assert check_migrations() == UP_TO_DATE


def test_a_database_that_is_behind_is_not_healthy(make, caplog):
    """The revisions are in the log; once it is upgraded, health is well in the same process."""
    app, branch = make(is_migrated=False)
    out = "database out of date with migrations"
    assert check_migrations(app) == (False, f"licet: {out}; app: {out}")
    upgrade(engine_of(app))
    assert check_migrations(app) == (False, f"app: {out}")
    assert branch.is_sqlite or "is at revision none, and the code at aa01" in caplog.text
    move(branch, "upgrade")
    assert check_migrations(app) == UP_TO_DATE


def test_a_new_revision_of_the_database_is_noticed(make):
    """Another process may migrate or undo at any time."""
    app, branch = make()
    assert check_migrations(app) == UP_TO_DATE
    move(branch, "downgrade", "base")
    assert check_migrations(app) == (False, "app: database out of date with migrations")


def test_a_model_without_a_migration_is_not_healthy(make, caplog):
    """The model is named, and the database's own words are in the log alone."""
    app, _branch = make("column")
    found = check_migrations(app)
    assert found == (False, "app: Author model out of date with migrations")
    assert "website" in caplog.text


def test_the_models_are_read_once_for_each_revision(make):
    """What costs more than one SELECT is done at the first probe, and after each migration."""
    app, branch = make()
    assert check_migrations(app) == UP_TO_DATE
    statements = []

    def note(_connection, _cursor, statement, *_others):
        statements.append(statement)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", note)
    try:
        assert check_migrations(app) == UP_TO_DATE
        assert sorted({text.split("FROM ")[1].strip() for text in statements}) == [
            "alembic_version",
            "licet_alembic_version",
        ]
        ask(branch, "UPDATE alembic_version SET version_num = 'ffff'")
        del statements[:]
        assert check_migrations(app) == (True, "app: the database was migrated by newer code")
        assert any("FROM author" in text for text in statements)
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", note)


def test_a_database_that_is_ahead_is_healthy_while_it_fits(make):
    """Old code goes on beside newer, until a model of it cannot be read."""
    app, branch = make()
    ask(branch, "UPDATE alembic_version SET version_num = 'ffff'")
    assert check_migrations(app) == (True, "app: the database was migrated by newer code")
    ask(branch, "UPDATE alembic_version SET version_num = 'gggg'")
    ask(branch, "ALTER TABLE author RENAME COLUMN name TO called")
    assert check_migrations(app) == (False, "app: Author model out of date with migrations")


def test_a_probe_takes_little_cpu(make):
    """Once the models were read."""
    app, _branch = make()
    check_migrations(app)
    times = []
    for _ in range(30):
        begun = time.process_time()
        check_migrations(app)
        times.append(time.process_time() - begun)
    assert min(times) < 0.002  # 0.7 ms, while other tests run at the same time


def test_a_database_that_does_not_answer_is_told(make, tmp_path):
    """A sentence without its place; the reason is in the log."""
    app, _branch = make()
    app.config.update(LICET_DATABASE_URL=f"postgresql+psycopg://x@/none?host={tmp_path}")
    other = Flask("other", instance_path=str(tmp_path / "instance"))
    other.config.update(app.config)
    Licet(other)
    assert check_migrations(other) == (False, "licet: the database does not answer")


def test_a_script_that_cannot_be_read_is_told(make, caplog):
    """Which one is in the log."""
    app, branch = make()
    (branch.versions / "1.py").write_text("def upgrade(:")
    assert check_migrations(app) == (False, "the migrations cannot be checked")
    assert "1.py cannot be loaded" in caplog.text


def test_the_embedded_database_is_made_first(tmp_path):
    """An app that nobody has used yet is healthy, as its first use would make the tables."""
    app = Flask("notes", instance_path=str(tmp_path / "instance"))
    Licet(app)
    assert check_migrations(app) == UP_TO_DATE
    with sqlite3.connect(tmp_path / "instance/licet.sqlite3") as made:
        assert made.execute("SELECT count(*) FROM licet_action").fetchone() == (0,)
    made.close()
    engine_of(app).close()


def test_a_pending_revision_is_noticed_by_a_new_process(make):
    """The scripts are read once: new code is another process."""
    app, branch = make()
    assert check_migrations(app) == UP_TO_DATE
    (branch.versions / "1.py").write_text(script("bb02", "aa01"))
    assert check_migrations(app) == UP_TO_DATE
    again, _branch = make(is_migrated=False)
    assert check_migrations(again) == (False, "app: database out of date with migrations")
