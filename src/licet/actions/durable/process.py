"""The end of a process that runs durable actions, in good order under any server.

A process ends in one of two ways. Its main thread ends (also by KeyboardInterrupt, SystemExit or a
server's own handler of SIGTERM): then the runtimes are stopped before Python closes its executors,
which handlers may be using. Or SIGTERM comes where nobody handles it, as under ``flask run`` and
waitress: then a handler installed here stops the runtimes and ends the main thread. How a runtime
stops is decided in `licet.actions.durable.runtime`.

Concurrency: nothing here takes a lock, so that a signal handler and forked processes may call it.
"""

from __future__ import annotations

import _thread
import atexit
import logging
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol

__all__ = ["Work", "begin_work", "exit_if_forked", "expect_work"]

log = logging.getLogger(__name__)
MARGIN_SECONDS: Final = 2.0  # that the main thread has after the handlers' time to end
FORKED: Final = 70  # the exit code of a child that came back from a handler
EXIT_CODE: Final = 128 + signal.SIGTERM  # where nobody catches SystemExit: a shell's for SIGTERM


class Work(Protocol):
    """What runs actions in this process, and can be stopped."""

    @property
    def stop_seconds(self) -> float:
        """How long handlers may go on when it stops."""
        ...

    @property
    def is_working(self) -> bool:
        """Whether it began in this process, not in the one that this was forked from."""
        ...

    @property
    def is_stopping(self) -> bool:
        """Whether it stops, or has stopped."""
        ...

    def stop(self) -> None:
        """Claim nothing more, wait for the handlers, give back what is left.

        A second call returns when the first is done.
        """
        ...


class _Process:
    """What is to be stopped in this process. A fork inherits it."""

    def __init__(self) -> None:
        self._begun: weakref.WeakValueDictionary[int, Work] = weakref.WeakValueDictionary()
        self._has_exit = False
        self.ending_pid = 0  # of the process that ends: a child forked meanwhile does not

    @property
    def is_ending(self) -> bool:
        """Whether this process ends."""
        return self.ending_pid == os.getpid()

    def add(self, work: Work) -> None:
        """Have it stopped at the end."""
        self._begun[id(work)] = work
        if not self._has_exit:
            self._has_exit = True  # two threads at once would register twice, which is harmless
            _stop_before_executors(self.stop)

    def working(self) -> list[Work]:
        """What works here."""
        found = [reference() for reference in self._begun.valuerefs()]
        return [work for work in found if work is not None and work.is_working]

    def stop(self) -> None:
        """Stop all of it at once, and wait for that."""
        self.ending_pid = os.getpid()
        working = self.working()
        threads = [threading.Thread(target=_stop, args=(w,), daemon=True) for w in working[1:]]
        for thread in threads:
            thread.start()
        for work in working[:1]:  # this thread's part: one app a process needs no other thread
            _stop(work)
        for thread in threads:
            thread.join()


_process: Final = _Process()


def expect_work() -> None:
    """Take SIGTERM, where nobody has it, because work may begin in this process.

    Called as an app is made: only the main thread may install a handler, and work begins in the
    thread of a request. Until work has begun, SIGTERM ends the process as if nothing was installed.
    A server that installs its own handler later replaces this one.
    """
    if threading.current_thread() is threading.main_thread() and _is_sigterm_default():
        with suppress(ValueError):  # a subinterpreter's main thread may not
            signal.signal(signal.SIGTERM, _on_sigterm)


def begin_work(work: Work) -> bool:
    """Have `work` stopped before this process ends.

    Returns:
        False when the process is ending already, and nothing should begin.
    """
    _process.add(work)
    return not _process.is_ending


def _stop(work: Work) -> None:
    try:
        work.stop()
    except Exception:
        log.exception("Durable actions could not be stopped; their leases will run out.")


def _stop_before_executors(stop: Callable[[], None]) -> None:
    """Have `stop` called when the main thread ends, while executors still take work.

    ``atexit`` comes too late: before it, `threading` waits for threads, and the callbacks that
    `concurrent.futures` registered there have its executors refuse work, so that a handler that
    uses one (also by ``asyncio.to_thread``) fails. The only way in is the function that
    `concurrent.futures` uses itself. It is private to CPython (3.9 and later); an interpreter
    without it gets ``atexit``. The last callback registered is called first, so the executors'
    modules are imported before.
    """
    import concurrent.futures.thread  # noqa: PLC0415 - as above

    with suppress(ImportError, NotImplementedError):  # a system without semaphores
        import concurrent.futures.process  # noqa: F401, PLC0415 - as above
    register: Any = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(stop)
    except RuntimeError:  # the main thread has ended
        _process.ending_pid = os.getpid()


def _is_sigterm_default() -> bool:
    """Whether SIGTERM ends the process at once.

    Python tells only of handlers that were installed through it, or before it began. uWSGI and
    mod_wsgi install theirs in C; Linux tells of them.
    """
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return False
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        (caught,) = [line for line in status.splitlines() if line.startswith("SigCgt:")]
        return not int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1
    except (OSError, ValueError):  # another system
        return True


def _on_sigterm(_number: int, _frame: FrameType | None) -> None:
    """Stop what works here, and end the main thread.

    SystemExit lets servers close their sockets and end their requests: waitress catches it,
    ``flask run`` lets it through. It may get lost, in a destructor for example, and the main thread
    may take long to end: so another thread stops the work, and sees to the end of the process.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the second SIGTERM ends the process at once
    working = _process.working()
    if not working:  # pragma: no cover - the process ends before it tells coverage
        os.kill(os.getpid(), signal.SIGTERM)
        return
    is_ending = _process.is_ending or any(work.is_stopping for work in working)
    limit_seconds = max(work.stop_seconds for work in working) + MARGIN_SECONDS
    # not threading.Thread, whose start takes locks that the interrupted thread may hold
    _thread.start_new_thread(_end, (limit_seconds,))
    if not is_ending:  # else the stop that is under way would break off
        raise SystemExit(EXIT_CODE)


def _end(limit_seconds: float) -> None:  # pragma: no cover - as above
    """Stop the work, and end the process if its main thread does not."""
    end_at = time.monotonic() + limit_seconds
    log.info("SIGTERM: no more actions are claimed, and the process ends.")
    _process.stop()
    time.sleep(max(0.0, end_at - time.monotonic()))
    log.error(
        "The main thread has not ended %g s after SIGTERM: the process is ended.", limit_seconds
    )
    os.kill(os.getpid(), signal.SIGTERM)


def exit_if_forked(pid: int, what: str) -> None:
    """End a process that a handler forked, and that goes on with it: the action is its parent's.

    Args:
        pid: of the process that began the attempt.
        what: named in the log.
    """
    if os.getpid() != pid:  # pragma: no cover - the child ends before it tells coverage
        log.error("The handler of %s forked and goes on in the child: it ends here.", what)
        os._exit(FORKED)
