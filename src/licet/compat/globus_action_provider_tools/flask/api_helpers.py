"""``flask.api_helpers``; here the log callback is called, which the original forgets to."""

from flask import Request, Response

from licet.actions.interface.helpers import add_action_routes_to_blueprint
from licet.actions.interface.http import error_response as blueprint_error_handler
from licet.actions.types import ActionStatusReturn
from licet.authn.globus import TokenChecker
from licet.compat.globus_action_provider_tools.validation import (
    ValidationRequest,
    ValidationResult,
    request_validator,
)

__all__ = [
    "ActionStatusReturn",
    "TokenChecker",
    "add_action_routes_to_blueprint",
    "blueprint_error_handler",
    "flask_validate_request",
    "flask_validate_response",
]

_STATUS_OPERATIONS = frozenset({"run", "status", "cancel", "release"})


def flask_validate_request(request: Request) -> ValidationResult:
    """Whether a request to run holds an ActionRequest; others have nothing to check."""
    if _operation(request) != "run":
        return ValidationResult([], None)
    body = request.get_json(force=True, silent=True)
    return request_validator(ValidationRequest("ActionRequest", body))


def flask_validate_response(request: Request, response: Response) -> ValidationResult:
    """Whether a successful response of an operation on actions holds an ActionStatus."""
    if _operation(request) not in _STATUS_OPERATIONS or not 200 <= response.status_code < 299:
        return ValidationResult([], None)
    body = response.get_json(force=True, silent=True)
    return request_validator(ValidationRequest("ActionStatus", body))


def _operation(request: Request) -> str:
    return request.path.rpartition("/")[2]
