"""Calling a provider's code, and holding it to what it must return."""

import logging

import pytest
from tests.unit.actions.making import make_status
from werkzeug.exceptions import ImATeapot

from licet.actions.callbacks import Callbacks, Operation
from licet.actions.documents import ActionLogReturn, ActionStatus
from licet.errors import ActionProviderError, OperationNotImplemented

STATUS = make_status()


def registered(operation: Operation, returned: object) -> Callbacks:
    def callback(*_args: object) -> object:
        return returned() if callable(returned) else returned

    callbacks = Callbacks()
    callbacks.register(operation, callback)
    return callbacks


def test_what_was_registered_is_found():
    """A function serves the operation it was registered for, and no other."""
    callbacks = registered(Operation.RUN, STATUS)
    assert Operation.RUN in callbacks
    assert Operation.LOG not in callbacks
    assert callbacks.get(Operation.RUN) is not None
    assert callbacks.get(Operation.LOG) is None


@pytest.mark.parametrize(
    ("returned", "code"), [(STATUS, 202), ((STATUS, 200), 200), ((STATUS, 599), 599)]
)
def test_a_status_and_its_code(returned: object, code: int):
    """A callback may return a status, or a status and an HTTP status."""
    assert registered(Operation.RUN, returned).status(Operation.RUN, 202) == (STATUS, code)


@pytest.mark.parametrize(
    ("returned", "mistake"),
    [
        (None, "returned NoneType instead of an ActionStatus"),
        ({"status": "ACTIVE"}, "returned dict instead of an ActionStatus"),
        ((None, 200), "returned NoneType instead of an ActionStatus"),
        ((STATUS, 200, {}), "returned tuple instead of an ActionStatus"),
        ((STATUS, "200"), "returned '200' as HTTP status"),
        ((STATUS, 199), "returned 199 as HTTP status"),
        ((STATUS, 600), "returned 600 as HTTP status"),
        (lambda: ActionStatus(status="x"), "built an invalid document: status: Input should be"),
    ],
)
def test_a_mistake_is_logged_by_name(returned, mistake: str, caplog: pytest.LogCaptureFixture):
    """A wrong return is a 500 that tells the caller nothing and the log everything."""
    with pytest.raises(ActionProviderError, match="Internal Server Error"):
        registered(Operation.STATUS, returned).status(Operation.STATUS, 200)
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert mistake in record.getMessage()
    assert "test_callbacks.registered.<locals>.callback" in record.getMessage()


def test_a_callable_without_a_name(caplog: pytest.LogCaptureFixture):
    """Even an object that has no name is named in the log."""

    class Nameless:
        def __call__(self, *_args: object) -> None:
            """Return nothing."""

    callbacks = Callbacks()
    callbacks.register(Operation.RUN, Nameless())
    with pytest.raises(ActionProviderError):
        callbacks.status(Operation.RUN, 202)
    assert "Nameless object at" in caplog.text


def test_no_callback_is_not_implemented():
    """An operation that nobody serves is a 501 in the interface's words."""
    with pytest.raises(OperationNotImplemented, match="does not offer the operation 'resume'"):
        Callbacks().status(Operation.RESUME, 200)


def test_http_errors_pass():
    """What a callback aborts with is the answer."""

    def refuse() -> None:
        raise ImATeapot

    with pytest.raises(ImATeapot):
        registered(Operation.RUN, refuse).status(Operation.RUN, 202)


@pytest.mark.parametrize("page", [ActionLogReturn(), {"entries": []}])
def test_log_pages(page: object):
    """A log page is a document or a dict, with or without an HTTP status."""
    assert registered(Operation.LOG, page).log_page("id") == (page, 200)
    assert registered(Operation.LOG, (page, 206)).log_page("id") == (page, 206)


@pytest.mark.parametrize(
    "page", [None, [], "text", ({}, "x"), ({}, 42), ({}, None), ({}, 200, {})], ids=str
)
def test_what_is_no_log_page(page: object):
    """Anything else, and any code that is no HTTP status, is the provider's mistake."""
    with pytest.raises(ActionProviderError):
        registered(Operation.LOG, page).log_page("id")


@pytest.mark.parametrize("listed", [[], [STATUS], (STATUS,), {"a": STATUS}.values()], ids=str)
def test_listings(listed: object):
    """Any iterable of states is a listing."""
    assert registered(Operation.ENUMERATE, listed).listing() == list(listed)


@pytest.mark.parametrize("listed", [None, "text", b"", STATUS, 5, [None], [STATUS, {}]], ids=str)
def test_what_is_no_listing(listed: object):
    """A single state, text, or a list of something else is the provider's mistake."""
    with pytest.raises(ActionProviderError):
        registered(Operation.ENUMERATE, listed).listing()
