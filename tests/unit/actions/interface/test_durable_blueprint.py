"""``@blueprint.durable`` over HTTP: the eight operations, served from the store."""

import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel, Field
from tests.unit.actions.making import BOB

from licet import Licet
from licet.actions import (
    ActionFailure,
    ActionProviderBlueprint,
    ActionProviderDescription,
    ActionStore,
    RunningAction,
    action_store,
    durable_runtime,
)
from licet.actions.interface import provider as provider_module
from licet.actions.interface.flask import leave_threads_free
from licet.authn.accounts.flask import accounts_of
from licet.authn.issuers import embedded_issuer
from licet.errors import ConfigurationError
from licet.testing import run_pending

SCOPE = "urn:test:scope"


class Body(BaseModel):
    n: int = Field(ge=0)
    mode: str = "count"


def make_blueprint(name="count", **options) -> ActionProviderBlueprint:
    description = ActionProviderDescription(
        globus_auth_scope=SCOPE,
        title="t",
        admin_contact="c",
        synchronous=False,
        input_schema=Body,
        log_supported=True,
        **options.pop("description", {}),
    )
    return ActionProviderBlueprint(
        name, __name__, url_prefix=f"/{name}", provider_description=description, **options
    )


def count(action: RunningAction, body: Body) -> dict[str, int]:
    if body.mode == "pause":
        action.pause("Consent", "Please agree")
    if body.mode == "fail":
        raise ActionFailure("NoPaper", "Tray 2 is empty")
    for n in range(body.n):
        action.log("N", f"number {n}")
    return {"n": body.n}


class Service:
    """An app with one durable provider, and what alice asks of it."""

    def __init__(
        self, make_app, handler=count, *, threads=0, durable=None, blueprint=None, **config
    ):
        self.app = make_app(LICET_WORKER_THREADS=threads, **config)
        self.licet = Licet(self.app)
        self.blueprint = blueprint or make_blueprint()
        self.blueprint.durable()(handler)
        self.app.register_blueprint(self.blueprint)
        self.client = self.app.test_client()
        self.token = self.token_of("alice")

    def token_of(self, user, **options) -> str:
        return embedded_issuer(self.app).mint(user, [SCOPE], **options)

    def ask(self, method, path, *, token=None, headers=(), **options):
        headers = {"Authorization": f"Bearer {token or self.token}", **dict(headers)}
        return self.client.open(f"/count{path}", method=method, headers=headers, **options)

    def run(self, n=1, mode="count", *, request_id=None, headers=(), token=None, **fields):
        asked = {"request_id": request_id or str(uuid.uuid4()), "body": {"n": n, "mode": mode}}
        return self.ask("POST", "/run", json=asked | fields, headers=headers, token=token)

    def status(self, action_id, **options):
        return self.ask("GET", f"/{action_id}/status", **options).json

    def work(self) -> int:
        return run_pending(self.app)


@pytest.fixture
def service(make_app):
    return Service(make_app)


