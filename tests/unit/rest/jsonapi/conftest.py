"""The conference of these tests."""

from collections.abc import Iterator

import pytest
from tests.unit.rest.jsonapi.conference import Conference, fill


@pytest.fixture
def conference() -> Iterator[Conference]:
    """A conference on SQLite, with its rows."""
    made = fill(Conference())
    yield made
    made.close()
