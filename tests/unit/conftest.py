"""An app whose keys and database are in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """A Flask app that nothing was attached to yet."""
    return Flask("licet_test_app", instance_path=str(tmp_path / "instance"))
