"""Durable actions for the tests: a job on a database, submitted, claimed, run to their ends."""

import uuid
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.actions.making import (
    ALICE,
    make_caller,
    make_log_query,
    make_request,
    make_status,
)

from licet.actions import lifecycle
from licet.actions.documents import ActionProviderDescription, ActionRequest
from licet.actions.durable.attempt import Attempt, Job
from licet.actions.durable.declaration import DurableAction
from licet.actions.durable.store.runs import Claimed, Runs
from licet.actions.durable.store.stored_caller import caller_json
from licet.actions.store._rows import json_text
from licet.actions.store.actions import ActionStore
from licet.db.engine import Database
from licet.errors import LeaseLost

OWNER = "unit"
START = datetime(2030, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that moves when it is told to; `monotonic` goes with it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - START).total_seconds()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Died(BaseException):
    """Raised by a handler where its process is to die: nothing more is written by it."""


class Bench:
    """One provider's durable action on a database, its clock in the test's hands."""

    def __init__(self, database: Database, provider: str = "unit") -> None:
        self.clock = Clock()
        self.database = database
        self.provider = provider
        self.runs = Runs(provider, lambda: database, clock=self.clock)
        self.store = ActionStore(provider, lambda: database, clock=self.clock)
        self.may_still_run: Callable[[Any], bool] = lambda caller: True

    def submit(
        self, request: ActionRequest | None = None, *, handler_version: int = 1, **fields: Any
    ) -> str:
        """Store a queued action; its id."""
        request = request or make_request(str(uuid.uuid4()), **fields)
        life = lifecycle.begin(self.clock())
        status = make_status(
            details={},
            label=request.label,
            start_time=self.clock().isoformat(),
            monitor_by=request.monitor_by,
            manage_by=request.manage_by,
            release_after=request.release_after,
        )
        columns = {
            "phase": life.phase.value,
            "ready_at": life.ready_at,
            "due_at": life.due_at,
            "body": json_text(request.body),
            "caller": caller_json(make_caller(ALICE), ["all_authenticated_users"]),
            "handler_version": handler_version,
        }
        return self.store.submit_durable(request, status, columns).status.action_id

    def claim(self, lease_seconds: float = 30) -> Claimed:
        """Claim the next action."""
        claimed = self.runs.claim(OWNER, timedelta(seconds=lease_seconds))
        assert claimed is not None
        return claimed

    def job(self, handler: Callable[..., Any] = lambda _action, _body: {}, **options: Any) -> Job:
        description = ActionProviderDescription(
            globus_auth_scope="s", title="t", admin_contact="c", synchronous=False, input_schema={}
        )
        action = DurableAction(
            **{"provider": self.provider, "handler": handler, "description": description} | options
        )
        return Job(
            action=action,
            runs=self.runs_of(action),
            max_result_bytes=1000,
            may_still_run=self.may_still_run,
            context=nullcontext,
        )

    def runs_of(self, action: DurableAction) -> Runs:
        """The runs, as a worker sees them that has the action's versions."""
        if set(action.of_version) == {1}:
            return self.runs
        return Runs(
            self.provider, lambda: self.database, versions=action.of_version, clock=self.clock
        )

    def attempt(self, handler: Callable[..., Any], **options: Any) -> Attempt:
        """An attempt at the next action, not begun."""
        return Attempt(self.job(handler, **options), self.claim(), lambda write: write())

    def run(self, handler: Callable[..., Any], **options: Any) -> None:
        """One attempt at the next action, to its end; what the test asserts in it counts."""
        broken: list[BaseException] = []

        def watched(action: Any, body: Any) -> Any:
            try:
                return handler(action, body)
            except (AssertionError, pytest.fail.Exception) as error:
                broken.append(error)
                raise

        self.attempt(watched, **options).complete()
        if broken:
            raise broken[0]

    def run_or_die(self, handler: Callable[..., Any], **options: Any) -> None:
        """One attempt; where the handler raises `Died`, the action is taken back from its worker.

        The handler's own writes until then are stored, and nothing that follows.
        """
        died: list[Died] = []

        def watched(action: Any, body: Any) -> Any:
            try:
                return handler(action, body)
            except Died as found:
                died.append(found)
                raise

        def persist(write: Callable[[], Any]) -> Any:
            if died:
                raise LeaseLost("of a dead worker")
            return write()

        job = self.job(watched, **options)
        attempt = Attempt(job, self.claim(), persist)
        attempt.complete()
        if died:
            self.lose_worker(attempt.held.action_id)

    def lose_worker(self, action_id: str) -> None:
        """As a sweeper takes the action back from a worker that is not heard of."""
        seen = self.runs.find(action_id)
        assert seen is not None
        lost = lifecycle.lose_lease(seen.life, self.clock(), max_recoveries=1000)
        assert self.runs.change(seen, lost)

    def resume(self, action_id: str) -> None:
        """Let a paused action go on."""
        seen = self.runs.find(action_id)
        assert seen is not None
        assert self.runs.change(seen, lifecycle.resume(seen.life, self.clock()))

    def state(self, action_id: str) -> str:
        """Phase, status, and the code or other details, in a line."""
        life = self.life(action_id)
        code = life.details.get("code") if isinstance(life.details, dict) else None
        return f"{life.phase} {life.status} {code or life.details}"

    def life(self, action_id: str) -> lifecycle.Life:
        found = self.runs.find(action_id)
        assert found is not None
        return found.life

    def log_codes(self, action_id: str) -> list[str]:
        return [entry.code for entry in self.store.read_log(action_id, make_log_query()).entries]
