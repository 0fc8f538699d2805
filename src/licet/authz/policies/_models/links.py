"""Conditions that rows of another table fulfil, which no relationship of the model leads to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from licet.authz.policies.conditions import Condition

__all__ = ["Link", "Linked", "as_callers"]


class Link(Protocol):
    """Rows that link objects with callers, in a table that is related to none of the two."""

    def unfit(self, model: type[Any]) -> str | None:
        """Why it leads to no objects of the class, or None when it does."""

    def keys(self, model: type[Any], callers: Collection[str]) -> Any:
        """A SELECT of the keys of the objects that are linked with one of the callers."""

    def callers(self, model: type[Any], key: Any) -> Any:
        """A SELECT of the callers that are linked with the object whose key is the expression."""

    def known(self) -> Any:
        """A SELECT of the callers that anything is linked with."""

    def holds(self, session: Any, owner: Any, callers: Collection[str]) -> bool:
        """Whether a stored object is linked with one of the callers."""


@dataclass(frozen=True, eq=False)
class Linked(Condition):
    """A link is between the object at a path and what an attribute of the caller names."""

    path: tuple[str, ...]
    link: Link
    caller_path: tuple[str, ...]
    is_collection: bool

    def __str__(self) -> str:
        on = f" on {'.'.join(self.path)}" if self.path else ""
        return f"{self.link}{on} to caller.{'.'.join(self.caller_path)}"


def as_callers(value: Any) -> frozenset[str]:
    """Whom the value of a caller's attribute names: nobody, one, or the members."""
    if value is None:
        return frozenset()
    return frozenset((value,)) if isinstance(value, str) else frozenset(value)
