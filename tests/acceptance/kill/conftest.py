"""Systems of real processes for the kill matrix, and the table of what was counted."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from tests.acceptance.kill.journal import Counts
from tests.acceptance.kill.launcher import Launcher
from tests.acceptance.kill.system import System
from tests.valkey import Valkey, stoppable_valkey

_lines = pytest.StashKey[list[str]]()
KEPT = 2  # systems that are kept running for the tests that follow

Systems = Callable[[str], System]


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """What starts the processes."""
    found = Launcher()
    yield found
    found.end()


@pytest.fixture(scope="module")
def make_system(
    launcher: Launcher,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., System]]:
    """A function that makes a system of a kind, such as ``sqlite-celery``; ended at the end."""
    with ExitStack() as stack:

        def make(kind: str, **options: Any) -> System:
            database, dispatch = kind.split("-")
            folder = tmp_path_factory.mktemp(kind)
            url = f"sqlite:///{folder / 'kill.sqlite3'}"
            if database == "postgresql" and "database_url" not in options:
                url = new_database(request.getfixturevalue("postgresql_url"))
            if dispatch == "celery" and "broker_url" not in options:
                options["broker_url"] = stack.enter_context(stoppable_valkey()).url
            system = System(launcher=launcher, folder=folder, **{"database_url": url, **options})
            stack.callback(system.end)
            return system

        yield make


@pytest.fixture(scope="module")
def systems(make_system: Callable[..., System]) -> Systems:
    """A function that gives the running system of a kind, the same one for many tests."""
    running: dict[str, System] = {}

    def system(kind: str) -> System:
        if kind not in running:
            for other in list(running)[: max(0, len(running) - KEPT + 1)]:
                running.pop(other).end()
            running[kind] = make_system(kind)
        running[kind].ensure()
        return running[kind]

    return system


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A broker that the test may stop."""
    with stoppable_valkey() as server:
        yield server


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[..., None]:
    """A function that puts what was counted into the table at the end and the report."""

    def add(counts: Counts, **more: object) -> None:
        found = vars(counts) | {"unfinished": counts.unfinished} | more
        for name, value in found.items():
            request.node.user_properties.append((name, value))
        text = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items())
        request.config.stash.setdefault(_lines, []).append(f"{request.node.name}: {text}")

    return add


@pytest.fixture
def slack_seconds() -> float:
    """How much later than measured alone things may be, where other tests run at the same time."""
    return 2.0 if "PYTEST_XDIST_WORKER" in os.environ else 0.0


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table, whether output is captured or not."""
    if lines := config.stash.get(_lines, []):
        terminalreporter.section("killed and counted")
        for line in sorted(lines):
            terminalreporter.write_line(line)


def new_database(server_url: str) -> str:
    """The URL of an empty database of a server."""
    name = f"kill_{uuid.uuid4().hex}"
    engine = sa.create_engine(server_url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(autouse=True)
def _tell_outputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the outputs of the processes are, for a test that fails."""
    request.node.add_report_section("setup", "folder", str(tmp_path_factory.getbasetemp()))


@pytest.fixture(autouse=True)
def _unmeasured(unmeasured: None) -> None:
    """What runs here is in other processes."""
