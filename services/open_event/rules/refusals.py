"""How rules refuse: one or more errors with their status, code, words and place."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from licet.errors import AccessDenied
from licet.rest.jsonapi.errors import Problem, Refused
from licet.rest.jsonapi.names import dashed


class Denied(AccessDenied):
    """403 with a code of its own, whose text tells the rule."""

    def __init__(self, text: str, code: str = "access_denied") -> None:
        super().__init__(text)
        self.code_name = code


def attribute(name: str) -> str:
    return f"/data/attributes/{dashed(name)}"


def relationship(name: str) -> str:
    return f"/data/relationships/{dashed(name)}"


def invalid(name: str, detail: str, *, place: str | None = None) -> Problem:
    """422 about an attribute."""
    return Problem(
        status=422, code="invalid_field", detail=detail, pointer=place or attribute(name)
    )


def conflict(detail: str, *, code: str = "conflict", pointer: str = "/data") -> Refused:
    """409."""
    return Refused(Problem(status=409, code=code, detail=detail, pointer=pointer))


def refuse(*problems: Problem | None) -> None:
    """Refuse if there is any problem.

    Raises:
        Refused: with all of them.
    """
    found = [one for one in problems if one is not None]
    if found:
        raise Refused(*found)


def is_short(value: Any, most: int = 200) -> bool:
    """Whether it is a text of at most so many characters."""
    return isinstance(value, str) and len(value) <= most


def is_changed(owner: Any, *names: str) -> bool:
    """Whether what was not flushed yet changes one of these attributes."""
    attributes = sa.inspect(owner).attrs
    return any(attributes[name].history.has_changes() for name in names)


def was(owner: Any, name: str) -> Any:
    """The value that an attribute had before a change that was not flushed yet."""
    history = sa.inspect(owner).attrs[name].history
    return history.deleted[0] if history.deleted else getattr(owner, name)
