"""One attempt at one action: from the claim to the last write.

Whatever the handler does, the attempt ends in a defined state: its result, its failure, or nothing
at all when the lease is lost, because then another worker decides.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, TypeVar

from pydantic_core import from_json

from licet.actions import lifecycle
from licet.actions.durable.declaration import DurableAction
from licet.actions.durable.results import (
    ResultNotJSON,
    ResultTooLarge,
    ending_of_error,
    ending_of_result,
)
from licet.actions.durable.running import (
    ActionStopped,
    Control,
    Process,
    Reason,
    RunningAction,
    exit_if_forked,
)
from licet.actions.durable.store.runs import Claimed, LogLine, Runs, Then
from licet.actions.durable.store.stored_caller import StoredAuthState, stored_caller
from licet.actions.lifecycle import Ending, Life
from licet.authn.auth_state import AuthState
from licet.errors import ActionFailure, LeaseLost

__all__ = ["Execution", "Job"]

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


class Execution:
    """An attempt at a claimed action.

    Args:
        job, held: what is run.
        persist: calls a function that writes, again and again while the database is away.

    Attributes:
        then: asked at most once, as the attempt ends, what is to be claimed in the same write.
        following: what was; None when there was none, or it was not asked for.
        has_asked: whether it was asked for.
    """

    def __init__(self, job: Job, held: Claimed, persist: Callable[[Callable[[], R]], R]) -> None:
        self.job = job
        self.held = held
        self.control = Control()
        self.action: RunningAction | None = None
        self.following: Claimed | None = None
        self.has_asked = False
        self.then: Callable[[], Then | None] = _nothing
        self._persist: Callable[[Callable[[], Any]], Any] = persist
        self._n_forks = Process.n_forks

    def run(self) -> None:
        """Work on the action, and store what became of it.

        Raises:
            StoreUnavailable: the database stayed away; another worker will take over.
        """
        with self.job.context():
            try:
                caller = stored_caller(self.held.caller or "{}")
                refusal = self._refusal(caller)
                if refusal is not None:
                    self._move(refusal)
                elif self.control.reason is Reason.SHUTDOWN:
                    self._stopped(Reason.SHUTDOWN)
                else:
                    self._call_handler(caller)
            except LeaseLost as error:
                log.warning("%s", error)
            finally:
                # It refers to this attempt: else the two are garbage that only the collector finds.
                self.then = _nothing

    def _refusal(self, caller: StoredAuthState) -> Life | None:
        """How the action ends without being begun, if it must not begin."""
        life, now = self.held.life, self.job.runs.clock()
        if life.cancel_requested_by is not None:
            return self._cancelled(life)
        if life.deadline is not None and now > life.deadline:
            return lifecycle.exceed_deadline(life, now)
        if not self._persist(lambda: self.job.may_still_run(caller)):
            log.info("Action %s: its creator may not run it any more", self.held.action_id)
            return lifecycle.lose_right(life, now)
        return None

    def _call_handler(self, auth: AuthState) -> None:
        held, job = self.held, self.job
        running = RunningAction(
            held,
            job.runs,
            self.control,
            auth,
            max_result_bytes=job.max_result_bytes,
            persist=self._persist,
            context=job.context,
        )
        self.action = running
        try:
            action = job.action.of_version[held.handler_version]
            result = action.handler(running, action.body_of(from_json(held.body)))
            running.end()
            ending = ending_of_result(result, job.max_result_bytes)
        except ActionStopped as stopped:
            self._exit_if_forked()
            self._stopped(stopped.reason)
        except BaseException as error:
            self._exit_if_forked()
            if self.control.told is None:
                self._failed(error)
            else:  # it was told to stop, and failed in cleaning up
                log.warning(
                    "Action %s: %s", held.action_id, "its cleaning up failed", exc_info=error
                )
                self._stopped(self.control.told)
        else:
            self._exit_if_forked()
            if self.control.told is None:
                self._move(lifecycle.end(held.life, job.runs.clock(), ending))
            else:  # the handler swallowed the message
                self._stopped(self.control.told)

    def _stopped(self, reason: Reason) -> None:
        life, now = self.held.life, self.job.runs.clock()
        if reason is Reason.CANCELLED:
            self._move(self._cancelled(life))
        elif reason is Reason.DEADLINE:
            self._move(lifecycle.exceed_deadline(life, now))
        elif reason is Reason.SHUTDOWN:
            self._move(lifecycle.give_back(life, now))
        elif reason is Reason.LEASE_LOST:
            raise LeaseLost(self.held.action_id)  # to be logged
        elif self.control.mismatch is not None:
            self._failed(self.control.mismatch)
        # PAUSED is stored already

    def _cancelled(self, life: Life) -> Life:
        by = self._persist(lambda: self.job.runs.cancel_requested_by(self.held))
        queued = life._replace(phase=lifecycle.Phase.QUEUED)
        return lifecycle.cancel(queued, self.job.runs.clock(), by or "somebody")

    def _failed(self, error: BaseException) -> None:
        job, attempt = self.job, self.held.life.attempt
        retry_after = None
        if not isinstance(error, ResultNotJSON | ResultTooLarge):
            retry_after = job.action.retry.wait_after(error, attempt)
        ending = ending_of_error(error, job.max_result_bytes)
        life = lifecycle.fail(
            self._life_now(),
            job.runs.clock(),
            ending,
            retry_after=retry_after,
            max_attempts=job.action.max_attempts,
        )
        self._tell(error, ending)
        self._move(life, [self._exception_line(error)])

    def _life_now(self) -> Life:
        """The life of the held action, with a request to cancel that was made meanwhile."""
        by = self._persist(lambda: self.job.runs.cancel_requested_by(self.held))
        return self.held.life._replace(cancel_requested_by=by)

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
                    f"{PurePath(frame.filename).name}:{frame.lineno} in {frame.name}"
                    for frame in frames
                ]
            },
        )

    def _move(self, life: Life, lines: Sequence[LogLine] = ()) -> None:
        """Let go of the action, and claim the next in the same write, if that is wanted.

        Only the first try does: a claim whose answer was lost costs that action an attempt.
        """
        then = self.then()

        def move() -> None:
            nonlocal then
            this_time, then = then, None
            self.following = self.job.runs.move(self.held, life, log=lines, then=this_time)
            self.has_asked = this_time is not None

        self._persist(move)

    def _exit_if_forked(self) -> None:
        exit_if_forked(self._n_forks, self.job.provider)


def _nothing() -> None:
    """What is claimed next where nobody says more."""
