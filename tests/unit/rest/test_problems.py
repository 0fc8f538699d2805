"""Every error of an app as an RFC 9457 problem document, with ``LICET_PROBLEM_ERRORS``."""

import pytest
from flask import Blueprint, Response, abort, got_request_exception, redirect
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError, NotFound

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


def test_browsers_get_documents_too(app):
    """The setting is about every request, whatever it prefers."""
    answer_to(app, fail(InvalidToken()))
    for path in ("/view", "/nowhere"):
        answer = app.test_client().get(path, headers={"Accept": "text/html"})
        assert answer.content_type == "application/problem+json"


UNEXPECTED = [ValueError("secret"), UsageError("secret")]


@pytest.mark.parametrize("error", UNEXPECTED)
def test_unexpected_errors_tell_only_an_id(app, caplog, error):
    """Flask logs the exception, and below it the id that the caller gets."""
    response = answer_to(app, fail(error))
    assert response.status_code == 500
    assert response.content_type == "application/problem+json"
    assert response.json["code"] == "internal_server_error"
    assert "secret" not in response.text
    by_flask, id_of_answer = caplog.records
    assert by_flask.name == app.name
    assert by_flask.exc_info[1] is error
    assert response.json["error_id"] in id_of_answer.getMessage()


@pytest.mark.parametrize("error", UNEXPECTED)
def test_unexpected_errors_are_signalled_once(app, error):
    """What listens to Flask's signal, as Sentry does, is told."""
    seen = []
    got_request_exception.connect(lambda _app, exception: seen.append(exception), app, weak=False)
    answer_to(app, fail(error))
    assert seen == [error]


@pytest.mark.parametrize("switch", ["TESTING", "DEBUG", "PROPAGATE_EXCEPTIONS"])
@pytest.mark.parametrize("error", UNEXPECTED)
def test_unexpected_errors_are_raised_where_flask_raises_them(app, switch, error):
    """In tests and under the debugger nothing is swallowed; the view is the last in the trace."""
    app.config[switch] = True
    with pytest.raises(type(error)) as caught:
        answer_to(app, fail(error))
    assert caught.value is error
    assert caught.traceback[-1].name == "view"


@pytest.mark.parametrize(
    ("switch", "error"),
    [
        ("TRAP_HTTP_EXCEPTIONS", NotFound()),
        ("TRAP_HTTP_EXCEPTIONS", InternalServerError()),
        ("TRAP_BAD_REQUEST_ERRORS", BadRequest()),
    ],
)
@pytest.mark.parametrize("testing", [False, True])
def test_trapped_errors_are_unexpected(app, switch, error, testing):
    """Flask's switches that show where an HTTP error comes from still show it."""
    app.config.update({switch: True, "TESTING": testing})
    if testing:
        with pytest.raises(type(error)):
            answer_to(app, fail(error))
    else:
        response = answer_to(app, fail(error))
        assert (response.status_code, "error_id" in response.json) == (500, True)


@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize(
    "kind", [404, 500, NotFound, HTTPException, Exception, InternalServerError]
)
def test_an_apps_own_handlers_win(app, kind, is_first):
    """Whether registered before or after, by status or by class, however wide."""
    own = (kind, lambda _error: ("own", 418))
    if is_first:
        app.register_error_handler(*own)
    install_problem_handler(app)
    if not is_first:
        app.register_error_handler(*own)
    app.add_url_rule("/view", view_func=fail(ValueError()))
    client = app.test_client()
    answers = {path: client.get(path).status_code == 418 for path in ("/view", "/nowhere")}
    assert answers == {
        "/view": kind in (500, HTTPException, Exception, InternalServerError),
        "/nowhere": kind in (404, NotFound, HTTPException, Exception),
    }


def test_a_handler_for_a_wider_base_wins(app):
    """An app's errors that are werkzeug's beside are answered by the handler for their own base."""

    class AppError(Exception):
        """The base of the app's errors."""

    class Missing(NotFound, AppError):
        """One of them."""

    app.register_error_handler(AppError, lambda _error: ("own", 404))
    assert answer_to(app, fail(Missing())).text == "own"


def test_a_handler_may_ask_for_an_error_to_be_answered(app):
    """An app's handler that gives another error to Flask gets the document of that error."""
    app.register_error_handler(
        ValueError, lambda _error: app.handle_http_exception(NotFound("gone"))
    )
    response = answer_to(app, fail(ValueError()))
    assert (response.status_code, response.json["detail"]) == (404, "gone")
    assert "error_id" not in response.json


def test_an_outage_is_logged(app, caplog):
    """What does not answer is told to the operator."""
    answer_to(app, fail(StoreUnavailable("down")))
    (record,) = caplog.records
    assert record.getMessage().startswith("StoreUnavailable in <lambda>: ")


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
