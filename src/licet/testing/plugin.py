"""The pytest plugin: ``apt_blueprint_noauth``, ``flask_helpers_noauth``, ``fake_introspection``.

Registered as an entry point, so that it is there wherever licet is installed. The first two can be
asked for at session, module or function scope.

Every test run of an environment with licet imports this module, so it imports nothing of licet and
none of what licet needs until a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from licet.actions.interface.blueprint import ActionProviderBlueprint
    from licet.testing.introspection import FakeIntrospection

__all__ = ["apt_blueprint_noauth", "fake_introspection", "flask_helpers_noauth"]

_BLUEPRINT = "apt_blueprint_noauth"
_HELPERS = "flask_helpers_noauth"


@pytest.fixture(scope="session")
def apt_blueprint_noauth(
    pytestconfig: pytest.Config,
) -> Callable[[ActionProviderBlueprint], None]:
    """A function that lets a blueprint take every request, with or without a token.

    Call it before the blueprint is registered: ``apt_blueprint_noauth(aptb)``. In force while a
    test runs that asks for the fixture, directly or through another, and in no other.
    """
    opened = pytestconfig.stash.setdefault(_opened, [])

    def without_authentication(blueprint: ActionProviderBlueprint) -> None:
        if not any(known.blueprint is blueprint for known in opened):
            opened.append(_OpenBlueprint(blueprint))

    return without_authentication


class _OpenBlueprint:
    """A blueprint that takes every request, until it is closed."""

    def __init__(self, blueprint: ActionProviderBlueprint) -> None:
        from licet.testing.mocks import mock_tokenchecker  # noqa: PLC0415 - see the module

        self.blueprint = blueprint
        self._checker = mock_tokenchecker()
        self._removed: list[tuple[int, Any]] = []
        self.open()

    def open(self) -> None:
        functions = self.blueprint.deferred_functions
        for place, function in reversed(list(enumerate(functions))):
            if getattr(function, "__name__", "") == "_create_state_builder":
                self._removed.append((place, functions.pop(place)))
        self.blueprint.state_builder = self._checker

    def close(self) -> None:
        while self._removed:
            self.blueprint.deferred_functions.insert(*self._removed.pop())
        del self.blueprint.state_builder


@pytest.fixture(scope="session")
def flask_helpers_noauth() -> None:
    """Lets apps made with `add_action_routes_to_blueprint` take every request.

    In force while a test runs that asks for it, directly or through another fixture, and in no
    other: what `pytest_runtest_setup` does below.
    """


@pytest.fixture
def fake_introspection() -> FakeIntrospection:
    """The `transport` of an `IntrospectionVerifier`, whose tokens the test makes up."""
    from licet.testing.introspection import FakeIntrospection  # noqa: PLC0415 - see the module

    return FakeIntrospection()


@contextmanager
def _helpers_without_authentication() -> Iterator[None]:
    from unittest import mock  # noqa: PLC0415 - see the module

    from licet.testing.mocks import mock_authstate  # noqa: PLC0415 - see the module

    target = "licet.actions.interface.helpers.HelperStateBuilder"
    with (
        mock.patch(f"{target}.build_from_request", return_value=mock_authstate()),
        mock.patch(f"{target}.prepare"),
    ):
        yield


_active = pytest.StashKey[Any]()
_opened = pytest.StashKey[list[_OpenBlueprint]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the first fixture of a test that asks for either fixture."""
    asked = getattr(item, "fixturenames", ())
    if _BLUEPRINT in asked:
        for blueprint in item.config.stash.get(_opened, ()):
            blueprint.open()
    if _HELPERS in asked:
        item.stash[_active] = _helpers_without_authentication()
        item.stash[_active].__enter__()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """After the last."""
    if _BLUEPRINT in getattr(item, "fixturenames", ()):
        for blueprint in item.config.stash.get(_opened, ()):
            blueprint.close()
    active = item.stash.get(_active, None)
    if active is not None:
        del item.stash[_active]
        active.__exit__(None, None, None)
