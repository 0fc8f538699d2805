"""``flask.request_lifecycle_hooks``."""

from licet.actions.interface.hooks.cloudwatch import CloudWatchMetricEMFLogger

__all__ = ["CloudWatchMetricEMFLogger"]
