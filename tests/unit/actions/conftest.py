"""Apps with an instance folder of their own, and the store on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from licet.actions.store.actions import ActionStore
from licet.db.engine import Database


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
