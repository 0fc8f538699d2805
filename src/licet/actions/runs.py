"""Durable actions in the database: who holds which, and every change of their lives.

`licet.actions.lifecycle` says what may follow; here each change is one guarded statement. A worker
holds an action by a lease with a number: whatever it writes names that number, and changes nothing
once another has claimed the action.

Concurrency: safe from any number of threads and processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic_core import from_json

from licet.actions import _run_statements as sql
from licet.actions._rows import json_text
from licet.actions._types import is_plain_text, parse_duration, readable
from licet.actions.documents import ActionStatusValue
from licet.actions.lifecycle import Life, Phase
from licet.db.engine import Database, Transaction
from licet.db.statement import Statement
from licet.db.types import moment_of
from licet.errors import LeaseLost

__all__ = ["Claimed", "LogLine", "Runs", "StoredRun", "stored_providers"]

SKEW: Final = timedelta(seconds=5)
_NOBODY: Final = frozenset({"[]", "null"})


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """One line for an action's log."""

    code: str
    description: str
    details: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRun:
    """A durable action as its row says, and the version of the row that was read."""

    key: int
    version: int
    action_id: str
    creator_id: str
    caller: str | None
    has_principals: bool
    life: Life


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed(StoredRun):
    """An action that this worker holds, and what its handler needs."""

    request_id: str
    label: str | None
    start_time: str
    body: str


class _Refused(Exception):
    """A guard within a transaction did not hold."""


