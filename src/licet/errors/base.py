"""What every error is, the program's own mistakes, and errors that are HTTP responses."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from licet.errors._page import page, prefers_page
from licet.errors._rfc9457 import PROBLEM, problem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = [
    "ConfigurationError",
    "HTTPError",
    "InvalidCondition",
    "InvalidRequirement",
    "LicetError",
    "UndeclaredEndpoint",
    "UndeclaredEndpoints",
    "UnknownName",
    "UnloadedObject",
    "UntranslatableCondition",
    "UsageError",
    "reason_of",
    "request_of",
]


class LicetError(Exception):
    """Whatever licet raises; `code_name` is stable and safe to match on."""

    code_name: ClassVar[str] = "licet_error"


class UsageError(LicetError, RuntimeError):
    """The program uses licet in a way that cannot work."""

    code_name = "usage_error"


class ConfigurationError(UsageError, ValueError):
    """A setting is missing, blank, malformed or at odds with another."""

    code_name = "configuration_error"


class UnknownName(ConfigurationError, TypeError):
    """A setting, a field or an option has a name that licet does not know: `names` of them."""

    code_name = "unknown_name"

    def __init__(self, text: str, names: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.names = tuple(names)


class InvalidCondition(UsageError, TypeError):
    """A condition, role or policy is declared in a way that means nothing."""

    code_name = "invalid_condition"


class UntranslatableCondition(InvalidCondition):
    """A condition that SQL cannot say, or that two databases would answer differently."""

    code_name = "untranslatable_condition"


class UnloadedObject(UsageError):
    """A related object that a condition asks about is not loaded, or not the one it now has."""

    code_name = "unloaded_object"


class InvalidRequirement(UsageError):
    """A requirement raised, or returned what is neither yes nor no; a guard denies and logs it."""

    code_name = "invalid_requirement"

    def __init__(self, requirement: str, reason: str) -> None:
        super().__init__(f"Requirement {requirement} {reason}")
        self.requirement = requirement
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class UndeclaredEndpoint:
    """An endpoint that says nothing about who may call it; `location` is its view's file:line.

    `remarks` tell of decorators on the view that are not known, or that let anybody pass.
    """

    endpoint: str
    rule: str
    methods: tuple[str, ...]
    location: str
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"{', '.join(self.methods)} {self.rule}  {self.endpoint}  ({self.location})"
        return "\n      ".join((place, *self.remarks))


class UndeclaredEndpoints(UsageError):
    """Some endpoints do not say who may call them, so the app does not start."""

    code_name = "undeclared_endpoints"
    remedy: ClassVar[str] = (
        "Put @public, @requires(...) or another guard on the view, below its route decorator, or "
        "before_request(guard_entire(...)) on its blueprint or app. What cannot be decorated: "
        'licet.declare(app, "static", access=licet.PUBLIC), licet.declare_mount(app, "/path", ...).'
    )

    def __init__(self, endpoints: Iterable[UndeclaredEndpoint]) -> None:
        found = sorted(endpoints, key=lambda one: (one.rule, one.methods, one.endpoint))
        self.endpoints = tuple(found)
        lines = "".join(f"\n  {one}" for one in self.endpoints)
        super().__init__(f"Nothing says who may call:{lines}\n{self.remedy}")


class HTTPError(LicetError, HTTPException):
    """An error that is its own HTTP response, so that an app needs no handler for it.

    Requests that prefer ``text/html`` are answered with a plain page, others with a problem
    document. Without a request the body is the Action Provider Interface's JSON.

    The class itself has no `code`, so that a handler for it is asked about every status: Flask
    keeps handlers by the status of their class.
    """

    code: int
    description: str = "Internal Server Error"

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
        return problem(
            status=self.code, detail=self.description, instance=instance, code=self.code_name
        )

    def get_body(self, environ: WSGIEnvironment | Request | None = None, scope: Any = None) -> str:
        """The page or document that the request of `environ` prefers."""
        request = request_of(environ)
        if request is None:
            return json.dumps({"code": self.interface_code, "description": self.description})
        if prefers_page(request.headers.get("Accept")):
            return page(status=self.code, text=self.description)
        return json.dumps(self.as_problem(request.path))

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


def _as_text(description: object) -> str:
    return description if isinstance(description, str) else json.dumps(description, default=str)
