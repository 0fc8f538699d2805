"""What every test may ask for, and that no setting of the machine reaches a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.postgresql import NoLocale, empty_schema, temporary_server

# A machine that is busy makes no test fail.
settings.register_profile("licet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("licet")


# What the tests are told by the environment is read before `pytest_runtestloop` empties it.
POSTGRESQL_URL = os.environ.get("LICET_TEST_POSTGRESQL_URL")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Have no setting of the machine reach a test, nor a name that is none: that is refused."""
    for name in [name for name in os.environ if name.startswith("LICET_")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server: ``LICET_TEST_POSTGRESQL_URL``, or one made for this run."""
    if POSTGRESQL_URL:
        yield POSTGRESQL_URL
    else:
        with temporary_server() as url:
            yield url


@pytest.fixture(scope="session")
def english_postgresql_url() -> Iterator[str]:
    """A PostgreSQL server that sorts text like a dictionary: ``a < B < c``."""
    try:
        with temporary_server(locale="en_US") as url:
            yield url
    except NoLocale as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


@pytest.fixture
def postgresql_schema_url(postgresql_url: str) -> Iterator[str]:
    """A URL whose tables are in an empty schema of their own."""
    with empty_schema(postgresql_url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind that licet supports."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite3'}"
    fixture: Callable[[str], str] = request.getfixturevalue
    return fixture("postgresql_schema_url")
