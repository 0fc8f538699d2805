"""Calling a provider's own code, and holding it to what it must return.

Whatever a callback does wrong ends as a 500 that tells the caller nothing, and as a line in the log
that names the callback and its mistake.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError

from licet.actions.documents import ActionStatus, render
from licet.actions.enumeration import Page
from licet.errors import ActionProviderError, OperationNotImplemented

__all__ = ["Callbacks", "Operation"]

log = logging.getLogger(__name__)
AnyCallback = Callable[..., Any]


class Operation(StrEnum):
    """The operations of the Action Provider Interface."""

    RUN = "run"
    STATUS = "status"
    CANCEL = "cancel"
    RELEASE = "release"
    RESUME = "resume"
    LOG = "log"
    ENUMERATE = "enumerate"


class Callbacks:
    """A provider's functions, by operation."""

    def __init__(self) -> None:
        self._functions: dict[Operation, AnyCallback] = {}

    def register(self, operation: Operation, function: AnyCallback) -> None:
        """Have `function` serve `operation`."""
        self._functions[operation] = function

    def __contains__(self, operation: Operation) -> bool:
        return operation in self._functions

    def status(
        self, operation: Operation, default_code: int, *args: Any
    ) -> tuple[ActionStatus, int]:
        """What a callback that returns an action status returned, and its HTTP status.

        Raises:
            OperationNotImplemented: there is no callback.
            ActionProviderError: it returned anything else, or built an invalid document.
        """
        function, found = self._call(operation, *args)
        status, code = found if _is_pair(found) else (found, default_code)
        if not isinstance(status, ActionStatus):
            _complain(function, f"returned {type(status).__name__} instead of an ActionStatus")
        return status, _checked_code(function, code)

    def log_page(self, *args: Any) -> tuple[Any, int]:
        """What the log callback returned: a document, or a dict that is sent as it is."""
        function, found = self._call(Operation.LOG, *args)
        page, code = found if _is_pair(found) else (found, 200)
        if not isinstance(page, BaseModel | dict):
            _complain(function, f"returned {type(page).__name__} instead of an ActionLogReturn")
        return page, _checked_code(function, code)

    def listing(self, *args: Any) -> tuple[list[ActionStatus], str | None]:
        """What the enumeration callback returned, and the marker if it is one page of many."""
        function, found = self._call(Operation.ENUMERATE, *args)
        marker = None
        if isinstance(found, Page):
            found, marker = found
        if isinstance(found, str | bytes | BaseModel) or not isinstance(found, Iterable):
            _complain(function, f"returned {type(found).__name__} instead of a list of actions")
        listed = list(found)
        for item in listed:
            if not isinstance(item, ActionStatus):
                _complain(function, f"listed {type(item).__name__} instead of an ActionStatus")
        return listed, marker

    def rendered(self, operation: Operation, document: object) -> bytes:
        """What the operation's callback returned, as JSON.

        Raises:
            ActionProviderError: something in it has no JSON form.
        """
        try:
            return render(document)
        except ValueError as error:
            self.refuse(operation, error)

    def refuse(self, operation: Operation, error: Exception) -> NoReturn:
        """Blame the operation's callback for a document that cannot be written as JSON.

        Raises:
            ActionProviderError: always.
        """
        _complain(self._functions[operation], f"returned what is not JSON: {error}", error)

    def blame(self, operation: Operation, mistake: str) -> NoReturn:
        """Blame the operation's callback for a mistake.

        Raises:
            ActionProviderError: always.
        """
        _complain(self._functions[operation], mistake)

    def _call(self, operation: Operation, *args: Any) -> tuple[AnyCallback, Any]:
        function = self._functions.get(operation)
        if function is None:
            raise OperationNotImplemented(
                f"This provider does not offer the operation '{operation}'."
            )
        try:
            return function, function(*args)
        except ValidationError as error:
            reasons = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
            )
            _complain(function, f"built an invalid document: {reasons}", error)


def _checked_code(function: AnyCallback, code: object) -> int:
    if not isinstance(code, int) or not 200 <= code <= 599:
        _complain(function, f"returned {code!r} as HTTP status")
    return int(code)


def _is_pair(found: object) -> bool:
    return isinstance(found, tuple) and len(found) == 2


def _complain(function: AnyCallback, mistake: str, cause: Exception | None = None) -> NoReturn:
    name = getattr(function, "__qualname__", repr(function))
    log.error("The callback %s.%s %s", getattr(function, "__module__", "?"), name, mistake)
    raise ActionProviderError from cause
