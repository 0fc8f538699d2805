"""Every error of licet, its stable code and its HTTP status.

::

    LicetError
    ├── UsageError (RuntimeError)            the program called licet wrongly
    │   ├── ConfigurationError               a setting is missing, blank or contradictory
    │   ├── InvalidCondition                 a condition or policy is declared wrongly
    │   │   └── UntranslatableCondition      SQL cannot say it, or not the same on every database
    │   ├── InvalidRequirement               a requirement answered neither yes nor no
    │   ├── UndeclaredEndpoints              nobody said who may call these
    │   └── UnloadedObject                   what a condition asks about was not loaded, or is stale
    ├── AuthenticationError            401   no usable credential
    │   ├── UnverifiedAuthenticationError    refused from its form, nobody was asked
    │   │   └── MissingToken                 no Authorization header at all
    │   ├── InvalidToken                     refused after looking into it
    │   ├── InvalidCredentials               the address or the password is not right
    │   └── InsufficientScope          403   a good token that lacks the scope
    ├── AccessDenied                   403   the caller may know of the object, but not do this
    │   ├── NotRegistered                    a good token of somebody whom the app does not know
    │   ├── AccountNotApproved               registered, and not let in yet
    │   ├── AccountDisabled                  registered, and put out
    │   ├── ForgeryRefused                   a cookie without the token that only our pages know
    │   └── SignInDeclined                   the person, or the provider, said no
    ├── SignInFailed                   400   what came back from the provider does not fit
    ├── InvalidRequest                 422   the body is not what the endpoint takes
    │   └── InvalidLink                400   a mail's link was used, replaced, or is too old
    ├── TooManyAttempts                429   wait before trying again
    ├── LeaseLost                            a worker's action is somebody else's now, or has ended
    ├── ActionFailure                        a handler gives up, and says why to who asked
    ├── ObjectNotFound                 404   there is no such object, or not for this caller
    ├── ServiceUnavailable             503   something we depend on does not answer
    │   ├── StoreUnavailable                 the database
    │   └── AuthenticationUnavailable        the token issuer
    └── ActionProviderToolsException         the Action Provider Interface's errors
        ├── BadActionRequest           400
        │   ├── RequestValidationError 422
        │   └── RequestTooLarge        413
        ├── UnauthorizedRequest        401
        ├── ActionForbidden            403
        ├── ActionNotFound             404
        │   └── HiddenAction                 also an AuthenticationError, for ported code
        ├── ActionConflict             409
        ├── ActionProviderError        500
        │   └── UnstorableDocument           what it gave has no JSON form
        └── OperationNotImplemented    501

Usage errors are the program's own bugs. Everything with a status is also a werkzeug
``HTTPException``, and is itself the response; `licet.error_documents` renders any exception.

Source: seed documents 000 and 001 (names); RFC 6750 section 3 (``WWW-Authenticate``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from werkzeug.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    HTTPException,
    InternalServerError,
    NotFound,
    Unauthorized,
    UnprocessableEntity,
)
from werkzeug.wrappers import Response

__all__ = [
    "AccessDenied",
    "AccountDisabled",
    "AccountNotApproved",
    "ActionConflict",
    "ActionFailure",
    "ActionForbidden",
    "ActionNotFound",
    "ActionProviderError",
    "ActionProviderToolsException",
    "AuthenticationError",
    "AuthenticationUnavailable",
    "BadActionRequest",
    "ConfigurationError",
    "ForgeryRefused",
    "HiddenAction",
    "InsufficientScope",
    "InvalidCondition",
    "InvalidCredentials",
    "InvalidLink",
    "InvalidRequest",
    "InvalidRequirement",
    "InvalidToken",
    "LeaseLost",
    "LicetError",
    "MissingToken",
    "NotRegistered",
    "ObjectNotFound",
    "OperationNotImplemented",
    "RequestTooLarge",
    "RequestValidationError",
    "ServiceUnavailable",
    "SignInDeclined",
    "SignInFailed",
    "StoreUnavailable",
    "TooManyAttempts",
    "UnauthorizedRequest",
    "UndeclaredEndpoint",
    "UndeclaredEndpoints",
    "UnloadedObject",
    "UnstorableDocument",
    "UntranslatableCondition",
    "UnverifiedAuthenticationError",
    "UsageError",
]


class LicetError(Exception):
    """Whatever licet raises; `code_name` is stable and safe to match on."""

    code_name: ClassVar[str] = "licet_error"


class UsageError(LicetError, RuntimeError):
    """The program uses licet in a way that cannot work."""

    code_name = "usage_error"


class ConfigurationError(UsageError, ValueError):
    """A setting is missing, blank, malformed or at odds with another."""

    code_name = "configuration_error"


class InvalidCondition(UsageError, TypeError):
    """A condition, role or policy is declared in a way that means nothing."""

    code_name = "invalid_condition"


class UntranslatableCondition(InvalidCondition):
    """A condition that SQL cannot say, or that two databases would answer differently."""

    code_name = "untranslatable_condition"


class UnloadedObject(UsageError):
    """A related object that a condition asks about is not loaded, or not the one it now has."""

    code_name = "unloaded_object"


class InvalidRequirement(UsageError):
    """A requirement raised, or returned what is neither yes nor no; a guard denies and logs it."""

    code_name = "invalid_requirement"

    def __init__(self, requirement: str, reason: str) -> None:
        super().__init__(f"Requirement {requirement} {reason}")
        self.requirement = requirement
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class UndeclaredEndpoint:
    """An endpoint that says nothing about who may call it; `location` is its view's file:line."""

    endpoint: str
    rule: str
    methods: tuple[str, ...]
    location: str

    def __str__(self) -> str:
        return f"{', '.join(self.methods)} {self.rule}  {self.endpoint}  ({self.location})"


