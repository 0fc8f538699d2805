"""``flask.types``: the callbacks' signatures, under the names of 0.10 and of 0.12."""

from licet.actions.types import (
    ActionCallbackReturn,
    ActionCancelCallback,
    ActionEnumerationCallback,
    ActionLogCallback,
    ActionLogReturn,
    ActionOperationCallback,
    ActionReleaseCallback,
    ActionResumeCallback,
    ActionRunCallback,
    ActionStatusCallback,
    ActionStatusReturn,
    ViewReturn,
)

ActionRunType = ActionRunCallback
ActionStatusType = ActionStatusCallback
ActionCancelType = ActionCancelCallback
ActionReleaseType = ActionReleaseCallback
ActionLogType = ActionLogCallback
ActionEnumerationType = ActionEnumerationCallback

__all__ = [
    "ActionCallbackReturn",
    "ActionCancelCallback",
    "ActionCancelType",
    "ActionEnumerationCallback",
    "ActionEnumerationType",
    "ActionLogCallback",
    "ActionLogReturn",
    "ActionLogType",
    "ActionOperationCallback",
    "ActionReleaseCallback",
    "ActionReleaseType",
    "ActionResumeCallback",
    "ActionRunCallback",
    "ActionRunType",
    "ActionStatusCallback",
    "ActionStatusReturn",
    "ActionStatusType",
    "ViewReturn",
]
