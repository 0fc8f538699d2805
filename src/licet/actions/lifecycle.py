"""The life of a durable action, as a pure state machine.

Decides which state follows from which, and what a row then says; it reads no clock and writes
nothing. `licet.actions.durable.store.runs` writes what comes out of it, in one guarded statement
each.

::

                   claim                        finish, fail for good
      ┌─ QUEUED ──────────▶ RUNNING ───────────────────────────▶ ENDED
      │    ▲  ▲               │  │                                 ▲
      │    │  └── retry, ─────┘  │ pause                           │
      │    │   give back,        ▼                                 │
      │    │   lose the lease  PAUSED ── cancel, deadline ─────────┤
      │    └───── resume ────────┘                                 │
      └── cancel, deadline ────────────────────────────────────────┘

Source: spec, section 4 "Lifecycle".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from licet.actions.documents import ActionStatusValue
from licet.errors import ActionConflict

__all__ = [
    "RETENTION",
    "Ending",
    "Life",
    "Phase",
    "begin",
    "cancel",
    "claim",
    "end",
    "exceed_deadline",
    "fail",
    "give_back",
    "lose_lease",
    "lose_right",
    "lose_version",
    "pause",
    "resume",
]

RETENTION: Final = timedelta(days=30)


class Phase(StrEnum):
    """Where a stored action stands; `OUTSIDE` are those that callbacks look after themselves."""

    OUTSIDE = "outside"  # → ENDED; the runtime leaves it alone
    QUEUED = "queued"  # → RUNNING by a claim, ENDED by cancel or deadline
    RUNNING = "running"  # → ENDED, PAUSED, or QUEUED again by a retry, a stop or a lost lease
    PAUSED = "paused"  # → QUEUED by resume, ENDED by cancel or deadline
    ENDED = "ended"  # final, until it is released


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How an action ends: its last details, and the text that people are shown."""

    status: ActionStatusValue
    details: Any
    display_status: str | None = None


class Life(NamedTuple):
    """What the row of an action says about its life.

    `attempt` counts from 1, and goes up when one has failed: not by a pause, nor when a lease was
    given back or lost. `recoveries` counts the leases that were lost. `lease_number` goes up with
    every claim; whoever writes names the one they hold. `ready_at` is when a queued action may be
    claimed; `due_at` when the sweeper must look next: when it may be claimed, the lease runs out,
    or it is to be released.

    A tuple, because one is made at each step of each action: a frozen dataclass takes three times
    as long to make, and to replace.
    """

    phase: Phase
    status: ActionStatusValue = ActionStatusValue.ACTIVE
    details: Any = None
    display_status: str | None = None
    attempt: int = 1
    lease_number: int = 0
    lease_until: datetime | None = None
    ready_at: datetime | None = None
    due_at: datetime | None = None
    deadline: datetime | None = None
    completion_time: datetime | None = None
    release_after: timedelta | None = None
    cancel_requested_by: str | None = None
    recoveries: int = 0


def begin(
    now: datetime,
    *,
    deadline: datetime | None = None,
    release_after: timedelta | None = None,
    dispatch_again_after: timedelta | None = None,
) -> Life:
    """A new action: queued, and nobody's.

    With `dispatch_again_after` somebody was told of it already, and the sweeper waits that long.
    """
    return Life(
        phase=Phase.QUEUED,
        details={},
        ready_at=now,
        due_at=now if dispatch_again_after is None else now + dispatch_again_after,
        deadline=deadline,
        release_after=release_after,
    )


def claim(life: Life, now: datetime, lease: timedelta) -> Life:
    """The same, held by a worker; what the statement that claims does in the database."""
    _require(life, Phase.QUEUED, "claimed")
    return life._replace(
        phase=Phase.RUNNING,
        lease_number=life.lease_number + 1,
        lease_until=now + lease,
        due_at=now + lease,
    )


def end(life: Life, now: datetime, ending: Ending) -> Life:
    """Ended by its handler; past the deadline that is too late, whatever the handler says."""
    _require(life, Phase.RUNNING, "finished")
    if life.deadline is not None and now > life.deadline:
        return exceed_deadline(life, now)
    return _ended(life, now, ending)


def fail(
    life: Life,
    now: datetime,
    ending: Ending,
    *,
    retry_after: timedelta | None,
    max_attempts: int,
) -> Life:
    """After a failed attempt: queued for the next, or ended by this one's ending.

    `retry_after` is None when the failure is not one that another attempt could mend.
    """
    _require(life, Phase.RUNNING, "failed")
    if retry_after is None or life.attempt >= max_attempts:
        return end(life, now, ending)
    if life.cancel_requested_by is not None:
        return _ended(life, now, _cancelled(life.cancel_requested_by))
    return _queued(life, now + retry_after, attempt=life.attempt + 1)


