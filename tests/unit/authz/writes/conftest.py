"""The library of these tests."""

from collections.abc import Iterator

import pytest
from tests.unit.authz.writes.library import Library


@pytest.fixture
def library() -> Iterator[Library]:
    """A library that guards what blocks write, and nothing else."""
    made = Library()
    yield made
    made.close()


@pytest.fixture
def guarded() -> Iterator[Library]:
    """A library that guards whatever its requests write."""
    made = Library(guard_writes=True)
    yield made
    made.close()
