"""Durable actions in the database: who holds which, and every change of their lives.

`licet.actions.lifecycle` says what may follow; here each change is one guarded statement. A worker
holds an action by a lease with a number: whatever it writes names that number, and changes nothing
once another has claimed the action.

Concurrency: safe from any number of threads and processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple

from licet.actions.durable.steps.recorded import Mark, Stored
from licet.actions.durable.store import _statements as sql
from licet.actions.durable.store._rows import (
    Claimed,
    LogLine,
    StoredRun,
    as_seen,
    claimed_run,
    life_params,
    log_params,
    of_lease,
    step_params,
    stored_run,
    stored_step,
    this,
)
from licet.actions.lifecycle import Life, Phase
from licet.actions.store._rows import json_text
from licet.db.engine import Database, Transaction
from licet.db.statement import Statement
from licet.errors import LeaseLost
from licet.wire.text import is_storable

__all__ = ["Claimed", "LogLine", "Move", "Runs", "StoredRun"]

THE_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
SKEW: Final = timedelta(seconds=5)


class _Refused(Exception):
    """A guard within a transaction did not hold."""


class Move(NamedTuple):
    """A worker's last word on an attempt: the state that its action has now, and log lines."""

    runs: Runs
    held: Claimed
    life: Life
    log: Sequence[LogLine] = ()


