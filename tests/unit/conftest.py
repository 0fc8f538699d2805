"""Apps in temporary folders, migrated databases, and the reference site served over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from flask import Flask
from services.site import create_app
from tests.postgresql import empty_schema
from tests.unit.actions.serving import served

from licet.actions import durable_runtime
from licet.actions.interface.flask import provider_scopes
from licet.authn.issuers import embedded_issuer
from licet.db.engine import Database
from licet.db.migrate import upgrade


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """A Flask app that nothing was attached to yet."""
    return Flask("licet_test_app", instance_path=str(tmp_path / "instance"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    found = create_app({"LICET_INSTANCE_PATH": str(tmp_path_factory.mktemp("instance"))})
    yield found
    durable_runtime(found).stop(0)


@pytest.fixture(scope="session")
def site_url(site: Flask) -> Iterator[str]:
    with served(site) as url:
        yield url


@pytest.fixture
def token(site: Flask, request: pytest.FixtureRequest) -> str:
    """A new user for each test, so that nobody sees another test's actions."""
    user = f"u{abs(hash(request.node.nodeid))}"
    return embedded_issuer(site).mint(user, provider_scopes(site))


@pytest.fixture
def no_backoff() -> Iterator[None]:
    """Retries without pauses, four attempts as always."""
    stamina.set_testing(True, attempts=4)
    yield
    stamina.set_testing(False)


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
    """A schema with licet's tables, which the tests empty before they use them."""
    with empty_schema(postgresql_url) as url:
        database = Database(url)
        upgrade(database)
        yield database
        database.close()
