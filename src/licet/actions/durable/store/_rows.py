"""Between a row of a durable action and what the runtime makes of it; parameters of its SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic_core import from_json

from licet.actions._types import parse_duration
from licet.actions.documents import ActionStatusValue
from licet.actions.durable.steps.recorded import Mark, Stored
from licet.actions.lifecycle import Life, Phase
from licet.actions.store._rows import json_text
from licet.db.types import moment_of
from licet.wire.text import readable

__all__ = [
    "Claimed",
    "LogLine",
    "StoredRun",
    "as_seen",
    "claimed_run",
    "life_params",
    "log_params",
    "of_lease",
    "step_params",
    "stored_run",
    "stored_step",
    "this",
]

_NOBODY: Final = frozenset({"[]", "null"})


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """One line for an action's log."""

    code: str
    description: str
    details: Any = None


# Not frozen: one is made for each action that is run, and a frozen one takes three times as long.
@dataclass(kw_only=True, slots=True)
class StoredRun:
    """A durable action as its row says, and the version of the row that was read."""

    key: int
    version: int
    action_id: str
    creator_id: str
    caller: str | None
    has_principals: bool
    life: Life


@dataclass(kw_only=True, slots=True)
class Claimed(StoredRun):
    """An action that this worker holds, and what its handler needs."""

    request_id: str
    label: str | None
    start_time: str
    body: str
    handler_version: int
    claimed_at: datetime

    @property
    def waited(self) -> timedelta:
        """From when it was due to be claimed until it was."""
        return self.claimed_at - (self.life.ready_at or self.claimed_at)


def this(run: StoredRun) -> dict[str, Any]:
    """The parameters that name an action's row."""
    return {"key": run.key, "which": run.action_id}


def of_lease(held: Claimed) -> dict[str, Any]:
    """Those of a write that a worker's lease guards."""
    return {"key": held.key, "which": held.action_id, "lease": held.life.lease_number}


def as_seen(seen: StoredRun) -> dict[str, Any]:
    """Those of a write that the version guards which somebody read."""
    return this(seen) | {"seen": seen.version}


def step_params(
    held: Claimed, name: str, result: str, mark: Mark | None, now: datetime
) -> dict[str, Any]:
    """Those of a completed step."""
    place, function, digest = (None, None, None) if mark is None else mark
    return of_lease(held) | {
        "name": name,
        "result": result,
        "now": now,
        "place": place,
        "function": function,
        "digest": digest,
        "size_bytes": len(result.encode()),
    }


def stored_step(row: Sequence[Any]) -> Stored:
    """What a row of `STEP_MARKS` says."""
    name, place, function, digest, size_bytes = row
    return Stored(name, Mark(place, function or "", digest or ""), size_bytes or 0)


def log_params(line: LogLine, now: datetime) -> dict[str, Any]:
    """Those of a line of the log."""
    return {
        "time": now,
        "code": readable(line.code)[:64],
        "description": readable(line.description),
        "details": None if line.details is None else json_text(line.details),
    }


def life_params(life: Life) -> dict[str, Any]:
    """Those that set what a row says of its action's life."""
    completed = life.completion_time
    return {
        "phase": life.phase.value,
        "status": life.status.value,
        "details": json_text(life.details),
        "display_status": life.display_status,
        "attempt": life.attempt,
        "lease_until": life.lease_until,
        "ready_at": life.ready_at,
        "due_at": life.due_at,
        "completion_time": None if completed is None else completed.isoformat(),
        "release_at": life.due_at if life.phase is Phase.ENDED else None,
        "recoveries": life.recoveries,
    }


def stored_run(row: Sequence[Any]) -> StoredRun:
    """What a row of `BY_ACTION_ID` and its like says."""
    key, version, action_id, creator_id, caller, monitor_by, manage_by, *life = row
    return StoredRun(
        key=key,
        version=version,
        action_id=action_id,
        creator_id=creator_id,
        caller=caller,
        has_principals=_names_anybody(monitor_by, manage_by),
        life=_life(*life),
    )


def claimed_run(row: Sequence[Any], now: datetime, until: datetime) -> Claimed:
    """What a row says that was claimed now, until then."""
    key, version, action_id, creator_id, caller, monitor_by, manage_by = row[:7]
    request_id, label, start_time, body, details, attempt, lease_number = row[7:14]
    ready_at, deadline, release_after, cancel_requested_by, recoveries, handler_version = row[14:]
    return Claimed(
        key=key,
        version=version,
        action_id=action_id,
        creator_id=creator_id,
        caller=caller,
        has_principals=_names_anybody(monitor_by, manage_by),
        life=Life(
            phase=Phase.RUNNING,
            details=from_json(details),
            attempt=attempt,
            lease_number=lease_number,
            lease_until=until,
            ready_at=moment_of(ready_at),
            due_at=until,
            deadline=moment_of(deadline),
            release_after=None if release_after is None else parse_duration(release_after),
            cancel_requested_by=cancel_requested_by,
            recoveries=recoveries,
        ),
        request_id=request_id,
        label=label,
        start_time=start_time,
        body=body,
        handler_version=handler_version,
        claimed_at=now,
    )


def _names_anybody(monitor_by: str, manage_by: str) -> bool:
    return not (monitor_by in _NOBODY and manage_by in _NOBODY)


def _life(
    phase: str,
    status: str,
    details: str,
    display_status: str | None,
    attempt: int,
    lease_number: int,
    lease_until: Any,
    ready_at: Any,
    due_at: Any,
    deadline: Any,
    completion_time: str | None,
    release_after: str | None,
    cancel_requested_by: str | None,
    recoveries: int,
) -> Life:
    return Life(
        phase=Phase(phase),
        status=ActionStatusValue(status),
        details=from_json(details),
        display_status=display_status,
        attempt=attempt,
        lease_number=lease_number,
        lease_until=moment_of(lease_until),
        ready_at=moment_of(ready_at),
        due_at=moment_of(due_at),
        deadline=moment_of(deadline),
        completion_time=None
        if completion_time is None
        else datetime.fromisoformat(completion_time),
        release_after=None if release_after is None else parse_duration(release_after),
        cancel_requested_by=cancel_requested_by,
        recoveries=recoveries,
    )
