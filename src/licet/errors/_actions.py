"""Errors of the Action Provider Interface, and of the workers behind it."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    InternalServerError,
    NotFound,
    NotImplemented,  # noqa: A004 - the status's name
    RequestEntityTooLarge,
    UnprocessableEntity,
)

from licet.errors._callers import AuthenticationError, ChallengingError
from licet.errors.base import HTTPError, LicetError

__all__ = [
    "ActionConflict",
    "ActionFailure",
    "ActionForbidden",
    "ActionNotFound",
    "ActionProviderError",
    "ActionProviderToolsException",
    "AttemptTimedOut",
    "BadActionRequest",
    "HiddenAction",
    "LeaseLost",
    "OperationNotImplemented",
    "RequestTooLarge",
    "RequestValidationError",
    "StepMismatch",
    "UnauthorizedRequest",
    "UnstorableDocument",
]


class LeaseLost(LicetError):
    """A worker lost the action that it held: another has claimed it, or it has ended."""

    code_name = "lease_lost"

    def __init__(self, action_id: str) -> None:
        super().__init__(
            f"The lease on action {action_id} is lost: what this worker does of it is not stored."
        )
        self.action_id = action_id


class ActionFailure(LicetError):
    """Raised by a durable action's handler: the action fails, and its caller is told this.

    Args:
        code: what went wrong, in a word that programs can compare.
        description: the same for people; unlike any other exception's text, callers see it.
        may_retry: whether another attempt could go better.
        details: further members of the action's details, as JSON values.
    """

    code_name = "action_failure"

    def __init__(
        self, code: str, description: str, *, may_retry: bool = False, **details: Any
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.may_retry = may_retry
        self.details = details


class AttemptTimedOut(ActionFailure):
    """A durable action's handler took longer than ``attempt_seconds``."""

    code_name = "attempt_timed_out"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "AttemptTimedOut",
            f"The attempt took longer than the {seconds:g} seconds that it may take.",
            may_retry=True,
        )


class StepMismatch(ActionFailure):
    """A durable action asks for another step than it has stored at that place.

    `description` names both. No attempt follows.
    """

    code_name = "step_mismatch"

    def __init__(self, description: str) -> None:
        super().__init__("StepMismatch", description)


class ActionProviderToolsException(HTTPError):
    """Base of the Action Provider Interface's errors."""

    code_name = "action_error"

    @property
    def name(self) -> str:
        """The interface's code for it, as in the original; other errors have werkzeug's name."""
        return self.interface_code


class BadActionRequest(ActionProviderToolsException, BadRequest):
    """The request cannot be read at all."""

    code_name = "bad_action_request"
    code = 400
    description = "The request could not be understood."


class RequestValidationError(BadActionRequest, UnprocessableEntity):
    """The request is JSON, but not the JSON that this provider takes."""

    code_name = "request_validation_error"
    code = 422
    description = "The request failed validation."


class RequestTooLarge(BadActionRequest, RequestEntityTooLarge):
    """The body is longer than ``LICET_MAX_BODY_BYTES``."""

    code_name = "request_too_large"
    code = 413
    description = "The request body is larger than this service accepts."


class UnauthorizedRequest(ActionProviderToolsException, ChallengingError):
    """For callbacks that refuse a caller themselves."""

    code_name = "unauthorized_request"
    code = 401
    description = "The server could not verify that you are authorized to access the URL requested."

    def extra_headers(self) -> dict[str, str]:
        """A 401 always names the scheme (RFC 9110 section 11.6.1)."""
        return {"WWW-Authenticate": "Bearer"}


class ActionForbidden(ActionProviderToolsException, Forbidden):
    """The caller is known, and may not."""

    code_name = "action_forbidden"
    code = 403
    description = "You are not permitted to do this."


class ActionNotFound(ActionProviderToolsException, NotFound):
    """There is no such action, or the caller may not know of it."""

    code_name = "action_not_found"
    code = 404
    description = "There is no such action."


class HiddenAction(ActionNotFound, AuthenticationError):
    """The action exists and the caller may not know: looks like `ActionNotFound` to them.

    Also an `AuthenticationError`, because later versions of the original toolkit raise that here
    and ported programs catch either.
    """

    code_name = "action_not_found"

    @property
    def interface_code(self) -> str:
        """The same as for an action that does not exist."""
        return "ActionNotFound"

    def extra_headers(self) -> dict[str, str]:
        """None, as for an action that does not exist."""
        return {}


class ActionConflict(ActionProviderToolsException, Conflict):
    """The action is not in a state that permits this."""

    code_name = "action_conflict"
    code = 409
    description = "The action is not in a state that permits this."


class ActionProviderError(ActionProviderToolsException, InternalServerError):
    """The provider's own code failed; the log says how."""

    code_name = "action_provider_error"
    code = 500
    original_exception: BaseException | None = None  # what handlers of werkzeug's 500 look for
    description = "Internal Server Error"


class UnstorableDocument(ActionProviderError):
    """The provider's code made a document that JSON cannot hold, so it cannot be kept."""

    code_name = "unstorable_document"

    interface_code = "ActionProviderError"


class OperationNotImplemented(ActionProviderToolsException, NotImplemented):
    """The provider has neither a callback nor a store for this operation."""

    code_name = "operation_not_implemented"
    code = 501
    description = "This provider does not offer this operation."

    @property
    def interface_code(self) -> str:
        """A name of the interface's own family."""
        return "ActionProviderError"
