"""An attempt that is under way in this process, as its worker's threads share it."""

from __future__ import annotations

import time

from licet.actions.durable.execution import Execution, Job

__all__ = ["Attempt"]


class Attempt:
    """An attempt that a thread of this process is at, and when its lease was last renewed."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.is_abandoned = False
        self.is_last_of_thread = False  # another has taken its thread's place
        self.has_left_its_place = False
        self.lost_at: float | None = None
        self.reserved: Job | None = None  # of which the next was asked for as this one ended
        self.n_told = 0  # of how many the worker had been told then
        self.found_none = False  # there was none, of any job
        self.n_wanted = 1  # threads that look, by how long this one took, on SQLite
        self.leaves_it_to_others = False  # who look already: more would only wait for each other
        self._begun_at = self._renewed_at = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has been under way."""
        return time.monotonic() - self._begun_at

    def must_renew(self) -> bool:
        """Whether a third of the lease is over."""
        third = self.execution.job.action.lease_seconds / 3
        return time.monotonic() - self._renewed_at >= third

    def renew(self) -> None:
        """Hold the action for another lease from now.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
            StoreUnavailable: the database does not answer.
        """
        execution = self.execution
        execution.job.runs.renew(execution.held, execution.job.action.lease)
        self._renewed_at = time.monotonic()
