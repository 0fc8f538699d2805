"""Durable actions in an app: what is told to workers elsewhere, and races with others."""

import threading

import pytest
from flask import Flask
from tests.unit.actions.making import ALICE, BOB, make_caller, make_request

from licet.actions import lifecycle
from licet.actions.documents import ActionProviderDescription
from licet.actions.durable.declaration import DurableAction
from licet.actions.durable.runtime import Runtime, durable_runtime
from licet.actions.interface.flask import action_store
from licet.errors import ActionConflict, ActionNotFound, StoreUnavailable


class Dispatcher:
    """Workers elsewhere, who can be told or not."""

    def __init__(self):
        self.told = []
        self.answers = True

    def dispatch(self, provider, action_id):
        self.told.append(action_id)
        return self.answers


class Worker:
    """Workers of this process, who are woken."""

    def __init__(self):
        self.calls = []

    def wake(self):
        self.calls.append("wake")

    def notice_cancel(self, action_id):
        self.calls.append(action_id)


@pytest.fixture
def app(make_app) -> Flask:
    return make_app(LICET_WORKER_THREADS=0)


@pytest.fixture
def runtime(app: Flask):
    """With one provider, in its app's context."""
    found = durable_runtime(app)
    description = ActionProviderDescription(
        globus_auth_scope="s", title="t", admin_contact="c", synchronous=False, input_schema={}
    )
    action = DurableAction(
        provider="unit", handler=lambda _action, _body: {}, description=description
    )
    found.add(action, action_store("unit"))
    with app.app_context():
        yield found


@pytest.fixture
def dispatcher(runtime: Runtime) -> Dispatcher:
    runtime._dispatcher = Dispatcher()
    return runtime._dispatcher


def submit(runtime: Runtime) -> str:
    return runtime.submit("unit", make_request(), make_caller(ALICE)).status.action_id


def find(runtime: Runtime, action_id: str):
    return runtime.job("unit").runs.find(action_id)


class TestTelling:
    def test_workers_elsewhere_are_told_after_the_commit(self, runtime, dispatcher):
        """The sweeper need not look before a lease has passed."""
        action_id = submit(runtime)
        assert dispatcher.told == [action_id]
        life = find(runtime, action_id).life
        assert life.due_at - life.ready_at == runtime.job("unit").action.lease

    def test_the_same_request_is_told_of_once(self, runtime, dispatcher):
        """A repetition starts nothing."""
        assert submit(runtime) == submit(runtime)
        assert len(dispatcher.told) == 1

    def test_who_cannot_be_told_is_told_by_the_sweeper(self, runtime, dispatcher):
        """As soon as it looks."""
        dispatcher.answers = False
        action_id = submit(runtime)
        assert find(runtime, action_id).life.due_at <= runtime.job("unit").runs.clock()
        dispatcher.answers = True
        assert runtime.make_sweeper().sweep().dispatched == 1
        assert dispatcher.told == [action_id] * 2

    def test_released_before_it_could_be_put_off(self, runtime, dispatcher, monkeypatch):
        """Then nothing is left to do."""
        dispatcher.answers = False
        monkeypatch.setattr(runtime.job("unit").runs, "find", lambda _action_id: None)
        submit(runtime)

    def test_the_database_is_away_when_nobody_can_be_told(self, runtime, dispatcher, monkeypatch):
        """The action is stored: it is answered for."""

        def away(_action_id):
            raise StoreUnavailable

        dispatcher.answers = False
        with monkeypatch.context() as patch:
            patch.setattr(runtime.job("unit").runs, "find", away)
            action_id = submit(runtime)
        assert find(runtime, action_id).life.phase == "queued"

    def test_workers_here_are_woken(self, runtime):
        """By a submission, and by a sweeper that takes a lease back."""
        runtime.worker = Worker()
        submit(runtime)
        assert runtime.worker.calls == ["wake"]
        assert runtime.make_sweeper()._dispatch("unit", "a")
        assert runtime.worker.calls == ["wake"] * 2
        runtime.worker = None
        assert runtime.make_sweeper()._dispatch("unit", "a")

    def test_a_resume_is_told(self, runtime, dispatcher):
        """The action is queued again."""
        action_id = submit(runtime)
        pause(runtime, action_id)
        runtime.resume("unit", action_id)
        assert dispatcher.told == [action_id] * 2


