"""What is read and written of the rows of durable actions, by column."""

from __future__ import annotations

from typing import Final

from licet.actions.store.tables import action

__all__ = ["CLAIMED", "LIFE", "LIFE_COLUMNS", "STORED"]

# What a row says of its action's life, in the order in which `runs` reads it.
LIFE: Final = (
    action.c.phase,
    action.c.status,
    action.c.details,
    action.c.display_status,
    action.c.attempt,
    action.c.lease_number,
    action.c.lease_until,
    action.c.ready_at,
    action.c.due_at,
    action.c.deadline,
    action.c.completion_time,
    action.c.release_after,
    action.c.cancel_requested_by,
    action.c.recoveries,
)
STORED: Final = (
    action.c.id,
    action.c.version,
    action.c.action_id,
    action.c.creator_id,
    action.c.caller,
    action.c.monitor_by,
    action.c.manage_by,
    *LIFE,
)
# What a claim does not know beforehand of whatever is queued, as it is once that is claimed.
CLAIMED: Final = (
    action.c.id,
    action.c.version,
    action.c.action_id,
    action.c.creator_id,
    action.c.caller,
    action.c.monitor_by,
    action.c.manage_by,
    action.c.request_id,
    action.c.label,
    action.c.start_time,
    action.c.body,
    action.c.details,
    action.c.attempt,
    action.c.lease_number,
    action.c.ready_at,
    action.c.deadline,
    action.c.release_after,
    action.c.cancel_requested_by,
    action.c.recoveries,
    action.c.handler_version,
)

# What a change of an action's life sets; parameters have the same names.
LIFE_COLUMNS: Final = (
    "phase",
    "status",
    "details",
    "display_status",
    "attempt",
    "lease_until",
    "ready_at",
    "due_at",
    "completion_time",
    "release_at",
    "recoveries",
)
