"""The Globus Action Provider toolkit's names.

Where its versions disagree, the one of seed document 000 (0.12) wins; each module says where.
"""

from licet.actions.documents import (
    ActionProviderDescription,
    ActionProviderJsonEncoder,
    ActionRequest,
    ActionStatus,
    ActionStatusValue,
    now_isoformat,
)
from licet.authn.globus import AuthState, AuthStateBuilder, TokenChecker
from licet.authn.identity import principal_urn_regex

__all__ = [
    "ActionProviderDescription",
    "ActionProviderJsonEncoder",
    "ActionRequest",
    "ActionStatus",
    "ActionStatusValue",
    "AuthState",
    "AuthStateBuilder",
    "TokenChecker",
    "now_isoformat",
    "principal_urn_regex",
]