class TestOperations:
    def test_run_and_status(self, service):
        """202 at once, the result later."""
        answer = service.run(3)
        assert answer.status_code == 202
        assert answer.json["status"] == "ACTIVE"
        assert answer.json["release_after"] == "P30D"
        assert service.work() == 1
        found = service.status(answer.json["action_id"])
        assert (found["status"], found["details"]) == ("SUCCEEDED", {"n": 3})
        assert found["completion_time"] >= found["start_time"]

    def test_log(self, service):
        """What the handler wrote."""
        action_id = service.run(12).json["action_id"]
        service.work()
        page = service.ask("GET", f"/{action_id}/log").json
        assert len(page["entries"]) == 10
        assert page["has_next_page"]
        rest = service.ask("GET", f"/{action_id}/log?marker={page['marker']}").json
        assert [entry["description"] for entry in rest["entries"]] == ["number 10", "number 11"]

    def test_enumerate(self, service):
        """The caller's own, newest first; others' where they are named."""
        ids = [service.run(n, monitor_by=[BOB]).json["action_id"] for n in range(3)]
        service.work()
        found = service.ask("GET", "/actions?status=succeeded").json
        assert [one["action_id"] for one in found] == ids[::-1]
        assert service.ask("GET", "/actions?status=active").json == []

    def test_release(self, service):
        """Only what has ended; then it is as if it had never been."""
        action_id = service.run().json["action_id"]
        assert service.ask("POST", f"/{action_id}/release").status_code == 409
        service.work()
        assert service.ask("POST", f"/{action_id}/release").json["status"] == "SUCCEEDED"
        assert service.ask("GET", f"/{action_id}/status").status_code == 404

    def test_cancel_what_is_queued(self, service):
        """It has failed at once, and is never run; a second cancel tells the same."""
        action_id = service.run().json["action_id"]
        found = service.ask("POST", f"/{action_id}/cancel").json
        assert (found["status"], found["details"]["code"]) == ("FAILED", "Cancelled")
        assert service.ask("POST", f"/{action_id}/cancel").json == found
        assert service.work() == 0

    def test_pause_and_resume(self, service):
        """INACTIVE until somebody resumes it; what goes on already is not disturbed."""
        action_id = service.run(mode="pause").json["action_id"]
        service.work()
        found = service.status(action_id)
        assert (found["status"], found["details"]["code"]) == ("INACTIVE", "Consent")
        for _ in range(2):
            assert service.ask("POST", f"/{action_id}/resume").json["status"] == "ACTIVE"
        service.work()
        assert service.status(action_id)["status"] == "SUCCEEDED"
        assert service.ask("POST", f"/{action_id}/resume").status_code == 409

    def test_failures_reach_the_caller(self, service):
        """Code and description."""
        action_id = service.run(mode="fail").json["action_id"]
        service.work()
        found = service.status(action_id)
        assert found["details"] == {"code": "NoPaper", "description": "Tray 2 is empty"}
        assert found["display_status"] == "NoPaper"

    @pytest.mark.parametrize("operation", ["cancel", "resume", "release"])
    def test_what_does_not_exist(self, service, operation):
        """404, whatever is asked."""
        assert service.ask("POST", f"/{uuid.uuid4()}/{operation}").status_code == 404

    def test_strangers_see_nothing(self, service):
        """What is another's does not exist; who may only see it may not manage it."""
        mallory = service.token_of("mallory")
        action_id = service.run().json["action_id"]
        for operation in ("cancel", "resume", "release"):
            answer = service.ask("POST", f"/{action_id}/{operation}", token=mallory)
            assert answer.status_code == 404
        seen = service.run(monitor_by=["urn:licet:group:team"]).json["action_id"]
        member = service.token_of("mallory", groups=["team"])
        assert service.ask("GET", f"/{seen}/status", token=member).status_code == 200
        assert service.ask("POST", f"/{seen}/cancel", token=member).status_code == 403


def two_hours_later():
    return datetime.now(UTC) + timedelta(hours=2)


class TestRequestIds:
    def test_the_same_is_the_same(self, service):
        """A repeated request is answered with its action as it is now."""
        first = service.run(2, request_id="r")
        service.work()
        again = service.run(2, request_id="r")
        assert (again.status_code, again.json["action_id"]) == (200, first.json["action_id"])
        assert again.json["status"] == "SUCCEEDED"
        assert service.work() == 0

    def test_something_else_is_a_conflict(self, service):
        """One request_id starts one thing."""
        service.run(2, request_id="r")
        assert service.run(3, request_id="r").status_code == 409

    def test_with_a_deadline(self, service, monkeypatch):
        """It may be repeated after its deadline; a new one may not begin then."""
        deadline = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        first = service.run(request_id="r", deadline=deadline)
        assert first.status_code == 202
        monkeypatch.setattr(provider_module, "_now", two_hours_later)
        monkeypatch.setattr(
            durable_runtime(service.app).job("count").runs, "clock", two_hours_later
        )
        assert service.run(request_id="r", deadline=deadline).status_code == 200
        assert service.run(request_id="s", deadline=deadline).status_code == 422
        service.work()
        found = service.status(first.json["action_id"])
        assert found["details"]["code"] == "DeadlineExceeded"


