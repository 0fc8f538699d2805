"""The steps of one attempt: each has its place, runs unless it is stored, and is stored then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn, Protocol

from pydantic_core import from_json

from licet.actions.durable.results import result_json
from licet.actions.durable.steps.arguments import bound_args, digest_of, function_name
from licet.actions.durable.steps.parallel import Call, run_side_by_side
from licet.actions.durable.steps.places import PAUSE, Asked, Mismatch, Places, Taken
from licet.actions.durable.steps.recorded import Mark, Recorded, StepsOf
from licet.errors import StepMismatch, UsageError
from licet.wire.text import readable

__all__ = ["Attempting", "StepStore", "Steps"]

MAX_STEP_NAME: Final = 200
MAX_THREADS: Final = 64
RAISED: Final = ""  # in place of a result
NOTHING: Final = ""  # the digest of a pause, which has no arguments


class StepStore(StepsOf, Protocol):
    """Reads and stores steps; `licet.actions.durable.store.runs.Runs` is one."""

    def add_step(self, held: Any, name: str, result: str, mark: Mark | None = None) -> None:
        """Keep the result, JSON, of a completed step; an empty text of one that raised."""
        ...


@dataclass(frozen=True, kw_only=True)
class Attempting:
    """What the steps of an attempt need of it.

    Args:
        persist: calls a function that asks the database, again while that is away.
        write: the same for one that writes; raises when the attempt may not write any more.
        check: raises when no further step is to begin.
        here: ends a process that the handler forked, which is not to make steps.
        mismatched: raises what ends the action, at each call that follows.
        context: surrounds the calls of `Steps.parallel`, each in its thread.
        max_result_bytes: of a result's JSON.
    """

    persist: Callable[[Callable[[], Any]], Any]
    write: Callable[[Callable[[], None]], None]
    check: Callable[[], None]
    here: Callable[[], None]
    mismatched: Callable[[StepMismatch], NoReturn]
    context: Callable[[], AbstractContextManager[Any]]
    max_result_bytes: int


class Steps:
    """The steps of one attempt at an action; made in the thread of its handler.

    Args:
        held: the action, as `store` takes it.
        is_empty: nobody has worked on the action before.
    """

    def __init__(self, held: Any, store: StepStore, attempt: Attempting, *, is_empty: bool) -> None:
        self._held = held
        self._stored = store
        self._attempt = attempt
        self._recorded = Recorded(held, store, attempt.persist, is_empty=is_empty)
        self._places = Places(self._recorded)
        self._thread = threading.get_ident()
        self._refused: UsageError | None = None  # a step that was asked for in another thread
        self._mismatch: StepMismatch | None = None
        self._in_step = False

    def make(self, call: Call[Any]) -> Any:
        """What a step returned, now or in an earlier attempt."""
        asked = [self._asked(call)]
        taken = self._take(asked)
        found = self._result_of(taken[0])
        if found is not None:
            return found[0]
        self._attempt.check()
        self._in_step = True
        try:
            text = self._made(call)
        except BaseException:
            self._places.raised(asked, taken)
            raise
        finally:
            self._in_step = False
        self._store(taken[0], text)
        return from_json(text)

    def make_all(self, calls: Sequence[Call[Any]], *, n_threads: int) -> list[Any]:
        """What these steps returned; those that are not stored are made side by side."""
        if not 1 <= n_threads <= MAX_THREADS:
            raise UsageError(f"parallel has threads={n_threads!r}: write 1 to {MAX_THREADS}.")
        asked = [self._asked(call) for call in calls]
        if not asked:
            return []
        taken = self._take(asked)
        found = [self._result_of(each) for each in taken]
        missing = [number for number, result in enumerate(found) if result is None]

        def store(number: int, text: str) -> None:
            self._store(taken[number], text)
            found[number] = (from_json(text),)

        if missing:
            self._attempt.check()
            try:
                run_side_by_side(
                    {number: partial(self._made, calls[number]) for number in missing},
                    n_threads=n_threads,
                    context=self._attempt.context,
                    store=store,
                    check=self._attempt.check,
                )
            except BaseException:
                self._places.raised(asked, taken)
                raise
        return [result[0] for result in found if result is not None]

    def take_pause(self, code: str) -> Taken | None:
        """The place of a pause; None when the action was resumed after it."""
        taken = self._take([self._named(f"pause {code}", PAUSE, NOTHING)])[0]
        return taken if self._result_of(taken) is None else None

    def end(self) -> None:
        """The handler has returned: see that it asked for all that is stored.

        Raises:
            UsageError: a step in another thread was refused, which the handler did not notice.
        """
        if self._refused is not None:
            raise self._refused
        try:
            self._places.end()
        except Mismatch as mismatch:
            self._mismatched(mismatch)

    def _asked(self, call: Call[Any]) -> Asked:
        function = call.function
        digest = digest_of((*bound_args(function), *call.args), call.kwargs)
        return self._named(call.name, function_name(function), digest)

    def _named(self, name: str, function: str, digest: str) -> Asked:
        self._attempt.here()
        if threading.get_ident() != self._thread:
            self._refused = UsageError(
                f"The step {name!r} is begun in another thread than the handler's, where its place "
                "in the order of the steps is a matter of chance. Have steps run side by side with "
                "action.parallel([action.call(name, function, …), …])."
            )
            raise self._refused
        if self._in_step:
            raise UsageError(
                f"The step {name!r} is begun within another: a step is one piece of work, whose "
                "result is stored as a whole."
            )
        if not name or len(name) > MAX_STEP_NAME:
            raise UsageError(f"A step's name has 1 to {MAX_STEP_NAME} characters: {name!r}.")
        return Asked(readable(name), readable(function), digest)

    def _take(self, asked: Sequence[Asked]) -> list[Taken]:
        """The places of these calls; calls that raised and are not made again are marked so."""
        if self._mismatch is not None:  # the handler was told, and goes on
            self._attempt.mismatched(self._mismatch)
        for passed in self._places.passed_over(asked):
            self._store(passed, RAISED)
        try:
            return self._places.take(asked)
        except Mismatch as mismatch:
            self._mismatched(mismatch)

    def _mismatched(self, mismatch: Mismatch) -> NoReturn:
        self._mismatch = StepMismatch(str(mismatch))
        self._attempt.mismatched(self._mismatch)

    def _result_of(self, taken: Taken) -> tuple[Any] | None:
        """The stored result, alone in a tuple; None when there is none."""
        if taken.is_done:
            return (from_json(self._recorded.result(taken.mark.place)),)
        text = self._recorded.without_place(taken.key) if taken.stored is None else None
        return None if text is None else (from_json(text),)

    def _made(self, call: Call[Any]) -> str:
        """What a call returns, as JSON."""
        try:
            result = call()
        finally:
            self._attempt.here()
        what = f"The result of the step {call.name!r}"
        return result_json(result, self._attempt.max_result_bytes, what=what)

    def _store(self, taken: Taken, text: str) -> None:
        self._attempt.write(lambda: self._stored.add_step(self._held, taken.key, text, taken.mark))
