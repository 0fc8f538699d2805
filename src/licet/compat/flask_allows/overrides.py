"""``overrides``: requirements switched off for a while."""

from licet.authz.requirements.changes import Override, OverrideManager, current_overrides
from licet.compat.flask_allows._stack import ContextStack

__all__ = ["Override", "OverrideManager", "current_overrides"]

_override_ctx_stack = ContextStack(OverrideManager.kind)
