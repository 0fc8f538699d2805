"""``flask.exceptions``: errors that are their own HTTP response.

A provider's bodies are ``{"code", "description"}`` as from 0.11 on (0.10 had ``error`` and
``status_code``). Raised in other views, an error is answered as every error of licet.
"""

from typing import Any

from licet.errors import (
    ActionConflict,
    ActionForbidden,
    ActionNotFound,
    ActionProviderError,
    ActionProviderToolsException,
    BadActionRequest,
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

JSONType = str | int | float | bool | dict[str, Any] | list[Any] | None
