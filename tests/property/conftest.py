"""The databases that conditions are tried on."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from tests.property.condition_models import Base


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
