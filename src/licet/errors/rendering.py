"""Any exception as what is sent: status, headers, and the members of a body.

Action providers and problem documents have different bodies; both are made from this one record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from werkzeug.exceptions import HTTPException

from licet.errors import ActionProviderError
from licet.errors._rfc9457 import PROBLEM, problem
from licet.errors.base import HTTPError

__all__ = ["ErrorDocument", "error_document", "is_final", "problem_parts"]

_BODY_HEADERS: Final = frozenset({"content-type", "content-length"})


@dataclass(frozen=True, kw_only=True)
class ErrorDocument:
    """An error ready to send: status, headers, and the two members of its body."""

    status: int
    code: str
    description: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, str]:
        """The body."""
        return {"code": self.code, "description": self.description}


def is_final(error: HTTPException) -> bool:
    """Whether the error is a response already: one given to `abort`, or a redirect."""
    return error.response is not None or (error.code or 500) < 400


def error_document(error: Exception) -> ErrorDocument:
    """Render any exception.

    What is not an HTTP error is an unexpected failure: a bare 500 that tells nothing of it.
    """
    if isinstance(error, HTTPError):
        return ErrorDocument(
            status=error.code,
            code=error.interface_code,
            description=error.description,
            headers=error.extra_headers(),
        )
    if isinstance(error, HTTPException):
        kept = {k: v for k, v in error.get_headers() if k.lower() not in _BODY_HEADERS}
        if error.code == 401:
            kept.setdefault("WWW-Authenticate", "Bearer")
        return ErrorDocument(
            status=error.code or 500,
            code=type(error).__name__,
            description=error.description or error.name,
            headers=kept,
        )
    return ErrorDocument(
        status=500, code=ActionProviderError.__name__, description=ActionProviderError.description
    )


def problem_parts(error: Exception, path: str, **members: str) -> tuple[str, int, dict[str, str]]:
    """Body, status and headers of the problem document about a request to `path`.

    Args:
        error: any exception.
        path: the document's `instance`.
        members: are added to the document.
    """
    document = error_document(error)
    if isinstance(error, HTTPError):
        found = error.as_problem(path)
    else:
        found = problem(status=document.status, detail=document.description, instance=path)
    headers = {**document.headers, "Content-Type": PROBLEM}
    return json.dumps({**found, **members}), document.status, headers
