"""Bodies of requests, up to a longest size, whether they say their length or come in chunks."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from licet.wire.incoming import bounded_body

__all__ = ["read_body"]


def read_body(max_bytes: int) -> bytes:
    """The request's body, which is kept, so that `request.form` can be read after it.

    Raises:
        RequestEntityTooLarge: it is longer.
    """
    body = bounded_body(request, max_bytes)
    if body is None:
        raise RequestEntityTooLarge
    return body
