"""The error tree, and what each error looks like over HTTP."""

import json
import re

import pytest
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response

from licet import errors
from licet.errors import (
    ActionNotFound,
    ActionProviderError,
    AuthenticationError,
    HiddenAction,
    InsufficientScope,
    InvalidToken,
    LicetError,
    MissingToken,
    ServiceUnavailable,
    UnauthorizedRequest,
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
    """An HTTP error answers with its status and a JSON object of code and description."""
    response = error("what happened").get_response({})
    assert response.status_code == error.code
    assert response.mimetype == "application/json"
    assert json.loads(response.get_data()) == {
        "code": error("what happened").name,
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