class UndeclaredEndpoints(UsageError):
    """Some endpoints do not say who may call them, so the app does not start."""

    code_name = "undeclared_endpoints"
    remedy: ClassVar[str] = (
        "Put @public, @requires(...) or another guard on the view, below its route decorator, or "
        "before_request(guard_entire(...)) on its blueprint or app. What cannot be decorated: "
        'licet.declare(app, "static", access=licet.PUBLIC), licet.declare_mount(app, "/path", ...).'
    )

    def __init__(self, endpoints: Iterable[UndeclaredEndpoint]) -> None:
        found = sorted(endpoints, key=lambda one: (one.rule, one.methods, one.endpoint))
        self.endpoints = tuple(found)
        lines = "".join(f"\n  {one}" for one in self.endpoints)
        super().__init__(f"Nothing says who may call:{lines}\n{self.remedy}")


class HTTPError(LicetError, HTTPException):
    """An error that is its own HTTP response, a JSON object of `code` and `description`."""

    code: int = 500
    description: str = "Internal Server Error"

    def __init__(self, description: object = None, response: Response | None = None) -> None:
        text = self.description if description is None else _as_text(description)
        HTTPException.__init__(self, text, response)

    @property
    def name(self) -> str:
        """What the body's ``code`` member says."""
        return type(self).__name__

    def extra_headers(self) -> dict[str, str]:
        """The headers this error adds to its response."""
        return {}

    def get_body(self, environ: Any = None, scope: Any = None) -> str:
        """The JSON body, as text, for callers outside a blueprint."""
        return json.dumps({"code": self.name, "description": self.description})

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """The response headers."""
        return [("Content-Type", "application/json"), *self.extra_headers().items()]


def _as_text(description: object) -> str:
    return description if isinstance(description, str) else json.dumps(description, default=str)


class AuthenticationError(HTTPError):
    """The caller has not shown who they are."""

    code_name = "authentication_failed"
    code = 401
    description = "The bearer token was not accepted."
    oauth_error: ClassVar[str | None] = "invalid_token"
    realm = "licet"

    @property
    def name(self) -> str:
        """The name the Action Provider Interface gives to every 401."""
        return "UnauthorizedRequest"

    def extra_headers(self) -> dict[str, str]:
        """The challenge of RFC 6750 section 3."""
        parts = [f'realm="{self.realm}"']
        if self.oauth_error:
            parts.append(f'error="{self.oauth_error}"')
        return {"WWW-Authenticate": "Bearer " + ", ".join(parts)}


class UnverifiedAuthenticationError(AuthenticationError):
    """The credential was refused from its form alone, without asking anyone."""

    code_name = "malformed_token"
    description = "The Authorization header is not a well-formed bearer token."


class MissingToken(UnverifiedAuthenticationError):
    """The request carries no Authorization header, so no ``error`` is named (RFC 6750, 3.1)."""

    code_name = "missing_token"
    description = "This operation needs a bearer token in the Authorization header."
    oauth_error = None


class InvalidToken(AuthenticationError):
    """The token is forged, expired, meant for somebody else, or revoked."""

    code_name = "invalid_token"


class InvalidCredentials(AuthenticationError):
    """The address or the password is not right; nobody is told which, or why."""

    code_name = "invalid_credentials"
    description = "The address or the password is not right."
    oauth_error = None


