"""The signatures of a provider's callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Response

from licet.actions.documents import ActionLogReturn, ActionRequest, ActionStatus
from licet.actions.enumeration import Page
from licet.authn.auth_state import AuthState

__all__ = [
    "ActionCallbackReturn",
    "ActionCancelCallback",
    "ActionEnumerationCallback",
    "ActionLogCallback",
    "ActionLogReturn",
    "ActionOperationCallback",
    "ActionReleaseCallback",
    "ActionResumeCallback",
    "ActionRunCallback",
    "ActionStatusCallback",
    "ActionStatusReturn",
    "ViewReturn",
]

ActionCallbackReturn = ActionStatus | tuple[ActionStatus, int]
ActionStatusReturn = ActionCallbackReturn  # seed document 001's name for it

ActionRunCallback = Callable[[ActionRequest, AuthState], ActionCallbackReturn]
ActionOperationCallback = (
    Callable[[str, AuthState], ActionCallbackReturn]
    | Callable[[ActionStatus, AuthState], ActionCallbackReturn]
)
ActionStatusCallback = ActionOperationCallback
ActionCancelCallback = ActionOperationCallback
ActionReleaseCallback = ActionOperationCallback
ActionResumeCallback = ActionOperationCallback
ActionLogCallback = Callable[[str, AuthState], ActionLogReturn]
ActionEnumerationCallback = Callable[
    [AuthState, dict[str, set[Any]]], Sequence[ActionStatus] | Page
]

ViewReturn = tuple[Response, int] | tuple[str, int]
