"""What every error is, and the program's own mistakes.

Imports nothing of HTTP: the command line and the client raise these, and start sooner without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "ConfigurationError",
    "InvalidCondition",
    "InvalidRequirement",
    "LicetError",
    "UndeclaredEndpoint",
    "UndeclaredEndpoints",
    "UnguardedWrite",
    "UnknownName",
    "UnloadedObject",
    "UntranslatableCondition",
    "UsageError",
]


class LicetError(Exception):
    """Whatever licet raises; `code_name` is stable and safe to match on.

    A copy, or what another process unpickles, has the same text and attributes.
    """

    code_name: ClassVar[str] = "licet_error"

    def __reduce__(self) -> tuple[Any, ...]:
        # The args are the text of an error. Not every __init__ takes that and nothing else.
        return _remade, (type(self), self.args), self.__dict__


def _remade(kind: type[LicetError], args: tuple[Any, ...]) -> LicetError:
    return kind.__new__(kind, *args)


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


class UnguardedWrite(UsageError):
    """A statement writes a guarded table, and no policy decides about the rows that it writes."""

    code_name = "unguarded_write"


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
