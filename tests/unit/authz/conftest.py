"""An app without static files."""

import pytest
from flask import Flask


@pytest.fixture
def app(tmp_path) -> Flask:
    """A bare app that has no rule at all."""
    return Flask("audited", static_folder=None, instance_path=str(tmp_path / "instance"))
