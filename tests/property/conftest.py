"""The databases that conditions are tried on."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis.internal.conjecture import providers
from tests.property.condition_models import Base

KINDS = ("integers", "floats", "bytes", "strings")


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "english postgresql"])
def condition_connection(request: pytest.FixtureRequest) -> Iterator[sa.Connection]:
    """A connection to each kind of database, with empty tables of the models of conditions."""
    if request.param == "sqlite":
        engine = sa.create_engine("sqlite://")
    else:
        url = request.getfixturevalue(f"{request.param.replace(' ', '_')}_url")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        with connection.begin():
            Base.metadata.create_all(connection)
        yield connection
        with connection.begin():
            Base.metadata.drop_all(connection)
    engine.dispose()


@pytest.fixture
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A seed gives the same cases in each run.

    Hypothesis tries the constants of all modules that were imported so far, which are others in
    each process of a run.
    """
    none = type(providers.GLOBAL_CONSTANTS)(
        **{kind: type(providers.GLOBAL_CONSTANTS.integers)() for kind in KINDS}
    )
    monkeypatch.setattr(providers, "_get_local_constants", lambda: none)
    providers.CONSTANTS_CACHE.cache.clear()
    yield
    providers.CONSTANTS_CACHE.cache.clear()
