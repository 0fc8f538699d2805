"""Sites for the tests of the interface: one shared by kind of provider, and new ones to order."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.api.providers import KINDS, MAKERS, Site, describe

_OPTIONS = ("additional_scopes", "request_lifecycle_hooks")


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One instance folder for all sites: its tables are made once, its keys fit everywhere."""
    return tmp_path_factory.mktemp("instance")


@pytest.fixture(scope="session")
def shared_sites(instance: Path) -> dict[str, Site]:
    """A site of each kind with the default description."""
    return {kind: Site(kind, MAKERS[kind](describe()), instance) for kind in KINDS}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """How the provider is made."""
    return str(request.param)


@pytest.fixture(params=["old", "new"])
def spelling(request: pytest.FixtureRequest) -> str:
    """Which of an operation's two routes is used."""
    return str(request.param)


@pytest.fixture
def site(kind: str, shared_sites: dict[str, Site]) -> Site:
    """The shared site of this kind."""
    return shared_sites[kind]


@pytest.fixture
def new_site(kind: str, instance: Path) -> Callable[..., Site]:
    """A function that makes a site of this kind with another description or configuration."""

    def make(config: dict[str, Any] | None = None, **changes: Any) -> Site:
        options = {name: changes.pop(name) for name in _OPTIONS if name in changes}
        return Site(kind, MAKERS[kind](describe(**changes), **options), instance, **config or {})

    return make


@pytest.fixture
def user() -> str:
    """A user whom no other test knows."""
    return f"user-{uuid.uuid4().hex[:12]}"
