"""Long-running work behind the Action Provider Interface: documents, routes and the store."""

from licet.actions.authorization import (
    authorize_action_access_or_404,
    authorize_action_management_or_404,
)
from licet.actions.blueprint import ActionProviderBlueprint
from licet.actions.config import ActionProviderConfig
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
)
from licet.actions.durable import Retry
from licet.actions.enumeration import parse_log_query
from licet.actions.flask import action_store
from licet.actions.helpers import add_action_routes_to_blueprint
from licet.actions.json_provider import assign_json_provider
from licet.actions.repository import AbstractActionRepository
from licet.actions.running import ActionCancelled, ActionStopped, RunningAction
from licet.actions.runtime import durable_runtime
from licet.actions.store import ActionStore, Submission
from licet.authn.auth_state import AuthState
from licet.errors import ActionFailure

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
