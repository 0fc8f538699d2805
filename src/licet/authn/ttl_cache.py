"""A bounded cache whose entries expire, for answers that others gave us."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

from cachetools import TTLCache

__all__ = ["TypedTTLCache"]

V = TypeVar("V")


class TypedTTLCache(Generic[V]):
    """A bounded cache whose entries expire, safe to use from many threads."""

    def __init__(self, *, maxsize: int, ttl: int) -> None:
        self._cache: TTLCache[Hashable, V] = TTLCache(maxsize=maxsize, ttl=ttl)
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        """The entry, or None when there is none or it expired."""
        with self._lock:
            return self._cache.get(key)

    def __setitem__(self, key: Hashable, value: V) -> None:
        with self._lock:
            self._cache[key] = value

    def __getitem__(self, key: Hashable) -> V:
        with self._lock:
            return self._cache[key]

    def __delitem__(self, key: Hashable) -> None:
        with self._lock:
            self._cache.pop(key, None)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._cache

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._cache.clear()
