"""``flask.helpers``: the parts that blueprint and helper are made of."""

from flask import Request, Response

from licet.actions.documents import ActionProviderDescription, render
from licet.actions.enumeration import parse_query_args, query_args_to_enum
from licet.actions.interface.config import DEFAULT_CONFIG, ActionProviderConfig
from licet.actions.interface.http import JsonProvider, assign_json_provider
from licet.actions.interface.http import error_response as blueprint_error_handler
from licet.actions.interface.validation import (
    InputBodyValidator,
    json_schema_input_validation,
    pydantic_input_validation,
    validate_input,
)
from licet.actions.interface.validation import get_input_body_validator as _get_input_body_validator
from licet.actions.types import ActionCallbackReturn
from licet.authn.globus import AuthState, FlaskAuthStateBuilder, TokenChecker
from licet.authn.tokens.bearer import parse_bearer

__all__ = [
    "ActionInputValidatorType",
    "FlaskAuthStateBuilder",
    "JsonProvider",
    "action_status_return_to_view_return",
    "assign_json_provider",
    "blueprint_error_handler",
    "check_token",
    "get_input_body_validator",
    "json_schema_input_validation",
    "parse_query_args",
    "pydantic_input_validation",
    "query_args_to_enum",
    "validate_input",
]

ActionInputValidatorType = InputBodyValidator


def check_token(request: Request, checker: TokenChecker) -> AuthState:
    """The state of a request's bearer token.

    Raises:
        AuthenticationError: there is no acceptable token.
    """
    return checker.check_token(parse_bearer(request.headers.get("Authorization")))


def get_input_body_validator(
    provider_description: ActionProviderDescription, config: ActionProviderConfig = DEFAULT_CONFIG
) -> InputBodyValidator:
    """What checks the body of a request to run."""
    return _get_input_body_validator(
        provider_description, scrub_validation_errors=config.scrub_validation_errors
    )


def action_status_return_to_view_return(
    status: ActionCallbackReturn, default_status_code: int
) -> tuple[Response, int]:
    """What a callback returned, as a response and its HTTP status."""
    document, code = status if isinstance(status, tuple) else (status, default_status_code)
    return Response(render(document), content_type="application/json"), code
