"""``flask.request_lifecycle_hooks``."""

from licet.actions.hooks.cloudwatch import CloudWatchMetricEMFLogger

__all__ = ["CloudWatchMetricEMFLogger"]
