"""What is wrong with a request, in one or more places of it.

Source: JSON:API 1.1, "Errors".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from licet.errors.base import HTTPError
from licet.errors.places import FieldError

__all__ = ["Problem", "Refused", "in_body", "in_query", "quoted"]

_MOST_SHOWN: Final = 60


@dataclass(frozen=True, kw_only=True)
class Problem(FieldError):
    """One error: its status, a stable code, what happened, and the place in the request."""

    status: int
    code: str


class Refused(HTTPError):
    """A request that is wrong in one or more places, each of them told."""

    code_name = "invalid_request"

    def __init__(self, *problems: Problem) -> None:
        self.errors = self.problems = problems
        statuses = {problem.status for problem in problems}
        self.code = statuses.pop() if len(statuses) == 1 else 400
        super().__init__("; ".join(problem.detail for problem in problems))


def in_query(parameter: str, detail: str) -> Refused:
    """A query parameter is wrong: 400."""
    return Refused(
        Problem(status=400, code="invalid_parameter", detail=detail, parameter=parameter)
    )


def in_body(pointer: str, detail: str, *, status: int = 400, code: str = "invalid_body") -> Refused:
    """A place of the body is wrong."""
    return Refused(Problem(status=status, code=code, detail=detail, pointer=pointer))


def quoted(text: object) -> str:
    """A value of the request as a message quotes it: shortened."""
    shown = text if isinstance(text, str) else repr(text)
    cut = shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
    return f"“{cut}”"
