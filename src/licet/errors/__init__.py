"""Every error of licet, its stable code and its HTTP status.

::

    LicetError
    ├── UsageError (RuntimeError)            the program called licet wrongly
    │   ├── ConfigurationError               a setting is missing, blank or contradictory
    │   │   └── UnknownName                  a setting, field or option that nobody knows
    │   ├── InvalidCondition                 a condition or policy is declared wrongly
    │   │   └── UntranslatableCondition      SQL cannot say it, or not the same on every database
    │   ├── InvalidRequirement               a requirement answered neither yes nor no
    │   ├── UndeclaredEndpoints              nobody said who may call these
    │   ├── UnguardedWrite                   a statement writes a guarded table unasked
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
    ├── UnusableAnswer                 502   what a provider answered cannot be read
    ├── InvalidRequest                 422   the body is not what the endpoint takes
    │   ├── KeyReused                        its Idempotency-Key came before, with another request
    │   └── InvalidLink                400   a mail's link was used, replaced, or is too old
    ├── MalformedRequest               400   it cannot be read
    ├── UnsupportedBody                415   the body is of another type than the endpoint takes
    ├── BodyTooLarge                   413   the body is too long
    ├── URLTooLong                     414   the URL is too long
    ├── HeadersTooLarge                431   the headers are too long
    ├── PreconditionRequired           428   it changes an object and names no version of it
    ├── PreconditionFailed             412   the object was changed since that version
    ├── ConflictingValues              409   the database refuses its values
    ├── AccountInUse                   409   it cannot be deleted while the app needs it
    ├── KeyInUse                       409   its Idempotency-Key is another request's right now
    ├── TooManyAttempts                429   wait before trying again
    │   └── RateLimited                      more requests than the app answers
    ├── LeaseLost                            a worker's action is somebody else's now, or has ended
    ├── ActionFailure                        a handler gives up, and says why to who asked
    │   ├── AttemptTimedOut                  it took longer than one attempt may
    │   └── StepMismatch                     it asks for another step than is stored
    ├── ObjectNotFound                 404   there is no such object, or not for this caller
    ├── ServiceUnavailable             503   something we depend on does not answer
    │   ├── StoreUnavailable                 the database
    │   │   └── SchemaUnusable               its schema is not the code's, or a migration failed
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

Usage errors are the program's own bugs. Everything with a status is also werkzeug's exception of
that status, and is itself the response; `licet.errors.rendering` renders any exception.

Source: seed documents 000 and 001 (names); RFC 6750 section 3 (``WWW-Authenticate``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from licet.errors._lazy import lazy_names

if TYPE_CHECKING:
    from licet.errors._actions import (
        ActionConflict,
        ActionFailure,
        ActionForbidden,
        ActionNotFound,
        ActionProviderError,
        ActionProviderToolsException,
        AttemptTimedOut,
        BadActionRequest,
        HiddenAction,
        LeaseLost,
        OperationNotImplemented,
        RequestTooLarge,
        RequestValidationError,
        StepMismatch,
        UnauthorizedRequest,
        UnstorableDocument,
    )
    from licet.errors._callers import (
        AccessDenied,
        AccountDisabled,
        AccountNotApproved,
        AuthenticationError,
        AuthenticationUnavailable,
        ForgeryRefused,
        InsufficientScope,
        InvalidCredentials,
        InvalidLink,
        InvalidRequest,
        InvalidToken,
        MissingToken,
        NotRegistered,
        ObjectNotFound,
        SchemaUnusable,
        ServiceUnavailable,
        SignInDeclined,
        SignInFailed,
        StoreUnavailable,
        TooManyAttempts,
        UnusableAnswer,
        UnverifiedAuthenticationError,
    )
    from licet.errors._requests import (
        AccountInUse,
        BodyTooLarge,
        ConflictingValues,
        HeadersTooLarge,
        KeyInUse,
        KeyReused,
        MalformedRequest,
        PreconditionFailed,
        PreconditionRequired,
        RateLimited,
        UnsupportedBody,
        URLTooLong,
    )
    from licet.errors._usage import (
        ConfigurationError,
        InvalidCondition,
        InvalidRequirement,
        LicetError,
        UndeclaredEndpoint,
        UndeclaredEndpoints,
        UnguardedWrite,
        UnknownName,
        UnloadedObject,
        UntranslatableCondition,
        UsageError,
    )
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "licet.errors._actions": (
                "ActionConflict ActionFailure ActionForbidden ActionNotFound "
                "ActionProviderError ActionProviderToolsException AttemptTimedOut BadActionRequest "
                "HiddenAction LeaseLost OperationNotImplemented RequestTooLarge "
                "RequestValidationError StepMismatch UnauthorizedRequest UnstorableDocument"
            ),
            "licet.errors._callers": (
                "AccessDenied AccountDisabled AccountNotApproved AuthenticationError "
                "AuthenticationUnavailable ForgeryRefused InsufficientScope "
                "InvalidCredentials InvalidLink InvalidRequest InvalidToken "
                "MissingToken NotRegistered ObjectNotFound SchemaUnusable ServiceUnavailable "
                "SignInDeclined SignInFailed StoreUnavailable TooManyAttempts "
                "UnusableAnswer UnverifiedAuthenticationError"
            ),
            "licet.errors._requests": (
                "AccountInUse BodyTooLarge ConflictingValues HeadersTooLarge KeyInUse KeyReused "
                "MalformedRequest PreconditionFailed PreconditionRequired RateLimited URLTooLong "
                "UnsupportedBody"
            ),
            "licet.errors._usage": (
                "ConfigurationError InvalidCondition InvalidRequirement LicetError "
                "UndeclaredEndpoint UndeclaredEndpoints UnguardedWrite UnknownName UnloadedObject "
                "UntranslatableCondition UsageError"
            ),
        },
        own_lock=True,
    )

__all__ = [
    "AccessDenied",
    "AccountDisabled",
    "AccountInUse",
    "AccountNotApproved",
    "ActionConflict",
    "ActionFailure",
    "ActionForbidden",
    "ActionNotFound",
    "ActionProviderError",
    "ActionProviderToolsException",
    "AttemptTimedOut",
    "AuthenticationError",
    "AuthenticationUnavailable",
    "BadActionRequest",
    "BodyTooLarge",
    "ConfigurationError",
    "ConflictingValues",
    "ForgeryRefused",
    "HeadersTooLarge",
    "HiddenAction",
    "InsufficientScope",
    "InvalidCondition",
    "InvalidCredentials",
    "InvalidLink",
    "InvalidRequest",
    "InvalidRequirement",
    "InvalidToken",
    "KeyInUse",
    "KeyReused",
    "LeaseLost",
    "LicetError",
    "MalformedRequest",
    "MissingToken",
    "NotRegistered",
    "ObjectNotFound",
    "OperationNotImplemented",
    "PreconditionFailed",
    "PreconditionRequired",
    "RateLimited",
    "RequestTooLarge",
    "RequestValidationError",
    "SchemaUnusable",
    "ServiceUnavailable",
    "SignInDeclined",
    "SignInFailed",
    "StepMismatch",
    "StoreUnavailable",
    "TooManyAttempts",
    "URLTooLong",
    "UnauthorizedRequest",
    "UndeclaredEndpoint",
    "UndeclaredEndpoints",
    "UnguardedWrite",
    "UnknownName",
    "UnloadedObject",
    "UnstorableDocument",
    "UnsupportedBody",
    "UntranslatableCondition",
    "UnusableAnswer",
    "UnverifiedAuthenticationError",
    "UsageError",
]
