"""Work that is done after the answer."""

import logging
import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa
from tests.unit.authn.accounts.people import (
    PASSWORD,
    ann,
    asked,
    grant,
    mailed_reset,
    mailed_sign_up,
)

from licet.authn.accounts import credentials
from licet.authn.accounts.documents import ChangePassword, ResetPassword
from licet.authn.accounts.mail import Outbox
from licet.authn.accounts.tables import sign_up
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


def full_outbox(go_on):
    """One whose mail server hangs until `go_on` is set, with as many mails waiting as it takes."""
    outbox, started = Outbox(max_waiting=1), threading.Event()
    outbox.submit(lambda: (started.set(), go_on.wait(10)))
    assert started.wait(10)
    outbox.submit(lambda: None)
    return outbox


def test_a_mail_server_that_hangs_keeps_nobody_out(parts, caplog):
    """People sign in, change and reset passwords; the mails that tell of it are left out."""
    go_on = threading.Event()
    made = ann(parts)
    secret = mailed_reset(parts)
    parts = replace(parts, outbox=full_outbox(go_on))
    assert grant(parts)
    credentials.reset_password(parts, ResetPassword(token=secret, password="battery staple"))
    assert grant(parts, "battery staple")
    body = ChangePassword(current_password="battery staple", new_password=PASSWORD)
    credentials.change_password(parts, made.id, body)
    assert grant(parts)
    assert caplog.messages == ["A mail was left out: 1 wait already"] * 2
    with pytest.raises(ServiceUnavailable):
        credentials.sign_up(parts, asked("ben@example.org"))
    go_on.set()
    assert parts.outbox.wait(10)


def test_signing_in_deletes_what_expired(parts, clock):
    """Behind no mail: a mail server that hangs does not stop it."""
    go_on = threading.Event()
    ann(parts)
    mailed_sign_up(parts, "ben@example.org")
    clock.now += 25 * 3600
    parts = replace(parts, outbox=full_outbox(go_on))
    with parts.store._database().read() as connection:
        count = sa.select(sa.func.count()).select_from(sign_up)
        assert connection.scalar(count) == 1
        grant(parts)
        assert connection.scalar(count) == 0
    go_on.set()
    assert parts.outbox.wait(10)


def test_tidying_that_fails_is_told_by_its_kind_alone(caplog):
    """It runs on the thread that was answered."""
    threads = []
    Outbox().tidy(lambda: threads.append(threading.get_ident()))
    assert threads == [threading.get_ident()]
    Outbox().tidy(lambda: 1 / 0)
    assert caplog.messages == ["A job of the outbox failed: ZeroDivisionError"]
