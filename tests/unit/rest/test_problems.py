"""Errors of an app as RFC 9457 problem documents."""

import logging

import pytest
from flask import Blueprint, Response, abort, redirect
from werkzeug.exceptions import HTTPException

from licet.errors import ActionConflict, InvalidToken, StoreUnavailable, UsageError
from licet.rest import install_problem_handler


class Closed(HTTPException):
    """A status that no standard lists."""

    code = 499
    description = "The client went away."


def answer_to(app, function):
    """What a view that does this answers."""
    install_problem_handler(app)
    app.add_url_rule("/view", view_func=lambda: function() or "", methods=["GET"])
    return app.test_client().get("/view")


def fail(error):
    """A view that raises."""

    def view():
        raise error

    return view


@pytest.mark.parametrize(
    ("error", "status", "code", "title"),
    [
        (ActionConflict("busy"), 409, "action_conflict", "Conflict"),
        (InvalidToken("old"), 401, "invalid_token", "Unauthorized"),
        (StoreUnavailable("down"), 503, "store_unavailable", "Service Unavailable"),
    ],
)
def test_our_errors_tell_their_stable_code(app, error, status, code, title):
    """A problem of licet has its status, its title, its text and its code."""
    response = answer_to(app, fail(error))
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert response.json == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": error.description,
        "instance": "/view",
        "code": code,
    }


def test_headers_of_the_error_are_kept(app):
    """The challenge of a 401 is on the problem document too."""
    assert answer_to(app, fail(InvalidToken())).headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("POST", "/view", 405, "method_not_allowed")],
)
def test_unknown_routes_and_methods_are_problems(app, method, path, status, code):
    """What Flask itself refuses is a problem document like any other."""
    answer_to(app, lambda: "")
    response = app.test_client().open(path, method=method)
    assert (response.status_code, response.json["code"]) == (status, code)
    assert response.content_type == "application/problem+json"


def test_a_405_still_tells_the_methods(app):
    """The Allow header survives."""
    answer_to(app, lambda: "")
    assert "GET" in app.test_client().post("/view").headers["Allow"]


@pytest.mark.parametrize("error", [ValueError("secret"), UsageError("secret")])
def test_unexpected_errors_tell_only_an_id(app, caplog, error):
    """The caller gets an id; the log has it with the traceback."""
    with caplog.at_level(logging.ERROR, "licet.rest.problems"):
        response = answer_to(app, fail(error))
    assert response.status_code == 500
    assert "secret" not in response.text
    (record,) = caplog.records
    assert response.json["error_id"] in record.getMessage()
    assert record.exc_info[1] is error


@pytest.mark.parametrize(
    ("function", "status", "text"),
    [
        (lambda: abort(Response("mine", 418)), 418, "mine"),
        (lambda: abort(redirect("/elsewhere")), 302, None),
    ],
)
def test_finished_responses_are_left_alone(app, function, status, text):
    """A response or a redirect that was given to abort is sent as it is."""
    response = answer_to(app, function)
    assert response.status_code == status
    assert text is None or response.text == text


def test_a_slash_redirect_is_left_alone(app):
    """Flask's own redirect to the path with a slash is no problem."""
    install_problem_handler(app)
    app.add_url_rule("/folder/", view_func=lambda: "")
    assert app.test_client().get("/folder").status_code == 308


def test_a_status_that_nobody_lists_is_rendered(app):
    """A status without a standard phrase is sent with its own text."""
    response = answer_to(app, fail(Closed()))
    assert response.status_code == 499
    assert response.json["detail"] == "The client went away."
    assert response.json["status"] == 499


def test_a_blueprints_own_handler_comes_first(app):
    """A blueprint that speaks another error language keeps it."""
    blueprint = Blueprint("own", __name__)
    blueprint.add_url_rule("/own", view_func=fail(ActionConflict()))
    blueprint.register_error_handler(ActionConflict, lambda _error: ("own", 409))
    install_problem_handler(app)
    app.register_blueprint(blueprint)
    assert app.test_client().get("/own").text == "own"
