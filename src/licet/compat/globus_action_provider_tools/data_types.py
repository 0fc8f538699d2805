"""``data_types``: the documents, as pydantic 2 models (the original's are pydantic 1's).

`AuthState` is here too, as in 0.10 and seed document 001; so are two functions of `utils`.
"""

from enum import StrEnum
from typing import Any

from pydantic import RootModel, StrictStr

from licet.actions.documents import (
    ActionFailedDetails,
    ActionInactiveDetails,
    ActionLogEntry,
    ActionLogReturn,
    ActionProviderDescription,
    ActionProviderJsonEncoder,
    ActionRequest,
    ActionStatus,
    ActionStatusValue,
    EventType,
    ExtensibleCodeDescription,
    PaginationWrapper,
    ProviderType,
    SubscriptableObject,
    convert_to_json,
)
from licet.authn.globus import AuthState
from licet.compat.globus_action_provider_tools.utils import now_isoformat, shortish_id

__all__ = [
    "ActionFailedDetails",
    "ActionInactiveDetails",
    "ActionLogEntry",
    "ActionLogReturn",
    "ActionProviderDescription",
    "ActionProviderJsonEncoder",
    "ActionRequest",
    "ActionStatus",
    "ActionStatusValue",
    "AuthState",
    "AutomateBaseEnum",
    "EventType",
    "ExtensibleCodeDescription",
    "PaginationWrapper",
    "ProviderType",
    "RequestObject",
    "SubscriptableObject",
    "convert_to_json",
    "now_isoformat",
    "shortish_id",
]

AutomateBaseEnum = StrEnum


class RequestObject(RootModel[dict[StrictStr, Any]]):
    """A JSON object."""
