"""How often somebody may try: limits, and the count by network address.

Attempts on one account are counted in the database (`store`), so that all processes share them;
those of one network address are counted here, in memory, each process for itself; and for all
processes together where there is something to count them in (`shared_counts`).
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from cachetools import LRUCache

from licet.errors import TooManyAttempts

__all__ = [
    "UNKNOWN_NETWORK",
    "AddressThrottle",
    "Counts",
    "CountsUnavailable",
    "Limit",
    "Limits",
    "network_of",
    "throttle_key",
]

_INSIDE: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::/64",
        "fc00::/7",
    )
)
log = logging.getLogger(__name__)
_ADDRESSES: Final = 10_000
UNKNOWN_NETWORK: Final = "unknown"  # a Unix socket has no address


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


class CountsUnavailable(Exception):
    """The counts of all processes cannot be had now."""


class Counts(Protocol):
    """Counts that several processes share."""

    def tally(self, key: str, attempts: int, seconds: int) -> float | None:
        """Count one more; None, or how many seconds to wait when it is one too many.

        Raises:
            CountsUnavailable: nothing could be counted.
        """
        ...


class AddressThrottle:
    """Counts attempts by network address: one IPv4 address, or one /64 of IPv6.

    Args:
        clock: seconds of a clock that is never set back.
        shared: the counts of all processes, which decide while they can be had.

    Concurrency: safe from many threads. The 10,000 addresses seen last are remembered.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        shared: Counts | None = None,
    ) -> None:
        self._clock = clock
        self._shared = shared
        self._lock = threading.Lock()
        self._is_told = False
        self._seen: LRUCache[tuple[str, str], tuple[int, float]] = LRUCache(_ADDRESSES)

    def count(self, kind: str, address: str | None, limit: Limit) -> None:
        """Count one attempt; those without a usable address, such as "", are counted together.

        With None for an address nobody came over a network, and nothing is counted.

        Raises:
            TooManyAttempts: it is one too many.
        """
        if address is None:
            return
        network = network_of(address)
        wait = self._tally(kind, network, limit)
        if self._shared is not None:
            key = throttle_key(kind, network)
            # what was counted here meanwhile decides when the others' counts cannot be had
            with suppress(CountsUnavailable):
                wait = self._shared.tally(key, limit.attempts, limit.seconds)
        if wait is not None:
            self._tell_of_one_address(network)
            raise TooManyAttempts(retry_after_seconds=wait)

    def _tell_of_one_address(self, network: str) -> None:
        """Tell the operator, once, when everybody seems to come from one address."""
        with self._lock:
            is_one = not self._is_told and _is_inside(network)
            is_one = is_one and {place for _, place in self._seen} == {network}
            self._is_told = self._is_told or is_one
        if is_one:
            log.warning(
                "Callers are refused since all attempts so far came from one address, %s. Behind "
                "a proxy that is the proxy's: set LICET_PROXIES to how many there are.",
                network,
            )

    def _tally(self, kind: str, network: str, limit: Limit) -> float | None:
        now = self._clock()
        with self._lock:
            count, ends = self._seen.get((kind, network), (0, 0.0))
            if now >= ends:
                count, ends = 0, now + limit.seconds
            self._seen[kind, network] = (count + 1, ends)
        return ends - now if count >= limit.attempts else None


def _is_inside(network: str) -> bool:
    """Whether it may be a proxy's rather than a person's."""
    if network == UNKNOWN_NETWORK:
        return True
    found = ipaddress.ip_address(network)
    return any(found in inside for inside in _INSIDE if inside.version == found.version)


def network_of(address: str) -> str:
    """What counts as one caller's network: an IPv4 address, or a /64 of IPv6; else "unknown"."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return UNKNOWN_NETWORK
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False).network_address)
    return str(found)
