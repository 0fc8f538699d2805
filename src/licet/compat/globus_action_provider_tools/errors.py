"""``errors``: what is raised outside a response."""

from licet.errors import (
    AuthenticationError,
    ConfigurationError,
    UnverifiedAuthenticationError,
)
from licet.errors import InvalidToken as TokenValidationError
from licet.errors import LicetError as ActionProviderToolsError

__all__ = [
    "ActionProviderToolsError",
    "AuthenticationError",
    "ConfigurationError",
    "TokenValidationError",
    "UnverifiedAuthenticationError",
]
