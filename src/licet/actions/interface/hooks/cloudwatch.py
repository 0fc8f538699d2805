"""One line a request in CloudWatch's Embedded Metric Format.

Source: the CloudWatch Embedded Metric Format specification; the original toolkit for the names of
class, metrics and dimensions.
"""

from __future__ import annotations

import json
import logging
import time

from flask import Response

from licet.actions.interface.hooks import _timing
from licet.errors import ConfigurationError

__all__ = ["CloudWatchMetricEMFLogger"]

log = logging.getLogger("licet.cloudwatch_metric_emf_logger")
_METRICS = ("RequestCount", "2XXs", "4XXs", "5XXs", "RequestLatency")


class CloudWatchMetricEMFLogger:
    """Counts and times a provider's requests, those that were refused included.

    Each line has the metrics RequestCount, 2XXs, 4XXs, 5XXs and RequestLatency (milliseconds),
    once by ActionProvider and once by ActionProvider and Route.

    Args:
        namespace: the CloudWatch namespace.
        action_provider_name: the value of the ActionProvider dimension.
        log_level: the level to log the lines at; None prints them to standard output.
    """

    def __init__(
        self, namespace: str, action_provider_name: str, log_level: int | None = None
    ) -> None:
        if not namespace or not action_provider_name:
            raise ConfigurationError("CloudWatch metrics need a namespace and a provider's name.")
        self._namespace = namespace
        self._action_provider_name = action_provider_name
        self._log_level = log_level

    def before_request(self) -> None:
        """Note when the request began."""
        _timing.begin()

    def after_request(self, response: Response) -> Response:
        """Write the request's line; the response passes unchanged."""
        route = _timing.operation()
        if route is not None:
            self._emit(route, response.status_code, _timing.seconds_since_begin() * 1000)
        return response

    def _emit(self, route: str, status: int, latency_ms: float) -> None:
        line = json.dumps(self._document(route, status, latency_ms))
        if self._log_level is None:
            print(line, flush=True)  # noqa: T201 - CloudWatch's agent reads standard output
        else:
            log.log(self._log_level, "%s", line)

    def _document(self, route: str, status: int, latency_ms: float) -> dict[str, object]:
        dimensions = [["ActionProvider"], ["ActionProvider", "Route"]]
        metrics = [
            {"Name": name, "Unit": "Milliseconds" if name == "RequestLatency" else "Count"}
            for name in _METRICS
        ]
        return {
            "ActionProvider": self._action_provider_name,
            "Route": route,
            "RequestCount": 1,
            "2XXs": int(200 <= status < 300),
            "4XXs": int(400 <= status < 500),
            "5XXs": int(500 <= status < 600),
            "RequestLatency": latency_ms,
            "_aws": {
                "Timestamp": int(time.time() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": self._namespace,
                        "Dimensions": dimensions,
                        "Metrics": metrics,
                    }
                ],
            },
        }
