"""What is wrong with a request, and the document that says so.

Source: JSON:API 1.1, "Errors".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from werkzeug.exceptions import HTTPException

from licet.errors.base import HTTPError
from licet.errors.rendering import error_document
from licet.wire.text import readable

__all__ = ["VERSION", "Problem", "Refused", "error_body", "in_body", "in_query"]

VERSION: Final = {"version": "1.1"}
_MOST_SHOWN: Final = 60


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One error: its status, a stable code, what happened, and the place in the request."""

    status: int
    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The error object."""
        places = {"pointer": self.pointer, "parameter": self.parameter, "header": self.header}
        source = {name: readable(place) for name, place in places.items() if place is not None}
        return {
            "status": str(self.status),
            "code": self.code,
            "title": HTTPStatus(self.status).phrase,
            "detail": readable(self.detail),
            **({"source": source} if source else {}),
        }


class Refused(HTTPError):
    """A request that is wrong in one or more places, each of them told."""

    code_name = "invalid_request"

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
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


def error_body(
    error: HTTPException, *, error_id: str | None = None
) -> tuple[dict[str, Any], int, Mapping[str, str]]:
    """The document of any HTTP error, its status and its headers."""
    document = error_document(error)
    code = getattr(error, "code_name", None) or _code_of(document.status)
    problems: Iterable[Problem] = getattr(error, "problems", None) or [
        Problem(
            status=document.status,
            code=code,
            detail=getattr(one, "detail", document.description),
            pointer=getattr(one, "pointer", None),
            parameter=getattr(one, "parameter", None),
            header=getattr(one, "header", None),
        )
        for one in getattr(error, "errors", None) or [None]  # the faults that it tells, if any
    ]
    errors = [problem.as_dict() for problem in problems]
    if error_id is not None:
        errors[0]["id"] = error_id
    return {"errors": errors, "jsonapi": VERSION}, document.status, document.headers


def _code_of(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
