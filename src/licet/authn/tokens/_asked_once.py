"""Answers of other services: one question at a time for each key, and bounded caches of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from cachetools import TTLCache

from licet.errors import AuthenticationUnavailable

__all__ = [
    "Flight",
    "SingleFlight",
    "TypedTTLCache",
]


V = TypeVar("V")


class SingleFlight(Generic[V]):
    """Calls to a service, at most one at a time for each key.

    Args:
        wait_seconds: how long a caller waits for an answer that somebody else asked for.
    """

    def __init__(self, *, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._flights: dict[Hashable, Future[V]] = {}
        self._lock = threading.Lock()

    def run(self, key: Hashable, look: Callable[[], V | None], ask: Callable[[], V]) -> V:
        """What `look` knows of `key`, else what `ask` gives and remembers for `look`.

        Raises:
            AuthenticationUnavailable: somebody else asked, and had no answer or none in time.

        Concurrency: `ask` runs in one thread at a time for each key; what it raises, that thread
        raises.
        """
        known = look()
        if known is not None:
            return known
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                mine = self._flights[key] = Future()
        if flight is not None:
            return self._answer_of(flight)
        return self._lead(key, mine, look, ask)

    def _lead(
        self, key: Hashable, flight: Future[V], look: Callable[[], V | None], ask: Callable[[], V]
    ) -> V:
        try:
            known = look()  # somebody may have asked, and landed, since the first look
            answer = ask() if known is None else known
            flight.set_result(answer)
        except BaseException as error:
            flight.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._flights[key]
        return answer

    def _answer_of(self, flight: Future[V]) -> V:
        try:
            failure = flight.exception(self._wait_seconds)
        except TimeoutError as error:
            raise AuthenticationUnavailable from error
        if failure is not None:
            raise AuthenticationUnavailable from failure
        return flight.result()


class Flight:
    """One thing that one thread at a time fetches, and that no thread waits for long.

    Args:
        patience_seconds: how long after its begin others wait for a fetch. It bounds what a server
            that hangs can hold: later callers are not held at all.
        monotonic: seconds of a clock that is never set back.
    """

    def __init__(
        self,
        *,
        patience_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience_seconds = patience_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._began_at = float("-inf")

    def begin(self, *, waits: bool) -> bool:
        """Whether it is for this thread to fetch, and to call `end`; perhaps after another did."""
        if not self._lock.acquire(blocking=False):
            left = self._began_at + self._patience_seconds - self._monotonic()
            if not waits or left <= 0 or not self._lock.acquire(timeout=left):
                return False
        self._began_at = self._monotonic()
        return True

    def end(self) -> None:
        """Let the next thread fetch."""
        self._lock.release()


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
