"""Calling a provider's own code: what passes, and who is blamed for what does not."""

from __future__ import annotations

import functools
import logging
from http import HTTPStatus
from typing import Any

import pytest

from licet.actions import ActionLogReturn, ActionStatus
from licet.actions.enumeration import Page
from licet.actions.interface.callbacks import Callbacks, Operation
from licet.errors import ActionProviderError, OperationNotImplemented

CREATOR = "urn:globus:auth:identity:11111111-2222-3333-4444-555555555555"


def a_status(**changes: Any) -> ActionStatus:
    return ActionStatus(**{"status": "ACTIVE", "creator_id": CREATOR, "details": {}} | changes)


def returning(operation: Operation, value: Any) -> Callbacks:
    """Callbacks with one function, called `my_callback`, that returns `value`."""

    def my_callback(*_args: Any) -> Any:
        return value

    callbacks = Callbacks()
    callbacks.register(operation, my_callback)
    return callbacks


def test_a_registered_function_is_found():
    """What was registered is a member; nothing else is."""
    callbacks = returning(Operation.RUN, None)

    assert Operation.RUN in callbacks
    assert Operation.STATUS not in callbacks


def test_the_last_registered_function_counts():
    """Registering again replaces the function."""
    callbacks = returning(Operation.STATUS, None)
    status = a_status()
    callbacks.register(Operation.STATUS, lambda: status)

    assert callbacks.status(Operation.STATUS, 200) == (status, 200)


@pytest.mark.parametrize(
    ("pair", "code"), [((), 202), ((200,), 200), ((HTTPStatus.CREATED,), 201), ((599,), 599)]
)
def test_a_status_comes_with_its_code(pair: tuple[int, ...], code: int):
    """The code is the callback's, else the operation's own."""
    status = a_status()
    value = (status, *pair) if pair else status

    assert returning(Operation.RUN, value).status(Operation.RUN, 202) == (status, code)


def test_arguments_reach_the_function():
    """What is passed to `status` is passed on, in order."""
    callbacks, seen = Callbacks(), []
    callbacks.register(Operation.CANCEL, lambda *args: seen.append(args) or a_status())

    callbacks.status(Operation.CANCEL, 200, "id", "auth")

    assert seen == [("id", "auth")]


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        (None, "returned NoneType instead of an ActionStatus"),
        ({"a": 1}, "returned dict instead of an ActionStatus"),
        ((1, 2, 3), "returned tuple instead of an ActionStatus"),
        ((a_status(), 99), "returned 99 as HTTP status"),
        ((a_status(), 600), "returned 600 as HTTP status"),
        ((a_status(), "200"), "returned '200' as HTTP status"),
        ((a_status(), None), "returned None as HTTP status"),
    ],
)
def test_a_wrong_status_is_blamed_on_the_function(
    caplog: pytest.LogCaptureFixture, value: Any, mistake: str
):
    """One error line names the function and its mistake."""
    with pytest.raises(ActionProviderError) as raised:
        returning(Operation.RUN, value).status(Operation.RUN, 202)

    assert raised.value.description == "Internal Server Error"
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "my_callback " + mistake in record.getMessage()


@pytest.mark.parametrize(
    "page", [ActionLogReturn(), {"entries": []}, (ActionLogReturn(), 200), ({}, 206)]
)
def test_a_log_page_is_a_document_or_a_dict(page: Any):
    """Both pass as they are, with a code of their own where they have one."""
    found, code = returning(Operation.LOG, page).log_page("id", "auth")

    assert (found, code) == (page if isinstance(page, tuple) else (page, 200))


@pytest.mark.parametrize("page", [None, "text", [], ({}, "x"), ({}, 1000), ({}, None)])
def test_a_wrong_log_page_is_blamed_on_the_function(caplog: pytest.LogCaptureFixture, page: Any):
    """Anything else, and a code that is none, is the function's mistake."""
    with pytest.raises(ActionProviderError):
        returning(Operation.LOG, page).log_page("id", "auth")

    assert "my_callback returned" in caplog.text


@pytest.mark.parametrize("make", [list, tuple, iter, lambda found: (item for item in found)])
def test_a_listing_is_any_iterable(make: Any):
    """Lists, tuples and generators all become a list."""
    status = a_status()

    assert returning(Operation.ENUMERATE, make([status])).listing("auth", {}) == ([status], None)


def test_a_page_tells_where_the_next_begins():
    """What the store's enumeration returned can be passed on as it is."""
    status = a_status()
    page = Page([status], "17")

    assert returning(Operation.ENUMERATE, page).listing("auth", {}) == ([status], "17")


@pytest.mark.parametrize("listed", [None, "text", b"x", 1, a_status(), [None], {"a": 1}])
def test_a_wrong_listing_is_blamed_on_the_function(caplog: pytest.LogCaptureFixture, listed: Any):
    """What is no list of statuses is the function's mistake."""
    with pytest.raises(ActionProviderError):
        returning(Operation.ENUMERATE, listed).listing("auth", {})

    assert "my_callback" in caplog.text


def test_a_missing_function_is_not_implemented():
    """The error names the operation."""
    with pytest.raises(OperationNotImplemented, match="'resume'"):
        Callbacks().status(Operation.RESUME, 200)


def test_an_invalid_document_is_blamed_with_its_field(caplog: pytest.LogCaptureFixture):
    """A document that could not be built is told with the field that was wrong."""
    callbacks = Callbacks()
    callbacks.register(Operation.STATUS, lambda: a_status(creator_id="me"))

    with pytest.raises(ActionProviderError):
        callbacks.status(Operation.STATUS, 200)

    assert "built an invalid document: creator_id: " in caplog.text


def test_other_errors_pass():
    """What a function raises of its own is not touched."""
    callbacks = Callbacks()
    callbacks.register(Operation.STATUS, lambda: {}["missing"])

    with pytest.raises(KeyError):
        callbacks.status(Operation.STATUS, 200)


def test_a_function_without_a_name_is_blamed_too(caplog: pytest.LogCaptureFixture):
    """A partial has no name of its own; its representation stands for it."""
    callbacks = Callbacks()
    callbacks.register(Operation.RUN, functools.partial(dict, a=1))

    with pytest.raises(ActionProviderError):
        callbacks.status(Operation.RUN, 202)

    assert "functools.partial" in caplog.text


def test_a_document_is_rendered():
    """What has a JSON form is written."""
    assert returning(Operation.LOG, {}).rendered(Operation.LOG, {"a": {"b"}}) == b'{"a":["b"]}'


def test_what_has_no_json_form_is_blamed_on_the_function(caplog: pytest.LogCaptureFixture):
    """The log line names the function and the type."""
    with pytest.raises(ActionProviderError):
        returning(Operation.LOG, {}).rendered(Operation.LOG, {"a": object()})

    assert "my_callback returned what is not JSON" in caplog.text
