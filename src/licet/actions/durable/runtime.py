"""Durable actions in an app: submitted, cancelled and resumed here, run by its workers.

The rows are the truth: what a submission tells a worker is only a wake-up. With
``LICET_DISPATCH=threads`` the app's own process has workers and a sweeper, which begin with its
first request (or with the server, where that calls `Runtime.start`); with ``celery`` it has
neither, and ``licet worker`` and ``licet sweep`` run elsewhere.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

from flask import Flask

from licet.actions import lifecycle
from licet.actions.documents import ActionRequest, ActionStatus, ActionStatusValue
from licet.actions.durable.attempt import Job
from licet.actions.durable.declaration import DurableAction
from licet.actions.durable.process import begin_work, expect_work
from licet.actions.durable.store.providers import stored_providers
from licet.actions.durable.store.runs import LogLine, Runs, StoredRun
from licet.actions.durable.store.stored_caller import StoredAuthState, caller_json, stored_caller
from licet.actions.durable.sweeper import Sweeper
from licet.actions.durable.worker import Worker
from licet.actions.lifecycle import Phase
from licet.actions.store._rows import json_text, unchecked_status
from licet.actions.store.actions import ActionStore, Submission
from licet.authn.auth_state import AuthState
from licet.db.engine import Database
from licet.db.flask import database_of
from licet.db.sweeps import sweeps_of
from licet.errors import (
    ActionConflict,
    ActionNotFound,
    ConfigurationError,
    StoreUnavailable,
)
from licet.settings import Settings
from licet.settings.state import app_state

__all__ = ["Dispatcher", "Runtime", "durable_runtime"]

log = logging.getLogger(__name__)
_RUNTIME: Final = "actions.runtime"
_ATTEMPTS: Final = 20


class Dispatcher(Protocol):
    """Tells workers elsewhere of an action."""

    def dispatch(self, provider: str, action_id: str) -> bool:
        """Whether they were told."""
        ...


def durable_runtime(app: Flask) -> Runtime:
    """The app's runtime of durable actions."""
    return app_state(app).get_or_build(_RUNTIME, lambda settings: Runtime(app, settings))


