"""The small bodies of views beside resources."""

from __future__ import annotations

import json
from typing import Any

from licet.errors import MalformedRequest
from licet.rest.endpoints.requests import read_body


def read_data() -> dict[str, Any]:
    """The member ``data`` of the body, or the whole body where there is none.

    Raises:
        MalformedRequest: it is no JSON object.
        BodyTooLarge: 413.
    """
    try:
        found = json.loads(read_body() or b"null")
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        found = found.get("data", found)
    if not isinstance(found, dict):
        raise MalformedRequest("The body is a JSON object.")
    return found
