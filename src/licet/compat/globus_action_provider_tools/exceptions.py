"""``exceptions``: where 0.10 and seed document 001 have what `flask.exceptions` has later."""

from licet.compat.globus_action_provider_tools.flask.exceptions import (
    ActionConflict,
    ActionForbidden,
    ActionNotFound,
    ActionProviderError,
    ActionProviderToolsException,
    BadActionRequest,
    JSONType,
    RequestValidationError,
    UnauthorizedRequest,
)

__all__ = [
    "ActionConflict",
    "ActionForbidden",
    "ActionNotFound",
    "ActionProviderError",
    "ActionProviderToolsException",
    "BadActionRequest",
    "JSONType",
    "RequestValidationError",
    "UnauthorizedRequest",
]