def pause(runtime: Runtime, action_id: str) -> None:
    runs = runtime.job("unit").runs
    run = runs.find(action_id)
    assert runs.change(run, lifecycle.pause(claimed(run.life, runs), runs.clock(), {}))


def claimed(life, runs):
    return lifecycle.claim(life, runs.clock(), lifecycle.RETENTION)


class TestRaces:
    """Between the reading and the writing somebody else was quicker: it is read again."""

    def test_cancel(self, runtime, monkeypatch):
        """A worker claimed it meanwhile: it is asked to stop."""
        runtime.worker = Worker()
        action_id = submit(runtime)
        runs = runtime.job("unit").runs
        change = runs.change

        def claim_first(*args, **options):
            runs.claim("w", runtime.job("unit").action.lease)
            return change(*args, **options)

        monkeypatch.setattr(runs, "change", claim_first)
        runtime.cancel("unit", action_id, BOB)
        assert find(runtime, action_id).life.cancel_requested_by == BOB
        assert runtime.worker.calls == ["wake", action_id]
        runtime.cancel("unit", action_id, ALICE)
        assert find(runtime, action_id).life.cancel_requested_by == BOB

    def test_cancel_what_is_given_back(self, runtime, monkeypatch):
        """Its worker gave it back meanwhile: it ends at once."""
        action_id = submit(runtime)
        runs = runtime.job("unit").runs
        held = runs.claim("w", runtime.job("unit").action.lease)
        request_cancel = runs.request_cancel

        def give_back_first(*args):
            runs.move(held, lifecycle.give_back(held.life, runs.clock()))
            return request_cancel(*args)

        monkeypatch.setattr(runs, "request_cancel", give_back_first)
        runtime.cancel("unit", action_id, BOB)
        assert find(runtime, action_id).life.details["code"] == "Cancelled"

    def test_resume(self, runtime, monkeypatch):
        """Somebody else resumed it meanwhile."""
        action_id = submit(runtime)
        pause(runtime, action_id)
        runs = runtime.job("unit").runs
        change, n_changes = runs.change, []

        def resume_first(run, life, **options):
            if not n_changes:
                n_changes.append(change(run, life, **options))
            return change(run, life, **options)

        monkeypatch.setattr(runs, "change", resume_first)
        runtime.resume("unit", action_id)
        assert n_changes == [True]
        assert find(runtime, action_id).life.phase == "queued"

    @pytest.mark.parametrize("operation", ["cancel", "resume"])
    def test_without_end(self, runtime, monkeypatch, operation):
        """After twenty times it is given up, and says so."""
        action_id = submit(runtime)
        pause(runtime, action_id)
        monkeypatch.setattr(runtime.job("unit").runs, "change", lambda *_, **__: False)
        more = (BOB,) if operation == "cancel" else ()
        with pytest.raises(ActionConflict, match="is changing all the time"):
            getattr(runtime, operation)("unit", action_id, *more)

    def test_what_is_gone(self, runtime):
        """There is no such action."""
        with pytest.raises(ActionNotFound):
            runtime.cancel("unit", "gone", BOB)


class SlowWorker:
    """Takes its time to stop."""

    def __init__(self):
        self.is_asked = threading.Event()
        self.may_end = threading.Event()
        self.has_stopped = False

    def stop(self, _limit_seconds):
        if self.is_asked.is_set():
            return
        self.is_asked.set()
        assert self.may_end.wait(20)
        self.has_stopped = True


def test_a_second_stop_waits_for_the_first(runtime):
    """The process must not end while the first gives actions back."""
    runtime.start()
    runtime.worker = worker = SlowWorker()
    threads = [threading.Thread(target=runtime.stop) for _ in range(2)]
    threads[0].start()
    assert worker.is_asked.wait(20)
    threads[1].start()
    threads[1].join(0.2)
    assert threads[1].is_alive()
    worker.may_end.set()
    threads[1].join(20)
    assert worker.has_stopped
    assert runtime.is_stopping
    threads[0].join(20)


def test_celery_where_the_settings_say_so(make_app):
    """The broker is not asked before there is something to tell."""
    from licet.actions.durable.celery_dispatch import CeleryDispatcher

    app = make_app(LICET_DISPATCH="celery", LICET_BROKER_URL="memory://")
    assert isinstance(durable_runtime(app)._dispatcher, CeleryDispatcher)
