"""The conference of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.rest.jsonapi.conference import Conference, fill


@pytest.fixture
def conference(tmp_path: Path) -> Iterator[Conference]:
    """A conference on SQLite, with its rows."""
    made = fill(Conference(instance=tmp_path))
    yield made
    made.close()
