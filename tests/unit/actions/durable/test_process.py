"""How a process with durable actions ends: each case is a process of its own."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from coverage import Coverage
from tests.processes import exit_of

from licet.actions.durable import process
from licet.actions.durable.process import begin_work, expect_work

CODE = 128 + signal.SIGTERM
LONG = 20.0


class Work:
    """Works until it is stopped; then uses an executor, writes what came of it, and waits."""

    def __init__(self, out: Path | None = None, *, seconds: float = 0.0) -> None:
        self.stop_seconds = 0.1
        self.is_stopping = False
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._out = out
        self._seconds = seconds

    @property
    def is_working(self) -> bool:
        return self.pid == os.getpid()

    def stop(self) -> None:
        self.is_stopping = True
        with self._lock:
            if self._out is None:
                return
            with ThreadPoolExecutor(1) as pool:
                pool.submit(time.sleep, self._seconds).result()
            with self._out.open("a") as out:
                out.write("stopped\n")
            self._out = None


KEPT: list[Work] = []  # as the threads of a worker keep its runtime


def begin(out: Path, *, seconds: float = 0.0, is_kept: bool = True) -> Work:
    expect_work()
    work = Work(out, seconds=seconds)
    assert begin_work(work)
    if is_kept:
        KEPT.append(work)
    return work


def send_self(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)
    time.sleep(LONG)  # is broken off


def end_by_itself(out: Path) -> None:
    begin(out)


def end_by_signal(out: Path, number: int) -> None:
    begin(out)
    send_self(number)


def end_with_nothing_begun(out: Path) -> None:
    expect_work()
    send_self()


def end_a_child(out: Path) -> None:
    begin(out)
    pid = os.fork()
    if pid == 0:
        send_self()
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM
    out.write_text("child\n")


def swallow_the_end(out: Path) -> None:
    process.MARGIN_SECONDS = 0.1
    begin(out)
    try:
        send_self()
    except SystemExit:
        time.sleep(LONG)


def insist(out: Path) -> None:
    begin(out, seconds=5.0)
    try:
        send_self()
    except SystemExit:
        send_self()


def end_while_stopping(out: Path, by_itself: bool) -> None:
    work = begin(out, seconds=0.3)

    def send_when_it_stops() -> None:
        while not work.is_stopping:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=send_when_it_stops, daemon=True).start()
    if by_itself:
        work.stop()


def stop_two_at_once(out: Path) -> None:
    begin(out, seconds=0.4)
    begin(out, seconds=0.4)
    at = time.monotonic()
    process._process.stop()
    assert time.monotonic() - at < 0.75
    assert not begin_work(Work())


def fail_to_stop(out: Path) -> None:
    begin(out).stop = lambda: 1 / 0  # type: ignore[method-assign]
    begin(out)
    process._process.stop()


def leave_an_executor_busy(out: Path) -> None:
    process.MARGIN_SECONDS = 0.1
    begin(out)
    ThreadPoolExecutor(1).submit(time.sleep, LONG)
    send_self()


def keep_nothing_alive(out: Path) -> None:
    gone = weakref.ref(begin(out, is_kept=False))
    gc.collect()
    assert gone() is None


def leave_a_handler(out: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    begin(out)
    send_self()


def leave_a_handler_in_c(out: Path) -> None:
    libc = ctypes.CDLL(None)
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda _number: None)
    libc.signal(signal.SIGTERM, handler)
    begin(out)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def begin_too_late(out: Path) -> None:
    def begin_late() -> None:
        threading.main_thread().join()
        if not begin_work(Work()):
            out.write_text("refused\n")
        save_coverage()

    threading.Thread(target=begin_late).start()


def take_it_without_proc(out: Path) -> None:
    process.Path = lambda _path: Path("/nowhere")  # type: ignore[assignment]
    end_by_signal(out, signal.SIGTERM)


def expect_it_in_a_thread(out: Path) -> None:
    thread = threading.Thread(target=expect_work)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def run(function, *arguments) -> None:
    """As a process begins: where coverage is counted, it has taken SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        function(*arguments)
    finally:
        save_coverage()


def save_coverage() -> None:
    if (coverage := Coverage.current()) is not None:
        coverage.save()


STOPPED = "stopped\n"


@pytest.mark.parametrize(
    ("function", "arguments", "code", "written"),
    [
        pytest.param(end_by_itself, (), 0, STOPPED, id="the main thread ends"),
        pytest.param(end_by_signal, (signal.SIGTERM,), CODE, STOPPED, id="SIGTERM"),
        pytest.param(end_by_signal, (signal.SIGINT,), 1, STOPPED, id="SIGINT"),
        pytest.param(end_with_nothing_begun, (), -15, "", id="nothing has begun"),
        pytest.param(end_a_child, (), 0, f"child\n{STOPPED}", id="a forked child"),
        pytest.param(swallow_the_end, (), -15, STOPPED, id="SystemExit is swallowed"),
        pytest.param(leave_an_executor_busy, (), -15, STOPPED, id="work that does not end"),
        pytest.param(insist, (), -15, "", id="the second SIGTERM"),
        pytest.param(end_while_stopping, (False,), 0, STOPPED, id="two signals"),
        pytest.param(end_while_stopping, (True,), 0, STOPPED, id="its own stop"),
        pytest.param(begin_too_late, (), 0, "refused\n", id="begun too late"),
        pytest.param(take_it_without_proc, (), CODE, STOPPED, id="no /proc"),
        pytest.param(stop_two_at_once, (), 0, STOPPED * 2, id="two apps"),
        pytest.param(fail_to_stop, (), 0, STOPPED, id="a stop that fails"),
        pytest.param(keep_nothing_alive, (), 0, "", id="an app that is gone"),
        pytest.param(leave_a_handler, (), 7, "", id="a handler of somebody's"),
        pytest.param(leave_a_handler_in_c, (), 0, STOPPED, id="a handler in C"),
        pytest.param(expect_it_in_a_thread, (), 0, "", id="an app made in a thread"),
    ],
)
def test_an_end(tmp_path, function, arguments, code, written):
    """What works is stopped while executors still take work, and the exit code tells why."""
    out = tmp_path / "out"
    out.touch()
    assert (exit_of(run, function, out, *arguments), out.read_text()) == (code, written)
