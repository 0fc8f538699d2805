"""What a worker's keeper does for each attempt, again and again while it is under way.

It renews the lease, stores the last progress that was told, tells the handler to stop when its
action is cancelled or its time is over, and gives up on a handler that was told and goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from licet.actions.durable.attempt import Attempt
from licet.actions.durable.running import ActionStopped, Reason
from licet.errors import LeaseLost, StoreUnavailable

__all__ = ["GRACE_SECONDS", "Care"]

log = logging.getLogger(__name__)
GRACE_SECONDS: Final = 10.0
LOST_SECONDS: Final = 5.0  # how long a handler may go on that can store nothing any more
_ENDS: Final = (Reason.CANCELLED, Reason.DEADLINE, Reason.TIMED_OUT, Reason.LEASE_LOST)


class Care:
    """Looks after attempts.

    Args:
        give_up: ends an attempt whose handler goes on though it was told to stop, and why it was.
        grace_seconds: how long it may go on.
    """

    def __init__(
        self,
        give_up: Callable[[Attempt, Reason], None],
        *,
        grace_seconds: float,
    ) -> None:
        self._give_up = give_up
        self._grace_seconds = grace_seconds

    def look_after(self, attempt: Attempt) -> None:
        """One round; nothing is raised."""
        try:
            self._keep_lease(attempt)
            self._tell_to_stop(attempt)
            if attempt.action is not None:
                attempt.action.flush(waits=False)  # the other attempts' leases do not wait, either
        except (LeaseLost, ActionStopped):
            # or it has just ended, and is not read any more
            attempt.control.stop(Reason.LEASE_LOST)
        except StoreUnavailable:
            log.warning("Leases cannot be renewed: the database does not answer.")
        except Exception:
            log.exception("Action %s cannot be looked after.", attempt.held.action_id)
        self._notice_that_it_goes_on(attempt)

    def _notice_that_it_goes_on(self, attempt: Attempt) -> None:
        reason = attempt.control.reason
        if reason not in _ENDS:
            return
        if attempt.told_at is None:
            attempt.told_at = time.monotonic()
        grace_seconds = LOST_SECONDS if reason is Reason.LEASE_LOST else self._grace_seconds
        if time.monotonic() - attempt.told_at < grace_seconds:
            return
        try:
            self._give_up(attempt, reason)
        except LeaseLost:
            attempt.control.stop(Reason.LEASE_LOST)
        except StoreUnavailable:
            log.warning("Action %s cannot be ended: the database is away.", attempt.held.action_id)
        except Exception:
            log.exception("Action %s cannot be ended.", attempt.held.action_id)

    def _keep_lease(self, attempt: Attempt) -> None:
        """Renew the lease when a third of it is over; who wants the action's end is told with it.

        Raises:
            LeaseLost: the action is somebody else's now, or has ended.
            StoreUnavailable: the database does not answer.
        """
        lost = attempt.control.reason is Reason.LEASE_LOST
        action = attempt.job.action
        if lost or time.monotonic() - attempt.renewed_at < action.lease_seconds / 3:
            return
        cancelled_by = attempt.job.runs.renew(attempt.held, action.lease)
        attempt.renewed_at = time.monotonic()
        if cancelled_by is not None:
            attempt.control.stop(Reason.CANCELLED)

    def _tell_to_stop(self, attempt: Attempt) -> None:
        """Stop what takes longer than it may."""
        deadline, limit = attempt.held.life.deadline, attempt.job.action.attempt_seconds
        if deadline is not None and attempt.job.runs.clock() > deadline:
            attempt.control.stop(Reason.DEADLINE)
        if limit is not None and attempt.seconds > limit:
            attempt.control.stop(Reason.TIMED_OUT)
