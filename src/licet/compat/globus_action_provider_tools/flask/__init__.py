"""``flask``: the blueprint and the helper, with the callback types that 0.10 has here too."""

from licet.actions.interface.blueprint import ActionProviderBlueprint
from licet.actions.interface.config import DEFAULT_CONFIG, ActionProviderConfig
from licet.actions.interface.helpers import add_action_routes_to_blueprint
from licet.actions.interface.http import error_response as blueprint_error_handler
from licet.actions.types import ActionStatusReturn
from licet.compat.globus_action_provider_tools.flask.api_helpers import (
    flask_validate_request,
    flask_validate_response,
)

__all__ = (
    "DEFAULT_CONFIG",
    "ActionProviderBlueprint",
    "ActionProviderConfig",
    "ActionStatusReturn",
    "add_action_routes_to_blueprint",
    "blueprint_error_handler",
    "flask_validate_request",
    "flask_validate_response",
)
