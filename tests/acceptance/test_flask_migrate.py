"""An app with Flask-Migrate and licet in one database, by the commands that people type."""

import os
import subprocess
import sys

import pytest
import sqlalchemy as sa

from licet.db import Database, upgrade
from licet.db.statement import Statement

APP = """
import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from licet import Licet
from licet.db import database_of

db = SQLAlchemy()


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)


def create_app(licet_first):
    app = Flask(__name__)
    url = os.environ["URL"]
    app.config.update(SQLALCHEMY_DATABASE_URI=url, LICET_DATABASE_URL=url)
    parts = [lambda: (db.init_app(app), Migrate(app, db)), lambda: Licet(app)]
    for attach in reversed(parts) if licet_first else parts:
        attach()
    database_of(app)  # makes licet's tables
    return app
"""
COMMANDS = """
import sys
from flask.cli import cli

for command in (["init"], ["migrate", "-m", "first"], ["upgrade"], ["check"]):
    cli.main(["--app", sys.argv[1], "db", *command], prog_name="flask", standalone_mode=False)
"""


@pytest.mark.parametrize(
    ("database_url", "app"),
    [("sqlite", "notes:create_app(True)"), ("postgresql", "notes:create_app(False)")],
    indirect=["database_url"],
)
def test_flask_migrate_leaves_licets_tables(tmp_path, database_url, app):
    """``flask db migrate`` and ``upgrade`` make the app's table; licet's stand with their rows."""
    (tmp_path / "notes.py").write_text(APP)
    database = Database(database_url)
    upgrade(database)
    with database.transaction() as transaction:
        transaction.execute(Statement(sa.text("INSERT INTO licet_serial VALUES ('kept', 1)")), {})
    before = tables(database)
    environ = {**os.environ, "URL": database_url, "LICET_INSTANCE_PATH": str(tmp_path)}
    command = [sys.executable, "-c", COMMANDS, app]
    done = subprocess.run(
        command, check=True, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120
    )

    assert "No new upgrade operations" in done.stdout + done.stderr
    (script,) = (tmp_path / "migrations/versions").glob("*.py")
    assert "create_table('note'" in script.read_text()
    assert "licet" not in script.read_text()
    assert tables(database) == before | {"alembic_version", "note"}
    kept = database.fetch_all(Statement(sa.text("SELECT name FROM licet_serial")), {})
    assert kept == [("kept",)]
    database.close()


def tables(database):
    """The names of a database's tables."""
    with database.read() as connection:
        return set(sa.inspect(connection).get_table_names())
