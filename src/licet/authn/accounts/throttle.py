"""How often somebody may try: limits, and the count by network address.

Attempts on one account are counted in the database (`store`), so that all processes share them;
those of one network address are counted here, in memory, each process for itself.
"""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache

from licet.errors import TooManyAttempts

__all__ = ["AddressThrottle", "Limit", "Limits", "throttle_key"]

_ADDRESSES: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class Limit:
    """So many attempts in so many seconds, counted from the first."""

    attempts: int
    seconds: int


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How often a password may be tried and a mail be asked for, by account and by address."""

    passwords: Limit = field(default_factory=lambda: Limit(attempts=10, seconds=900))
    mails: Limit = field(default_factory=lambda: Limit(attempts=5, seconds=3600))
    passwords_by_address: Limit = field(default_factory=lambda: Limit(attempts=100, seconds=900))
    mails_by_address: Limit = field(default_factory=lambda: Limit(attempts=30, seconds=3600))


def throttle_key(kind: str, key: str) -> str:
    """Under what attempts are counted: tells nobody whose they were."""
    return hashlib.sha256(f"{kind}\n{key}".encode()).hexdigest()


class AddressThrottle:
    """Counts attempts by network address: one IPv4 address, or one /64 of IPv6.

    Args:
        clock: seconds of a clock that is never set back.

    Concurrency: safe from many threads. The 10,000 addresses seen last are remembered.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: LRUCache[tuple[str, str], tuple[int, float]] = LRUCache(_ADDRESSES)

    def count(self, kind: str, address: str | None, limit: Limit) -> None:
        """Count one attempt; an address that nobody knows is not counted.

        Raises:
            TooManyAttempts: it is one too many.
        """
        network = _network(address)
        if network is None:
            return
        now = self._clock()
        with self._lock:
            count, ends = self._seen.get((kind, network), (0, 0.0))
            if now >= ends:
                count, ends = 0, now + limit.seconds
            self._seen[kind, network] = (count + 1, ends)
        if count >= limit.attempts:
            raise TooManyAttempts(retry_after_seconds=ends - now)


def _network(address: str | None) -> str | None:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False).network_address)
    return str(found)
