"""One attempt at one action: from the claim to what becomes of it.

Whatever the handler does, the attempt has a defined end: its result, its failure, or nothing at all
when the lease is lost, because then another worker decides. An attempt *returns* its end and writes
none of it: the app's context, and with it the app's database session, has ended before somebody
else does. So nothing that a handler left open can stand in the way of that write.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, TypeVar

from pydantic_core import from_json

from licet.actions import lifecycle
from licet.actions.durable.declaration import DurableAction
from licet.actions.durable.process import exit_if_forked
from licet.actions.durable.results import (
    ResultNotJSON,
    ResultTooLarge,
    ending_of_error,
    ending_of_result,
)
from licet.actions.durable.running import (
    ActionStopped,
    Control,
    Reason,
    RunningAction,
)
from licet.actions.durable.steps.own_writes import watch
from licet.actions.durable.store.runs import Claimed, LogLine, Move, Runs
from licet.actions.durable.store.stored_caller import StoredAuthState, stored_caller
from licet.actions.lifecycle import Ending, Life
from licet.authn.auth_state import AuthState
from licet.errors import ActionFailure, AttemptTimedOut, LeaseLost
from licet.wire.text import readable

__all__ = ["Attempt", "Job"]

log = logging.getLogger(__name__)
R = TypeVar("R")
MAX_FRAMES: Final = 30


@dataclass(frozen=True, kw_only=True)
class Job:
    """A durable action, where its runs are stored, and what an attempt at one needs.

    `may_still_run` is asked when a run is claimed and when it is resumed; `context` surrounds the
    handler.
    """

    action: DurableAction
    runs: Runs
    max_result_bytes: int
    may_still_run: Callable[[StoredAuthState], bool]
    context: Callable[[], AbstractContextManager[Any]]

    @property
    def provider(self) -> str:
        """The name under which the runs are stored."""
        return self.action.provider


class Attempt:
    """An attempt at a claimed action.

    Args:
        job, held: what is run.
        persist: calls a function that writes, again and again while the database is away.
        persist_within: the same for what is written while the handler runs: it should have little
            patience with a SQLite file that is locked, perhaps by the handler itself.

    Concurrency: `run` is called once, by one thread; `control` and `finish` by any.
    """

    def __init__(
        self,
        job: Job,
        held: Claimed,
        persist: Callable[[Callable[[], R]], R],
        persist_within: Callable[[Callable[[], R]], R] | None = None,
    ) -> None:
        self.job = job
        self.held = held
        self.control = Control()
        self.action: RunningAction | None = None
        self.begun_at = self.renewed_at = time.monotonic()
        self.told_at: float | None = None  # when its handler was told to stop
        self.is_given_up = False  # its thread is not waited for any more
        self._persist: Callable[[Callable[[], Any]], Any] = persist
        self._persist_within: Callable[[Callable[[], Any]], Any] = persist_within or persist
        self._is_finished = False
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def seconds(self) -> float:
        """How long it has been under way."""
        return time.monotonic() - self.begun_at

    def finish(self) -> bool:
        """Whether the caller is the first to decide what becomes of it."""
        with self._lock:
            is_first, self._is_finished = not self._is_finished, True
            return is_first

    def run(self) -> Move | None:
        """Work on the action.

        Returns:
            What is to be written; None when its lease is lost, or all is written already.

        Raises:
            StoreUnavailable: the database stayed away; another worker will take over.
        """
        try:
            caller = stored_caller(self.held.caller or "{}")
            refusal = self._refusal(caller)
            if refusal is not None:
                return self._move(refusal)
            if self.control.reason is not None:  # it was told to stop before it began
                return self._stopped(self.control.reason)
            return self._move_after(self._call_handler(caller))
        except LeaseLost as error:
            log.warning("%s", error)
            return None

    def complete(self) -> None:
        """Work on the action, and write what becomes of it, in the calling thread."""
        move = self.run()
        if move is not None and self.finish():
            for lost in self.job.runs.move_all([move]):
                log.warning("%s", LeaseLost(lost.held.action_id))

    def _refusal(self, caller: StoredAuthState) -> Life | None:
        """How the action ends without being begun, if it must not begin."""
        life, now = self.held.life, self.job.runs.clock()
        if life.cancel_requested_by is not None:
            return self._cancelled(life, life.cancel_requested_by)
        if life.deadline is not None and now > life.deadline:
            return lifecycle.exceed_deadline(life, now)
        with self.job.context():
            may_run = self._persist(lambda: self.job.may_still_run(caller))
        if not may_run:
            log.info("Action %s: its creator may not run it any more", self.held.action_id)
            return lifecycle.lose_right(life, now)
        return None

    def _call_handler(self, auth: AuthState) -> Ending | Reason | BaseException:
        """How it ends, why it stopped, or why it failed; the app's context has ended then."""
        held, job = self.held, self.job
        try:
            with job.context(), watch() as own_writes:
                running = self.action = RunningAction(
                    held,
                    job.runs,
                    self.control,
                    auth,
                    max_result_bytes=job.max_result_bytes,
                    persist=self._persist_within,
                    own_writes=own_writes,
                    context=job.context,
                )
                action = job.action.of_version[held.handler_version]
                result = action.handler(running, action.body_of(from_json(held.body)))
                running.end()
                ending = ending_of_result(result, job.max_result_bytes)
        except ActionStopped as stopped:
            self._exit_if_forked()
            return stopped.reason
        except BaseException as error:
            self._exit_if_forked()
            if self.control.told is None:
                return error
            log.warning("Action %s: its cleaning up failed", held.action_id, exc_info=error)
            return self.control.told
        self._exit_if_forked()
        return ending if self.control.told is None else self.control.told

    def _move_after(self, outcome: Ending | Reason | BaseException) -> Move | None:
        if isinstance(outcome, Reason):
            return self._stopped(outcome)
        if isinstance(outcome, BaseException):
            return self._failed(outcome, self._asked_by())
        return self._move(lifecycle.end(self.held.life, self.job.runs.clock(), outcome))

    def _stopped(self, reason: Reason) -> Move | None:
        if reason is Reason.LEASE_LOST:
            raise LeaseLost(self.held.action_id)  # to be logged
        if reason is Reason.PAUSED:
            return None
        if reason is Reason.MISMATCH and self.control.mismatch is not None:
            return self._failed(self.control.mismatch, self._asked_by())
        needs_name = reason in (Reason.CANCELLED, Reason.TIMED_OUT)
        return self.stopped_by(reason, self._asked_by() if needs_name else None)

    def _asked_by(self) -> str | None:
        """Who wants the action's end, if anybody."""
        found: str | None = self._persist(lambda: self.job.runs.cancel_requested_by(self.held))
        return found

    def stopped_by(self, reason: Reason, asked_by: str | None) -> Move:
        """What becomes of an action that is to stop, whether its handler has stopped or not."""
        life, now = self.held.life, self.job.runs.clock()
        if reason is Reason.CANCELLED:
            return self._move(self._cancelled(life, asked_by))
        if reason is Reason.DEADLINE:
            return self._move(lifecycle.exceed_deadline(life, now))
        if reason is Reason.TIMED_OUT:
            error = AttemptTimedOut(self.job.action.attempt_seconds or 0.0)
            return self._failed(error, asked_by)
        return self._move(lifecycle.give_back(life, now))

    def _cancelled(self, life: Life, asked_by: str | None) -> Life:
        queued = life._replace(phase=lifecycle.Phase.QUEUED)
        return lifecycle.cancel(queued, self.job.runs.clock(), asked_by or "somebody")

    def _failed(self, error: BaseException, asked_by: str | None) -> Move:
        job, attempt = self.job, self.held.life.attempt
        retry_after = None
        if not isinstance(error, ResultNotJSON | ResultTooLarge):
            retry_after = job.action.retry.wait_after(error, attempt)
        ending = ending_of_error(error, job.max_result_bytes)
        life = lifecycle.fail(
            self.held.life._replace(cancel_requested_by=asked_by),
            job.runs.clock(),
            ending,
            retry_after=retry_after,
            max_attempts=job.action.max_attempts,
        )
        self._tell(error, ending)
        return self._move(life, self._exception_line(error))

    def _tell(self, error: BaseException, ending: Ending) -> None:
        if isinstance(error, ActionFailure):
            log.info("Action %s failed: %s", self.held.action_id, ending.details["code"])
        else:
            log.error(
                "Action %s of %s failed in attempt %d of %d",
                self.held.action_id,
                self.job.provider,
                self.held.life.attempt,
                self.job.action.max_attempts,
                exc_info=error,
            )

    def _exception_line(self, error: BaseException) -> LogLine:
        """Where it was raised, without its text and values: callers can read the action's log."""
        frames = traceback.extract_tb(error.__traceback__)[1:][-MAX_FRAMES:]
        attempt, attempts = self.held.life.attempt, self.job.action.max_attempts
        return LogLine(
            code="EXCEPTION",
            description=f"{type(error).__name__} in attempt {attempt} of {attempts}",
            details={
                "traceback": [
                    readable(f"{PurePath(frame.filename).name}:{frame.lineno} in {frame.name}")
                    for frame in frames
                ]
            },
        )

    def _move(self, life: Life, *lines: LogLine) -> Move:
        return Move(self.job.runs, self.held, life, lines)

    def _exit_if_forked(self) -> None:
        exit_if_forked(self._pid, self.job.provider)
