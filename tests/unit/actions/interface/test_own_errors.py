"""A provider's errors in an app that has handlers of its own."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Blueprint, Flask, abort, got_request_exception
from tests.api.providers import SCOPE, describe
from werkzeug.exceptions import Forbidden, HTTPException, NotFound, default_exceptions

from licet import Licet
from licet.actions import ActionProviderBlueprint, add_action_routes_to_blueprint
from licet.authn import embedded_issuer
from licet.errors import (
    AccessDenied,
    ActionConflict,
    ActionNotFound,
    AuthenticationError,
    InvalidToken,
    LicetError,
    StoreUnavailable,
    TooManyAttempts,
)

EVERYTHING = [*default_exceptions, HTTPException, LicetError, AuthenticationError, Exception]
RAISED: list[tuple[Any, int]] = [
    (ActionNotFound, 404),
    (ActionConflict, 409),
    (InvalidToken, 401),
    (AccessDenied, 403),
    (TooManyAttempts, 429),
    (StoreUnavailable, 503),
    (Forbidden, 403),
    (lambda: abort(418), 418),
    (ZeroDivisionError, 500),
    (NotFound, 404),
]


def raising(make: Any) -> Any:
    """A callback that raises."""

    def callback(*_args: Any) -> Any:
        raise make()

    return callback


def by_class(make: Any, **_options: Any) -> Blueprint:
    """The blueprint class with a callback that raises."""
    provider = ActionProviderBlueprint("apt", __name__, "/apt", describe())
    provider.action_status(raising(make))
    return provider


def by_helper(make: Any, *, before: Any = None) -> Blueprint:
    """A plain blueprint with the same; `before` does something to it first."""
    blueprint = Blueprint("apt", __name__, url_prefix="/apt")
    if before is not None:
        before(blueprint)
    callbacks = [raising(make)] * 4
    add_action_routes_to_blueprint(blueprint, None, None, None, describe(), *callbacks)
    return blueprint


def ask(app: Flask, prefix: str = "") -> Any:
    """The answer to a caller who asks for an action, and prefers a page."""
    token = embedded_issuer(app).mint("ann", [SCOPE])
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
    return app.test_client().get(f"{prefix}/apt/x/status", headers=headers)


def own(error: Exception) -> tuple[str, int]:
    """A handler of somebody's own."""
    return f"own {type(error).__name__}", 299


@pytest.mark.parametrize("has_licet", [True, False])
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("make_provider", [by_class, by_helper])
def test_the_apps_handlers_do_not_reach_into_a_provider(app, make_provider, is_first, has_licet):
    """Whatever the app handles and whenever, the provider answers in the interface's JSON."""
    if has_licet:
        app.config["LICET_PROTECT"] = False
        Licet(app)
    outer = Blueprint("outer", __name__)
    for number, (make, _status) in enumerate(RAISED):
        outer.register_blueprint(
            make_provider(make), url_prefix=f"/{number}/apt", name=f"p{number}"
        )
    places = (app, outer)
    if not is_first:
        app.register_blueprint(outer)
        places = (app,)
    for place in places:
        for kind in EVERYTHING:
            place.register_error_handler(kind, own)
    if is_first:
        app.register_blueprint(outer)
    for number, (_make, status) in enumerate(RAISED):
        answer = ask(app, f"/{number}")
        assert (answer.status_code, answer.mimetype) == (status, "application/json")
        assert {"code", "description"} <= answer.json.keys()


@pytest.mark.parametrize(
    "kind", [404, NotFound, ActionNotFound, LicetError, HTTPException, Exception]
)
@pytest.mark.parametrize("make_provider", ["by class", "by helper", "by helper, later"])
def test_handlers_on_the_provider_itself_win(app, make_provider, kind):
    """Whoever writes the provider may answer otherwise, by status or by class."""
    if make_provider == "by helper, later":
        provider = by_helper(
            ActionNotFound, before=lambda bare: bare.register_error_handler(kind, own)
        )
    else:
        provider = (by_class if make_provider == "by class" else by_helper)(ActionNotFound)
        provider.register_error_handler(kind, own)
    app.register_blueprint(provider)
    assert ask(app).text == "own ActionNotFound"


@pytest.mark.parametrize("switch", [None, "TESTING", "DEBUG", "PROPAGATE_EXCEPTIONS"])
@pytest.mark.parametrize("make_provider", [by_class, by_helper])
def test_an_unexpected_error_is_signalled_and_logged(app, make_provider, switch, caplog):
    """Once each, as Flask does, in any mode; the caller gets 500 and the id of the log line."""
    seen = []
    got_request_exception.connect(lambda _app, exception: seen.append(exception), app, weak=False)
    if switch is not None:
        app.config[switch] = True
    app.register_blueprint(make_provider(lambda: ZeroDivisionError("secret")))
    with caplog.at_level(logging.WARNING):
        answer = ask(app)
    assert (answer.status_code, answer.json["code"]) == (500, "ActionProviderError")
    assert "secret" not in answer.text
    assert [str(one) for one in seen] == ["secret"]
    by_flask, id_of_answer = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert (by_flask.name, by_flask.exc_info[1]) == (app.name, seen[0])
    assert answer.json["error_id"] in id_of_answer.getMessage()


def test_an_apps_own_logging_of_exceptions_is_used(app):
    """What an app puts in place of Flask's ``log_exception`` is called for providers, too."""
    told = []
    app.log_exception = told.append
    app.register_blueprint(by_class(ZeroDivisionError))
    ask(app)
    (exc_info,) = told
    assert exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize("make", [make for make, status in RAISED if status != 500])
def test_an_http_error_is_not_signalled(app, make):
    """It is an answer, to Flask and to Sentry."""
    seen = []
    got_request_exception.connect(lambda _app, exception: seen.append(exception), app, weak=False)
    app.register_blueprint(by_class(make))
    ask(app)
    assert seen == []