class TestBadInput:
    @pytest.mark.parametrize("body", [{}, {"n": -1}, {"n": "x"}, {"n": 1, "mode": 2}])
    def test_it_is_refused_before_it_is_stored(self, service, body):
        """422, and no action."""
        answer = service.ask("POST", "/run", json={"request_id": "r", "body": body})
        assert answer.status_code == 422
        assert service.ask("GET", "/actions").json == []

    def test_what_the_schema_took_and_the_handler_does_not(self, make_app):
        """A body that was stored before the class changed fails its action."""
        service = Service(make_app)
        action_id = service.run().json["action_id"]
        job = durable_runtime(service.app).job("count")
        job.runs._database().execute(_statement("UPDATE licet_action SET body = '{\"n\": -1}'"), {})
        service.work()
        assert service.status(action_id)["details"]["code"] == "ValidationError"


def _statement(text):
    import sqlalchemy as sa

    from licet.db.statement import Statement

    return Statement(sa.text(text))


class TestWorkers:
    """With threads in the process of the server."""

    @pytest.fixture
    def threaded(self, make_app):
        services = []

        def make(handler=count, **options):
            services.append(Service(make_app, handler, threads=2, **options))
            return services[-1]

        yield make
        for service in services:
            durable_runtime(service.app).stop(0)

    def test_prefer_wait(self, threaded):
        """The answer is held until the state has changed, and says so."""
        service = threaded()
        answer = service.run(2, headers={"Prefer": "wait=20"})
        assert (answer.status_code, answer.json["status"]) == (202, "SUCCEEDED")
        assert answer.headers["Preference-Applied"] == "wait=20"

    def test_waiting_for_a_status(self, threaded):
        """A pause is a change of state, too."""
        service = threaded()
        action_id = service.run(mode="pause").json["action_id"]
        answer = service.ask("GET", f"/{action_id}/status", headers={"Prefer": "wait=20"})
        assert answer.json["status"] == "INACTIVE"

    def test_only_so_many_wait(self, threaded):
        """Others are answered at once, without the header."""
        go_on = threading.Event()
        service = threaded(lambda action, body: go_on.wait(20) and {}, LICET_MAX_WAITING=0)
        answer = service.run(headers={"Prefer": "wait=20"})
        assert answer.json["status"] == "ACTIVE"
        assert "Preference-Applied" not in answer.headers
        go_on.set()

    def test_a_servers_threads_do_not_all_wait(self, threaded):
        """With one thread nobody does."""
        go_on = threading.Event()
        service = threaded(lambda action, body: go_on.wait(20) and {})
        leave_threads_free(service.app, 1)
        answer = service.run(headers={"Prefer": "wait=20"})
        assert answer.json["status"] == "ACTIVE"
        go_on.set()

    def test_released_while_somebody_waits(self, make_app, monkeypatch):
        """Then there is no such action."""
        service = Service(make_app)
        answer = service.run()
        monkeypatch.setattr(ActionStore, "get", _first_then_none(ActionStore.get))
        path = f"/{answer.json['action_id']}/status"
        assert service.ask("GET", path, headers={"Prefer": "wait=5"}).status_code == 404

    def test_cancel_what_runs(self, threaded):
        """The status is answered at once; the worker hears of it."""
        running = threading.Event()

        def handler(action, _body):
            running.set()
            while True:
                action.raise_if_cancelled()
                time.sleep(0.005)

        service = threaded(handler)
        action_id = service.run().json["action_id"]
        assert running.wait(20)
        assert service.ask("POST", f"/{action_id}/cancel").json["status"] == "ACTIVE"
        found = service.status(action_id, headers={"Prefer": "wait=20"})
        assert found["details"]["code"] == "Cancelled"
        assert "urn:licet:identity:" in found["details"]["description"]

    def test_they_begin_with_the_first_request(self, threaded):
        """What was queued when the process began is run without a submission."""
        service = threaded()
        runtime = durable_runtime(service.app)
        assert runtime.worker is None
        service.client.get("/count/")
        assert runtime.worker is not None
        worker = runtime.worker
        runtime.start()
        assert runtime.worker is worker

    def test_none_where_the_settings_say_so(self, service):
        """LICET_WORKER_THREADS=0 leaves the work to others."""
        service.client.get("/count/")
        assert durable_runtime(service.app).worker is None
        durable_runtime(service.app).stop()


def _first_then_none(get):
    answers = []

    def found(self, action_id):
        answers.append(action_id)
        return get(self, action_id) if len(answers) == 1 else None

    return found


