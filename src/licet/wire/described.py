"""What an operation of an HTTP interface takes and answers, in words that a document is made of.

A view, or the object whose method it is, is given a description by `described_by`. The OpenAPI
document of `licet.rest.openapi` reads it with `description_of`. Providers and accounts describe
themselves this way, since they do not know `licet.rest`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

__all__ = [
    "ACTION",
    "JSON_API",
    "MESSAGE",
    "NOTHING",
    "PAGE",
    "PROBLEM",
    "Answer",
    "Content",
    "Described",
    "Example",
    "Parameter",
    "described_by",
    "description_of",
]

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE: Final = "__licet_described__"
PROBLEM: Final = "problem"
MESSAGE: Final = "message"
JSON_API: Final = "json-api"
ACTION: Final = "action"
PAGE: Final = "page"


class _Nothing:
    """Stands for a document that is not there, since None is one."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()


@dataclass(frozen=True, kw_only=True)
class Content:
    """A body.

    Args:
        schema: a pydantic class, a JSON schema as a dict, or None where it is not known.
        media_type: its type.
        name: of a JSON schema, under which the document keeps it.
        is_required: whether a request has to have it.
        unknown: why the schema is not known, or known in part.
    """

    schema: Any = None
    media_type: str = "application/json"
    name: str = ""
    is_required: bool = True
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a request."""

    name: str
    place: Literal["path", "query", "header", "cookie"] = "query"
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    description: str = ""
    is_required: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer that is no refusal; `content` is None where it has no body."""

    status: int
    description: str
    content: Content | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # what each tells, by name


@dataclass(frozen=True, kw_only=True)
class Example:
    """A request and its answer, which `licet.testing.Contract` replays.

    Args:
        name: among the operation's examples.
        path: values of the parameters of the path, as texts.
        query, headers: of the request.
        body: of the request; `NOTHING` for none.
        status: of the answer.
        answer: the members that the answer has; `NOTHING` for any.
        varies: JSON pointers to members whose values differ from one answer to the next; ``*`` is
            any name or index.
    """

    name: str = "example"
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = NOTHING
    status: int = 200
    answer: Any = NOTHING
    varies: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Described:
    """One operation.

    Args:
        summary: one line.
        description: more of it.
        name: of the operation, unique in an app; made from the endpoint when empty.
        tag: under which documents list it.
        parameters: those of the path are found in the rule, and named here to describe them.
        body: of the request.
        answers: those that are no refusals.
        refusals: the reason for each status of 400 or more.
        errors: the shape of errors; empty for the app's own.
        examples: requests with their answers.
        unknown: what of the operation is not known.
        may_be_nobody: whether a caller who is not signed in may be let in; None follows from the
            access that is declared.
        scopes: what a bearer token must have.
        takes_no_cookie: a session in a cookie is not asked for.
        is_hidden: only some callers may know that the operation exists.
    """

    summary: str = ""
    description: str = ""
    name: str = ""
    tag: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Content | None = None
    answers: tuple[Answer, ...] = ()
    refusals: Mapping[int, str] = field(default_factory=dict)
    errors: str = ""
    examples: tuple[Example, ...] = ()
    unknown: str = ""
    may_be_nobody: bool | None = None
    scopes: tuple[str, ...] = ()
    takes_no_cookie: bool = False
    is_hidden: bool = False


def described_by(given: Described | Callable[..., Described]) -> Callable[[F], F]:
    """Describe a view: by a `Described`, or by a function that gives it when it is asked.

    The function is called with the method and the rule of the operation; of a method, with the
    object before these.
    """

    def decorate(view: F) -> F:
        setattr(view, _ATTRIBUTE, given)
        return view

    return decorate


def description_of(view: object, method: str, rule: str) -> Described | None:
    """What was said of a view; None when nothing was."""
    given = getattr(view, _ATTRIBUTE, None)
    if given is None or isinstance(given, Described):
        return given
    owner = getattr(view, "__self__", None)
    found: Described = given(method, rule) if owner is None else given(owner, method, rule)
    return found
