"""The names of types and members: dashed in documents, underscored in Python.

On the way in ``-``, ``_`` and camelCase are one: ``is-included``, ``is_included``, ``isIncluded``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

__all__ = ["by_name", "dashed", "found_in", "split_path"]

T = TypeVar("T")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PATH: Final = re.compile(r"\.|__")


def dashed(name: str) -> str:
    """The name as documents have it."""
    return name.replace("_", "-")


def _folded(name: str) -> str:
    """The form in which spellings of one name are equal."""
    return dashed(_HUMP.sub("-", name)).lower()


def by_name(values: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Values by their names, to be asked by `found_in`.

    Raises:
        ValueError: two names are spellings of one.
    """
    found: dict[str, T] = {}
    for name, value in values:
        if _folded(name) in found:
            raise ValueError(f"two names are spellings of {dashed(name)!r}")
        found[_folded(name)] = value
    return found


def found_in(values: Mapping[str, T], name: str) -> T | None:
    """The value of a name in any of its spellings; None when there is none."""
    return values.get(_folded(name))


def split_path(path: str) -> list[str]:
    """The names of a path, which are joined by ``.`` or by ``__``."""
    return _PATH.split(path)
