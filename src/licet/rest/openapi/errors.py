"""The schemas of error documents: a problem, JSON:API's, seed document 004's, a provider's.

Source: RFC 9457; JSON:API 1.1, "Error Objects"; seed documents 000 and 004.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from licet.rest.shapes import JSON_API as JSON_API_TYPE
from licet.wire.described import ACTION, JSON_API, MESSAGE, PAGE, PROBLEM, Content

__all__ = ["error_content"]

_TEXT: Final = {"type": "string"}
_STATUS: Final = {"type": "integer", "minimum": 400, "maximum": 599}
_ERROR_ID: Final = {"type": "string", "description": "By which the log has the cause."}
_FAULT: Final = {
    "type": "object",
    "properties": {
        "detail": _TEXT,
        "pointer": {"type": "string", "description": "The place in the body."},
        "parameter": _TEXT,
        "header": _TEXT,
    },
    "required": ["detail"],
}
_PROBLEM: Final = {
    "type": "object",
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": _STATUS,
        "detail": _TEXT,
        "instance": {"type": "string", "description": "The path of the request."},
        "code": {"type": "string", "description": "A stable word for programs."},
        "errors": {"type": "array", "items": _FAULT},
        "error_id": _ERROR_ID,
    },
    "required": ["type", "title", "status", "detail", "instance", "code"],
}
_MESSAGE: Final = {
    "type": "object",
    "properties": {
        "_status": {"type": "string", "enum": ["ERR"]},
        "_error": {
            "type": "object",
            "properties": {
                "message": _TEXT,
                "errors": {"type": "array", "items": _FAULT},
                "error_id": _ERROR_ID,
            },
            "required": ["message"],
        },
    },
    "required": ["_status", "_error"],
}
_SOURCE: Final = {"pointer": _TEXT, "parameter": _TEXT, "header": _TEXT}
_JSON_API: Final = {
    "type": "object",
    "properties": {
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "id": _ERROR_ID,
                    "status": {"type": "string", "pattern": "^[45][0-9]{2}$"},
                    "code": _TEXT,
                    "title": _TEXT,
                    "detail": _TEXT,
                    "source": {"type": "object", "properties": _SOURCE},
                },
                "required": ["status", "code", "title", "detail"],
            },
        },
        "jsonapi": {"type": "object", "properties": {"version": _TEXT}},
    },
    "required": ["errors", "jsonapi"],
}
_ACTION: Final = {
    "type": "object",
    "properties": {"code": _TEXT, "description": _TEXT, "error_id": _ERROR_ID},
    "required": ["code", "description"],
}
_CONTENTS: Final[Mapping[str, Content]] = {
    PROBLEM: Content(schema=_PROBLEM, name="Problem", media_type="application/problem+json"),
    MESSAGE: Content(schema=_MESSAGE, name="ErrorMessage"),
    JSON_API: Content(schema=_JSON_API, name="JsonApiErrors", media_type=JSON_API_TYPE),
    PAGE: Content(schema=_TEXT, media_type="text/html"),
    ACTION: Content(schema=_ACTION, name="ActionError"),
}


def error_content(shape: str) -> Content:
    """The body of an error in this shape."""
    return _CONTENTS[shape]
