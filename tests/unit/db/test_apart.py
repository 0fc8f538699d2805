"""Migrations and metadata of an app leave licet's tables alone, and the reverse."""

import logging
from importlib.metadata import entry_points

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask

import licet.actions.store.tables
import licet.authn.accounts.tables
import licet.authn.sign_in.tables  # noqa: F401 - their tables are in licet's metadata
from licet import Licet
from licet.db import Database, include_object, upgrade
from licet.db.migrate import downgrade
from licet.db.tables import metadata as tables_of_licet
from licet.errors import UsageError


@pytest.fixture
def engine(database_url):
    """A database with licet's tables, an account, and a table of the app's with a row."""
    database = Database(database_url)
    upgrade(database)
    database.close()
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE note (id INTEGER NOT NULL PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO note VALUES (1)"))
        connection.execute(sa.text("INSERT INTO licet_serial VALUES ('kept', 1)"))
    yield engine
    engine.dispose()


@pytest.fixture
def models():
    """What the app's models say: that there is the table."""
    metadata = sa.MetaData()
    sa.Table("note", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


def changes(engine, *compared, **options):
    """What Alembic would change to make the database like the metadata."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, compared[0] if len(compared) == 1 else list(compared))


def names(engine):
    """The tables of a database that are the app's, and how many are licet's."""
    found = sa.inspect(engine).get_table_names()
    ours = [name for name in found if name.startswith("licet_")]
    return sorted(set(found) - set(ours)), len(ours)


OPTIONS = {
    "plain": {},
    "schemas": {
        "include_schemas": True,
        "include_name": lambda n, kind, _: kind != "schema" or not n,
    },
    "an own filter": {"include_object": lambda *_: True},
    "all plugins": {"autogenerate_plugins": ["alembic.autogenerate.*"]},
    "chosen plugins": {
        "autogenerate_plugins": ["alembic.autogenerate.tables", "alembic.autogenerate.schemas"],
        "include_object": include_object,
    },
}


def test_a_migration_of_the_app_leaves_licets_tables_out(engine, models):
    """Whatever its env.py sets, no table of licet's is dropped."""
    found = {name: changes(engine, models, **options) for name, options in OPTIONS.items()}
    assert not any(found.values()), found


def test_a_migration_of_the_app_still_finds_its_own_changes(engine):
    """A table without a model is dropped, a new one made, as without licet."""
    metadata = sa.MetaData()
    sa.Table("page", metadata, sa.Column("id", sa.Integer, primary_key=True))
    found = changes(engine, metadata, sa.MetaData())
    assert [(kind, table.name) for kind, table in found] == [
        ("add_table", "page"),
        ("remove_table", "note"),
    ]


def test_reflected_tables_are_left_out_and_told(engine, caplog):
    """A metadata that took licet's tables in, in part or as they are, changes none of them."""
    reflected, stub = sa.MetaData(), sa.MetaData()
    reflected.reflect(engine)
    sa.Table("note", stub, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table("licet_account", stub, sa.Column("id", sa.String(64), primary_key=True))
    sa.Table("licet_gone", stub, sa.Column("id", sa.Integer, primary_key=True))
    with caplog.at_level(logging.WARNING, "alembic.autogenerate.licet"):
        assert changes(engine, reflected) == []
        assert changes(engine, stub) == []
    assert "metadata holds licet_account, licet_gone: the prefix licet_ is licet's" in caplog.text


def test_licets_own_comparison_sees_its_tables(engine):
    """A table of licet's that no code knows any more is seen, by licet and by nobody else."""
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE licet_leftover (id INTEGER PRIMARY KEY)"))
    removed = [
        table.name for kind, table in changes(engine, tables_of_licet) if kind[-5:] == "table"
    ]
    assert "licet_leftover" in removed


def test_dropping_the_apps_tables_leaves_licets(engine, models):
    """``db.create_all`` and ``db.drop_all`` are about the models' tables only."""
    before = names(engine)
    models.drop_all(engine)
    assert names(engine) == ([], before[1])
    models.create_all(engine)
    assert names(engine) == before


def test_a_reflected_metadata_does_not_drop_licets_tables(engine, app):
    """``drop_all`` after a reflection is refused before anything is dropped; a choice is not."""
    Licet(app)
    metadata = sa.MetaData()
    metadata.reflect(engine)
    before = names(engine)
    with pytest.raises(UsageError, match=r"drop licet_account, .* Nothing was dropped"):
        metadata.drop_all(engine)
    assert names(engine) == before
    metadata.drop_all(engine, tables=[metadata.tables["note"]])
    assert names(engine) == ([], before[1])


def test_licet_may_drop_its_own(engine, app):
    """Its own metadata is not spared."""
    Licet(app)
    tables_of_licet.drop_all(engine)
    assert names(engine) == (["note"], 1)  # the version table


def test_licets_migrations_leave_the_apps_tables(engine):
    """Down and up again, the app's table and its row stand."""
    database = Database(engine.url.render_as_string(hide_password=False))
    downgrade(database)
    assert names(engine)[0] == ["note"]
    upgrade(database)
    database.close()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM note")) == 1


def test_two_apps_attach_it_once():
    """The listener is the process's, however many apps have licet."""
    for name in ("one", "two"):
        Licet(Flask(name))
    metadata = sa.MetaData()
    assert len(list(metadata.dispatch.before_drop)) <= 1


def test_older_versions_of_alembic_may_iterate_over_the_plugin():
    """Alembic 1.18 to 1.20.0 take what an entry point names for a collection of modules."""
    (found,) = entry_points(group="alembic.plugins", name="alembic.autogenerate.licet")

    assert list(found.load()) == [found.load()]