class InsufficientScope(AuthenticationError):
    """The token is good but carries none of the scopes that the operation accepts."""

    code_name = "insufficient_scope"
    code = 403
    description = "The bearer token lacks the scope that this operation needs."
    oauth_error = "insufficient_scope"

    def __init__(
        self, description: object = None, *, accepted_scopes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(description)
        self.accepted_scopes = accepted_scopes

    @property
    def name(self) -> str:
        """The name the Action Provider Interface gives to every 403."""
        return "ActionForbidden"

    def extra_headers(self) -> dict[str, str]:
        """The challenge, with a scope that would do."""
        headers = super().extra_headers()
        if self.accepted_scopes:
            headers["WWW-Authenticate"] += f', scope="{self.accepted_scopes[0]}"'
        return headers


class AccessDenied(HTTPError, Forbidden):
    """The caller may know that the object exists, but not do this with it."""

    code_name = "access_denied"
    code = 403
    description = "You are not permitted to do this."


class NotRegistered(AccessDenied):
    """The token is good, but the app has no account for whom it stands for."""

    code_name = "not_registered"
    description = "You are not registered with this service."


class AccountNotApproved(AccessDenied):
    """The caller is registered, and has to be approved before they may do this."""

    code_name = "account_not_approved"
    description = "Your account is not approved yet."


class AccountDisabled(AccessDenied):
    """The caller is registered, and their account was disabled."""

    code_name = "account_disabled"
    description = "Your account is disabled."


class ForgeryRefused(AccessDenied):
    """The session's cookie came without its CSRF token: another site may have sent the request."""

    code_name = "csrf_failed"
    description = "The request lacks the session's CSRF token. Reload the page and try again."


class SignInDeclined(AccessDenied):
    """Whoever was to sign in at a provider changed their mind, or the provider did not let them."""

    code_name = "sign_in_declined"
    description = "You were not signed in: the request was declined. You can try again."


class SignInFailed(HTTPError):
    """The answer of a provider does not belong to a sign-in that goes on in this browser."""

    code_name = "sign_in_failed"
    code = 400
    description = "The sign-in has expired, was finished already, or began elsewhere. Start again."


class InvalidRequest(HTTPError):
    """The body can be read, but is not what the endpoint takes."""

    code_name = "invalid_request"
    code = 422
    description = "The request failed validation."


class InvalidLink(InvalidRequest):
    """The secret of a mail was used, replaced by a newer one, is too old, or never was one."""

    code_name = "invalid_link"
    code = 400
    description = "This link was used, or is too old. Ask for a new one."


class TooManyAttempts(HTTPError):
    """Somebody tried too often, whether there is such an account or not."""

    code_name = "too_many_attempts"
    code = 429
    description = "Too many attempts. Try again later."

    def __init__(self, description: object = None, *, retry_after_seconds: float = 60) -> None:
        super().__init__(description)
        self.retry_after_seconds = max(1, math.ceil(retry_after_seconds))

    def extra_headers(self) -> dict[str, str]:
        """When to come back."""
        return {"Retry-After": str(self.retry_after_seconds)}


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


class ObjectNotFound(HTTPError, NotFound):
    """There is no such object, or the caller may not know of it: both are told in these words."""

    code_name = "not_found"
    code = 404
    description = "There is no such object."


class ServiceUnavailable(HTTPError):
    """Something that licet depends on does not answer; trying again later may help."""

    code_name = "service_unavailable"
    code = 503
    description = "A service that this one depends on does not answer. Try again later."
    retry_after_seconds: ClassVar[int] = 5

    def extra_headers(self) -> dict[str, str]:
        """When to come back."""
        return {"Retry-After": str(self.retry_after_seconds)}


class StoreUnavailable(ServiceUnavailable):
    """The database cannot be read or written; nothing of the request was stored."""

    code_name = "store_unavailable"
    description = "The action store does not answer. Try again later; repeating a request is safe."


class AuthenticationUnavailable(ServiceUnavailable):
    """Tokens or groups cannot be checked now; the caller was neither accepted nor refused."""

    code_name = "authentication_unavailable"
    description = "Tokens cannot be checked at the moment. Try again later."


class ActionProviderToolsException(HTTPError):
    """Base of the Action Provider Interface's errors."""

    code_name = "action_error"


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


class RequestTooLarge(BadActionRequest):
    """The body is longer than ``LICET_MAX_BODY_BYTES``."""

    code_name = "request_too_large"
    code = 413
    description = "The request body is larger than this service accepts."


class UnauthorizedRequest(ActionProviderToolsException, Unauthorized):
    """For callbacks that refuse a caller themselves."""

    code_name = "unauthorized_request"
    code = 401
    description = "The server could not verify that you are authorized to access the URL requested."

    def extra_headers(self) -> dict[str, str]:
        """A 401 always names the scheme (RFC 9110 section 11.6.1)."""
        return {"WWW-Authenticate": "Bearer"}


class ActionForbidden(ActionProviderToolsException):
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
    def name(self) -> str:
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

    name = "ActionProviderError"


class OperationNotImplemented(ActionProviderToolsException):
    """The provider has neither a callback nor a store for this operation."""

    code_name = "operation_not_implemented"
    code = 501
    description = "This provider does not offer this operation."

    @property
    def name(self) -> str:
        """A name of the interface's own family."""
        return "ActionProviderError"
