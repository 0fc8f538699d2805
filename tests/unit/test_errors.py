"""The error tree, and what each error looks like over HTTP."""

import copy
import json
import logging
import pickle
import re

import pytest
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    default_exceptions,
)
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import RequestRedirect
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from licet import errors
from licet.errors import (
    ActionFailure,
    ActionNotFound,
    ActionProviderError,
    ActionProviderToolsException,
    AttemptTimedOut,
    AuthenticationError,
    HiddenAction,
    InsufficientScope,
    InvalidRequirement,
    InvalidToken,
    LicetError,
    MissingToken,
    ObjectNotFound,
    ServiceUnavailable,
    StoreUnavailable,
    TooManyAttempts,
    UnauthorizedRequest,
    UndeclaredEndpoint,
    UndeclaredEndpoints,
    UsageError,
)
from licet.errors.rendering import ErrorDocument, error_document, is_final

CLASSES = [
    found
    for found in (getattr(errors, name) for name in errors.__all__)
    if isinstance(found, type) and issubclass(found, LicetError)
]
HTTP_ERRORS = [found for found in CLASSES if issubclass(found, HTTPException)]


def documented_parents():
    """Each class of the docstring's tree with the class that it hangs from."""
    path, parents = {}, {}
    for line in errors.__doc__.splitlines():
        found = re.match(r"^    ([│├└─ ]*)([A-Z]\w+)", line)
        if found:
            depth, name = len(found[1]) // 4, found[2]
            path[depth] = name
            parents[name] = path.get(depth - 1)
    return parents


def test_the_tree_names_every_public_error():
    """The docstring's tree and `__all__` name the same classes."""
    assert set(documented_parents()) == {found.__name__ for found in CLASSES}


@pytest.mark.parametrize("error", CLASSES, ids=lambda found: found.__name__)
def test_the_tree_tells_the_true_parent(error):
    """Each class stands in the tree below one of its bases."""
    parent = documented_parents()[error.__name__]
    assert parent is None or parent in {base.__name__ for base in error.__mro__[1:]}


def test_all_is_sorted():
    """The public names stand in order."""
    assert errors.__all__ == sorted(errors.__all__)


@pytest.mark.parametrize("error", CLASSES, ids=lambda found: found.__name__)
def test_codes_are_stable_words(error):
    """Each class has a snake_case code of its own, save the one that hides itself."""
    sharing = {other for other in CLASSES if other.code_name == error.code_name}
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code_name)
    assert sharing in ({error}, {ActionNotFound, HiddenAction})


@pytest.mark.parametrize("error", CLASSES, ids=lambda found: found.__name__)
def test_only_usage_errors_are_runtime_errors(error):
    """The program's bugs are RuntimeErrors; failures of others never are."""
    assert issubclass(error, RuntimeError) == issubclass(error, UsageError)


@pytest.mark.parametrize("error", HTTP_ERRORS, ids=lambda found: found.__name__)
def test_each_error_is_its_own_response(error):
    """Without a request, an error has its status and a JSON object of code and description."""
    response = error("what happened").get_response({})
    assert response.status_code == error().code
    assert response.mimetype == "application/json"
    assert json.loads(response.get_data()) == {
        "code": error("what happened").interface_code,
        "description": "what happened",
    }


@pytest.mark.parametrize("error", HTTP_ERRORS, ids=lambda found: found.__name__)
def test_a_response_and_a_document_say_the_same(error):
    """Rendered directly or by `error_document`, an error is the same."""
    document = error_document(error())
    response = error().get_response({})
    assert document.status == response.status_code
    assert document.as_dict() == json.loads(response.get_data())
    assert dict(document.headers).items() <= dict(response.headers).items()


@pytest.mark.parametrize("error", HTTP_ERRORS, ids=lambda found: found.__name__)
def test_each_error_is_werkzeugs_of_its_status(error):
    """Handlers for a status, or for werkzeug's class of it, take licet's errors of that status."""
    assert isinstance(error(), default_exceptions[error().code]) or error.code is None