class Runtime:
    """The durable actions of one app."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._jobs: dict[str, Job] = {}
        self._stores: dict[str, ActionStore] = {}
        self._dispatcher = _dispatcher(settings)
        self._lock = threading.Lock()
        self._pid = 0
        self._is_stopping = False
        self.worker: Worker | None = None
        self.sweeper: Sweeper | None = None

    # --- what there is to run

    def add(self, action: DurableAction, store: ActionStore) -> Job:
        """Take a provider's durable action.

        Raises:
            ConfigurationError: there is one of that name.
        """
        if action.provider in self._jobs:
            raise ConfigurationError(
                f"The app has two durable providers called {action.provider!r}: their actions "
                "would be mixed. Give their blueprints different names."
            )
        if action.attempt_seconds is None and self._settings.attempt_seconds:
            action = replace(action, attempt_seconds=self._settings.attempt_seconds)
        job = Job(
            action=action,
            runs=Runs(action.provider, self.database, versions=action.of_version),
            max_result_bytes=self._settings.max_result_bytes,
            may_still_run=lambda caller: self._may_still_run(action, caller),
            context=self._context,
        )
        self._jobs[action.provider] = job
        self._stores[action.provider] = store
        if self._works_here:
            expect_work()
        return job

    @property
    def jobs(self) -> list[Job]:
        """The durable actions of the app."""
        return list(self._jobs.values())

    def job(self, provider: str) -> Job | None:
        """The durable action of a provider, if it has one."""
        return self._jobs.get(provider)

    def database(self) -> Database:
        """Where they are stored."""
        return database_of(self._app)

    def _context(self) -> AbstractContextManager[Any]:
        return self._app.app_context()

    # --- what requests ask for

    def submit(self, provider: str, request: ActionRequest, auth: AuthState) -> Submission:
        """Store an action and have a worker told; or find what the same request started before.

        Raises:
            ActionConflict: the same creator used this request_id for something else.
        """
        job, store = self._jobs[provider], self._stores[provider]
        dispatch_again_after = None if self._dispatcher is None else job.action.lease
        now = job.runs.clock()
        life = lifecycle.begin(now, dispatch_again_after=dispatch_again_after)
        status = _first_status(request, auth.effective_identity, now, store.retention)
        submission = store.submit_durable(
            request,
            status,
            {
                "phase": life.phase.value,
                "ready_at": life.ready_at,
                "due_at": life.due_at,
                "body": json_text(request.body),
                "caller": caller_json(auth, job.action.description.runnable_by),
                "handler_version": job.action.version,
            },
        )
        if submission.created:
            self._dispatch(job, status.action_id)
        return submission

    def _dispatch(self, job: Job, action_id: str) -> None:
        if self._dispatcher is None:
            if self.worker is not None:
                self.worker.wake()
        elif not self._dispatcher.dispatch(job.provider, action_id):
            with suppress(StoreUnavailable):  # the action is stored, whatever happens now
                run = job.runs.find(action_id)
                if run is not None:  # the sweeper shall tell them as soon as it can
                    job.runs.postpone(run, job.runs.clock())

    def cancel(self, provider: str, action_id: str, by: str) -> None:
        """End an action that nobody works on; ask the worker of another to stop.

        Raises:
            ActionNotFound: there is none.
        """
        runs = self._jobs[provider].runs
        for run in _readings(runs, action_id):
            now = runs.clock()
            after = lifecycle.cancel(run.life, now, by)
            if after == run.life:
                return
            if after.phase is Phase.RUNNING:
                if runs.request_cancel(run, by):
                    if self.worker is not None:
                        self.worker.notice_cancel(action_id)
                    return
            elif runs.change(run, after, log=[_cancelled(by)]):
                return

    def resume(self, provider: str, action_id: str) -> None:
        """Let a paused action go on; one that goes on already does.

        Raises:
            ActionConflict: it has ended.
            ActionNotFound: there is none.
        """
        job = self._jobs[provider]
        runs = job.runs
        for run in _readings(runs, action_id):
            now = runs.clock()
            after = lifecycle.resume(run.life, now)
            if after == run.life:
                return
            line = LogLine(code="RESUMED", description="The action goes on")
            if not job.may_still_run(stored_caller(run.caller or "{}")):
                after = lifecycle.lose_right(run.life, now)
                line = LogLine(code="REFUSED", description="Its creator may not run it any more")
            if runs.change(run, after, log=[line]):
                if after.phase is Phase.QUEUED:
                    self._dispatch(job, action_id)
                return

    def _may_still_run(self, action: DurableAction, caller: StoredAuthState) -> bool:
        """Whether the provider's list admits them now, and a local account is in good standing."""
        if not caller.check_authorization(
            action.description.runnable_by, allow_all_authenticated_users=True
        ):
            return False
        return self._is_account_good(caller)

    def _is_account_good(self, caller: StoredAuthState) -> bool:
        """Whether a local account is as it was; anybody else is not asked about.

        Who had a session had an account: one that is gone was deleted. Tokens that were made
        without (``licet token``) may be of an account or of nobody's.
        """
        settings, identity = self._settings, caller.identity
        if identity.issuer != settings.issuer or not settings.accounts.enabled:
            return True
        from licet.authn.accounts.flask import accounts_of  # noqa: PLC0415 - seldom needed

        account = accounts_of(self._app).store.get(identity.subject)
        return not caller.had_session if account is None else account.blocked_at is None

    # --- workers in this process

    def start(self) -> None:
        """Have workers and a sweeper in this process, where the settings say so; once a process.

        They are stopped when the process ends (`licet.actions.durable.process`).
        """
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid == os.getpid():
                return
            self._pid = os.getpid()
            self._is_stopping = False  # what a fork inherits is its parent's
            if self._works_here and self._jobs and begin_work(self):
                self.make_worker(self._settings.worker_threads).start()
                self.sweeper = self.make_sweeper()
                self.sweeper.start()

    def stop(self, limit_seconds: float | None = None) -> None:
        """Claim nothing more, let running steps end within the limit, give the rest back.

        A second call returns when the first is done. Does nothing in a process that was forked from
        the one that began the work.
        """
        if self._pid != os.getpid():
            return
        self._is_stopping = True
        with self._lock:
            if self.sweeper is not None:
                self.sweeper.stop()
            if self.worker is not None:
                self.worker.stop(self.stop_seconds if limit_seconds is None else limit_seconds)

    @property
    def _works_here(self) -> bool:
        """Whether the settings have actions run in the app's own process."""
        return self._dispatcher is None and bool(self._settings.worker_threads)

    @property
    def stop_seconds(self) -> float:
        """How long handlers may go on when it stops."""
        return self._settings.stop_seconds

    @property
    def is_working(self) -> bool:
        """Whether workers were begun in this process."""
        return self._pid == os.getpid() and self.worker is not None

    @property
    def is_stopping(self) -> bool:
        """Whether they stop, or have stopped."""
        return self._is_stopping

    def make_worker(self, threads: int) -> Worker:
        """A worker for the app's actions, not begun; requests tell it of what they queue."""
        self.worker = Worker(
            self.jobs, threads=threads, grace_seconds=self._settings.cancel_seconds
        )
        return self.worker

    def make_sweeper(self) -> Sweeper:
        """A sweeper for the app's actions."""
        dispatcher = self._dispatcher

        def dispatch(provider: str, action_id: str) -> bool:
            if dispatcher is not None:
                return dispatcher.dispatch(provider, action_id)
            if self.worker is not None:
                self.worker.wake()
            return True

        return Sweeper(
            self.jobs,
            dispatch=dispatch,
            dispatches=dispatcher is not None,
            stored=self._stored,
            version_gone=timedelta(seconds=self._settings.version_gone_seconds),
            others=self.others,
        )

    def others(self) -> dict[str, Callable[[], int]]:
        """What else the app's sweepers do, by name."""
        return {name: partial(self._in_context, fn) for name, fn in sweeps_of(self._app).items()}

    def _in_context(self, fn: Callable[[], int]) -> int:
        with self._context():
            return fn()

    def _stored(self) -> Iterator[Runs]:
        for provider in stored_providers(self.database()):
            yield Runs(provider, self.database)


