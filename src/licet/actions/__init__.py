"""Long-running work behind the Action Provider Interface: documents, routes and the store."""

from typing import TYPE_CHECKING

from licet.errors._lazy import lazy_names

if TYPE_CHECKING:
    from licet.actions.documents import (
        AbstractActionRepository,
        ActionFailedDetails,
        ActionInactiveDetails,
        ActionLogEntry,
        ActionLogReturn,
        ActionProviderDescription,
        ActionProviderJsonEncoder,
        ActionRequest,
        ActionStatus,
        ActionStatusValue,
    )
    from licet.actions.durable.declaration import Retry
    from licet.actions.durable.running import ActionCancelled, ActionStopped, RunningAction
    from licet.actions.durable.runtime import durable_runtime
    from licet.actions.enumeration import parse_log_query
    from licet.actions.interface.authorization import (
        authorize_action_access_or_404,
        authorize_action_management_or_404,
    )
    from licet.actions.interface.blueprint import ActionProviderBlueprint
    from licet.actions.interface.config import ActionProviderConfig
    from licet.actions.interface.flask import action_store
    from licet.actions.interface.helpers import add_action_routes_to_blueprint
    from licet.actions.interface.http import assign_json_provider
    from licet.actions.store.actions import ActionStore, Submission
    from licet.authn.auth_state import AuthState
    from licet.errors import ActionFailure
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "licet.actions.documents": (
                "AbstractActionRepository ActionFailedDetails ActionInactiveDetails "
                "ActionLogEntry ActionLogReturn ActionProviderDescription "
                "ActionProviderJsonEncoder ActionRequest ActionStatus ActionStatusValue"
            ),
            "licet.actions.durable.declaration": "Retry",
            "licet.actions.durable.running": "ActionCancelled ActionStopped RunningAction",
            "licet.actions.durable.runtime": "durable_runtime",
            "licet.actions.enumeration": "parse_log_query",
            "licet.actions.interface.authorization": (
                "authorize_action_access_or_404 authorize_action_management_or_404"
            ),
            "licet.actions.interface.blueprint": "ActionProviderBlueprint",
            "licet.actions.interface.config": "ActionProviderConfig",
            "licet.actions.interface.flask": "action_store",
            "licet.actions.interface.helpers": "add_action_routes_to_blueprint",
            "licet.actions.interface.http": "assign_json_provider",
            "licet.actions.store.actions": "ActionStore Submission",
            "licet.authn.auth_state": "AuthState",
            "licet.errors": "ActionFailure",
        },
    )

__all__ = [
    "AbstractActionRepository",
    "ActionCancelled",
    "ActionFailedDetails",
    "ActionFailure",
    "ActionInactiveDetails",
    "ActionLogEntry",
    "ActionLogReturn",
    "ActionProviderBlueprint",
    "ActionProviderConfig",
    "ActionProviderDescription",
    "ActionProviderJsonEncoder",
    "ActionRequest",
    "ActionStatus",
    "ActionStatusValue",
    "ActionStopped",
    "ActionStore",
    "AuthState",
    "Retry",
    "RunningAction",
    "Submission",
    "action_store",
    "add_action_routes_to_blueprint",
    "assign_json_provider",
    "authorize_action_access_or_404",
    "authorize_action_management_or_404",
    "durable_runtime",
    "parse_log_query",
]
