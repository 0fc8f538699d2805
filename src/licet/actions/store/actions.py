"""The action store: one provider's actions and their logs, in SQL.

Every change is one guarded statement whose row count is checked, inside one transaction: an action
that ended never changes again, a request_id starts one action however many ask at once, and a
release removes an action only once it ended. What the database refuses leaves nothing behind.

Concurrency: safe from any number of threads and processes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy.engine import Row

from licet.actions.digest import request_digest
from licet.actions.documents import (
    AbstractActionRepository,
    ActionFailedDetails,
    ActionLogEntry,
    ActionLogReturn,
    ActionRequest,
    ActionStatus,
    ActionStatusValue,
    render,
)
from licet.actions.enumeration import EnumerationQuery, LogQuery, Page
from licet.actions.lifecycle import RETENTION, Phase
from licet.actions.store import _statements as sql
from licet.actions.store._enumerate import newest_ids
from licet.actions.store._rows import duration_text, json_text, principals_text, status_of
from licet.db.engine import Database, Transaction
from licet.db.statement import Statement
from licet.errors import ActionConflict, ActionNotFound, ConfigurationError, RequestValidationError
from licet.wire.text import is_storable, readable

__all__ = ["ActionStore", "Submission"]

_ATTEMPTS: Final = 3
_MAX_ID: Final = 2**63 - 1


LogLine = tuple[str, str]  # code and description


class Submission(NamedTuple):
    """An accepted request: its action, and whether this very request created it."""

    status: ActionStatus
    created: bool


class ActionStore(AbstractActionRepository):
    """One provider's actions.

    Args:
        provider: the name under which the provider's actions are kept apart from all others.
        database: called for the database at each use, so that a store can be made before its app.
        retention: how long a completed action stays when it does not ask for less.
        clock: the present moment, aware.
    """

    def __init__(
        self,
        provider: str,
        database: Callable[[], Database],
        *,
        retention: timedelta = RETENTION,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not 1 <= len(provider) <= 128:
            raise ConfigurationError(
                f"The provider name {provider!r} cannot be stored: 1 to 128 characters."
            )
        self.provider = provider
        self.retention = retention
        self._database = database
        self._clock = clock

    def find(self, creator_id: str, request: ActionRequest) -> ActionStatus | None:
        """The action that this creator's request started earlier, if any.

        Raises:
            ActionConflict: the same request_id was used for something else.
        """
        return self._find(self._database(), creator_id, request, request_digest(request))

    def submit_once(
        self,
        creator_id: str,
        request: ActionRequest,
        start: Callable[[], ActionStatus],
    ) -> Submission:
        """The action that the request started before, else the one that `start` makes of it.

        Two that ask at the very same moment may both start; one of the two actions is then kept and
        is the answer to both.

        Raises:
            ActionConflict: the same request_id was used for something else.
        """
        database, digest = self._database(), request_digest(request)
        earlier = self._find(database, creator_id, request, digest)
        if earlier is not None:
            return Submission(earlier, created=False)
        return self._submit(database, request, start(), digest)

    def submit(
        self, request: ActionRequest, status: ActionStatus, *, log: Sequence[LogLine] = ()
    ) -> Submission:
        """Store the action that a request started, or find the one it started before.

        Of two that submit the same request at once, one inserts and both get that action. The lines
        of `log`, pairs of code and description, are stored with a new action or not at all.

        Raises:
            ActionConflict: the same creator used this request_id for something else.
        """
        return self._submit(self._database(), request, status, request_digest(request), log)

    def submit_durable(
        self, request: ActionRequest, status: ActionStatus, columns: dict[str, Any]
    ) -> Submission:
        """As `submit`, for an action that workers run; `columns` are what they need to know.

        Raises:
            ActionConflict: the same creator used this request_id for something else.
        """
        digest = request_digest(request)
        return self._submit(self._database(), request, status, digest, durable=columns)

    def _submit(
        self,
        database: Database,
        request: ActionRequest,
        status: ActionStatus,
        digest: str,
        log: Sequence[LogLine] = (),
        durable: dict[str, Any] | None = None,
    ) -> Submission:
        statement = sql.INSERT if durable is None else sql.INSERT_DURABLE
        values = {
            **self._row_values(status),
            **(durable or {}),
            "action_id": status.action_id,
            "provider": self.provider,
            "creator_id": status.creator_id,
            "start_time": status.start_time,
            "request_id": request.request_id,
            "request_digest": digest,
            "deadline": request.deadline,
            "version": 1,
        }
        for _ in range(_ATTEMPTS):
            if self._insert(database, statement, values, status, log):
                return Submission(status, created=True)
            earlier = self._find(database, status.creator_id, request, digest)
            if earlier is not None:
                return Submission(earlier, created=False)
            if self.get(status.action_id) is not None:
                break
        raise ActionConflict(f"There is an action {status.action_id} already.")

    def _find(
        self, database: Database, creator_id: str, request: ActionRequest, digest: str
    ) -> ActionStatus | None:
        params = {"p": self.provider, "c": creator_id, "r": request.request_id}
        row = database.fetch_one(sql.BY_REQUEST, params)
        if row is None:
            return None
        if row[0] != digest:
            raise ActionConflict(
                f"Request with id {request.request_id} already present with different parameters"
            )
        return self.get(row[1])

    def _insert(
        self,
        database: Database,
        statement: Statement,
        values: dict[str, Any],
        status: ActionStatus,
        log: Sequence[LogLine],
    ) -> bool:
        if not (status.monitor_by or status.manage_by or log):  # alone, it is a transaction
            return database.execute(statement, values) == 1

        def write(transaction: Transaction) -> bool:
            if transaction.execute(statement, values) == 0:
                return False
            self._insert_principals(transaction, status)
            self._insert_log(transaction, status.action_id, log)
            return True

        return database.together(write)

    def _insert_log(self, transaction: Transaction, action_id: str, log: Sequence[LogLine]) -> None:
        for code, description in log:
            transaction.execute(sql.INSERT_LOG, self._log_values(action_id, code, description))

    def get(self, action_id: str) -> ActionStatus | None:
        """The action, or None when this provider has none of that id."""
        if not is_storable(action_id):
            return None
        row = self._database().fetch_one(sql.BY_ID, {"a": action_id, "p": self.provider})
        return None if row is None else status_of(*row)

    def enumerate(self, principals: frozenset[str], query: EnumerationQuery) -> Page:
        """The newest actions in which any of the principals has any of the asked roles."""
        before = _position(query.marker)
        principals = frozenset(filter(is_storable, principals))
        with self._database().read() as connection:
            ids = newest_ids(connection, self.provider, principals, query, before)
            has_more = len(ids) > query.limit
            ids = ids[: query.limit]
            rows = connection.execute(sql.BY_KEYS, {"ids": ids}).all() if ids else []
        return Page([status_of(*row) for row in rows], str(ids[-1]) if has_more else None)

    def store(self, action: ActionStatus, *, log: Sequence[LogLine] = ()) -> None:
        """Keep a new state of an action that has not ended, and lines of its log with it.

        The whole document is kept: of two that store at once, the later one's stands.

        Raises:
            ActionConflict: it ended meanwhile, in another state than this.
            ActionNotFound: it was never submitted, or has been released.
        """
        which = self._which(action.action_id)
        with self._database().transaction() as transaction:
            changed = self._update(transaction, action, which)
            if changed:
                self._insert_log(transaction, action.action_id, log)
        if not changed:
            present = self._require(action.action_id)
            if render(present) != render(action):
                raise ActionConflict(
                    f"Action {action.action_id} is {present.status} already and cannot change."
                    if present.is_complete()
                    else f"Action {action.action_id} is run by workers: only they change it."
                )

    def cancel(self, action_id: str, by: str) -> ActionStatus:
        """End an action as FAILED with the code ``Cancelled``; one that ended stays as it is.

        Raises:
            ActionNotFound: there is none.
        """
        status = self._require(action_id)
        if not status.is_complete():
            status.status = ActionStatusValue.FAILED
            status.display_status = "Cancelled"
            status.completion_time = self._clock()
            status.details = ActionFailedDetails(code="Cancelled", description=f"Cancelled by {by}")
            with self._database().transaction() as transaction:
                changed = self._update(transaction, status, self._which(action_id))
            if not changed:
                return self._require(action_id)
        return status

    def remove(self, action: ActionStatus) -> None:
        """Release an action: it and its request_id are forgotten.

        Raises:
            ActionConflict: it has not ended.
            ActionNotFound: it is gone already.
        """
        which = self._which(action.action_id)
        with self._database().transaction() as transaction:
            removed = transaction.execute(sql.DELETE_COMPLETE, which)
        if removed == 0:
            present = self._require(action.action_id)
            raise ActionConflict(
                f"Action {action.action_id} is {present.status}: only a completed action can be "
                "released. Cancel it first."
            )

    def _require(self, action_id: str) -> ActionStatus:
        status = self.get(action_id)
        if status is None:
            raise ActionNotFound(f"No Action with id {action_id}")
        return status

    def _which(self, action_id: str) -> dict[str, str]:
        if not is_storable(action_id):
            raise ActionNotFound(f"No Action with id {action_id!a}")
        return {"a": action_id, "p": self.provider}

    def _update(
        self, transaction: Transaction, status: ActionStatus, which: dict[str, str]
    ) -> bool:
        if transaction.execute(sql.UPDATE_UNFINISHED, self._row_values(status) | which) == 0:
            return False
        transaction.execute(sql.DELETE_PRINCIPALS, which)
        self._insert_principals(transaction, status)
        return True

    def _insert_principals(self, transaction: Transaction, status: ActionStatus) -> None:
        which = {"a": status.action_id, "p": self.provider}
        for role, listed in (("monitor_by", status.monitor_by), ("manage_by", status.manage_by)):
            for principal in listed or ():
                transaction.execute(
                    sql.INSERT_PRINCIPAL, which | {"of_role": role, "who": principal}
                )

    def append_log(self, action_id: str, code: str, description: str, details: Any = None) -> None:
        """Add a line to an action's log.

        Raises:
            ActionNotFound: there is no such action.
        """
        values = self._log_values(action_id, code, description, details)
        with self._database().transaction() as transaction:
            added = transaction.execute(sql.INSERT_LOG, values)
        if added == 0:
            raise ActionNotFound(f"No Action with id {action_id}")

    def _log_values(
        self, action_id: str, code: str, description: str, details: Any = None
    ) -> dict[str, Any]:
        return self._which(action_id) | {
            "at": self._clock(),
            "about": readable(code)[:64],
            "text": readable(description),
            "more": None if details is None else json_text(details),
        }

    def read_log(self, action_id: str, query: LogQuery) -> ActionLogReturn:
        """A page of an action's log, oldest entry first unless asked otherwise."""
        statement = sql.log_page(query, self.provider, action_id, _position(query.marker))
        rows: Sequence[Row[Any]] = ()
        if is_storable(action_id) and is_storable(query.code or ""):
            with self._database().read() as connection:
                rows = connection.execute(statement).all()
        has_next_page = len(rows) > query.limit
        rows = rows[: query.limit]
        return ActionLogReturn(
            limit=query.limit,
            has_next_page=has_next_page,
            marker=str(rows[-1].id) if has_next_page else None,
            entries=[_entry(row) for row in rows],
        )

    def _row_values(self, status: ActionStatus) -> dict[str, Any]:
        completed, release_after, release_at = status.completion_time, status.release_after, None
        if status.is_complete():
            if completed is None:
                completed = self._clock()
                vars(status)["completion_time"] = completed  # a moment: validating it takes 7 µs
            release_at = self._release_at(completed, release_after)
        return {
            "status": status.status.value,
            "display_status": status.display_status,
            "label": status.label,
            "details": json_text(status.details),
            "monitor_by": principals_text(status.monitor_by),
            "manage_by": principals_text(status.manage_by),
            "completion_time": completed.isoformat() if completed else None,
            "release_after": None if release_after is None else duration_text(release_after),
            "release_at": release_at,
            "phase": (Phase.OUTSIDE if release_at is None else Phase.ENDED).value,
            "due_at": release_at,
        }

    def _release_at(self, completed: datetime, asked: timedelta | None) -> datetime:
        if asked is None or asked > self.retention:
            return completed + self.retention
        return completed + max(timedelta(0), asked)


def _entry(row: Row[Any]) -> ActionLogEntry:
    return ActionLogEntry(
        time=row.time.isoformat(),
        code=row.code,
        description=row.description,
        details=None if row.details is None else json.loads(row.details),
    )


def _position(marker: str | None) -> int | None:
    """The row that a marker points behind.

    Raises:
        RequestValidationError: it is not one that we gave out.
    """
    if marker is None:
        return None
    if not (marker.isascii() and marker.isdigit()) or len(marker) > 19 or int(marker) > _MAX_ID:
        raise RequestValidationError("Field 'marker': is not one that this service gave out")
    return int(marker)
