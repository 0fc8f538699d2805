"""A provider's requests as Prometheus metrics."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.api.providers import PREFIX, Site, describe, make_callbacks

from licet.actions.interface.hooks.prometheus import PrometheusMetrics
from licet.errors import ConfigurationError


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def make_site(instance: Path, registry: CollectorRegistry, name: str = "echo") -> Site:
    hook = PrometheusMetrics(name, registry)
    blueprint = make_callbacks(describe(), request_lifecycle_hooks=[hook])
    blueprint.add_url_rule("/extra/page/here", "extra", lambda: "x")
    return Site("callbacks", blueprint, instance)


def count(registry: CollectorRegistry, route: str, status: str, provider: str = "echo") -> float:
    labels = {"provider": provider, "route": route, "status": status}
    return registry.get_sample_value("licet_action_requests_total", labels) or 0


def test_requests_are_counted_by_route_and_status(instance: Path, registry: CollectorRegistry):
    """Refused requests are counted too."""
    site = make_site(instance, registry)
    site.call("introspect")
    site.call("run", by=None)
    site.call("run", by=None)
    site.call("status")

    assert count(registry, "introspect", "200") == 1
    assert count(registry, "run", "401") == 2
    assert count(registry, "status", "404") == 1


def test_requests_are_timed_by_route(instance: Path, registry: CollectorRegistry):
    """The histogram holds every request of the route."""
    make_site(instance, registry).call("introspect")

    labels = {"provider": "echo", "route": "introspect"}
    assert registry.get_sample_value("licet_action_request_seconds_count", labels) == 1
    assert registry.get_sample_value("licet_action_request_seconds_sum", labels) > 0


def test_two_providers_share_a_registry(instance: Path, registry: CollectorRegistry):
    """A second hook on the same registry uses the same metrics."""
    make_site(instance, registry, "a").call("introspect")
    make_site(instance, registry, "b").call("introspect")

    assert count(registry, "introspect", "200", "a") == 1
    assert count(registry, "introspect", "200", "b") == 1


def test_other_views_are_not_counted(instance: Path, registry: CollectorRegistry):
    """Only the interface's operations are routes."""
    make_site(instance, registry).client.get(f"{PREFIX}/extra/page/here")

    assert not [s for metric in registry.collect() for s in metric.samples]


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch):
    """Importing the module without prometheus-client says what to install."""
    name = "licet.actions.interface.hooks.prometheus"
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, name)

    with pytest.raises(ConfigurationError, match=r"licet\[metrics\]"):
        importlib.import_module(name)
