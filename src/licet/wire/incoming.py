"""Bodies of requests, read no further than somebody allows."""

from __future__ import annotations

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

__all__ = ["bounded_body"]


def bounded_body(request: Request, limit: int) -> bytes | None:
    """The body of a request; None when it is longer than `limit` bytes.

    A body without a Content-Length is cut at werkzeug's limit without an error: allowing one byte
    more is how a body that is too long shows.
    """
    request.max_content_length = limit + 1
    try:
        raw = request.get_data()
    except RequestEntityTooLarge:
        return None
    return raw if len(raw) <= limit else None
