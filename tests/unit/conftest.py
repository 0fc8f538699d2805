"""An app in a temporary folder, and the reference site served over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from examples.site import create_app
from flask import Flask
from tests.unit.actions.serving import served

from licet.actions.flask import provider_scopes
from licet.authn.flask import embedded_issuer


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """A Flask app that nothing was attached to yet."""
    return Flask("licet_test_app", instance_path=str(tmp_path / "instance"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app({"LICET_INSTANCE_PATH": str(tmp_path_factory.mktemp("instance"))})


@pytest.fixture(scope="session")
def site_url(site: Flask) -> Iterator[str]:
    with served(site) as url:
        yield url


@pytest.fixture
def token(site: Flask, request: pytest.FixtureRequest) -> str:
    """A new user for each test, so that nobody sees another test's actions."""
    user = f"u{abs(hash(request.node.nodeid))}"
    return embedded_issuer(site).mint(user, provider_scopes(site))


@pytest.fixture
def no_backoff() -> Iterator[None]:
    """Retries without pauses, four attempts as always."""
    with stamina.set_testing(True, attempts=4):
        yield
