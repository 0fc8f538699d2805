"""Statements that are kept for callers of whom the policies know the same.

To build a statement of SQLAlchemy and to find its compiled form costs more than SQLite takes to
answer it. What it says of the caller is part of what it is kept under.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, TypeVar

from cachetools import LRUCache

__all__ = ["KeptStatements", "exactly"]

MOST_MEMBERS: Final = 500  # of a collection of the caller's; what is kept has all of them
T = TypeVar("T")


class KeptStatements:
    """At most `size` statements, of which the ones that were used last stay."""

    def __init__(self, size: int) -> None:
        self._found: Final[LRUCache[Hashable, Any]] = LRUCache(size)
        self._lock: Final = threading.Lock()

    def get(self, known: Hashable | None, make: Callable[[], T]) -> T:
        """What was made under the key, which says all that it depends on; with None it is made."""
        if known is None:
            return make()
        with self._lock:
            found: T | None = self._found.get(known)
        if found is None:
            found = make()
            with self._lock:
                self._found[known] = found
        return found


def exactly(values: Iterable[Any]) -> tuple[Any, ...] | None:
    """The values with their types, as ``1 == True``; None when they are not to be kept.

    That is when one of them cannot be looked up, or is a collection of very many members.
    """
    found = tuple((type(value), value) for value in values)
    if any(kind is frozenset and len(value) > MOST_MEMBERS for kind, value in found):
        return None
    try:
        hash(found)
    except TypeError:  # a value of an app's own type
        return None
    return found
