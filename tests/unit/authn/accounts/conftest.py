"""Accounts on SQLite and on PostgreSQL, and apps that serve them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from tests.unit.authn.accounts.people import CHEAP, Mails, make_parts, quiet_end
from tests.unit.authn.made_tokens import Clock

from licet import Licet
from licet.authn.accounts.flask import LIMITS, MAIL, PASSWORDS, accounts_of
from licet.authn.accounts.parts import AccountParts
from licet.authn.accounts.passwords import Passwords
from licet.authn.accounts.tables import account, revocation, sign_up, throttle
from licet.db.engine import Database
from licet.settings.state import app_state


@pytest.fixture
def postgresql_database(migrated_postgresql: Database) -> Database:
    names = ", ".join(table.name for table in (account, sign_up, throttle, revocation))
    with migrated_postgresql.read() as connection:
        connection.exec_driver_sql(f"TRUNCATE {names} CASCADE")
    return migrated_postgresql


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
def make_app(tmp_path: Path, migrated_sqlite: bytes) -> Iterator[Callable[..., Flask]]:
    """A function that makes an app which serves accounts."""
    made = []

    def built(*, limits=None, mail=None, **config: Any) -> Flask:
        path = tmp_path / "licet.sqlite3"
        if not path.exists():
            path.write_bytes(migrated_sqlite)
        app = Flask("licet_test_app", instance_path=str(tmp_path))
        app.config.update(
            {"LICET_ACCOUNTS": True, "LICET_SIGN_UP": "open", "LICET_PROTECT": False} | config
        )
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