def lose_lease(
    life: Life,
    now: datetime,
    *,
    max_recoveries: int,
    has_progressed: bool = False,
    apart: timedelta = timedelta(0),
) -> Life:
    """After its worker was not heard of: queued again, unless it is the last that may be lost.

    What counts are workers that were lost one after another without completing a step: an action
    that gets on is not at fault when its process dies. From the second on it waits `apart` for the
    next, so that those that were lost together are not begun together again.
    """
    _require(life, Phase.RUNNING, "reclaimed")
    if life.cancel_requested_by is not None:
        return _ended(life, now, _cancelled(life.cancel_requested_by))
    life = life._replace(recoveries=0 if has_progressed else life.recoveries + 1)
    if life.recoveries >= max_recoveries:
        workers = f"{life.recoveries} worker{'s' if life.recoveries > 1 else ''}"
        ending = _failure(
            "WorkersLost", f"{workers} died with the action before a step of it was completed."
        )
        return _ended(life, now, ending)
    ready_at = now + apart if life.recoveries > 1 else now
    return _queued(life, ready_at, attempt=life.attempt)


def give_back(life: Life, now: datetime) -> Life:
    """Queued again by a worker that stops: no attempt is lost."""
    _require(life, Phase.RUNNING, "given back")
    return _queued(life, now, attempt=life.attempt)


def pause(life: Life, now: datetime, details: Any) -> Life:
    """Waiting for somebody; who asked meanwhile that it be cancelled has it cancelled."""
    _require(life, Phase.RUNNING, "paused")
    if life.cancel_requested_by is not None:
        return _ended(life, now, _cancelled(life.cancel_requested_by))
    return life._replace(
        phase=Phase.PAUSED,
        status=ActionStatusValue.INACTIVE,
        details=details,
        display_status=None,
        lease_until=None,
        ready_at=None,
        due_at=None,
    )


def resume(life: Life, now: datetime) -> Life:
    """Queued again after a pause; one that goes on already stays as it is.

    Raises:
        ActionConflict: it has ended.
    """
    if life.phase in (Phase.QUEUED, Phase.RUNNING):
        return life
    if life.phase is not Phase.PAUSED:
        raise ActionConflict(f"The action is {life.status} and cannot be resumed.")
    return _queued(life, now, attempt=life.attempt)._replace(
        status=ActionStatusValue.ACTIVE,
        details={},
    )


def cancel(life: Life, now: datetime, by: str) -> Life:
    """Ended at once where nobody works on it; else its worker is asked to stop."""
    if life.phase is Phase.ENDED:
        return life
    if life.phase is Phase.RUNNING:
        return life if life.cancel_requested_by else life._replace(cancel_requested_by=by)
    return _ended(life._replace(cancel_requested_by=by), now, _cancelled(by))


def exceed_deadline(life: Life, now: datetime) -> Life:
    """Ended because its time is over."""
    moment = "" if life.deadline is None else f" {life.deadline.isoformat()}"
    ending = _failure("DeadlineExceeded", f"The deadline{moment} passed before the action ended.")
    return _ended(life, now, ending)


def lose_right(life: Life, now: datetime) -> Life:
    """Ended because its creator may not run it any more."""
    ending = _failure(
        "NoLongerAuthorized", "Who started the action may not run actions of this provider now."
    )
    return _ended(life, now, ending)


def lose_version(life: Life, now: datetime, version: int) -> Life:
    """Ended because no worker has the version of the handler that it was submitted to."""
    _require(life, Phase.QUEUED, "given up")
    ending = _failure(
        "VersionGone",
        f"The action is for version {version} of its provider, which no worker has any more.",
    )
    return _ended(life, now, ending)


def _require(life: Life, phase: Phase, what: str) -> None:
    if life.phase is not phase:
        raise ActionConflict(f"The action is {life.phase}, so it cannot be {what}.")


def _queued(life: Life, ready_at: datetime, *, attempt: int) -> Life:
    return life._replace(
        phase=Phase.QUEUED,
        attempt=attempt,
        display_status=None,
        lease_until=None,
        ready_at=ready_at,
        due_at=ready_at,
    )


def _ended(life: Life, now: datetime, ending: Ending) -> Life:
    kept = RETENTION if life.release_after is None else life.release_after
    return Life(
        phase=Phase.ENDED,
        status=ending.status,
        details=ending.details,
        display_status=ending.display_status,
        attempt=life.attempt,
        lease_number=life.lease_number,
        due_at=now + max(kept, timedelta(0)),
        deadline=life.deadline,
        completion_time=now,
        release_after=life.release_after,
        cancel_requested_by=life.cancel_requested_by,
        recoveries=life.recoveries,
    )


def _failure(code: str, description: str) -> Ending:
    return Ending(
        status=ActionStatusValue.FAILED,
        details={"code": code, "description": description},
        display_status=code,
    )


def _cancelled(by: str) -> Ending:
    return _failure("Cancelled", f"Cancelled by {by}")
