"""What an app chose for itself does not reach licet's pages and documents, nor the reverse."""

import json
import logging
from typing import ClassVar

import pytest
from flask import Flask, abort, current_app
from flask.json.provider import DefaultJSONProvider
from flask.views import MethodView
from jinja2 import StrictUndefined
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException, Unauthorized
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from licet import PUBLIC, Licet, current_identity, declare, protect, public
from licet.authz import Allows, requires, requires_auth
from licet.errors import InvalidToken, LicetError
from licet.rest import marshal_response, use_args

ACCOUNTS = {"LICET_ACCOUNTS": True, "LICET_SIGN_UP": "open", "LICET_COOKIE_SECURE": False}


class OtherDelimiters(Flask):
    jinja_options: ClassVar = {"variable_start_string": "[[", "variable_end_string": "]]"}


class OtherBlocks(Flask):
    jinja_options: ClassVar = {"block_start_string": "<%", "block_end_string": "%>"}


class NothingEscaped(Flask):
    def select_jinja_autoescape(self, filename):
        return False


def strict(app):
    app.jinja_env.undefined = StrictUndefined


def with_names(app):
    names = {"problem": "the app's", "notice": "the app's", "csrf_token": lambda: "the app's"}
    app.context_processor(lambda: names)
    app.jinja_env.globals.update(names, url_for=lambda *_names, **_values: "the app's")


def failing(app):
    @app.context_processor
    def names_of_user():
        raise LookupError("nobody is signed in")


def own_templates(app):
    app.jinja_env.filters.clear()
    app.jinja_env.tests.clear()


@pytest.mark.parametrize("kind", [Flask, OtherDelimiters, OtherBlocks, NothingEscaped])
@pytest.mark.parametrize("prepare", [None, strict, with_names, failing, own_templates])
def test_pages_are_the_same_whatever_the_apps_templates_are(tmp_path, kind, prepare):
    """Delimiters, escaping, names and context processors are for the app's own templates."""

    def shown(app, path):
        app.config.update(ACCOUNTS, TESTING=True)
        Licet(app)
        client = app.test_client()
        client.set_cookie("licet_form", "a")
        return client.get(path).text

    other, plain = (made("x", instance_path=str(tmp_path)) for made in (kind, Flask))
    if prepare is not None:
        prepare(other)
    path = '/auth/sign-in?next="><script>'
    assert shown(other, path) == shown(plain, path)
    assert "<script>" not in shown(Flask("y", instance_path=str(tmp_path)), path)


class Wrapped(DefaultJSONProvider):
    def dumps(self, obj, **kwargs):
        return super().dumps({"data": obj}, **kwargs)


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/.well-known/jwks.json", "keys"),
        ("/.well-known/openid-configuration", "issuer"),
        ("/.well-known/oauth-protected-resource", "resource"),
        ("/auth/accounts", "message"),
    ],
)
def test_documents_of_standards_are_not_the_apps_json(app, path, member):
    """An app's JSON provider writes its own answers, and no key set that others must read."""
    app.json = Wrapped(app)
    app.config.update(ACCOUNTS)
    Licet(app)
    app.add_url_rule("/", "mine", public(lambda: {"a": 1}))
    client = app.test_client()
    body = json.dumps({"email": "ann@example.org", "password": "correct horse battery"})
    method = "POST" if path.startswith("/auth") else "GET"
    answer = client.open(path, method=method, data=body, content_type="application/json")
    assert member in answer.json
    assert client.get("/").json == {"data": {"a": 1}}


@pytest.mark.parametrize("debug", [False, True])
def test_the_apps_logger_is_made_by_the_app(app, debug):
    """Its first use adds Flask's handler, beside that of an app that configures logging later."""
    app.config["DEBUG"] = debug
    Licet(app)
    assert "logger" not in vars(app)
    assert logging.getLogger(app.name).handlers == []


def test_debug_mode_tells_where_things_are(app, capsys):
    """As `app.logger` would: everything, and by Flask's handler where nothing is configured."""
    app.config["DEBUG"] = True
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []  # pytest's own
    try:
        Licet(app)
    finally:
        root.handlers = handlers
    assert "licet: instance folder" in capsys.readouterr().err


@pytest.mark.parametrize("config", [{}, {"LICET_PROBLEM_ERRORS": True}, ACCOUNTS])
def test_a_document_names_the_path_that_was_sent(app, config):
    """That of an app below another begins with its mount."""
    app.config.update(config)
    Licet(app)
    app.add_url_rule("/you", "you", requires_auth("you")(lambda: "you"))
    client = Client(DispatcherMiddleware(Flask("outside"), {"/api": app}))
    path = "/api/auth/session" if config is ACCOUNTS else "/api/you"
    assert client.get(path).json["instance"] == path


