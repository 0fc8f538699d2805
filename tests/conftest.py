"""What every test may ask for, and that no setting of the machine reaches a test."""

from __future__ import annotations

import multiprocessing.util
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from coverage import Coverage
from tests.postgresql import NoLocale, empty_schema, temporary_server

from tests import counts

# The one authority that tests trust, who vouches for nobody. A client that loads those of the
# machine, which no test asks for anything, takes 25 ms for that.
AUTHORITY = Path(__file__).with_name("authority.pem")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--full``: try everything that there is, with full counts."""
    parser.addoption(counts.FULL, action="store_true", help="full counts, as in make prove")


def pytest_configure(config: pytest.Config) -> None:
    """Tell `counts` before any test module is imported."""
    counts.load(full=config.getoption(counts.FULL))
    os.environ["SSL_CERT_FILE"] = str(AUTHORITY)
    os.environ.pop("SSL_CERT_DIR", None)
    multiprocessing.util.get_temp_dir()  # now: within a test's folder a socket's path is too long
    if hasattr(config, "workerinput"):  # what this process starts is not to be measured, too
        os.environ.pop("COVERAGE_PROCESS_START", None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for full runs only."""
    if counts.is_full():
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


# What the tests are told by the environment is read before `pytest_runtestloop` empties it.
POSTGRESQL_URL = os.environ.get("LICET_TEST_POSTGRESQL_URL")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Have no setting of the machine reach a test, nor a name that is none: that is refused."""
    for name in [name for name in os.environ if name.startswith("LICET_")]:
        del os.environ[name]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Save what was measured: pytest-xdist ends a process that takes ten seconds to end."""
    coverage = Coverage.current()
    if coverage is not None:
        coverage.save()


@pytest.fixture(autouse=True, scope="session")
def _no_worker_outlives_the_run() -> Iterator[None]:
    """An app that works on durable actions looks into its database, and logs, until it is stopped.

    `durable_runtime(app).stop(0)` does that; with LICET_WORKER_THREADS=0 none begins.
    """
    yield
    left = [thread for thread in threading.enumerate() if thread.name == "licet-sweeper"]
    for thread in left:
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()], "an app's workers were not stopped"


@pytest.fixture
def unmeasured() -> Iterator[None]:
    """No coverage is counted during the test, which has other proofs and takes twice as long so."""
    coverage = Coverage.current()
    if coverage is None:
        yield
        return
    coverage.stop()
    yield
    coverage.start()


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
        counts.unavailable(str(error))


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
