"""Whether a durable action's handler can be taken up again wherever a worker may be lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from flask import current_app, has_app_context
from pydantic import BaseModel
from pydantic_core import from_json, to_json

from licet.actions.documents import ActionProviderDescription
from licet.actions.durable.declaration import Handler, body_model_of
from licet.actions.durable.running import ActionStopped, Control, Reason, RunningAction
from licet.actions.durable.steps.recorded import Mark, Stored
from licet.actions.durable.store.runs import Claimed, LogLine, Runs
from licet.actions.lifecycle import Life, Phase
from licet.authn.auth_state import AuthState
from licet.testing.mocks import mock_authstate

__all__ = ["ReplayMismatch", "Replayed", "replay"]

MAX_RESULT_BYTES: Final = 256 * 1024
MAX_BREAKS: Final = 200


class ReplayMismatch(AssertionError):
    """A handler that is called again asks for other steps than before; the text says which."""


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What `replay` saw: what the handler returned, its steps and pauses, and how often it ran."""

    result: Any
    steps: tuple[str, ...]
    n_attempts: int


def replay(
    handler: Handler,
    body: BaseModel | Mapping[str, Any] | None = None,
    *,
    caller: AuthState | None = None,
    max_breaks: int = MAX_BREAKS,
) -> Replayed:
    """Run a durable action's handler in memory, broken off behind each of its steps and pauses.

    After each break the handler is called again with the results so far, and must ask for the same
    steps: names, functions and arguments, in the same order. Each step runs once. A pause is
    resumed at once. At the end the handler is called once more with all results.

    Args:
        handler: ``func(action, body)``, as it is given to `ActionProviderBlueprint.durable`.
        body: the request's body, validated by the annotation of `handler`; by default empty.
        caller: who asked, by default `mock_authstate`'s caller.
        max_breaks: how often it is broken off; behind that it runs to its end.

    Raises:
        ReplayMismatch: it asks for other steps than before.
        UsageError: a step was made in another thread, or within another.
        Exception: what the handler raises.
    """
    memory = _Memory()
    given = _body_of(handler, {} if body is None else body)
    attempts = _Attempts(handler, given, memory, mock_authstate() if caller is None else caller)
    n_breaks = 0
    while attempts.run(breaks=n_breaks < max_breaks) is None:
        n_breaks += 1
    memory.is_closed = True
    result = attempts.run(breaks=False)
    return Replayed(
        result=None if result is None else result[0],
        steps=tuple(step.key.rpartition(" #")[0] for step, _ in memory.in_order()),
        n_attempts=attempts.n_attempts,
    )


class _BrokenOff(BaseException):
    """The worker is lost: the handler is left where it stands."""