class Runs:
    """The durable actions of one provider.

    Args:
        provider: the name under which they are stored.
        database: called for the database at each use.
        versions: those of the handler that claims are for.
        clock: the present moment, aware.
    """

    def __init__(
        self,
        provider: str,
        database: Callable[[], Database],
        *,
        versions: Iterable[int] = (1,),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.provider = provider
        self.clock = clock
        self._database = database
        self._versions = f",{','.join(map(str, versions))},"

    @property
    def database(self) -> Database:
        """Where they are stored."""
        return self._database()

    @cached_property
    def takes_turns(self) -> bool:
        """Whether the database lets only one thread write at a time."""
        return self._database().is_sqlite

    # --- for workers

    def claim(
        self, owner: str, lease: timedelta, *, since: datetime = THE_BEGINNING
    ) -> Claimed | None:
        """The action that has been due longest, from now on held by `owner`; see `claim_many`."""
        return next(iter(self.claim_many(owner, lease, 1, since=since)), None)

    def claim_many(
        self, owner: str, lease: timedelta, count: int, *, since: datetime = THE_BEGINNING
    ) -> list[Claimed]:
        """At most so many actions that have been due longest, from now on held by `owner`.

        PostgreSQL passes over those that were due before `since`.
        """
        return self._claimed(sql.CLAIM_NEXT, owner, lease, {"since": since, "count": count})

    def claim_one(self, owner: str, lease: timedelta, action_id: str) -> Claimed | None:
        """The action, if it is queued and its time has come, or will within seconds.

        Who says so by a message may have a clock that is a little ahead.
        """
        if not is_storable(action_id):
            return None
        params = {"a": action_id, "soon": self.clock() + SKEW, "count": 1}
        return next(iter(self._claimed(sql.CLAIM_ONE, owner, lease, params)), None)

    def claim_ready(self, owner: str, lease: timedelta) -> Claimed | None:
        """The next action whose time has come, also one that somebody was told of just now."""
        return next(iter(self._claimed(sql.CLAIM_READY, owner, lease, {"count": 1})), None)

    def _claimed(
        self, statement: Statement, owner: str, lease: timedelta, more: Mapping[str, Any]
    ) -> list[Claimed]:
        database, params = self._database(), {**self.claim_params(owner, lease), **more}
        if database.is_sqlite:
            with database.transaction() as transaction:
                rows = transaction.fetch_all(statement, params)
                for row in rows:
                    transaction.execute(sql.HOLD, {**params, "key": row[0]})
        else:
            rows = database.fetch_all(statement, params)
        found = [claimed_run(row, params["now"], params["until"]) for row in rows]
        return sorted(found, key=_place_in_queue) if len(found) > 1 else found

    def claim_params(self, owner: str, lease: timedelta) -> dict[str, Any]:
        """The parameters of a claim that is made now."""
        now = self.clock()
        return {
            "p": self.provider,
            "now": now,
            "until": now + lease,
            "owner": owner,
            "versions": self._versions,
        }

    def renew(self, held: Claimed, lease: timedelta) -> str | None:
        """Hold it for another `lease` from now; also after it ran out, if nobody claimed it.

        Returns:
            Who asked for its end, if anybody.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
        """
        params = of_lease(held) | {"until": self.clock() + lease}
        rows = self._database().fetch_all(sql.RENEW, params)
        self._require(held, len(rows))
        return None if rows[0][0] is None else str(rows[0][0])

    def cancel_requested_by(self, held: Claimed) -> str | None:
        """Who asked for its end, if anybody.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
        """
        row = self._database().fetch_one(sql.HELD, of_lease(held))
        if row is None:
            raise LeaseLost(held.action_id)
        return None if row[0] is None else str(row[0])

    def move(self, held: Claimed, life: Life, *, log: Sequence[LogLine] = ()) -> None:
        """Let go of an action in the state that `life` says, the lines of `log` with it.

        Doing the same again, after an answer was lost, is no error.

        Raises:
            LeaseLost: it is somebody else's now, or has ended; nothing was written.
        """
        self._require(held, not self.move_all([Move(self, held, life, log)]))

    def move_all(self, moves: Sequence[Move]) -> list[Move]:
        """As `move`, for many in one commit, also of other providers of the same database.

        Returns:
            Those that were not written, because their lease was lost.
        """
        moved = _moved(self._database(), moves)
        return [m for m in moves if m.held.key not in moved and not m.runs.is_moved(*m[1:3])]

    def is_moved(self, held: Claimed, life: Life) -> bool:
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

    def add_to_change(
        self, transaction: Transaction, run: StoredRun, life: Life, log: Sequence[LogLine]
    ) -> None:
        """What goes with a change of an action's row: log lines, and what others see of it."""
        now = self.clock()
        for line in log:
            transaction.execute(sql.INSERT_LOG, log_params(line, now) | {"action": run.key})
        if run.has_principals:
            params = {"key": run.key, "status": life.status.value}
            transaction.execute(sql.TELL_PRINCIPALS, params)

    def pause(
        self, held: Claimed, life: Life, *, step: str, line: LogLine, mark: Mark | None = None
    ) -> bool:
        """Let an action wait, and complete the step that is its pause.

        Returns:
            False when somebody asked meanwhile that it end: nothing was written.

        Raises:
            LeaseLost: it is somebody else's now, or has ended; nothing was written.
        """

        def write(transaction: Transaction) -> None:
            transaction.execute(
                sql.INSERT_STEP, step_params(held, step, "null", mark, self.clock())
            )
            if not transaction.execute(sql.PAUSE_HELD, life_params(life) | of_lease(held)):
                raise _Refused  # rolls the step back
            self.add_to_change(transaction, held, life, [line])

        with suppress(_Refused):
            self._database().together(write)
            return True
        if self.is_moved(held, life):
            return True
        self.cancel_requested_by(held)  # raises when it is not held any more
        return False

    def progress(self, held: Claimed, details: Any, display_status: str | None) -> None:
        """Tell how far it is.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
        """
        params = {"details": json_text(details), "display_status": display_status}
        self._require(held, self._database().execute(sql.PROGRESS, params | of_lease(held)))

    def add_log(self, held: Claimed, line: LogLine) -> None:
        """Add a line to its log.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
        """
        params = log_params(line, self.clock()) | of_lease(held)
        params |= {
            "about": params.pop("code"),
            "text": params.pop("description"),
            "more": params.pop("details"),
            "now": params.pop("time"),
        }
        self._require(held, self._database().execute(sql.INSERT_HELD_LOG, params))

    def step_counts(self, held: Claimed) -> tuple[int, int]:
        """The last place of its steps, 0 if there is none, and how many steps have no place."""
        last, n_unplaced = self._database().fetch_one(sql.STEP_COUNTS, this(held))
        return int(last), int(n_unplaced)

    def step_marks(self, held: Claimed, first: int, limit: int) -> list[Stored]:
        """Its steps from a place on, without their results, in the order of their places."""
        params = this(held) | {"first": first, "count": limit}
        return [stored_step(row) for row in self._database().fetch_all(sql.STEP_MARKS, params)]

    def step_results(self, held: Claimed, first: int, last: int) -> list[tuple[int, str]]:
        """Places, and the results there as JSON, from one place to another."""
        params = this(held) | {"first": first, "last": last}
        return self._database().fetch_all(sql.STEP_RESULTS, params)

    def step_without_place(self, held: Claimed, key: str) -> str | None:
        """The result, JSON, of a step that an earlier licet stored by its name and a count."""
        row = self._database().fetch_one(sql.STEP_WITHOUT_PLACE, this(held) | {"name": key})
        return None if row is None else str(row[0])

    def add_step(self, held: Claimed, name: str, result: str, mark: Mark | None = None) -> None:
        """Keep the result, JSON, of a completed step; an empty text of one that raised.

        Raises:
            LeaseLost: it is somebody else's now, or has ended.
        """
        params = step_params(held, name, result, mark, self.clock())
        self._require(held, self._database().execute(sql.INSERT_STEP, params))

    def _require(self, held: Claimed, changed: int) -> None:
        if not changed:
            raise LeaseLost(held.action_id)

    # --- for everybody else

    def find(self, action_id: str) -> StoredRun | None:
        """The action, or None when this provider has none of that id."""
        if not is_storable(action_id):
            return None
        row = self._database().fetch_one(sql.BY_ACTION_ID, {"a": action_id, "p": self.provider})
        return None if row is None else stored_run(row)

    def change(self, seen: StoredRun, life: Life, *, log: Sequence[LogLine] = ()) -> bool:
        """Give an action the state that `life` says, unless its row has changed since it was seen.

        Returns:
            Whether it was changed.
        """
        params = life_params(life) | as_seen(seen)
        if not (log or seen.has_principals):
            return self._database().execute(sql.MOVE_UNCHANGED, params) == 1
        with self._database().transaction() as transaction:
            changed = transaction.execute(sql.MOVE_UNCHANGED, params) == 1
            if changed:
                self.add_to_change(transaction, seen, life, log)
        return changed

    def request_cancel(self, seen: StoredRun, by: str) -> bool:
        """Ask the worker of a running action to stop, unless the row has changed."""
        params = as_seen(seen) | {"now": self.clock(), "cancel_requested_by": by}
        return self._database().execute(sql.REQUEST_CANCEL, params) == 1

    def postpone(self, seen: StoredRun, until: datetime) -> bool:
        """Let the sweeper look at a queued action later, unless the row has changed."""
        params = as_seen(seen) | {"until": until}
        return self._database().execute(sql.POSTPONE, params) == 1

    def due(self, phase: Phase, *, limit: int) -> list[StoredRun]:
        """Those of one phase that must be looked at, the longest due first."""
        params = {"p": self.provider, "of_phase": phase, "now": self.clock(), "count": limit}
        return [stored_run(row) for row in self._database().fetch_all(sql.DUE, params)]

    def has_progressed(self, seen: StoredRun) -> bool:
        """Whether a step was completed under the lease that it has."""
        params = this(seen) | {"lease": seen.life.lease_number}
        return self._database().fetch_one(sql.STEP_OF_LEASE, params) is not None

    def past_deadline(self, *, limit: int) -> list[StoredRun]:
        """Those whose deadline has passed and that have not ended, the longest overdue first."""
        params = {"p": self.provider, "now": self.clock(), "count": limit}
        return [stored_run(row) for row in self._database().fetch_all(sql.PAST_DEADLINE, params)]

    def is_for_others(self, action_id: str) -> bool:
        """Whether it waits for a worker that has another version of the handler."""
        params = {"a": action_id, "versions": self._versions}
        return is_storable(action_id) and bool(self._database().fetch_one(sql.FOR_OTHERS, params))

    def gone_versions(self, before: datetime) -> list[int]:
        """Other versions, of which actions are due since `before` or longer, and none runs."""
        params = {"p": self.provider, "before": before, "versions": self._versions}
        return [row[0] for row in self._database().fetch_all(sql.GONE_VERSIONS, params)]

    def of_gone_version(self, version: int, before: datetime, *, limit: int) -> list[StoredRun]:
        """Those of a version that are due since `before` or longer."""
        params = {"p": self.provider, "before": before, "gone": version, "count": limit}
        return [stored_run(row) for row in self._database().fetch_all(sql.OF_GONE_VERSION, params)]

    def release(self, seen: StoredRun) -> bool:
        """Forget an action, its log and its steps, unless the row has changed."""
        return self._database().execute(sql.RELEASE, as_seen(seen)) == 1


def _place_in_queue(held: Claimed) -> tuple[datetime, int]:
    return (held.life.ready_at or held.claimed_at, held.key)


def _moved_in(transaction: Transaction, moves: Sequence[Move]) -> set[int]:
    """The keys of those that were written."""
    moved = set()
    for runs, held, life, log in moves:
        if transaction.execute(sql.MOVE_HELD, life_params(life) | of_lease(held)) == 1:
            if life.phase is Phase.QUEUED:
                transaction.execute(sql.HASTEN_CANCELLED, of_lease(held))
            runs.add_to_change(transaction, held, life, log)
            moved.add(held.key)
    return moved


def _moved(database: Database, moves: Sequence[Move]) -> set[int]:
    """The same: on PostgreSQL what one row says each, in one statement for all."""
    plain, others = list[Move](), list[Move]()
    for move in moves:
        has_more = move.log or move.held.has_principals or move.life.phase is Phase.QUEUED
        (others if database.is_sqlite or has_more else plain).append(move)
    moved: set[int] = set()
    if plain:
        rows = [life_params(move.life) | of_lease(move.held) for move in plain]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        moved.update(row[0] for row in database.fetch_all(sql.MOVE_ALL_HELD, columns))
    if others:
        moved |= database.together(lambda transaction: _moved_in(transaction, others))
    return moved
