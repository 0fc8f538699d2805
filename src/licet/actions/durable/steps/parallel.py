"""Calls that are made side by side, in threads, while the handler's own thread stores results."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

__all__ = ["Call", "run_side_by_side"]

POLL_SECONDS: Final = 0.25
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """A step that is still to be made: ``function(*args, **kwargs)`` under a name."""

    name: str
    function: Callable[..., R]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self) -> R:
        """Make it."""
        return self.function(*self.args, **self.kwargs)


def run_side_by_side(
    work: Mapping[int, Callable[[], str]],
    *,
    n_threads: int,
    context: Callable[[], AbstractContextManager[Any]],
    store: Callable[[int, str], None],
    check: Callable[[], None],
) -> None:
    """Call each function in one of the threads, and `store` what it returned, by its number.

    Args:
        work: what to call, by its number.
        n_threads: how many threads at most.
        context: surrounds each call, in its thread.
        store: called in this thread, as each result comes.
        check: called in this thread, four times a second; raises when the rest is not to begin.

    Raises:
        BaseException: what the first call raised, `store` or `check`. No further call was begun,
            and what had begun has ended; its results are stored, unless `store` raised.
    """
    band = _Band(work, context)
    n_running = band.start(n_threads)
    failure: BaseException | None = None
    can_store = True
    while n_running:
        try:
            found = band.done.get(timeout=POLL_SECONDS)
            if found is None:
                n_running -= 1
            elif isinstance(found[1], BaseException):
                raise found[1]  # noqa: TRY301 - to be treated as what is raised here
            elif can_store:
                can_store = False
                store(*found)
                can_store = True
        except queue.Empty:
            failure = failure or _raised_by(check)
        except BaseException as error:  # noqa: BLE001 - raised once all have ended
            failure = failure or error
        if failure is not None:
            band.is_told = True
    if failure is not None:
        raise failure


def _raised_by(check: Callable[[], None]) -> BaseException | None:
    try:
        check()
    except BaseException as error:  # noqa: BLE001 - raised elsewhere
        return error
    return None


class _Band:
    """The threads, what is left to do, and what is done.

    Concurrency: `left` and `done` may be used from any thread; `is_told` is only ever set.
    """

    def __init__(
        self,
        work: Mapping[int, Callable[[], str]],
        context: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self.left = deque(work.items())
        self.done: queue.SimpleQueue[tuple[int, Any] | None] = queue.SimpleQueue()
        self.is_told = False  # to begin nothing more
        self._context = context

    def start(self, n_threads: int) -> int:
        """How many threads were started."""
        n_threads = min(n_threads, len(self.left))
        for n_started in range(n_threads):
            variables = contextvars.copy_context()
            thread = threading.Thread(
                target=variables.run, args=(self._work,), name="licet-parallel", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # the system has no more
                if n_started:
                    return n_started
                raise
        return n_threads

    def _work(self) -> None:
        try:
            while not self.is_told:
                try:
                    number, function = self.left.popleft()
                except IndexError:
                    break
                outcome = self._outcome(function)
                if isinstance(outcome, BaseException):
                    self.is_told = True
                self.done.put((number, outcome))
        finally:
            self.done.put(None)

    def _outcome(self, function: Callable[[], str]) -> str | BaseException:
        try:
            with self._context():
                return function()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            return error
