"""One contestant of requirements.py: the same program for licet and for Flask-Allows.

Written for both Flasks: it runs on Flask 1.1 too.
"""

import importlib
import io
import json
import sys
import time

from flask import Flask

LIBRARY = importlib.import_module(sys.argv[1])
USER = {"name": "ann", "is_authenticated": True, "permissions": {"view", "edit"}}


def is_logged_in(user):
    return user["is_authenticated"]


class Has(LIBRARY.Requirement):
    def __init__(self, permission):
        self.permission = permission

    def fulfill(self, user):
        return self.permission in user["permissions"]


def is_banned(user):
    return user["name"] == "bob"


def make_app(*, is_guarded):
    app = Flask("guarded" if is_guarded else "bare")
    guard = lambda view: view  # noqa: E731
    if is_guarded:
        LIBRARY.Allows(app, identity_loader=lambda: USER)
        guard = LIBRARY.requires(is_logged_in, Has("view"))

    @app.route("/page")
    @guard
    def page():
        return "page"

    return app


def environ():
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/page",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b""),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def start_response(status, headers, exc_info=None):
    if not status.startswith("200"):
        raise RuntimeError(status)


def serving(app):
    def serve():
        answer = app(environ(), start_response)
        b"".join(answer)
        answer.close()

    return serve


def checks(extension):
    joined = {
        "And": LIBRARY.And(is_logged_in, Has("view"), Has("edit")),
        "Or": LIBRARY.Or(is_banned, Has("ban"), Has("edit")),
    }
    made = {}
    for name, requirement in joined.items():
        permission = LIBRARY.Permission(requirement)
        made[f"{name}, Permission"] = permission.__bool__
        made[f"{name}, fulfill"] = lambda given=requirement: extension.fulfill([given])
    return made


def main():
    guarded = make_app(is_guarded=True)
    measured = {
        "bare": serving(make_app(is_guarded=False)),
        "guarded": serving(guarded),
        **checks(guarded.extensions["allows"]),
    }
    if "--use-contexts" in sys.argv:
        with guarded.test_request_context("/page"):
            guarded.preprocess_request()
            LIBRARY.current_overrides.add(is_banned)
    for line in sys.stdin:
        question = json.loads(line)
        call, calls = measured[question["what"]], question["calls"]
        if question["what"] in {"bare", "guarded"}:
            spent = timed(call, calls)
        else:
            with guarded.test_request_context("/page"):
                guarded.preprocess_request()
                spent = timed(call, calls)
        print(spent / calls * 1e6, flush=True)


def timed(call, calls):
    if not call() and call.__name__ != "serve":
        raise RuntimeError("the check lets nobody pass")
    began = time.process_time()
    for _ in range(calls):
        call()
    return time.process_time() - began


if __name__ == "__main__":
    main()
