"""What a guarded session commits is what an oracle of plain rows allows, and all of that."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.counts import count, is_full, only_full
from tests.property.write_faults import FAULTS
from tests.property.write_machine import WriteMachine
from tests.property.write_models import Base

pytestmark = pytest.mark.usefixtures("unmeasured")
N_SEQUENCES = {"sqlite": {"quick": 60, "full": 1_500}, "postgresql": {"quick": 25, "full": 500}}
ATTEMPTS = 12  # of 40 sequences each; nearly every fault is found in the first


@pytest.fixture(scope="module")
def sqlite_engine(tmp_path_factory) -> Iterator[sa.Engine]:
    """SQLite in a file, so that there can be two connections; with empty tables."""
    url = f"sqlite:///{tmp_path_factory.mktemp('writes') / 'library.sqlite3'}"
    engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql", only_full("english_postgresql")])
def engine(request) -> Iterator[sa.Engine]:
    """An engine of each kind of database, with empty tables."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_engine")
        return
    engine = sa.create_engine(request.getfixturevalue(f"{request.param}_url"))
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    yield engine
    Base.metadata.drop_all(engine)
    engine.dispose()


def _prepare(connection, _record) -> None:
    connection.isolation_level = None  # or Python's driver begins too late for savepoints
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA journal_mode=MEMORY")


def _begin(connection) -> None:
    connection.exec_driver_sql("BEGIN")


def run(engine, n_sequences, *, at=None, **options) -> None:
    """So many random sequences on the database, the same for the same `at`."""
    machine = type("Machine", (WriteMachine,), {"engine": engine})
    if at is not None:
        seed(at)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=n_sequences,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            **options,
        ),
    )


def test_a_guarded_session_commits_what_the_oracle_allows(engine):
    """After any sequence of changes a commit passes exactly when every touched row allows it."""
    run(engine, count(**N_SEQUENCES[engine.dialect.name]))


@pytest.mark.usefixtures("same_everywhere")
@pytest.mark.parametrize("fault", FAULTS if is_full() else FAULTS[:4], ids=lambda one: one.__name__)
def test_a_fault_is_found(fault, sqlite_engine, monkeypatch):
    """Each deliberate fault lets a commit pass that is denied, or refuses one that is allowed."""
    fault(monkeypatch)
    options = {"phases": [Phase.generate], "database": None, "report_multiple_bugs": False}
    # a row that a fault has nobody note may also be missing: a KeyError of its class
    told = r"is denied|is allowed|passed|visible|Mapper"
    with pytest.raises((AssertionError, RuntimeError, KeyError), match=told):
        for at in range(ATTEMPTS):
            run(sqlite_engine, 40, at=at, **options)
