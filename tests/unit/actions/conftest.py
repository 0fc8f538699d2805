"""Apps with an instance folder of their own, and the store on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from licet.actions.store import ActionStore
from licet.db.engine import Database
from licet.db.migrate import upgrade


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder for sites that need not be alone: its tables are made once."""
    return tmp_path_factory.mktemp("instance")


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., Flask]:
    """A function that makes an app with the given configuration."""

    def make(**config: Any) -> Flask:
        app = Flask("app", instance_path=str(tmp_path))
        app.config.update({"LICET_INSTANCE_PATH": str(tmp_path)} | config)
        return app

    return make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An app with everything at its default."""
    return make_app()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty migrated database file, to be copied instead of migrated again for each test."""
    path = tmp_path_factory.mktemp("template") / "licet.sqlite3"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    with database.read() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path.read_bytes()


@pytest.fixture
def sqlite_path(tmp_path: Path, migrated_sqlite: bytes) -> Path:
    path = tmp_path / "licet.sqlite3"
    path.write_bytes(migrated_sqlite)
    return path


@pytest.fixture
def sqlite_database(sqlite_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{sqlite_path}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_url: str) -> Iterator[Database]:
    """A schema of our own, so that nothing else in that database is touched."""
    schema = f"licet_test_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgresql_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    url = sa.make_url(postgresql_url).update_query_dict({"options": f"-csearch_path={schema}"})
    database = Database(url.render_as_string(hide_password=False))
    upgrade(database)
    yield database
    database.close()
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))


@pytest.fixture
def postgresql_database(migrated_postgresql: Database) -> Database:
    with migrated_postgresql.read() as connection:
        connection.exec_driver_sql("TRUNCATE licet_action CASCADE")
    return migrated_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    return request.getfixturevalue(f"{request.param}_database")


@pytest.fixture
def store(database: Database) -> ActionStore:
    return ActionStore("unit", lambda: database)
