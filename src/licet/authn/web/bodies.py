"""Bodies of requests, up to a longest size, and licet's own JSON documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from flask import Response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import RequestEntityTooLarge

from licet.settings.state import app_itself
from licet.wire.incoming import bounded_body

__all__ = ["json_document", "read_body"]


def read_body(max_bytes: int) -> bytes:
    """The request's body, which is kept, so that `request.form` can be read after it.

    Raises:
        RequestEntityTooLarge: it is longer.
    """
    body = bounded_body(request, max_bytes)
    if body is None:
        raise RequestEntityTooLarge
    return body


def json_document(members: Mapping[str, Any]) -> Response:
    """A document of a standard, or of licet's interface, as a response.

    The app's JSON provider writes the app's own answers. It may wrap them, or spell their names
    another way, which nobody who reads a document of this kind would understand.
    """
    return cast("Response", DefaultJSONProvider(app_itself()).response(members))
