"""`RunningAction`: what a durable action's handler is given, and how it is told to stop.

A handler is told by an exception that is no `Exception`, so that ``except Exception`` in it does
not swallow the message: `ActionCancelled` when somebody wants the action to end, `ActionStopped`
for every other reason. Whatever a handler does then, it can store nothing more.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from enum import Enum
from typing import Any, Final, NoReturn, TypeVar

from licet.actions._types import clipped
from licet.actions.documents import ActionInactiveDetails
from licet.actions.durable.process import exit_if_forked
from licet.actions.durable.results import result_json
from licet.actions.durable.steps.made import Attempting, Steps
from licet.actions.durable.steps.own_writes import OwnWrites
from licet.actions.durable.steps.parallel import Call
from licet.actions.durable.steps.places import Taken
from licet.actions.durable.store.runs import Claimed, LogLine, Runs
from licet.actions.lifecycle import Life
from licet.actions.lifecycle import pause as paused
from licet.authn.auth_state import AuthState
from licet.errors import LeaseLost, StepMismatch, StoreUnavailable, UsageError

__all__ = [
    "ActionCancelled",
    "ActionStopped",
    "Control",
    "Reason",
    "RunningAction",
]

log = logging.getLogger(__name__)
R = TypeVar("R")
CHECK_SECONDS: Final = 0.25  # how long an answer to "was it cancelled?" counts
PROGRESS_SECONDS: Final = 0.1  # progress is stored at most this often
MAX_DESCRIPTION: Final = 10_000


class Reason(Enum):
    """Why a handler is to stop."""

    CANCELLED = "cancelled"
    PAUSED = "paused"
    DEADLINE = "deadline"
    TIMED_OUT = "timed out"
    LEASE_LOST = "lease lost"
    SHUTDOWN = "shutdown"
    MISMATCH = "it asks for another step than is stored"


class ActionStopped(BaseException):
    """The handler is to stop; `reason` says why. Clean up and let it pass."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"The action is to stop: {reason.value}.")
        self.reason = reason


class ActionCancelled(ActionStopped):
    """Somebody asked for the action to end."""

    def __init__(self) -> None:
        super().__init__(Reason.CANCELLED)


class Control:
    """What a worker's other threads say to the one that runs the handler.

    Concurrency: any thread may call `stop`; the first reason stands, save that a lost lease beats
    every other.
    """

    def __init__(self) -> None:
        self.reason: Reason | None = None
        self.told: Reason | None = None
        self.mismatch: StepMismatch | None = None  # with the reason of that name
        self._lock = threading.Lock()

    def stop(self, reason: Reason) -> None:
        """Have the handler told at its next call."""
        with self._lock:
            if self.reason is None or reason is Reason.LEASE_LOST:
                self.reason = reason


