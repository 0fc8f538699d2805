"""Databases of a small app, of both kinds, at its first revision."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.postgresql import empty_schema
from tests.unit.db.branches.notes import FIRST, branch_of, models

from licet.db.branches.branch import Branch
from licet.db.branches.moves.run import move


@pytest.fixture
def branch(database_url: str, tmp_path: Path) -> Branch:
    """The app at its first revision."""
    made = branch_of(models(), database_url, tmp_path / "migrations", FIRST)
    move(made, "upgrade")
    return made


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def migrated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Branch]]:
    """Makes branches of other models on one database at the first revision, which none changes."""
    folder = tmp_path_factory.mktemp("migrated")

    def of(url: str) -> Callable[..., Branch]:
        move(branch_of(models(), url, folder, FIRST), "upgrade")
        return lambda base: branch_of(base, url, folder)

    if request.param == "sqlite":
        yield of(f"sqlite:///{folder / 'notes.sqlite3'}")
    else:
        with empty_schema(request.getfixturevalue("postgresql_url")) as url:
            yield of(url)


@pytest.fixture
def own_postgresql_url(postgresql_url: str) -> Iterator[str]:
    """A database of its own, of which a copy can be made."""
    name = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgresql_url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} STRATEGY file_copy")
    yield sa.make_url(postgresql_url).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def own_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database that nothing else is in, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'own.sqlite3'}"
    found: str = request.getfixturevalue("own_postgresql_url")
    return found
