"""Accounts on SQLite and on PostgreSQL, and apps that serve them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from tests.unit.authn.accounts.people import CHEAP, Mails, make_parts, quiet_end
from tests.unit.authn.tokens import Clock

from licet import Licet
from licet._state import app_state
from licet.authn.accounts.flask import LIMITS, MAIL, PASSWORDS, accounts_of
from licet.authn.accounts.parts import AccountParts
from licet.authn.accounts.passwords import Passwords
from licet.authn.accounts.tables import account, revocation, sign_up, throttle
from licet.db.engine import Database
from licet.db.migrate import upgrade


@pytest.fixture(scope="session")
def accounts_sqlite(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty migrated database file, to be copied instead of migrated again for each test."""
    path = tmp_path_factory.mktemp("template") / "licet.sqlite3"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    with database.read() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path.read_bytes()


@pytest.fixture
def sqlite_database(tmp_path: Path, accounts_sqlite: bytes) -> Iterator[Database]:
    path = tmp_path / "licet.sqlite3"
    path.write_bytes(accounts_sqlite)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def accounts_postgresql(postgresql_url: str) -> Iterator[Database]:
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
def postgresql_database(accounts_postgresql: Database) -> Database:
    names = ", ".join(table.name for table in (account, sign_up, throttle, revocation))
    with accounts_postgresql.read() as connection:
        connection.exec_driver_sql(f"TRUNCATE {names} CASCADE")
    return accounts_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    return request.getfixturevalue(f"{request.param}_database")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def parts(sqlite_database: Database, tmp_path: Path, clock: Clock) -> Iterator[AccountParts]:
    """Accounts on SQLite."""
    with quiet_end(make_parts(sqlite_database, tmp_path, clock=clock)) as made:
        yield made


@pytest.fixture
def parts_of_both(database: Database, tmp_path: Path, clock: Clock) -> Iterator[AccountParts]:
    """Accounts on each kind of database."""
    with quiet_end(make_parts(database, tmp_path, clock=clock)) as made:
        yield made


@pytest.fixture
def make_app(tmp_path: Path, accounts_sqlite: bytes) -> Iterator[Callable[..., Flask]]:
    """A function that makes an app which serves accounts."""
    made = []

    def built(*, limits=None, mail=None, **config: Any) -> Flask:
        path = tmp_path / "licet.sqlite3"
        if not path.exists():
            path.write_bytes(accounts_sqlite)
        app = Flask("licet_test_app", instance_path=str(tmp_path))
        app.config.update({"LICET_ACCOUNTS": True, "LICET_PROTECT": False} | config)
        state = app_state(app)
        state.put(PASSWORDS, Passwords(CHEAP))
        state.put(MAIL, mail or Mails())
        if limits is not None:
            state.put(LIMITS, limits)
        return app

    def bare(**options: Any) -> Flask:
        """The app with its settings, to which nothing is attached yet."""
        made.append(built(**options))
        return made[-1]

    def make(**options: Any) -> Flask:
        app = built(**options)
        Licet(app)
        made.append(app)
        return app

    make.bare = bare
    yield make
    for app in made:
        assert accounts_of(app).outbox.wait(10)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An app that serves accounts, with all else at its default."""
    return make_app(LICET_ACCOUNT_SCOPES="read write")
