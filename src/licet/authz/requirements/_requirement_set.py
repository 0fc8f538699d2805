"""Containers of requirements: what overrides and additions hold, compared by ``==`` and hash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

__all__ = [
    "RequirementSet",
]


class RequirementSet:
    """Some requirements; two of a kind can be added, subtracted and compared."""

    def __init__(self, *requirements: Any) -> None:
        self._requirements = set(requirements)

    def add(self, requirement: Any, *requirements: Any) -> None:
        """Take one or more requirements in."""
        self._requirements.update((requirement, *requirements))

    def remove(self, requirement: Any, *requirements: Any) -> None:
        """Take one or more requirements out; those that are not in it are passed over."""
        self._requirements.difference_update((requirement, *requirements))

    def _is_like(self, other: Any) -> bool:
        return isinstance(other, type(self)) or isinstance(self, type(other))

    def __add__(self, other: Self) -> Self:
        if not self._is_like(other):
            return NotImplemented
        return type(self)(*(self._requirements | other._requirements))

    def __iadd__(self, other: Self) -> Self:
        if not self._is_like(other):
            return NotImplemented
        self._requirements |= other._requirements
        return self

    def __sub__(self, other: Self) -> Self:
        if not self._is_like(other):
            return NotImplemented
        return type(self)(*(self._requirements - other._requirements))

    def __isub__(self, other: Self) -> Self:
        if not self._is_like(other):
            return NotImplemented
        self._requirements -= other._requirements
        return self

    def __eq__(self, other: object) -> bool:
        if not self._is_like(other):
            return NotImplemented
        return self._requirements == other._requirements  # type: ignore[attr-defined, no-any-return]

    __hash__ = None  # type: ignore[assignment]  # what it holds changes

    def __contains__(self, requirement: object) -> bool:
        return requirement in self._requirements

    def __iter__(self) -> Iterator[Any]:
        return iter(self._requirements.copy())

    def __len__(self) -> int:
        return len(self._requirements)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._requirements))})"
