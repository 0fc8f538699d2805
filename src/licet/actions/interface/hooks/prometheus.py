"""The same figures for Prometheus. Extra: ``licet[metrics]``."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from flask import Response

from licet.actions.interface.hooks import _timing
from licet.errors import ConfigurationError

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
except ImportError as error:
    raise ConfigurationError(
        "Prometheus metrics need the metrics extra: pip install 'licet[metrics]'."
    ) from error

__all__ = ["PrometheusMetrics"]


class PrometheusMetrics:
    """Counts and times a provider's requests by operation and status.

    Metrics: ``licet_action_requests_total{provider, route, status}`` and
    ``licet_action_request_seconds{provider, route}``.

    Args:
        action_provider_name: the value of the provider label.
        registry: where the metrics are kept; several providers may share one.
    """

    def __init__(self, action_provider_name: str, registry: CollectorRegistry = REGISTRY) -> None:
        self._provider = action_provider_name
        self._requests, self._seconds = _metrics(registry)

    def before_request(self) -> None:
        """Note when the request began."""
        _timing.begin()

    def after_request(self, response: Response) -> Response:
        """Count the request; the response passes unchanged."""
        route = _timing.operation()
        if route is not None:
            self._requests.labels(self._provider, route, str(response.status_code)).inc()
            self._seconds.labels(self._provider, route).observe(_timing.seconds_since_begin())
        return response


_by_registry: WeakKeyDictionary[CollectorRegistry, tuple[Counter, Histogram]] = WeakKeyDictionary()


def _metrics(registry: CollectorRegistry) -> tuple[Counter, Histogram]:
    """The two metrics of a registry, made once: a registry takes each name only once."""
    made = _by_registry.get(registry)
    if made is None:
        made = _by_registry[registry] = (
            Counter(
                "licet_action_requests_total",
                "Requests to action providers.",
                ["provider", "route", "status"],
                registry=registry,
            ),
            Histogram(
                "licet_action_request_seconds",
                "How long requests to action providers take.",
                ["provider", "route"],
                registry=registry,
            ),
        )
    return made
