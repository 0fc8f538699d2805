"""An HTTP error as a problem document.

Source: RFC 9457.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

__all__ = ["PROBLEM", "named", "problem"]

PROBLEM: Final = "application/problem+json"


def problem(
    *, status: int, detail: str, instance: str, code: str | None = None
) -> dict[str, object]:
    """The members of the document: `detail` for people, `code` for programs.

    Args:
        status: the HTTP status.
        detail: what happened, as text.
        instance: the path of the request.
        code: a stable word; None takes the status in words.
    """
    title, status_code = named(status)
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code or status_code,
    }


def named(status: int) -> tuple[str, str]:
    """A status's phrase, and that as one word; an app's own status has neither in any standard."""
    try:
        known = HTTPStatus(status)
    except ValueError:
        return f"HTTP status {status}", f"http_{status}"
    return known.phrase, known.name.lower()
