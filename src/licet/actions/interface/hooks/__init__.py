"""Lifecycle hooks that come with licet: metrics of a provider's requests.

`PrometheusMetrics` needs the extra ``licet[metrics]``; import it from its own module.
"""

from licet.actions.interface.hooks.cloudwatch import CloudWatchMetricEMFLogger

__all__ = ["CloudWatchMetricEMFLogger"]
