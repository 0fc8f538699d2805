"""``validation``: documents and input, checked."""

from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from licet.actions.documents import ActionRequest, ActionStatus
from licet.actions.interface.validation import (
    ValidationResult,
    format_validation_error,
    validate_data,
)

__all__ = [
    "ValidationRequest",
    "ValidationResult",
    "format_validation_error",
    "request_validator",
    "response_validator",
    "validate_data",
]

_DOCUMENTS: dict[str, type[BaseModel]] = {
    "ActionRequest": ActionRequest,
    "ActionStatus": ActionStatus,
}


class ValidationRequest(NamedTuple):
    """A document, and the name of its kind."""

    provider_doc_type: str
    request_data: Any


def request_validator(request: ValidationRequest) -> ValidationResult:
    """Whether the document is of its kind; kinds that are not known have nothing to check."""
    document = _DOCUMENTS.get(request.provider_doc_type)
    if document is None:
        return ValidationResult([], None)
    try:
        document.model_validate(request.request_data)
    except ValidationError as error:
        messages = [
            f"'{'.'.join(map(str, e['loc']))}' invalid due to {e['msg']}" for e in error.errors()
        ]
        return ValidationResult(messages, "; ".join(messages))
    return ValidationResult([], None)


response_validator = request_validator
