"""``authentication``: callers that Globus Auth vouches for.

Differences from the original: a token needs any one of the expected scopes (0.19 and later demand
all of them); a failing groups lookup is an error and never an empty set.
"""

from licet.authn.globus import (
    GROUPS_SCOPE,
    AuthState,
    AuthStateBuilder,
    InactiveTokenError,
    InvalidTokenScopesError,
    TokenChecker,
)
from licet.authn.globus import globus_group_principal as group_principal
from licet.authn.globus import globus_identity_principal as identity_principal

__all__ = [
    "GROUPS_SCOPE",
    "AuthState",
    "AuthStateBuilder",
    "InactiveTokenError",
    "InvalidTokenScopesError",
    "TokenChecker",
    "group_principal",
    "identity_principal",
]