class Runs:
    """The durable actions of one provider.

    Args:
        provider: the name under which they are stored.
        database: called for the database at each use.
        clock: the present moment, aware.
    """

    def __init__(
        self,
        provider: str,
        database: Callable[[], Database],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.provider = provider
        self.clock = clock
        self._database = database

    # --- for workers

    def claim(self, owner: str, lease: timedelta, *, limit: int = 1) -> list[Claimed]:
        """At most `limit` actions that are due, from now on held by `owner`."""
        return self._claimed(sql.CLAIM_NEXT, owner, lease, {"count": limit})

    def claim_one(self, owner: str, lease: timedelta, action_id: str) -> Claimed | None:
        """The action, if it is queued and its time has come, or will within seconds.

        Who says so by a message may have a clock that is a little ahead.
        """
        if not is_plain_text(action_id):
            return None
        params = {"a": action_id, "soon": self.clock() + SKEW}
        return next(iter(self._claimed(sql.CLAIM_ONE, owner, lease, params)), None)

    def claim_ready(self, owner: str, lease: timedelta) -> Claimed | None:
        """The next action whose time has come, also one that somebody was told of just now."""
        return next(iter(self._claimed(sql.CLAIM_READY, owner, lease, {"count": 1})), None)

    def _claimed(
        self, statement: Statement, owner: str, lease: timedelta, more: Mapping[str, Any]
    ) -> list[Claimed]:
        now = self.clock()
        params = {"p": self.provider, "now": now, "until": now + lease, "owner": owner, **more}
        until = params["until"]
        return [_claimed_run(until, row) for row in self._database().fetch_all(statement, params)]

    def renew(self, held: Claimed, lease: timedelta) -> None:
        """Hold it for another `lease` from now; also after it ran out, if nobody claimed it.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
        """
        self._require(
            held, self._database().execute(sql.RENEW, _of(held) | {"until": self.clock() + lease})
        )

    def cancel_requested_by(self, held: Claimed) -> str | None:
        """Who asked for its end, if anybody.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
        """
        row = self._database().fetch_one(sql.HELD, _of(held))
        if row is None:
            raise LeaseLost(held.action_id)
        return None if row[0] is None else str(row[0])

    def move(self, held: Claimed, life: Life, *, log: Sequence[LogLine] = ()) -> None:
        """Let go of an action in the state that `life` says, the lines of `log` with it.

        Doing the same again, after an answer was lost, is no error.

        Raises:
            LeaseLost: it is somebody else's now, or has ended; nothing was written.
        """
        params = _life_params(life) | _of(held)
        if not (log or held.has_principals):  # alone, it is a transaction
            changed = self._database().execute(sql.MOVE_HELD, params)
        else:
            with self._database().transaction() as transaction:
                changed = transaction.execute(sql.MOVE_HELD, params)
                if changed:
                    self._add_to_change(transaction, held, life, log)
        if not changed and not self._is_moved(held, life):
            raise LeaseLost(held.action_id)

    def _is_moved(self, held: Claimed, life: Life) -> bool:
        """Whether the row says already what was to be written, by this same lease."""
        now = self.find(held.action_id)
        return (
            now is not None
            and now.life.lease_number == held.life.lease_number
            and now.life.phase == life.phase
            and now.life.status == life.status
            and now.life.details == life.details
            and now.life.completion_time == life.completion_time
            and now.life.ready_at == life.ready_at
        )

    def _add_to_change(
        self, transaction: Transaction, run: StoredRun, life: Life, log: Sequence[LogLine]
    ) -> None:
        now = self.clock()
        for line in log:
            transaction.execute(sql.INSERT_LOG, _log(line, now) | {"action": run.key})
        if run.has_principals:
            params = {"key": run.key, "status": life.status.value}
            transaction.execute(sql.TELL_PRINCIPALS, params)

    def pause(self, held: Claimed, life: Life, *, step: str, line: LogLine) -> bool:
        """Let an action wait, and complete the step that is its pause.

        Returns:
            False when somebody asked meanwhile that it end: nothing was written.

        Raises:
            LeaseLost: it is somebody else's now, or has ended; nothing was written.
        """
        with suppress(_Refused), self._database().transaction() as transaction:
            transaction.execute(sql.INSERT_STEP, _step(held, step, "null", self.clock()))
            if not transaction.execute(sql.PAUSE_HELD, _life_params(life) | _of(held)):
                raise _Refused  # rolls the step back
            self._add_to_change(transaction, held, life, [line])
            return True
        if self._is_moved(held, life):
            return True
        self.cancel_requested_by(held)  # raises when it is not held any more
        return False

    def progress(self, held: Claimed, details: Any, display_status: str | None) -> None:
        """Tell how far it is.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
        """
        params = {"details": json_text(details), "display_status": display_status}
        self._require(held, self._database().execute(sql.PROGRESS, params | _of(held)))

    def add_log(self, held: Claimed, line: LogLine) -> None:
        """Add a line to its log.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
        """
        params = _log(line, self.clock()) | _of(held)
        params |= {
            "about": params.pop("code"),
            "text": params.pop("description"),
            "more": params.pop("details"),
            "now": params.pop("time"),
        }
        self._require(held, self._database().execute(sql.INSERT_HELD_LOG, params))

    def steps(self, held: Claimed) -> dict[str, str]:
        """The results of its completed steps, as JSON, by their names."""
        return dict(self._database().fetch_all(sql.STEPS, _this(held)))

    def add_step(self, held: Claimed, name: str, result: str) -> None:
        """Keep the result, JSON, of a completed step.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
        """
        params = _step(held, name, result, self.clock())
        self._require(held, self._database().execute(sql.INSERT_STEP, params))

    def _require(self, held: Claimed, changed: int) -> None:
        if not changed:
            raise LeaseLost(held.action_id)

    # --- for everybody else

    def find(self, action_id: str) -> StoredRun | None:
        """The action, or None when this provider has none of that id."""
        if not is_plain_text(action_id):
            return None
        row = self._database().fetch_one(sql.BY_ACTION_ID, {"a": action_id, "p": self.provider})
        return None if row is None else _stored_run(row)

    def change(self, seen: StoredRun, life: Life, *, log: Sequence[LogLine] = ()) -> bool:
        """Give an action the state that `life` says, unless its row has changed since it was seen.

        Returns:
            Whether it was changed.
        """
        params = _life_params(life) | _as(seen)
        if not (log or seen.has_principals):
            return self._database().execute(sql.MOVE_UNCHANGED, params) == 1
        with self._database().transaction() as transaction:
            changed = transaction.execute(sql.MOVE_UNCHANGED, params) == 1
            if changed:
                self._add_to_change(transaction, seen, life, log)
        return changed

    def request_cancel(self, seen: StoredRun, by: str) -> bool:
        """Ask the worker of a running action to stop, unless the row has changed."""
        params = _as(seen) | {"now": self.clock(), "cancel_requested_by": by}
        return self._database().execute(sql.REQUEST_CANCEL, params) == 1

    def postpone(self, seen: StoredRun, until: datetime) -> bool:
        """Let the sweeper look at a queued action later, unless the row has changed."""
        params = _as(seen) | {"until": until}
        return self._database().execute(sql.POSTPONE, params) == 1

    def due(self, phase: Phase, *, limit: int) -> list[StoredRun]:
        """Those of one phase that must be looked at, the longest due first."""
        params = {"p": self.provider, "of_phase": phase, "now": self.clock(), "count": limit}
        return [_stored_run(row) for row in self._database().fetch_all(sql.DUE, params)]

    def past_deadline(self, *, limit: int) -> list[StoredRun]:
        """Those whose deadline has passed and that have not ended, the longest overdue first."""
        params = {"p": self.provider, "now": self.clock(), "count": limit}
        return [_stored_run(row) for row in self._database().fetch_all(sql.PAST_DEADLINE, params)]

    def release(self, seen: StoredRun) -> bool:
        """Forget an action, its log and its steps, unless the row has changed."""
        return self._database().execute(sql.RELEASE, _as(seen)) == 1


def stored_providers(database: Database) -> Iterator[str]:
    """Every name under which actions are stored."""
    name = ""
    while (row := database.fetch_one(sql.NEXT_PROVIDER, {"p": name})) is not None:
        name = str(row[0])
        yield name


def _this(run: StoredRun) -> dict[str, Any]:
    return {"key": run.key, "which": run.action_id}


def _of(held: Claimed) -> dict[str, Any]:
    return _this(held) | {"lease": held.life.lease_number}


def _as(seen: StoredRun) -> dict[str, Any]:
    return _this(seen) | {"seen": seen.version}


def _step(held: Claimed, name: str, result: str, now: datetime) -> dict[str, Any]:
    return _of(held) | {"name": name, "result": result, "now": now}


def _log(line: LogLine, now: datetime) -> dict[str, Any]:
    return {
        "time": now,
        "code": readable(line.code)[:64],
        "description": readable(line.description),
        "details": None if line.details is None else json_text(line.details),
    }


def _life_params(life: Life) -> dict[str, Any]:
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
    }


def _stored_run(row: Sequence[Any]) -> StoredRun:
    key, version, action_id, creator_id, caller, monitor_by, manage_by, *life = row
    return StoredRun(
        key=key,
        version=version,
        action_id=action_id,
        creator_id=creator_id,
        caller=caller,
        has_principals=not (monitor_by in _NOBODY and manage_by in _NOBODY),
        life=_life(*life),
    )


def _claimed_run(until: datetime, row: Sequence[Any]) -> Claimed:
    key, version, action_id, creator_id, caller, monitor_by, manage_by = row[:7]
    request_id, label, start_time, body, details, attempt, lease_number = row[7:14]
    ready_at, deadline, release_after, cancel_requested_by = row[14:]
    return Claimed(
        key=key,
        version=version,
        action_id=action_id,
        creator_id=creator_id,
        caller=caller,
        has_principals=not (monitor_by in _NOBODY and manage_by in _NOBODY),
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
        ),
        request_id=request_id,
        label=label,
        start_time=start_time,
        body=body,
    )


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
    )
