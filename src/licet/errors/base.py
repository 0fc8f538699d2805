"""What every error is, the program's own mistakes, and errors that are HTTP responses."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from werkzeug.exceptions import (
    HTTPException,
)
from werkzeug.wrappers import Response

__all__ = [
    "ConfigurationError",
    "HTTPError",
    "InvalidCondition",
    "InvalidRequirement",
    "LicetError",
    "UndeclaredEndpoint",
    "UndeclaredEndpoints",
    "UnloadedObject",
    "UntranslatableCondition",
    "UsageError",
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
    """An endpoint that says nothing about who may call it; `location` is its view's file:line."""

    endpoint: str
    rule: str
    methods: tuple[str, ...]
    location: str

    def __str__(self) -> str:
        return f"{', '.join(self.methods)} {self.rule}  {self.endpoint}  ({self.location})"


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
    """An error that is its own HTTP response, a JSON object of `code` and `description`."""

    code: int = 500
    description: str = "Internal Server Error"

    def __init__(self, description: object = None, response: Response | None = None) -> None:
        text = self.description if description is None else _as_text(description)
        HTTPException.__init__(self, text, response)

    @property
    def name(self) -> str:
        """What the body's ``code`` member says."""
        return type(self).__name__

    def extra_headers(self) -> dict[str, str]:
        """The headers this error adds to its response."""
        return {}

    def get_body(self, environ: Any = None, scope: Any = None) -> str:
        """The JSON body, as text, for callers outside a blueprint."""
        return json.dumps({"code": self.name, "description": self.description})

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """The response headers."""
        return [("Content-Type", "application/json"), *self.extra_headers().items()]


def _as_text(description: object) -> str:
    return description if isinstance(description, str) else json.dumps(description, default=str)
