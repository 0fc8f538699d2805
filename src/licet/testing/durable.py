"""Durable actions in a test: run here and now, in the test's own thread."""

from __future__ import annotations

from flask import Flask

from licet.actions.durable.attempt import Attempt, Job
from licet.actions.durable.runtime import durable_runtime

__all__ = ["run_pending"]


OWNER = "licet.testing"
MAX_ACTIONS = 10_000


def run_pending(app: Flask, *, limit: int = MAX_ACTIONS) -> int:
    """How many attempts were made, one after the other, until no action is due any more.

    Set ``LICET_WORKER_THREADS`` to 0 in the test's app, so that nobody else makes them. What waits
    to be tried again stays queued until its time has come.

    Raises:
        RuntimeError: more than `limit` attempts were due.
    """
    runtime = durable_runtime(app)
    for n_attempts in range(limit):
        attempt = next(filter(None, map(_next_attempt, runtime.jobs)), None)
        if attempt is None:
            return n_attempts
        attempt.complete()
    raise RuntimeError(f"More than {limit} attempts were due: does an action queue others?")


def _next_attempt(job: Job) -> Attempt | None:
    held = job.runs.claim(OWNER, job.action.lease)
    return None if held is None else Attempt(job, held, lambda write: write())
