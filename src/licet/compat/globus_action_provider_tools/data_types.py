"""``data_types``: the documents, as pydantic 2 models (the original's are pydantic 1's).

`AuthState` is here too, as in 0.10 and seed document 001.
"""

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
    convert_to_json,
)
from licet.authn.globus import AuthState

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
    "EventType",
    "ExtensibleCodeDescription",
    "PaginationWrapper",
    "ProviderType",
    "RequestObject",
    "convert_to_json",
]


class RequestObject(RootModel[dict[StrictStr, Any]]):
    """A JSON object."""
