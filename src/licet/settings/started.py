"""Lines for the app's log that are written while the app is being made."""

from __future__ import annotations

import logging

from flask import Flask
from flask.logging import default_handler, has_level_handler

__all__ = ["log_at_start"]


def log_at_start(app: Flask, text: str, *values: object) -> None:
    """Log a line at INFO as `app.logger` would, without making that.

    The first use of `app.logger` adds Flask's handler, if logging is not configured yet. An app
    that configures it after its extensions would then find every line twice.
    """
    log = logging.getLogger(app.name)
    if log.level or not app.debug:
        log.info(text, *values, stacklevel=2)
        return
    # In debug mode, app.logger takes everything, and where nothing is configured it has a handler.
    record = log.makeRecord(log.name, logging.INFO, "licet", 0, text, values, None)
    if has_level_handler(log):
        log.handle(record)
    else:
        default_handler.handle(record)
