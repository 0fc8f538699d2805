"""``flask db`` beside ``licet db`` and Flask-Migrate's."""

import sqlite3
from pathlib import Path

import click
import pytest
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from licet import Licet
from licet.db import head_revision, include_name, register_models
from licet.errors import ConfigurationError


@pytest.fixture
def make(tmp_path):
    """Makes an app with Flask-SQLAlchemy, and a function that runs its commands."""

    def made(*attached):
        class Base(DeclarativeBase):
            pass

        db = SQLAlchemy(model_class=Base)

        class Note(db.Model):
            id: Mapped[int] = mapped_column(primary_key=True)

        app = Flask("notes", instance_path=str(tmp_path / "instance"))
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'notes.sqlite3'}"
        db.init_app(app)
        for attach in attached:
            attach(app, db)
        return app, lambda *words: app.test_cli_runner().invoke(args=["db", *words])

    return made


def licet(app, _db):
    Licet(app)


def flask_migrate(app, db):
    Migrate(app, db, include_name=include_name)


def test_the_same_commands_under_flask(make, tmp_path):
    """The app's models have their own database, revisions and version table."""
    _app, flask_db = make(
        licet, lambda app, db: register_models(app, db, migrations=tmp_path / "migrations")
    )
    assert "makes the folder" in flask_db("init").stdout
    assert flask_db("migrate", "-m", "notes").exit_code == 0
    done = flask_db("upgrade")
    assert done.stdout.startswith(f"licet: revision {head_revision()}\napp: revision ")
    found = flask_db("check")
    assert (found.exit_code, found.stdout.count("agree")) == (0, 6)
    assert {path.name for path in tmp_path.glob("**/*.sqlite3")} == {
        "licet.sqlite3",
        "notes.sqlite3",
    }


FILTER = """
def include_object(object_, name, type_, reflected, compare_to):
    return not name.startswith("spatial_")

conf_args["include_name"] = lambda name, *_: True
context.configure(connection=connection, target_metadata=get_metadata(),
                  include_object=include_object, compare_type=True, **conf_args)
"""


def test_a_filter_of_an_env_that_is_not_read_is_told(make, tmp_path):
    """Each command names it, once; `ignored` says the same, and keeps the tables of others."""
    env = tmp_path / "migrations/env.py"
    env.parent.mkdir()
    env.write_text(FILTER)
    _app, flask_db = make(
        licet,
        lambda app, db: register_models(
            app, db, migrations=env.parent, ignored=lambda name: name.startswith("spatial_")
        ),
    )
    told = f"app: {env} configures include_name, include_object, which licet does not read: say it"
    with sqlite3.connect(tmp_path / "notes.sqlite3") as file:
        file.execute("CREATE TABLE spatial_ref_sys (id INTEGER)")
    file.close()
    done = flask_db("migrate", "-m", "notes")
    assert (done.exit_code, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith(told)
    assert "spatial" not in next(env.parent.glob("versions/*.py")).read_text()
    flask_db("upgrade")
    assert flask_db("check").stdout.count("agree") == 6
    assert flask_db("check", "--branch", "licet").stderr == ""


def test_what_else_is_left_out_is_told(make, tmp_path):
    """Folders of revisions that an alembic.ini adds, and the tables of other binds."""
    ini = tmp_path / "migrations/alembic.ini"
    ini.parent.mkdir()
    ini.write_text("[alembic]\nversion_locations = a b\nscript_location = x\n[loggers]\nkeys = a\n")

    def other_bind(app, db):
        app.config["SQLALCHEMY_BINDS"] = {"other": f"sqlite:///{tmp_path / 'other.sqlite3'}"}

        class Page(db.Model):
            __bind_key__ = "other"
            id: Mapped[int] = mapped_column(primary_key=True)

    _app, flask_db = make(
        licet, other_bind, lambda app, db: register_models(app, db, migrations=ini.parent)
    )
    assert flask_db("heads").stderr.splitlines() == [
        f"app: {ini} configures version_locations, which licet does not read: the revisions are "
        f"those in {ini.parent}/versions; take it out there.",
        "app: 1 tables of the bind other are left out: licet migrates and checks the default bind "
        "only.",
    ]


def test_the_env_of_flask_migrate_itself_says_nothing(make, tmp_path):
    """Its template has no setting that licet would have to read."""
    import flask_migrate

    template = Path(flask_migrate.__file__).parent / "templates/flask/env.py"
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/env.py").write_text(template.read_text())
    ini = (template.parent / "alembic.ini.mako").read_text()
    (tmp_path / "migrations/alembic.ini").write_text(ini)
    _app, flask_db = make(
        licet, lambda app, db: register_models(app, db, migrations=tmp_path / "migrations")
    )
    assert flask_db("heads").stderr == ""


@pytest.mark.parametrize("order", [(licet, flask_migrate), (flask_migrate, licet)])
def test_flask_migrates_own_stay(make, order):
    """In either order, `flask db` is Flask-Migrate's where that is in the app."""
    app, flask_db = make(*order)
    assert "Perform database migrations" in app.cli.commands["db"].help
    assert flask_db("--help").exit_code == 0


def test_another_command_of_the_app_stays(make):
    """An app's own `flask db` is not replaced."""

    def own(app, _db):
        app.cli.command("db")(lambda: click.echo("mine"))

    _app, flask_db = make(own, licet)
    assert flask_db().stdout == "mine\n"


def test_an_error_is_one_line(make):
    """Without a traceback, with the exit code that `licet db` has."""
    _app, flask_db = make(licet)
    found = flask_db("migrate", "-m", "x", "--branch", "app")
    assert (found.exit_code, found.output.count("\n")) == (2, 1)
    assert found.output.startswith("licet: The app has registered no models")


def test_models_are_registered_once_and_are_models(make):
    """What is none is refused, and so is a second call."""
    app, _ = make(licet)
    with pytest.raises(ConfigurationError, match="register_models got 3: give a declarative base"):
        register_models(app, 3)
    register_models(app, _base())
    with pytest.raises(ConfigurationError, match="has registered models already"):
        register_models(app, _base())


def _base():
    class Base(DeclarativeBase):
        pass

    return Base
