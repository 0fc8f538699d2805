"""Who calls is not known, or may not; what they sent; what we depend on."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from typing import Any, ClassVar

from werkzeug import exceptions as standard
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.wrappers import Response

from licet.errors.base import HTTPError, reason_of, request_of
from licet.errors.places import FieldError

__all__ = [
    "AccessDenied",
    "AccountDisabled",
    "AccountNotApproved",
    "AuthenticationError",
    "AuthenticationUnavailable",
    "ChallengingError",
    "ForgeryRefused",
    "InsufficientScope",
    "InvalidCredentials",
    "InvalidLink",
    "InvalidRequest",
    "InvalidToken",
    "MissingToken",
    "NotRegistered",
    "ObjectNotFound",
    "SchemaUnusable",
    "ServiceUnavailable",
    "SignInDeclined",
    "SignInFailed",
    "StoreUnavailable",
    "TooManyAttempts",
    "UnusableAnswer",
    "UnverifiedAuthenticationError",
]


log = logging.getLogger(__name__)


class ChallengingError(HTTPError, standard.Unauthorized):
    """An error with a ``WWW-Authenticate`` header, which handlers of werkzeug's 401 read, too."""

    @property
    def www_authenticate(self) -> tuple[WWWAuthenticate, ...]:  # type: ignore[override]
        """The challenges, as werkzeug keeps them; none where the error has no such header."""
        found = WWWAuthenticate.from_header(self.extra_headers().get("WWW-Authenticate"))
        return () if found is None else (found,)


class AuthenticationError(ChallengingError):
    """The caller has not shown who they are."""

    code_name = "authentication_failed"
    code = 401
    description = "The bearer token was not accepted."
    oauth_error: ClassVar[str | None] = "invalid_token"
    realm = "licet"

    @property
    def interface_code(self) -> str:
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


class InsufficientScope(AuthenticationError, standard.Forbidden):
    """The token is good but carries none of the scopes that the operation accepts.

    Python's ``except Unauthorized`` takes it as every `AuthenticationError`; Flask, which goes by
    the status, asks the handlers of 403 and never those of 401.
    """

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
    def interface_code(self) -> str:
        """The name the Action Provider Interface gives to every 403."""
        return "ActionForbidden"

    def extra_headers(self) -> dict[str, str]:
        """The challenge, with a scope that would do."""
        headers = super().extra_headers()
        if self.accepted_scopes:
            headers["WWW-Authenticate"] += f', scope="{self.accepted_scopes[0]}"'
        return headers


class AccessDenied(HTTPError, standard.Forbidden):
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


class SignInFailed(HTTPError, standard.BadRequest):
    """The answer of a provider does not belong to a sign-in that goes on in this browser."""

    code_name = "sign_in_failed"
    code = 400
    description = "The sign-in has expired, was finished already, or began elsewhere. Start again."


class UnusableAnswer(HTTPError, standard.BadGateway):
    """A provider answered, and not in a way that the standards allow; the log says how."""

    code_name = "unusable_answer"
    code = 502
    description = (
        "The sign-in service gave an answer that cannot be used. Try again, or tell the people "
        "who run this service."
    )


class InvalidRequest(HTTPError, standard.UnprocessableEntity):
    """The body can be read, but is not what the endpoint takes; `errors` has each place."""

    code_name = "invalid_request"
    code = 422
    description = "The request failed validation."

    def __init__(
        self,
        description: object = None,
        response: Response | None = None,
        *,
        errors: Iterable[FieldError] = (),
    ) -> None:
        super().__init__(description, response)
        self.errors = tuple(errors)


class InvalidLink(InvalidRequest, standard.BadRequest):
    """The secret of a mail was used, replaced by a newer one, is too old, or never was one."""

    code_name = "invalid_link"
    code = 400
    description = "This link was used, or is too old. Ask for a new one."


class TooManyAttempts(HTTPError, standard.TooManyRequests):
    """Somebody tried too often, whether there is such an account or not."""

    code_name = "too_many_attempts"
    code = 429
    description = "Too many attempts. Try again later."

    def __init__(self, description: object = None, *, retry_after_seconds: float = 60) -> None:
        super().__init__(description)
        self.retry_after_seconds = max(1, math.ceil(retry_after_seconds))
        self.retry_after = self.retry_after_seconds  # werkzeug's name for it

    def extra_headers(self) -> dict[str, str]:
        """When to come back."""
        return {"Retry-After": str(self.retry_after_seconds)}


class ObjectNotFound(HTTPError, standard.NotFound):
    """There is no such object, or the caller may not know of it: both are told in these words."""

    code_name = "not_found"
    code = 404
    description = "There is no such object."


class ServiceUnavailable(HTTPError, standard.ServiceUnavailable):
    """Something that licet depends on does not answer; trying again later may help."""

    code_name = "service_unavailable"
    code = 503
    description = "A service that this one depends on does not answer. Try again later."
    retry_after_seconds: ClassVar[int] = 5

    def __init__(self, description: object = None, response: Response | None = None) -> None:
        super().__init__(description, response)
        self.retry_after = self.retry_after_seconds  # werkzeug's name for it

    def log_reason(self, place: str) -> None:
        """Log what does not answer, and where it was needed; callers are not told."""
        log.warning("%s in %s: %s", self.interface_code, place, reason_of(self))

    def get_response(self, environ: Any = None, scope: Any = None) -> Any:
        """The response; the reason is logged, because Flask logs no HTTP error."""
        request = request_of(environ)
        # A handler of the app's asks for the response without an environment.
        place = "a handler" if request is None else f"{request.method} {request.path!r}"
        self.log_reason(place)
        return super().get_response(environ, scope)

    def extra_headers(self) -> dict[str, str]:
        """When to come back."""
        return {"Retry-After": str(self.retry_after_seconds)}


class StoreUnavailable(ServiceUnavailable):
    """The database cannot be read or written; nothing of the request was stored."""

    code_name = "store_unavailable"
    description = "The action store does not answer. Try again later; repeating a request is safe."


class SchemaUnusable(StoreUnavailable):
    """The database's schema is not what the code needs, or a migration of it failed.

    `told` says what is wrong and what to do. It is for the operator; responses do not hold it.
    """

    code_name = "schema_unusable"

    def __init__(
        self, description: object = None, response: Response | None = None, *, told: str = ""
    ) -> None:
        super().__init__(description, response)
        self.told = told

    def __str__(self) -> str:
        return self.told or super().__str__()


class AuthenticationUnavailable(ServiceUnavailable):
    """Tokens or groups cannot be checked now; the caller was neither accepted nor refused."""

    code_name = "authentication_unavailable"
    description = "Tokens cannot be checked at the moment. Try again later."
