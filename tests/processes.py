"""Processes that begin together, for what threads of one process cannot show.

They are forked by a process that has licet loaded and nothing else: no connection, no thread and
no state of the test's reaches them, and none of them takes a second to load what all need.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from threading import BrokenBarrierError
from typing import Any

__all__ = ["exit_of", "in_processes", "meet"]

SECONDS = 60
_LOADED = ["alembic.command", "licet.actions", "licet.authn", "licet.cli", "psycopg", "pytest"]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([*_LOADED, __name__])
_everybody: Any = None


def in_processes(function: Callable[..., Any], *arguments: Sequence[Any]) -> list[Any]:
    """What the function gives in as many processes as there are tuples of arguments.

    The function stands in a module; it calls `meet` where all are to be at the same time.
    """
    everybody = _context.Barrier(len(arguments))
    with ProcessPoolExecutor(
        len(arguments), _context, initializer=_begin, initargs=(everybody,)
    ) as pool:
        running = [pool.submit(function, *each) for each in arguments]
        return [each.result(SECONDS) for each in running]


def exit_of(function: Callable[..., object], *arguments: Any) -> int | None:
    """How a process ends that calls the function: 0, 1 after an exception, below 0 if killed."""
    process = _context.Process(target=_heeding_interrupts, args=(function, *arguments))
    process.start()
    process.join(SECONDS)
    return process.exitcode


def _heeding_interrupts(function: Callable[..., object], *arguments: Any) -> None:
    """As a program that is started from a terminal: one in the background ignores SIGINT."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    function(*arguments)


def meet() -> None:
    """Go on when every process has come here."""
    try:
        _everybody.wait(SECONDS)
    except BrokenBarrierError:
        raise AssertionError("a process has not come to where all are to meet") from None


def _begin(everybody: Any) -> None:
    global _everybody  # noqa: PLW0603 - this process has no other task
    _everybody = everybody
    meet()  # so that each process gets one call
