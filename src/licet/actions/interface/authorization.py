"""Who may see and who may manage an action: its creator, and those whom it lists.

Source: seed documents 000 and 001 (the function names); spec, section 2 "Authorization".
"""

from __future__ import annotations

import logging

from licet.actions.documents import ActionStatus
from licet.authn.auth_state import AuthState
from licet.errors import ActionForbidden, HiddenAction

__all__ = [
    "authorize_action_access_or_404",
    "authorize_action_management_or_404",
    "authorize_management",
    "may_manage",
    "may_see",
]

log = logging.getLogger(__name__)


def may_see(status: ActionStatus, auth_state: AuthState) -> bool:
    """Whether the caller may read the action's status and log."""
    allowed = {status.creator_id, *(status.monitor_by or ())}
    return auth_state.check_authorization(allowed, allow_all_authenticated_users=True)


def may_manage(status: ActionStatus, auth_state: AuthState) -> bool:
    """Whether the caller may cancel, resume and release the action."""
    allowed = {status.creator_id, *(status.manage_by or ())}
    return auth_state.check_authorization(allowed, allow_all_authenticated_users=True)


def authorize_action_access_or_404(status: ActionStatus, auth_state: AuthState) -> None:
    """Let those pass who may see the action.

    Raises:
        HiddenAction: an `ActionNotFound`, the same as for an action that does not exist. Later
            versions of the original raise an `AuthenticationError`; this one is both.
    """
    if not may_see(status, auth_state):
        _refuse(status, auth_state, "see")


def authorize_action_management_or_404(status: ActionStatus, auth_state: AuthState) -> None:
    """Let those pass who may manage the action.

    Raises:
        HiddenAction: as for `authorize_action_access_or_404`.
    """
    if not may_manage(status, auth_state):
        _refuse(status, auth_state, "manage")


def authorize_management(status: ActionStatus, auth_state: AuthState) -> None:
    """Let those pass who may manage the action, where the toolkit itself decides.

    Raises:
        ActionForbidden: the caller may see the action but not manage it.
        HiddenAction: they may not even see it.
    """
    if may_manage(status, auth_state):
        return
    if may_see(status, auth_state):
        log.info("%s may not manage action %s", auth_state.effective_identity, status.action_id)
        raise ActionForbidden(f"You may see action {status.action_id}, but not manage it.")
    _refuse(status, auth_state, "manage")


def _refuse(status: ActionStatus, auth_state: AuthState, verb: str) -> None:
    log.info("%s may not %s action %s", auth_state.effective_identity, verb, status.action_id)
    raise HiddenAction(f"No Action with id {status.action_id}")
