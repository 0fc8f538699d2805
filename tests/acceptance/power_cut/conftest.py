"""The recorder, compiled once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.acceptance.power_cut.recording import compiled_recorder


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorder as a library; skips where there is no C compiler."""
    return compiled_recorder(tmp_path_factory.mktemp("recorder"))
