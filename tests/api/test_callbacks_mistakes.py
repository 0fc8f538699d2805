"""What callbacks raise and return, and what becomes of it in a response and in the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import abort, request
from tests.api.providers import (
    NOBODY,
    ON_ONE_ACTION,
    Site,
    StoreCallbacks,
    assert_error,
    describe,
    make_callbacks,
    make_store,
)

from licet.actions import ActionLogReturn, ActionStatus
from licet.errors import (
    ActionConflict,
    ActionForbidden,
    ActionNotFound,
    ActionProviderError,
    BadActionRequest,
    RequestValidationError,
    UnauthorizedRequest,
)


@pytest.fixture
def site_with(instance: Any) -> Callable[..., Site]:
    """A function that makes a site whose one callback is the given function."""

    def make(operation: str, function: Callable[..., Any]) -> Site:
        blueprint = make_callbacks(describe())
        getattr(blueprint, f"action_{operation}")(function)
        return Site("callbacks", blueprint, instance)

    return make


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadActionRequest, 400),
        (UnauthorizedRequest, 401),
        (ActionForbidden, 403),
        (ActionNotFound, 404),
        (ActionConflict, 409),
        (RequestValidationError, 422),
        (ActionProviderError, 500),
    ],
)
@pytest.mark.parametrize("operation", ["run", "enumerate", *ON_ONE_ACTION])
def test_errors_of_the_interface_are_its_answers(
    site_with: Callable[..., Site],
    spelling: str,
    operation: str,
    error: type[ActionConflict],
    status: int,
):
    """Whatever a callback raises is answered with its code and text, but for missing actions.

    Those are told in one text, whatever a callback says, so that hidden ones look the same.
    """

    def refuse(*_args: Any) -> None:
        raise error("because")

    body = '{"request_id": "r", "body": {"echo": "x"}}'
    response = site_with(operation, refuse).call(operation, spelling=spelling, data=body)

    assert_error(response, status, error.__name__)
    told = error is ActionNotFound and operation in ON_ONE_ACTION
    text = "No Action with id none" if told else "because"
    assert response.json == {"code": error.__name__, "description": text}
    assert (response.headers.get("WWW-Authenticate") == "Bearer") == (status == 401)


def test_validation_errors_are_bad_requests():
    """Who catches a `BadActionRequest` also catches what failed validation."""
    assert issubclass(RequestValidationError, BadActionRequest)


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "NotFound"), (410, "Gone"), (403, "Forbidden"), (401, "Unauthorized"), (503, None)],
)
def test_an_abort_keeps_its_status(site_with: Callable[..., Site], status: int, code: str | None):
    """`abort(404)` inside a callback stays a 404, in the interface's JSON."""
    response = site_with("status", lambda *_: abort(status)).call("status")

    assert_error(response, status, code or "ServiceUnavailable")


def test_an_abort_with_401_names_the_scheme(site_with: Callable[..., Site]):
    """A 401 always carries a challenge, whoever made it."""
    response = site_with("status", lambda *_: abort(401)).call("status")

    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_an_unexpected_error_tells_nothing(
    site_with: Callable[..., Site], caplog: pytest.LogCaptureFixture
):
    """The caller gets an id; the log has it, with the traceback."""

    def broken(*_args: Any) -> None:
        raise RuntimeError("the password is hunter2")

    response = site_with("status", broken).call("status")

    assert_error(response, 500, "ActionProviderError")
    assert "hunter2" not in response.text
    assert response.json["error_id"] in caplog.text
    assert "hunter2" in caplog.text


def wrong_things() -> dict[str, Any]:
    """What a callback must not return."""
    return {
        "nothing": None,
        "dict": {"status": "ACTIVE"},
        "text": "ok",
        "triple": (None, 200, {}),
        "pair": (None, 200),
        "object": object(),
    }


@pytest.mark.parametrize("operation", ["run", "status", "cancel", "release", "resume"])
@pytest.mark.parametrize("wrong", wrong_things())
def test_a_wrong_return_is_told_in_the_log(
    site_with: Callable[..., Site],
    caplog: pytest.LogCaptureFixture,
    operation: str,
    wrong: str,
):
    """Anything but a status is a 500 that names the callback in the log, and only there."""

    def absent_minded(*_args: Any) -> Any:
        return wrong_things()[wrong]

    body = '{"request_id": "r", "body": {"echo": "x"}}'
    response = site_with(operation, absent_minded).call(operation, data=body)

    assert_error(response, 500, "ActionProviderError")
    assert "absent_minded" in caplog.text
    assert "absent_minded" not in response.text


