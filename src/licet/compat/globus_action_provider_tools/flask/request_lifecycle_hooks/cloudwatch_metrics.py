"""``flask.request_lifecycle_hooks.cloudwatch_metrics``."""

from typing import Literal

from licet.actions.interface.hooks.cloudwatch import CloudWatchMetricEMFLogger

__all__ = ["CloudWatchMetricEMFLogger", "CloudWatchUnit"]

CloudWatchUnit = Literal["Count", "Milliseconds"]