def test_current_app_is_the_app_that_it_stands_for(app):
    """A proxy that is kept would mean another app later, or none."""
    with app.app_context():
        Licet(current_app)
        app.add_url_rule("/", "home", public(lambda: "home"))
        protect(current_app)
    client = app.test_client()
    assert client.get("/").text == "home"
    assert client.get("/.well-known/openid-configuration").status_code == 200


@pytest.mark.parametrize("is_first", [True, False])
def test_a_rule_that_both_have_is_told(app, caplog, is_first):
    """Flask answers by the first, and the other is reached by nobody."""

    def add_own():
        app.add_url_rule("/.well-known/jwks.json", "own", public(lambda: "own"))
        app.add_url_rule("/.well-known/jwks.json", "put", public(lambda: ""), methods=["PUT"])
        app.add_url_rule("/twice", "one", public(lambda: "one"))
        app.add_url_rule("/twice", "two", public(lambda: "two"))

    if is_first:
        add_own()
    Licet(app)
    if not is_first:
        add_own()
    app.test_client().get("/twice")
    (told,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    first, other = ("own", "licet_jwks") if is_first else ("licet_jwks", "own")
    assert told.startswith(f"GET /.well-known/jwks.json is a rule of {first}, which was added")
    assert f"and of {other}, which nobody reaches" in told


def test_an_error_in_the_apps_own_words_keeps_its_challenge(app):
    """The handler of Flask's documentation takes the error's response, and writes another body."""

    @app.errorhandler(401)
    def in_own_words(error):
        response = error.get_response()
        response.data = f"{error.code} {error.name}"
        return response

    def view():
        raise InvalidToken

    Licet(app)
    app.add_url_rule("/", "view", public(view))
    answer = app.test_client().get("/")
    assert answer.text == "401 Unauthorized"
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="licet"')


class Resource(MethodView):
    """As those of Flask-RESTful and Flask-RESTX."""

    method_decorators: ClassVar = []

    def get(self, *_found, **_arguments):
        return {"class": type(self).__name__}

    def dispatch_request(self, **arguments):
        method = self.get
        for decorator in self.method_decorators:
            method = decorator(method)
        return method(**arguments)


class Shown(BaseModel):
    a: int = 1


def is_signed_in(identity):
    return identity.is_authenticated


@pytest.mark.parametrize(
    ("decorators", "status"),
    [
        ([requires_auth("resource")], 401),
        ([requires(is_signed_in)], 401),
        ([public], 200),
        ([use_args({"q": str}), public], 200),
        ([marshal_response(Shown), requires_auth("resource")], 401),
    ],
    ids=["requires_auth", "requires", "public", "use_args", "marshal_response"],
)
def test_decorators_stand_on_bound_methods(app, decorators, status):
    """`method_decorators` are put on the method of an object, in each request."""
    Licet(app)
    Allows(app, identity_loader=lambda: current_identity)
    kind = type("Other", (Resource,), {"method_decorators": decorators})
    app.add_url_rule("/", view_func=kind.as_view("resource"))
    declare(app, "resource", access=PUBLIC)
    client = app.test_client()
    assert [client.get("/").status_code for _ in range(2)] == [status, status]


OWN = [401, Unauthorized, InvalidToken, LicetError, HTTPException, Exception]


@pytest.mark.parametrize("config", [{}, {"LICET_PROBLEM_ERRORS": True}])
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("kind", OWN)
def test_handlers_go_before_the_shape_of_errors(app, kind, is_first, config):
    """``LICET_ERROR_SHAPE`` says how errors look that no handler of the app takes."""

    def view():
        raise InvalidToken

    app.config.update(config, LICET_ERROR_SHAPE="message")
    if is_first:
        app.register_error_handler(kind, lambda _error: ("own", 401))
    Licet(app)
    if not is_first:
        app.register_error_handler(kind, lambda _error: ("own", 401))
    app.add_url_rule("/", "view", public(view))
    assert app.test_client().get("/").text == "own"


@pytest.mark.parametrize("trapped", [False, True])
def test_the_shape_is_for_licets_own_errors(app, trapped):
    """Others are answered, raised or trapped as if nobody handled them."""
    app.config.update(LICET_ERROR_SHAPE="message", TESTING=True, TRAP_HTTP_EXCEPTIONS=trapped)
    Licet(app)
    app.add_url_rule("/teapot", "teapot", public(lambda: abort(418)))
    app.add_url_rule("/broken", "broken", public(lambda: 1 / 0))
    client = app.test_client()
    with pytest.raises(ZeroDivisionError):
        client.get("/broken")
    if trapped:
        with pytest.raises(HTTPException):
            client.get("/teapot")
    else:
        assert client.get("/teapot").mimetype == "text/html"