@pytest.mark.parametrize("error", HTTP_ERRORS, ids=lambda found: found.__name__)
def test_handlers_find_what_werkzeugs_errors_have(error):
    """The attributes that a handler of werkzeug's class reads say what the headers say."""
    made = error()
    headers = dict(made.extra_headers())
    if not isinstance(made, ActionProviderToolsException):
        assert made.name == HTTP_STATUS_CODES[made.code]
    if isinstance(made, Unauthorized):
        challenges = [WWWAuthenticate.from_header(headers.get("WWW-Authenticate"))]
        assert [*made.www_authenticate] == [one for one in challenges if one is not None]
    if made.code in (429, 503):
        assert str(made.retry_after) == headers["Retry-After"]
    if isinstance(made, InternalServerError):
        assert made.original_exception is None


def test_the_wait_is_told_to_handlers():
    """An app's own page for 429 can say when to come back."""
    assert TooManyAttempts(retry_after_seconds=1.5).retry_after == 2


def rendered(error, accept=None):
    """The error as the response to a request."""
    headers = {} if accept is None else {"Accept": accept}
    return error.get_response(EnvironBuilder("/där", headers=headers).get_environ())


@pytest.mark.parametrize("error", HTTP_ERRORS, ids=lambda found: found.__name__)
def test_programs_get_a_problem_document(error):
    """The response to a request is RFC 9457's JSON, with the error's own headers."""
    made = error("what <happened>")
    response = rendered(made)
    assert (response.status_code, response.content_type) == (made.code, "application/problem+json")
    assert response.json["code"] == error.code_name
    assert response.json["detail"] == "what <happened>"
    assert response.json["instance"] == "/där"
    assert made.extra_headers().items() <= dict(response.headers).items()


@pytest.mark.parametrize("error", HTTP_ERRORS, ids=lambda found: found.__name__)
def test_browsers_get_a_page(error):
    """The same status and headers with a page that has no script, style or unescaped text."""
    made = error("what <happened>")
    response = rendered(made, BROWSER)
    assert (response.status_code, response.mimetype) == (made.code, "text/html")
    assert "what &lt;happened&gt;" in response.get_data(as_text=True)
    assert not re.search("<(script|style|link|img)|style=|http", response.get_data(as_text=True))
    assert made.extra_headers().items() <= dict(response.headers).items()


BROWSER = (  # Chrome's, to the letter
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (BROWSER, True),
        (FIREFOX, True),
        ("text/html", True),
        ("text/*", True),
        ("text/html, application/xhtml+xml, */*", True),
        ("text/html, */*; q=0.01", True),
        ("application/json;q=0.1, text/html", True),
        ("TEXT/HTML", True),
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/problem+json, text/html", False),
        ("application/json, text/html", False),
        ("application/json, text/plain, */*", False),
        ("application/json, text/javascript, */*; q=0.01", False),
        ("text/html;q=0, */*", False),
        ("text/html;q=0", False),
        ("image/png", False),
        ("text/html;q=0.5, application/*", False),
        ("garbage,,;;q=x", False),
    ],
)
def test_accept_decides_between_page_and_document(accept, is_page):
    """A page is for those who rank HTML above JSON; the answer says that it depends on Accept."""
    response = rendered(ObjectNotFound(), accept)
    assert response.mimetype == ("text/html" if is_page else "application/problem+json")
    assert response.headers["Vary"] == "Accept"


@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
def test_hidden_and_absent_are_answered_alike(accept):
    """Byte for byte, headers included, in either form."""
    hidden, absent = (rendered(one(), accept) for one in (HiddenAction, ActionNotFound))
    assert hidden.get_data() == absent.get_data()
    assert [*hidden.headers] == [*absent.headers]


def test_a_given_response_is_the_answer():
    """An error that was made with a response is that response."""
    assert rendered(ObjectNotFound(response=Response("mine", 404)), BROWSER).get_data() == b"mine"


def test_an_outage_is_logged_with_its_cause(caplog):
    """The operator is told what does not answer; the caller is not."""
    error = ServiceUnavailable()
    error.__cause__ = OSError("no route to db.internal\nsecond line")
    response = rendered(error)
    assert "db.internal" not in response.get_data(as_text=True)
    (record,) = caplog.records
    assert record.getMessage() == (
        "ServiceUnavailable in GET '/där': OSError: no route to db.internal"
    )