class TestAuthorizationIsAskedAgain:
    def test_who_left_the_list(self, make_app):
        """An action whose creator may not run it any more does not start."""
        blueprint = make_blueprint(description={"runnable_by": ["urn:licet:group:staff"]})
        service = Service(make_app, blueprint=blueprint)
        staff = service.token_of("alice", groups=["staff"])
        first = service.run(token=staff).json["action_id"]
        second = service.run(mode="pause", token=staff).json["action_id"]
        service.work()
        assert service.status(first, token=staff)["status"] == "SUCCEEDED"
        third = service.run(token=staff).json["action_id"]
        blueprint.provider_description.runnable_by = ["urn:licet:group:others"]
        assert service.work() == 1
        assert service.status(third, token=staff)["details"]["code"] == "NoLongerAuthorized"
        found = service.ask("POST", f"/{second}/resume", token=staff).json
        assert found["details"]["code"] == "NoLongerAuthorized"

    @pytest.mark.parametrize("how", ["blocked", "deleted", "well"])
    def test_a_local_account(self, make_app, how):
        """Its present state counts, not that at the time of the request."""
        service = Service(make_app, LICET_ACCOUNTS=True)
        parts = accounts_of(service.app)
        account_id = _new_account(service.app)
        issuer = embedded_issuer(service.app)
        token = issuer.mint_for(account_id, [SCOPE], {"sid": str(uuid.uuid4()), "gen": 0})
        answer = service.run(token=token)
        assert answer.status_code == 202, answer.json
        now = int(time.time())
        if how == "blocked":
            parts.store.set_blocked(account_id, now, blocked=True)
        elif how == "deleted":
            parts.store.delete(account_id, now)
        service.work()
        run = durable_runtime(service.app).job("count").runs.find(answer.json["action_id"])
        if how == "well":
            assert run.life.status == "SUCCEEDED"
        else:
            assert run.life.details["code"] == "NoLongerAuthorized"


def _new_account(app) -> str:
    from licet.authn.accounts.records import Account

    account_id = str(uuid.uuid4())
    account = Account(
        id=account_id,
        email="a@example.org",
        password_hash="x",
        is_admin=False,
        generation=0,
        created_at=0,
        blocked_at=None,
    )
    assert accounts_of(app).store.add(account, "a@example.org")
    return account_id


class TestDeclaration:
    """What cannot work is refused where it is written."""

    def test_callbacks_beside_it(self):
        """A durable function serves all operations."""
        blueprint = make_blueprint()
        blueprint.action_status(lambda action_id, auth: None)
        with pytest.raises(ConfigurationError, match="has callbacks"):
            blueprint.durable()(count)
        blueprint = make_blueprint()
        blueprint.durable()(count)
        with pytest.raises(ConfigurationError, match="takes no callback for log"):
            blueprint.action_log(lambda action_id, auth: None)
        with pytest.raises(ConfigurationError, match="is the only one"):
            blueprint.durable()(count)

    def test_another_repository(self):
        """Durable actions are kept in our own store, under the blueprint's name."""
        blueprint = make_blueprint(action_repository=action_store("other"))
        with pytest.raises(ConfigurationError, match=r"action_store\('count'\)"):
            blueprint.durable()(count)
        make_blueprint(action_repository=action_store("count")).durable()(count)

    def test_after_registration(self, app):
        """Too late."""
        blueprint = make_blueprint()
        app.register_blueprint(blueprint)
        with pytest.raises(ConfigurationError, match="is registered already"):
            blueprint.durable()(count)

    def test_two_of_one_name(self, app):
        """Their actions would be mixed."""
        first, second = make_blueprint(), make_blueprint()
        for blueprint in (first, second):
            blueprint.durable()(count)
        app.register_blueprint(first)
        with pytest.raises(ConfigurationError, match="two durable providers called 'count'"):
            app.register_blueprint(second, name="again", url_prefix="/again")

    def test_the_function_stays_what_it_is(self):
        """The decorator returns it."""
        assert make_blueprint().durable()(count) is count


class TestRunPending:
    def test_everything_that_is_due(self, service):
        """In the test's own thread, and how many attempts there were."""
        for n in range(3):
            service.run(n)
        assert (service.work(), service.work()) == (3, 0)

    def test_without_end(self, service):
        """Actions that queue others are noticed."""
        for n in range(3):
            service.run(n)
        with pytest.raises(RuntimeError, match="More than 2 attempts"):
            run_pending(service.app, limit=2)
