"""How much is tried in every run, and the databases that conditions are tried on."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from tests.property.condition_models import Base

settings.register_profile(
    "licet",
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("licet")


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