def _dispatcher(settings: Settings) -> Dispatcher | None:
    if settings.dispatch == "threads":
        return None
    from licet.actions.durable.celery_dispatch import CeleryDispatcher  # noqa: PLC0415 - an extra

    dispatcher: Dispatcher = CeleryDispatcher(settings)
    return dispatcher


def _first_status(
    request: ActionRequest, creator_id: str, now: datetime, retention: timedelta
) -> ActionStatus:
    asked = request.release_after
    return unchecked_status(
        action_id=str(uuid.uuid4()),
        status=ActionStatusValue.ACTIVE,
        creator_id=creator_id,
        details={},
        start_time=now.astimezone(UTC).isoformat(),
        completion_time=None,
        label=request.label,
        display_status=None,
        monitor_by=request.monitor_by,
        manage_by=request.manage_by,
        release_after=retention if asked is None else min(asked, retention),
    )


def _readings(runs: Runs, action_id: str) -> Iterator[StoredRun]:
    """The action as it is, again and again, for a change that others may be quicker with.

    Raises:
        ActionConflict: others were quicker twenty times.
        ActionNotFound: there is none.
    """
    for _ in range(_ATTEMPTS):
        run = runs.find(action_id)
        if run is None:
            raise ActionNotFound(f"No Action with id {action_id}")
        yield run
    raise ActionConflict(f"Action {action_id} is changing all the time: try again.")


def _cancelled(by: str) -> LogLine:
    return LogLine(code="CANCELLED", description=f"Cancelled by {by}")
