"""When a request began, and which operation it is; shared by the hooks."""

from __future__ import annotations

import time

from flask import request

from licet.settings.state import request_state

__all__ = ["begin", "operation", "seconds_since_begin"]

_BEGAN = "began"


def begin() -> None:
    """Note the moment; the first hook to do so counts."""
    request_state().setdefault(_BEGAN, time.perf_counter())


def seconds_since_begin() -> float:
    """How long the request has taken so far."""
    now = time.perf_counter()
    return now - float(request_state().get(_BEGAN, now))


def operation() -> str | None:
    """The operation of the current request, or None for a route that is not one."""
    name = (request.endpoint or "").rpartition(".")[2]
    return name.removeprefix("action_") if name.startswith("action_") else None