class _Memory:
    """What a database would keep of one action; `Runs` as far as a running action asks it."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[Stored, str]] = {}
        self.breaks = False  # behind the next step
        self.is_lost = False  # as a worker that was broken off
        self.is_closed = False  # to steps that are not there yet

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def in_order(self) -> list[tuple[Stored, str]]:
        return [self._rows[place] for place in sorted(self._rows)]

    def add_step(self, _held: Claimed, name: str, result: str, mark: Mark) -> None:
        if self.is_lost:
            raise _BrokenOff
        self._keep(name, result, mark)
        if self.breaks:
            self.is_lost = True
            raise _BrokenOff

    def pause(self, _held: Claimed, _life: Life, *, step: str, line: LogLine, mark: Mark) -> bool:
        if self.is_lost:
            raise _BrokenOff
        self._keep(step, "null", mark)
        return True

    def _keep(self, name: str, result: str, mark: Mark) -> None:
        if self.is_closed and mark.place not in self._rows:
            raise ReplayMismatch(
                f"Called again with the results of all its {len(self._rows)} steps, the handler "
                f"asks for one more: {name.rpartition(' #')[0]!r}."
            )
        self._rows[mark.place] = Stored(name, mark, len(result.encode())), result

    def step_counts(self, _held: Claimed) -> tuple[int, int]:
        return max(self._rows, default=0), 0

    def step_marks(self, _held: Claimed, first: int, limit: int) -> list[Stored]:
        last = max(self._rows, default=0)
        found = (self._rows.get(place) for place in range(first, last + 1))
        return [row[0] for row in found if row is not None][:limit]

    def step_results(self, _held: Claimed, first: int, last: int) -> list[tuple[int, str]]:
        places = (place for place in range(first, last + 1) if place in self._rows)
        return [(place, self._rows[place][1]) for place in places]

    def step_without_place(self, _held: Claimed, key: str) -> None:
        """There is no earlier licet."""

    def cancel_requested_by(self, _held: Claimed) -> None:
        """Nobody asks for its end."""

    def progress(self, _held: Claimed, _details: Any, _display_status: str | None) -> None:
        """Nobody looks."""

    def add_log(self, _held: Claimed, _line: LogLine) -> None:
        """Nobody reads it."""


class _Attempts:
    """Calls the handler as often as it takes."""

    def __init__(self, handler: Handler, body: Any, memory: _Memory, caller: AuthState) -> None:
        self._handler = handler
        self._body = body
        self._memory = memory
        self._caller = caller
        self._action_id = str(uuid.uuid4())
        self.n_attempts = 0

    def run(self, *, breaks: bool) -> tuple[Any] | None:
        """What the handler returned, alone in a tuple; None when it was broken off or paused.

        Raises:
            ReplayMismatch: it asks for other steps than before.
        """
        self.n_attempts += 1
        memory, control = self._memory, Control()
        memory.breaks, memory.is_lost = breaks, False
        action = self._running(control)
        try:
            result = self._handler(action, self._body)
            if not memory.is_lost and control.told is None:
                action.end()
        except (_BrokenOff, ActionStopped):
            pass  # what was told is looked at below
        except BaseException:
            if not memory.is_lost and control.told is None:
                raise
        if control.mismatch is not None:
            raise ReplayMismatch(
                f"In attempt {self.n_attempts}, called again with the results of its first "
                f"{len(memory.in_order())} steps: {control.mismatch.description}"
            )
        return None if memory.is_lost or control.told is Reason.PAUSED else (result,)

    def _running(self, control: Control) -> RunningAction:
        return RunningAction(
            _claimed(self._action_id, self._caller, self.n_attempts),
            cast("Runs", self._memory),
            control,
            self._caller,
            max_result_bytes=MAX_RESULT_BYTES,
            persist=lambda write: write(),
            context=_context(),
        )


def _claimed(action_id: str, caller: AuthState, n_attempts: int) -> Claimed:
    now = datetime.now(UTC)
    return Claimed(
        key=1,
        version=1,
        action_id=action_id,
        creator_id=str(caller.effective_identity),
        caller=None,
        has_principals=False,
        life=Life(phase=Phase.RUNNING, lease_number=n_attempts, recoveries=n_attempts - 1),
        request_id=action_id,
        label=None,
        start_time=now.isoformat(),
        body="{}",
        handler_version=1,
        claimed_at=now,
    )


def _context() -> Callable[[], AbstractContextManager[Any]]:
    """An app context for each thread, where the test has one."""
    if not has_app_context():
        return nullcontext
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's documented way
    return cast("Callable[[], AbstractContextManager[Any]]", app.app_context)


def _body_of(handler: Handler, body: BaseModel | Mapping[str, Any]) -> Any:
    """The body as a worker reads it: from JSON, as the class of the handler's annotation."""
    description = ActionProviderDescription(
        globus_auth_scope="replay",
        title="replay",
        admin_contact="replay",
        synchronous=False,
        input_schema={},
    )
    document, model = from_json(to_json(body)), body_model_of(handler, description)
    return document if model is None else model.model_validate(document)
