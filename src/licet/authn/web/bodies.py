"""Bodies of requests, up to a longest size, whether they say their length or come in chunks."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

__all__ = ["read_body"]


def read_body(max_bytes: int) -> bytes:
    """The request's body, which is kept, so that `request.form` can be read after it.

    Raises:
        RequestEntityTooLarge: it is longer.
    """
    # Werkzeug cuts a body without a length at its limit, and says nothing.
    request.max_content_length = max_bytes + 1
    body = request.get_data(cache=True)
    if len(body) > max_bytes:
        raise RequestEntityTooLarge
    return body