@pytest.mark.parametrize("operation", ["log", "enumerate"])
@pytest.mark.parametrize("wrong", [None, "text", 7, [1], (object(), 200), object()])
def test_a_wrong_listing_is_told_in_the_log(
    site_with: Callable[..., Site], caplog: pytest.LogCaptureFixture, operation: str, wrong: Any
):
    """The same holds for logs and lists."""

    def absent_minded(*_args: Any) -> Any:
        return wrong

    response = site_with(operation, absent_minded).call(operation)

    assert_error(response, 500, "ActionProviderError")
    assert "absent_minded" in caplog.text


@pytest.mark.parametrize("operation", ["status", "log"])
@pytest.mark.parametrize("code", ["200", None, 20, 1000, 2.5, True])
def test_a_wrong_http_status_is_told_in_the_log(
    site_with: Callable[..., Site], caplog: pytest.LogCaptureFixture, operation: str, code: Any
):
    """The second of a pair has to be an HTTP status."""
    site = Site("callbacks", make_callbacks(describe()), site_with("run", _never).app.instance_path)
    action_id = site.started()
    document = {"entries": []} if operation == "log" else None

    def absent_minded(found: str, auth: Any) -> Any:
        return document or StoreCallbacks().status(found, auth), code

    response = site_with(operation, absent_minded).call(operation, action_id=action_id)

    assert_error(response, 500, "ActionProviderError")
    assert "absent_minded" in caplog.text


def _never(*_args: Any) -> None:
    raise AssertionError


@pytest.mark.parametrize("operation", ["run", "status", "log", "enumerate"])
def test_what_has_no_json_form_is_told_in_the_log(
    site_with: Callable[..., Site], caplog: pytest.LogCaptureFixture, operation: str
):
    """A document that cannot be written is the callback's mistake, and named as such."""
    status = ActionStatus(status="ACTIVE", creator_id=NOBODY, details={"x": object()})
    returned = {"log": {"x": object()}, "enumerate": [status]}.get(operation, status)

    def absent_minded(*_args: Any) -> Any:
        return returned

    body = '{"request_id": "r", "body": {"echo": "x"}}'
    response = site_with(operation, absent_minded).call(operation, data=body)

    assert_error(response, 500, "ActionProviderError")
    assert "absent_minded" in caplog.text


def test_an_invalid_document_is_told_in_the_log(
    site_with: Callable[..., Site], caplog: pytest.LogCaptureFixture
):
    """A callback that builds a document wrongly is named, with the field."""

    def absent_minded(*_args: Any) -> Any:
        return ActionStatus(status="CANCELLED", creator_id="me", details={})

    response = site_with("status", absent_minded).call("status")

    assert_error(response, 500, "ActionProviderError")
    assert "absent_minded" in caplog.text
    assert "creator_id" in caplog.text


@pytest.mark.parametrize("code", [200, 201, 202])
def test_a_callback_may_choose_the_http_status(site_with: Callable[..., Site], code: int):
    """A pair of status and code is answered with that code."""
    status = ActionStatus(status="ACTIVE", creator_id=NOBODY, details={})

    assert site_with("status", lambda *_: (status, code)).call("status").status_code == code


def test_the_decorators_log_example_is_answered(site_with: Callable[..., Site]):
    """The decorators document builds its log page with `time` and `details` of its own."""

    def my_action_log(action_id: str, _auth: Any) -> ActionLogReturn:
        details = {"filters": request.args.get("filters"), "action_id": "Transfer"}
        return ActionLogReturn(
            code=200, description=f"For {action_id}", time="TODAY", details=details
        )

    response = site_with("log", my_action_log).call("log", query_string={"filters": "f"})

    assert response.status_code == 200
    assert response.json["time"] == "TODAY"
    assert response.json["details"] == {"filters": "f", "action_id": "Transfer"}
    assert (response.json["limit"], response.json["entries"]) == (0, [])


def test_an_unwritable_result_is_not_stored(instance: Any, caplog: pytest.LogCaptureFixture):
    """With the store too, what cannot be written is the callback's mistake."""

    def absent_minded(asked: Any, auth: Any) -> ActionStatus:
        return ActionStatus(status="ACTIVE", creator_id=NOBODY, details={"x": object()})

    blueprint = make_store(describe())
    blueprint.action_run(absent_minded)
    response = Site("store", blueprint, instance).run()

    assert_error(response, 500, "ActionProviderError")
    assert "absent_minded" in caplog.text
