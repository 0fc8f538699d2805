"""``additional``: requirements added for a while."""

from licet.authz.requirements.changes import Additional, AdditionalManager, current_additions
from licet.compat.flask_allows._stack import ContextStack

__all__ = ["Additional", "AdditionalManager", "current_additions"]

_additional_ctx_stack = ContextStack(AdditionalManager.kind)
