"""Work that is done after the answer."""

import logging
import threading

import pytest

from licet.authn.accounts.mail import Outbox
from licet.errors import ServiceUnavailable


def test_jobs_run_in_their_order():
    """One after the other, on another thread; nothing waits at the end."""
    outbox, done = Outbox(), []
    assert outbox.wait(0)
    for number in range(5):
        outbox.submit(lambda number=number: done.append((number, threading.get_ident())))
    assert outbox.wait(10)
    assert [number for number, _ in done] == [0, 1, 2, 3, 4]
    assert {thread for _, thread in done} != {threading.get_ident()}


def test_a_job_that_fails_is_told_by_its_kind_alone(caplog):
    """The next job runs, and the log has neither the error's text nor a traceback."""
    outbox, done = Outbox(), []

    def fail():
        raise ValueError("ann@example.org")

    with caplog.at_level(logging.INFO):
        outbox.submit(fail)
        outbox.submit(lambda: done.append(1))
        assert outbox.wait(10)
    assert done == [1]
    assert caplog.messages == ["A job of the outbox failed: ValueError"]
    assert "ann@" not in caplog.text


def test_it_takes_only_so_many():
    """When too many wait, the next is refused; once they are done, there is room."""
    outbox, go_on, started = Outbox(max_waiting=2), threading.Event(), threading.Event()

    def hold():
        started.set()
        go_on.wait(10)

    outbox.submit(hold)
    assert started.wait(10)
    for _ in range(2):
        outbox.submit(lambda: None)
    with pytest.raises(ServiceUnavailable):
        outbox.submit(lambda: None)
    assert not outbox.wait(0)
    go_on.set()
    assert outbox.wait(10)
    outbox.submit(lambda: None)
    assert outbox.wait(10)


def test_work_can_wait_for_the_answer():
    """Nothing begins before the answer was given."""
    starts, done = [], []
    outbox = Outbox(when_answered=starts.append)
    outbox.submit(lambda: done.append(1))
    assert outbox._worker is None
    starts[0]()
    assert outbox.wait(10)
    assert done == [1]
    starts[0]()
    assert outbox._worker is None
