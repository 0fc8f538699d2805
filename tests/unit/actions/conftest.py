"""The store under test, on a SQLite file and on PostgreSQL: one contract for both."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from licet.actions.store import ActionStore
from licet.db.engine import Database
from licet.db.migrate import upgrade


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
