"""One contestant of requests.py: serves requests to itself and tells their CPU time."""

import io
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, jsonify, request

SCOPE = "https://licet.example/scopes/bench"
INPUT = {
    "type": "object",
    "properties": {"input_string": {"type": "string"}},
    "required": ["input_string"],
}
numbers = itertools.count()


def bare() -> tuple[Flask, str]:
    app = Flask("bare")

    @app.get("/apt/<action_id>/status")
    def status(action_id: str) -> Any:
        return jsonify({"action_id": action_id})

    @app.post("/apt/run")
    def run() -> Any:
        return jsonify(request.get_json(force=True)), 202

    return app, ""


def licet(*, served_by_store: bool) -> tuple[Flask, str]:
    from licet import Licet
    from licet.actions import (
        ActionProviderBlueprint,
        ActionProviderDescription,
        ActionStatus,
        action_store,
        authorize_action_access_or_404,
    )
    from licet.authn import embedded_issuer

    store = action_store("apt")
    blueprint = ActionProviderBlueprint(
        "apt",
        __name__,
        "/apt",
        ActionProviderDescription(
            globus_auth_scope=SCOPE,
            title="bench",
            admin_contact="bench",
            synchronous=True,
            input_schema=INPUT,
        ),
        action_repository=store if served_by_store else None,
    )

    @blueprint.action_run
    def run(asked, auth):
        status = said(ActionStatus, asked, auth.effective_identity)
        if served_by_store:
            return status
        submission = store.submit(asked, status)
        return submission.status, 202 if submission.created else 200

    if not served_by_store:

        @blueprint.action_status
        def status(action_id, auth):
            found = store.get(action_id)
            authorize_action_access_or_404(found, auth)
            return found

    app = Flask("licet", instance_path=tempfile.mkdtemp(prefix="licet-bench-"))
    Licet(app)
    app.register_blueprint(blueprint)
    return app, embedded_issuer(app).mint("bench", [SCOPE], ttl_seconds=86400)


def original() -> tuple[Flask, str]:
    from unittest import mock

    from globus_action_provider_tools import ActionProviderDescription, ActionStatus
    from globus_action_provider_tools.authorization import authorize_action_access_or_404
    from globus_action_provider_tools.flask import ActionProviderBlueprint
    from globus_action_provider_tools.flask.helpers import assign_json_provider

    kept: dict[str, Any] = {}
    blueprint = ActionProviderBlueprint(
        name="apt",
        import_name=__name__,
        url_prefix="/apt",
        provider_description=ActionProviderDescription(
            globus_auth_scope=SCOPE,
            title="bench",
            admin_contact="bench",
            synchronous=True,
            input_schema=INPUT,
        ),
    )

    @blueprint.action_run
    def run(asked, auth):
        status = said(ActionStatus, asked, auth.effective_identity)
        kept[status.action_id] = status
        return status

    @blueprint.action_status
    def status(action_id, auth):
        authorize_action_access_or_404(kept[action_id], auth)
        return kept[action_id]

    blueprint.deferred_functions[:] = [
        f for f in blueprint.deferred_functions if f.__name__ != "_create_state_builder"
    ]
    caller = mock.Mock()
    caller.effective_identity = "urn:globus:auth:identity:00000000-0000-0000-0000-000000000000"
    caller.check_authorization = lambda *args, **kwargs: True
    blueprint.state_builder = Caller(caller)
    app = Flask("original")
    assign_json_provider(app)
    app.register_blueprint(blueprint)
    return app, ""


class Caller:
    def __init__(self, caller):
        self.caller = caller

    def build_from_request(self):
        return self.caller


def said(status_class, asked, creator_id):
    return status_class(
        status="SUCCEEDED",
        creator_id=creator_id,
        monitor_by=asked.monitor_by,
        manage_by=asked.manage_by,
        release_after=asked.release_after or "P30D",
        display_status="SUCCEEDED",
        details={"you_said": asked.body["input_string"]},
    )


def environ(method: str, path: str, token: str, body: bytes = b"") -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def call(app: Flask, environment: dict[str, Any], expected: str) -> bytes:
    def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
        if not status.startswith(expected):
            raise RuntimeError(f"{status} instead of {expected}")

    answer = app(environment, start_response)
    body = b"".join(answer)
    answer.close()
    return body


def make_requests(app: Flask, token: str) -> dict[str, Callable[[], bytes]]:
    def post() -> bytes:
        asked = {"request_id": str(next(numbers)), "body": {"input_string": "hey"}}
        return call(app, environ("POST", "/apt/run", token, json.dumps(asked).encode()), "202")

    action_id = json.loads(post()).get("action_id", "none")
    path = f"/apt/{action_id}/status"
    return {"GET": lambda: call(app, environ("GET", path, token), "200"), "POST": post}


def main() -> None:
    kinds: dict[str, Callable[[], tuple[Flask, str]]] = {
        "bare": bare,
        "licet": lambda: licet(served_by_store=False),
        "licet-store": lambda: licet(served_by_store=True),
        "original": original,
    }
    requests = make_requests(*kinds[sys.argv[1]]())
    for line in sys.stdin:
        question = json.loads(line)
        send = requests[question["method"]]
        began = time.process_time()
        for _ in range(question["requests"]):
            send()
        print((time.process_time() - began) / question["requests"] * 1e6, flush=True)


if __name__ == "__main__":
    main()
