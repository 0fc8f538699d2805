"""Errors that are HTTP responses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from licet.errors._page import page, prefers_page
from licet.errors._rfc9457 import PROBLEM, problem
from licet.errors._usage import LicetError
from licet.errors.places import FieldError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = [
    "HTTPError",
    "LicetError",
    "path_of",
    "reason_of",
    "request_of",
]


class HTTPError(LicetError, HTTPException):
    """An error that is its own HTTP response, so that an app needs no handler for it.

    Requests that prefer ``text/html`` are answered with a plain page, others with a problem
    document. Without a request the body is the Action Provider Interface's JSON.

    The class itself has no `code`, so that a handler for it is asked about every status: Flask
    keeps handlers by the status of their class.

    `errors` are the faults of the request, each with its place; most errors have none.
    """

    code: int
    description: str = "Internal Server Error"
    errors: tuple[FieldError, ...] = ()

    def __init__(self, description: object = None, response: Response | None = None) -> None:
        text = self.description if description is None else _as_text(description)
        HTTPException.__init__(self, text, response)
        self.code = self.code or 500

    @property
    def interface_code(self) -> str:
        """The ``code`` member of the Action Provider Interface's JSON."""
        return type(self).__name__

    def extra_headers(self) -> dict[str, str]:
        """The headers this error adds to its response."""
        return {}

    def as_problem(self, instance: str) -> dict[str, object]:
        """The members of the problem document about a request to the path `instance`."""
        found = problem(
            status=self.code, detail=self.description, instance=instance, code=self.code_name
        )
        if self.errors:
            found["errors"] = [one.as_dict() for one in self.errors]
        return found

    def get_body(self, environ: WSGIEnvironment | Request | None = None, scope: Any = None) -> str:
        """The page or document that the request of `environ` prefers."""
        request = request_of(environ)
        if request is None:
            return json.dumps({"code": self.interface_code, "description": self.description})
        if prefers_page(request.headers.get("Accept")):
            return page(status=self.code, text=self.description)
        return json.dumps(self.as_problem(path_of(request)))

    def get_headers(
        self, environ: WSGIEnvironment | Request | None = None, scope: Any = None
    ) -> list[tuple[str, str]]:
        """The response's headers, with the type of `get_body`."""
        request = request_of(environ)
        if request is None:
            return [("Content-Type", "application/json"), *self.extra_headers().items()]
        is_page = prefers_page(request.headers.get("Accept"))
        content_type = "text/html; charset=utf-8" if is_page else PROBLEM
        return [("Content-Type", content_type), ("Vary", "Accept"), *self.extra_headers().items()]


def reason_of(error: Exception) -> str:
    """The cause of an error for the log: kind and first line, never its parameters."""
    cause = error.__cause__ or error
    cause = getattr(cause, "orig", None) or cause
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"


def request_of(environ: WSGIEnvironment | Request | None) -> Request | None:
    """The request of a WSGI environment; None where there is none, as outside of servers."""
    if environ is None or isinstance(environ, Request):
        return environ
    return Request(environ, populate_request=False) if "REQUEST_METHOD" in environ else None


def path_of(request: Request) -> str:
    """The path that the client sent, with that under which a server or another app mounts this."""
    return request.root_path + request.path


def _as_text(description: object) -> str:
    return description if isinstance(description, str) else json.dumps(description, default=str)