class RunningAction:
    """The action that a handler works on.

    `attempt` counts from 1, `recoveries` the workers lost since a step was completed; `deadline` is
    None or an aware moment; `auth` is an `AuthState` made of what was known of the caller when the
    action was submitted, without any token.

    Concurrency: a handler's own threads may call `progress`, `log` and `raise_if_cancelled`; steps
    and pauses are made in the handler's thread, and `parallel` makes steps side by side.
    """

    def __init__(
        self,
        held: Claimed,
        runs: Runs,
        control: Control,
        auth: AuthState,
        *,
        max_result_bytes: int,
        persist: Callable[[Callable[[], R]], R],
        own_writes: OwnWrites | None = None,
        context: Callable[[], AbstractContextManager[Any]] = nullcontext,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.action_id = held.action_id
        self.creator_id = held.creator_id
        self.request_id = held.request_id
        self.label = held.label
        self.start_time = held.start_time
        self.attempt = held.life.attempt
        self.recoveries = held.life.recoveries
        self.deadline: datetime | None = held.life.deadline
        self.auth = auth
        self._held = held
        self._runs = runs
        self._control = control
        self._max_result_bytes = max_result_bytes
        self._persist: Callable[[Callable[[], Any]], Any] = persist
        self._own_writes = own_writes
        self._monotonic = monotonic
        self._checked_at = monotonic()
        self._progress_at = float("-inf")
        self._flushing = threading.Lock()
        self._pending: tuple[Any, str | None] | None = None
        self._steps = self._make_steps(persist, context, max_result_bytes)

    def _make_steps(
        self,
        persist: Callable[[Callable[[], Any]], Any],
        context: Callable[[], AbstractContextManager[Any]],
        max_result_bytes: int,
    ) -> Steps:
        held, pid = self._held, os.getpid()
        attempt = Attempting(
            persist=persist,
            write=_weakly(self._write),
            check=_weakly(self._raise_if_stopping),
            here=lambda: exit_if_forked(pid, held.action_id),
            mismatched=_weakly(self._mismatched),
            context=context,
            max_result_bytes=max_result_bytes,
        )
        # Nobody has worked on what is claimed for the first time: no step need be read.
        return Steps(held, self._runs, attempt, is_empty=held.life.lease_number == 1)

    def step(self, name: str, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """What ``function(*args, **kwargs)`` returned, now or in an earlier attempt.

        The result is stored before `step` returns, and in a later attempt is read instead of being
        computed. It comes back as JSON makes it (a tuple is a list), the first time as well. A
        later attempt must ask for the same steps in the same order: the same name, function and
        arguments. Only the step that was running when a worker died may be run twice.

        Raises:
            ActionStopped: the action is to stop, also because another step is stored in this
                place; the step was not begun, or is stored.
            ResultNotJSON, ResultTooLarge: the result cannot be stored.
            UsageError: it was called within another step, or in another thread than the handler's.
        """
        return self._steps.make(Call(name, function, args, kwargs))  # type: ignore[no-any-return]  # what R is as JSON

    def call(self, name: str, function: Callable[..., R], *args: Any, **kwargs: Any) -> Call[R]:
        """A step for `parallel` to make."""
        return Call(name, function, args, kwargs)

    def parallel(self, calls: Sequence[Call[R]], *, threads: int = 4) -> list[R]:
        """What these steps returned, in their order; those that are not stored run side by side.

        Each result is stored as it comes, so that a later attempt runs only what is missing. Each
        call is made in a thread with an app context of its own, at most `threads` at once.

        Raises:
            ActionStopped, ResultNotJSON, ResultTooLarge, UsageError: as `step`.
            BaseException: what the first call raised that did. No further call was begun, and
                what had begun has ended and is stored.
        """
        return self._steps.make_all(calls, n_threads=threads)

    def end(self) -> None:
        """The handler has returned: nothing may be left that it did not ask for.

        Raises:
            ActionStopped: it asked for less than is stored.
            UsageError: a step in another thread was refused, which the handler did not notice.
        """
        self._steps.end()

    def progress(self, fraction: float, text: str | None = None) -> None:
        """Tell callers how far the action is: 0.0 to 1.0, and a text of at most 64 characters.

        Stored at most ten times a second; the last one is stored in any case.

        Raises:
            ActionStopped: the action is to stop.
            ValueError: the fraction is not a number from 0 to 1.
        """
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(f"progress is {fraction!r}: give a number from 0.0 to 1.0")
        self.raise_if_cancelled()
        self._pending = ({"progress": float(fraction)}, _display(text))
        if self._monotonic() - self._progress_at >= PROGRESS_SECONDS and not self._is_locked_out():
            self.flush()

    def flush(self, *, waits: bool = True) -> None:
        """Store the progress that was told last; a database that is away gets it later.

        Args:
            waits: for another thread that is storing some; else it is left to the next call.

        Raises:
            ActionStopped: the lease is lost.
        """
        if not self._flushing.acquire(blocking=waits):  # the worker's keeper flushes, too
            return
        try:
            pending, self._pending = self._pending, None
            if pending is None:
                return
            self._progress_at = self._monotonic()
            try:
                self._runs.progress(self._held, *pending)
            except StoreUnavailable:
                self._pending = self._pending or pending
            except LeaseLost:
                self._lease_is_lost()
        finally:
            self._flushing.release()

    def log(self, code: str, description: str, **details: Any) -> None:
        """Add a line to the action's log, which the caller can read.

        A description of more than 10,000 characters is cut.

        Raises:
            ActionStopped: the action is to stop.
            ResultNotJSON, ResultTooLarge: the details cannot be stored.
        """
        self.raise_if_cancelled()
        if details:
            result_json(details, self._max_result_bytes)  # or it is refused here
        line = LogLine(code=code, description=_cut(description), details=details or None)
        self._write(lambda: self._runs.add_log(self._held, line))

    def pause(
        self,
        code: str,
        description: str,
        *,
        required_scope: str | None = None,
        resolution_url: str | None = None,
    ) -> None:
        """Let the action wait, INACTIVE, until somebody resumes it; then go on behind this call.

        The handler is left by an exception and called again after the resume, its completed steps
        being skipped; a pause that was resumed returns at once.

        Raises:
            ActionStopped: the action waits now.
        """
        taken = self._steps.take_pause(code)
        if taken is None:
            return
        self.raise_if_cancelled()
        self._pending = None
        details = ActionInactiveDetails(
            code=code,
            description=_cut(description),
            required_scope=required_scope,
            resolution_url=resolution_url,
        ).model_dump(mode="json")
        life = paused(self._held.life, self._runs.clock(), details)
        line = LogLine(code="PAUSED", description=_cut(f"{code}: {description}"))
        self._write(lambda: self._pause(life, taken, line))
        self._stop(Reason.PAUSED)

    def _pause(self, life: Life, taken: Taken, line: LogLine) -> None:
        if not self._runs.pause(self._held, life, step=taken.key, line=line, mark=taken.mark):
            self._stop(Reason.CANCELLED)

    def raise_if_cancelled(self) -> None:
        """Go on only if the action shall go on.

        Raises:
            ActionCancelled: somebody asked for its end.
            ActionStopped: its deadline has passed, or another worker has it.
        """
        self._look()
        reason = self._control.reason
        if reason is not None and reason is not Reason.SHUTDOWN:
            self._stop(reason)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked for the action's end."""
        self._look()
        return self._control.reason is Reason.CANCELLED

    def _look(self) -> None:
        """Ask the database, unless it was asked a moment ago."""
        now = self._monotonic()
        if self._control.reason is not None or now - self._checked_at < CHECK_SECONDS:
            return
        self._checked_at = now
        try:
            if self._runs.cancel_requested_by(self._held) is not None:
                self._control.stop(Reason.CANCELLED)
        except LeaseLost:
            self._control.stop(Reason.LEASE_LOST)
        except StoreUnavailable:
            log.warning("Nobody can be asked whether action %s was cancelled.", self.action_id)
        if self.deadline is not None and self._runs.clock() > self.deadline:
            self._control.stop(Reason.DEADLINE)

    def _raise_if(self, reason: Reason) -> None:
        if self._control.reason is reason:
            self._stop(reason)

    def _stop(self, reason: Reason) -> NoReturn:
        self._control.told = reason
        raise ActionCancelled if reason is Reason.CANCELLED else ActionStopped(reason)

    def _write(self, write: Callable[[], None]) -> None:
        self._refuse_open_writes("Nothing can be stored of the action")
        try:
            self._persist(write)
        except LeaseLost:
            self._lease_is_lost()

    def _refuse_open_writes(self, what: str) -> None:
        """Refuse to wait for a lock that the handler itself holds.

        Raises:
            UsageError: it has uncommitted changes in the SQLite file that the actions are in.
        """
        if self._is_locked_out():
            raise UsageError(
                f"{what}: a database session of the handler's has uncommitted changes in the same "
                "SQLite file, and so nobody else can write there. Commit them or roll them back "
                "first, for example within the step that made them."
            )

    def _is_locked_out(self) -> bool:
        return self._own_writes is not None and self._own_writes.hold(self._runs.database)

    def _lease_is_lost(self) -> NoReturn:
        self._control.stop(Reason.LEASE_LOST)
        self._stop(Reason.LEASE_LOST)

    def _mismatched(self, mismatch: StepMismatch) -> NoReturn:
        self._control.mismatch = mismatch
        self._control.stop(Reason.MISMATCH)
        self._stop(Reason.MISMATCH)

    def _raise_if_stopping(self) -> None:
        self.raise_if_cancelled()
        self._raise_if(Reason.SHUTDOWN)
        self._refuse_open_writes("No step can be begun")


def _weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, without a reference to its object, which would refer to itself by it.

    An object that does is freed by the garbage collector alone.
    """
    found = weakref.WeakMethod(method)

    def call(*args: Any) -> Any:
        present = found()
        return None if present is None else present(*args)

    return call


def _display(text: str | None) -> str | None:
    found = None if text is None else clipped(text)
    return None if found is None else str(found)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_DESCRIPTION else text[: MAX_DESCRIPTION - 1] + "…"
