"""Licet's own endpoints and pages in an app that has a handler for everything."""

import pytest
from flask import got_request_exception
from werkzeug.exceptions import HTTPException, default_exceptions

from licet import Licet
from licet.errors import ConfigurationError, LicetError

EVERYTHING = [*default_exceptions, HTTPException, LicetError, Exception]
WRONG = {"email": "nobody@example.org", "password": "a wrong one"}


@pytest.fixture(params=["handlers first", "licet first"])
def handled(request, make_app):
    """An app whose handlers answer everything with a page of their own."""
    app = make_app.bare()
    if request.param == "licet first":
        Licet(app)
    for kind in EVERYTHING:
        app.register_error_handler(kind, lambda _error: ("own page", 299))
    if request.param == "handlers first":
        Licet(app)
    return app


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("POST", "/auth/session", {"json": WRONG}, 401, "invalid_credentials"),
        ("POST", "/auth/session", {"json": {}}, 422, "invalid_request"),
        ("POST", "/auth/session", {"data": "x"}, 415, "unsupported_media_type"),
        ("POST", "/auth/verify", {"json": {"token": "x", "password": "y"}}, 400, "invalid_link"),
        ("GET", "/auth/session", {}, 401, "missing_token"),
    ],
)
def test_the_api_answers_with_documents(handled, accept, method, path, options, status, code):
    """Programs such as `licet login` get what they can read."""
    headers = {"Accept": accept}
    answer = handled.test_client().open(path, method=method, headers=headers, **options)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["code"] == code


def test_the_pages_answer_with_pages(handled):
    """A form without its token is refused by licet's page, not by the app's."""
    answer = handled.test_client().post("/auth/sign-in", data=WRONG)
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "own page" not in answer.text


def test_other_errors_below_the_same_path_are_the_apps(handled):
    """An unknown route is nobody's but the app's."""
    assert handled.test_client().get("/auth/nowhere").text == "own page"


@pytest.mark.parametrize("path", ["/auth/session", "/auth/sign-in"])
@pytest.mark.parametrize("error", [ZeroDivisionError("x"), ConfigurationError("x")])
def test_unexpected_errors_in_them_go_flasks_way(make_app, path, error):
    """They are signalled, and raised under TESTING."""
    app = make_app(TESTING=True)
    seen = []
    got_request_exception.connect(lambda _app, exception: seen.append(exception), app, weak=False)

    def fail():
        raise error

    app.before_request(fail)
    with pytest.raises(type(error)):
        app.test_client().get(path)
    assert seen == [error]