def test_a_structured_description_becomes_json():
    """A description that is not text is sent as JSON text."""
    assert ActionProviderError({"b": [1]}).description == '{"b": [1]}'


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        (MissingToken(), 'Bearer realm="licet"'),
        (InvalidToken(), 'Bearer realm="licet", error="invalid_token"'),
        (AuthenticationError(), 'Bearer realm="licet", error="invalid_token"'),
        (InsufficientScope(), 'Bearer realm="licet", error="insufficient_scope"'),
        (
            InsufficientScope(accepted_scopes=("run", "all")),
            'Bearer realm="licet", error="insufficient_scope", scope="run"',
        ),
        (UnauthorizedRequest(), "Bearer"),
    ],
)
def test_challenges_are_those_of_rfc_6750(error, challenge):
    """The challenge names an error only where a token was sent, a scope only where one lacks."""
    assert error_document(error).headers["WWW-Authenticate"] == challenge


def test_insufficient_scope_is_403():
    """A good token without the scope is forbidden, not unauthorized."""
    assert error_document(InsufficientScope()).status == 403


@pytest.mark.parametrize("error", [e for e in HTTP_ERRORS if issubclass(e, ServiceUnavailable)])
def test_outages_say_when_to_come_back(error):
    """Every 503 carries Retry-After."""
    assert int(error_document(error()).headers["Retry-After"]) > 0


def test_a_hidden_action_looks_missing():
    """What may not be known of cannot be told from what is not there."""
    assert error_document(HiddenAction()) == error_document(ActionNotFound())
    assert isinstance(HiddenAction(), AuthenticationError)


def test_werkzeugs_errors_keep_their_headers():
    """A 405 still tells the allowed methods, and no longer the type of its HTML body."""
    document = error_document(MethodNotAllowed(valid_methods=["GET"]))
    assert document.status == 405
    assert document.code == "MethodNotAllowed"
    assert dict(document.headers) == {"Allow": "GET"}


def test_an_http_error_without_status_is_500():
    """A bare HTTPException is an internal error."""
    document = error_document(HTTPException())
    assert (document.status, document.description) == (500, "Unknown Error")


def test_unexpected_errors_tell_nothing():
    """What is no HTTP error is rendered without a word of its own."""
    document = error_document(ValueError("the password is 123"))
    assert document == ErrorDocument(
        status=500, code="ActionProviderError", description="Internal Server Error"
    )


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (NotFound(), False),
        (HTTPException(), False),
        (NotFound(response=Response("done")), True),
        (RequestRedirect("/elsewhere"), True),
    ],
)
def test_responses_and_redirects_are_final(error, final):
    """An error that carries a response, or redirects, is sent as it is."""
    assert is_final(error) is final


PLACE = UndeclaredEndpoint(endpoint="e", rule="/", methods=("GET",), location="app.py:1")
MADE = {
    ActionFailure: lambda: ActionFailure("BROKEN", "It broke.", may_retry=True, part=7),
    AttemptTimedOut: lambda: AttemptTimedOut(7),
    InvalidRequirement: lambda: InvalidRequirement("is_admin", "raised"),
    InsufficientScope: lambda: InsufficientScope(accepted_scopes=("run",)),
    TooManyAttempts: lambda: TooManyAttempts(retry_after_seconds=7),
    UndeclaredEndpoints: lambda: UndeclaredEndpoints([PLACE]),
}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "remake", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))]
)
def test_errors_come_from_other_processes_as_they_were(kind, remake):
    """Pools of processes, Celery and pytest-xdist pickle what a function raises."""
    error = MADE.get(kind, lambda: kind("what happened"))()
    found = remake(error)
    assert (type(found), str(found)) == (kind, str(error))
    assert vars(found) == vars(error)


@pytest.mark.parametrize("environ", [None, {}, EnvironBuilder("/a").get_environ()])
def test_the_reason_is_logged_when_a_response_is_made(caplog, environ):
    """A handler of the app's makes it without an environment, and the reason is nowhere else."""
    error = StoreUnavailable()
    error.__cause__ = OSError("the disk is full")
    with caplog.at_level(logging.WARNING):
        error.get_response(environ)
    assert "OSError: the disk is full" in caplog.text
