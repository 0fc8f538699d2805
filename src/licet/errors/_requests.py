"""What a request brings is malformed, too much, out of date, or asked for a second time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from werkzeug import exceptions as standard

from licet.errors._callers import InvalidRequest, TooManyAttempts
from licet.errors.base import HTTPError
from licet.errors.places import FieldError

__all__ = [
    "AccountInUse",
    "BodyTooLarge",
    "ConflictingValues",
    "HeadersTooLarge",
    "KeyInUse",
    "KeyReused",
    "MalformedRequest",
    "PreconditionFailed",
    "PreconditionRequired",
    "RateLimited",
    "URLTooLong",
    "UnsupportedBody",
]


class MalformedRequest(HTTPError, standard.BadRequest):
    """The request cannot be read; `errors` has the place of each fault."""

    code_name = "malformed_request"
    code = 400
    description = "The request cannot be read."

    def __init__(self, description: object = None, *, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(description)
        self.errors = tuple(errors)


class UnsupportedBody(HTTPError, standard.UnsupportedMediaType):
    """The body has another media type, charset or encoding than the endpoint takes.

    `accepted` are the types that it takes, `header` is the one that says otherwise.
    """

    code_name = "unsupported_media_type"
    code = 415
    description = "The body has a media type that this endpoint does not take."

    def __init__(
        self,
        description: object = None,
        *,
        accepted: Iterable[str] = (),
        header: str = "Content-Type",
    ) -> None:
        super().__init__(description)
        self.accepted = tuple(accepted)
        self.errors = (FieldError(detail=self.description, header=header),)

    def extra_headers(self) -> dict[str, str]:
        """The types that the endpoint takes."""
        return {"Accept": ", ".join(self.accepted)} if self.accepted else {}


class BodyTooLarge(HTTPError, standard.RequestEntityTooLarge):
    """The body is longer than the app takes."""

    code_name = "body_too_large"
    code = 413
    description = "The request body is too large."


class URLTooLong(HTTPError, standard.RequestURITooLarge):
    """The URL is longer than the app takes."""

    code_name = "url_too_long"
    code = 414
    description = "The URL is too long."


class HeadersTooLarge(HTTPError, standard.RequestHeaderFieldsTooLarge):
    """The headers together are longer than the app takes."""

    code_name = "headers_too_large"
    code = 431
    description = "The request's headers are too large."


class PreconditionRequired(HTTPError, standard.PreconditionRequired):
    """The request would change an object without saying which version of it is known."""

    code_name = "precondition_required"
    code = 428
    description = (
        "This request changes an object, so it needs an If-Match header with the ETag that you "
        "read it with."
    )


class PreconditionFailed(HTTPError, standard.PreconditionFailed):
    """The object was changed since the version that the request names; nothing was written."""

    code_name = "precondition_failed"
    code = 412
    description = "The object was changed since you read it. Read it again, and repeat the change."


class ConflictingValues(HTTPError, standard.Conflict):
    """The database refuses the values: one must be unique, or refers to a row that is not there."""

    code_name = "conflicting_values"
    code = 409
    description = (
        "The values conflict with other rows: one of them has to be unique, or refers to something "
        "that is not there."
    )


class RateLimited(TooManyAttempts):
    """The caller sends more requests than the app answers; `limit_headers` say how many those are.

    Source: RFC 9110 section 10.2.3; draft-ietf-httpapi-ratelimit-headers.
    """

    code_name = "rate_limited"
    description = "Too many requests. Try again later."

    def __init__(
        self,
        description: object = None,
        *,
        retry_after_seconds: float = 60,
        limit_headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(description, retry_after_seconds=retry_after_seconds)
        self.limit_headers = dict(limit_headers or {})

    def extra_headers(self) -> dict[str, str]:
        """When to come back, and how many requests are answered."""
        return {**super().extra_headers(), **self.limit_headers}


class KeyInUse(HTTPError, standard.Conflict):
    """A request with this Idempotency-Key is being answered, or its answer was not kept."""

    code_name = "idempotency_key_in_use"
    code = 409
    description = "A request with this Idempotency-Key is being answered. Repeat yours later."

    def extra_headers(self) -> dict[str, str]:
        """When to come back."""
        return {"Retry-After": "1"}


class AccountInUse(HTTPError, standard.Conflict):
    """An account is not deleted while the app needs it; the text says for what, and what to do."""

    code_name = "account_in_use"
    code = 409
    description = "This account is needed: it cannot be deleted."


class KeyReused(InvalidRequest):
    """The Idempotency-Key came before with another request."""

    code_name = "idempotency_key_reused"
    description = "This Idempotency-Key was used for another request. Use a new key."
