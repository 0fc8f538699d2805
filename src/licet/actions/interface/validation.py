"""From the bytes of a request to an `ActionRequest` that fits the provider, or a clear 4xx.

Three steps: the bytes are JSON, the JSON is a request, the request's body is what this provider's
input schema takes. User data is left out of messages unless the provider's config asks for it.

Source: spec of the message forms; JSON Schema 2020-12 where a schema names no draft.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, Protocol

import jsonschema_rs
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from licet.actions._types import parse_duration
from licet.actions.documents import ActionProviderDescription, ActionRequest
from licet.errors import (
    ActionProviderError,
    BadActionRequest,
    ConfigurationError,
    RequestValidationError,
)

__all__ = [
    "InputBodyValidator",
    "ValidationResult",
    "check_deadline",
    "check_maximum_deadline",
    "compile_schema",
    "format_validation_error",
    "get_input_body_validator",
    "json_schema_input_validation",
    "parse_json",
    "pydantic_input_validation",
    "validate_data",
    "validate_input",
]

InputBodyValidator = Callable[[dict[str, Any]], None]
_MAX_MESSAGES = 20


class SchemaValidator(Protocol):
    """A compiled JSON schema, of jsonschema-rs or of jsonschema."""

    def iter_errors(self, instance: Any) -> Iterable[Any]:
        """Everything about `instance` that does not fit."""
        ...


class ValidationResult(NamedTuple):
    """The messages, each alone and all in one."""

    errors: list[str]
    error_msg: str | None


def parse_json(raw: bytes) -> Any:
    """The JSON value that `raw` holds.

    Raises:
        BadActionRequest: it is not JSON: NaN, infinities, text that is not UTF-8, nesting beyond
            200 levels and numbers beyond any use included.
    """
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise BadActionRequest(f"Invalid JSON: {error}") from error


def validate_input(request_json: Any, input_body_validator: InputBodyValidator) -> ActionRequest:
    """An `ActionRequest` whose body the provider takes.

    Raises:
        RequestValidationError: with one message a field, joined by ``; ``.
    """
    if not isinstance(request_json, dict):
        raise RequestValidationError("Field '__root__': must be a JSON object")
    if any(not isinstance(key, str) for key in request_json):
        raise RequestValidationError("Field '__root__.__key__': must be a string")
    try:
        request = ActionRequest.model_validate(request_json)
    except ValidationError as error:
        raise RequestValidationError(_joined(map(_envelope_message, error.errors()))) from error
    _refuse_infinities(request.body)
    input_body_validator(request.body)
    return request


def _envelope_message(error: ErrorDetails) -> str:
    field = ".".join(map(str, error["loc"])) or "__root__"
    return f"Field '{field}': {error['msg'].removeprefix('Value error, ')}"


def _refuse_infinities(body: object) -> None:
    """Refuse numbers such as 1e999, which JSON readers turn into infinity, and NaN."""
    pending = [body]
    while pending:
        value = pending.pop()
        if isinstance(value, float):
            if not math.isfinite(value):
                raise RequestValidationError("Field 'body': a number is out of range")
        elif isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def check_deadline(
    request: ActionRequest, maximum_deadline: str, clock: Callable[[], datetime]
) -> None:
    """Refuse a deadline that has passed or lies further off than the provider allows.

    Raises:
        RequestValidationError: with the limit.
    """
    if request.deadline is None:
        return
    now = clock()
    if request.deadline <= now:
        raise RequestValidationError("Field 'deadline': must lie in the future")
    if request.deadline - now > parse_duration(maximum_deadline):
        raise RequestValidationError(
            f"Field 'deadline': must lie at most {maximum_deadline} from now"
        )
    try:
        request.deadline = request.deadline.astimezone(UTC)
    except OverflowError as error:
        raise RequestValidationError("Field 'deadline': is out of range") from error


def check_maximum_deadline(description: ActionProviderDescription) -> None:
    """Refuse a description whose limit is no duration, before the first request meets it.

    Raises:
        ConfigurationError: `maximum_deadline` is not an ISO 8601 duration.
    """
    try:
        parse_duration(description.maximum_deadline)
    except ValueError as error:
        raise ConfigurationError(
            f"The provider's maximum_deadline is {description.maximum_deadline!r}: it {error}."
        ) from error


def get_input_body_validator(
    provider_description: ActionProviderDescription, *, scrub_validation_errors: bool = True
) -> InputBodyValidator:
    """What checks a request's body, compiled once from the description's `input_schema`.

    Raises:
        ActionProviderError: `input_schema` is no schema at all.
        ConfigurationError: it is one, but not a valid one.
    """
    schema = provider_description.input_schema
    if inspect.isclass(schema) and issubclass(schema, BaseModel):
        return partial(pydantic_input_validation, validator=schema)
    if not isinstance(schema, str | Mapping):
        raise ActionProviderError(
            "The provider's input_schema is neither a JSON schema nor a pydantic class."
        )
    return partial(
        json_schema_input_validation,
        validator=compile_schema(schema),
        scrub_validation_errors=scrub_validation_errors,
    )


def compile_schema(schema: str | Mapping[str, Any]) -> SchemaValidator:
    """A validator for a JSON schema; it never fetches anything from elsewhere.

    Raises:
        ConfigurationError: the text is not JSON, or the JSON is not a schema.
    """
    try:
        parsed = json.loads(schema) if isinstance(schema, str) else dict(schema)
        return jsonschema_rs.validator_for(parsed, offline=True)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise ConfigurationError(f"The provider's input_schema is not usable: {error}") from error


def json_schema_input_validation(
    action_input: dict[str, Any],
    validator: SchemaValidator,
    scrub_validation_errors: bool = True,  # noqa: FBT001, FBT002 - the original's signature
) -> None:
    """Check a body with a compiled JSON schema.

    Raises:
        RequestValidationError: it does not fit.
    """
    result = validate_data(action_input, validator, scrub_validation_errors)
    if result.errors:
        raise RequestValidationError(result.error_msg)


def validate_data(
    data: Any,
    validator: SchemaValidator,
    scrub_validation_errors: bool = True,  # noqa: FBT001, FBT002 - the original's signature
) -> ValidationResult:
    """Everything about `data` that a compiled schema objects to, at most twenty messages."""
    messages: list[str] = []
    for error in validator.iter_errors(data):
        if len(messages) == _MAX_MESSAGES:
            messages.append("more errors follow")
            break
        path, category = _place(error)
        text = None if scrub_validation_errors else error.message
        messages.append(format_validation_error(path, category, text))
    return ValidationResult(messages, "; ".join(messages) if messages else None)


def _place(error: Any) -> tuple[str, str]:
    if isinstance(error, jsonschema_rs.ValidationError):
        keyword = str(error.schema_path[-1]) if error.schema_path else "schema"
        return _json_path(error.instance_path), keyword
    return error.json_path, str(error.validator)


def pydantic_input_validation(action_input: dict[str, Any], validator: type[BaseModel]) -> None:
    """Check a body with a pydantic class.

    Raises:
        RequestValidationError: it does not fit.
    """
    try:
        validator.model_validate(action_input)
    except ValidationError as error:
        raise RequestValidationError(_joined(map(_input_message, error.errors()))) from error


def _input_message(error: ErrorDetails) -> str:
    return format_validation_error(_json_path(error["loc"]), error["type"], error["msg"])


def _json_path(location: Sequence[str | int]) -> str:
    parts = (f".{part}" if isinstance(part, str) else f"[{part}]" for part in location)
    return "$" + "".join(parts)


def format_validation_error(jsonpath: str, category: str, message: str | None = None) -> str:
    """One message, in the same form whatever found the error."""
    text = message or "Input failed schema validation"
    return f"Field '{jsonpath}' (category: '{category}'): {text}"


def _joined(messages: Iterable[str]) -> str:
    listed = list(messages)
    if len(listed) > _MAX_MESSAGES:
        listed = [*listed[:_MAX_MESSAGES], "more errors follow"]
    return "; ".join(listed)
