"""The originals' context stacks, as views of licet's contexts."""

from __future__ import annotations

from typing import Any

from licet.authz.requirements._contexts import Manager, drop_innermost, innermost, push_for

__all__ = ["ContextStack"]


class ContextStack:
    """The contexts of one kind, as pairs of manager and context."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @property
    def top(self) -> tuple[Manager[Any], Any] | None:
        """The innermost context; None when there is none."""
        return innermost(self._kind)

    def push(self, pair: tuple[Manager[Any], Any]) -> None:
        """Push a context in the name of its manager."""
        push_for(*pair)

    def pop(self) -> tuple[Manager[Any], Any] | None:
        """End the innermost context, whoever pushed it, and return it; None when there is none."""
        found = self.top
        drop_innermost(self._kind)
        return found
