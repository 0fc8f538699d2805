"""How many requests a caller may send, and how long their URL and headers may be.

Requests are counted by whoever is signed in, else by network address: one IPv4 address, or one /64
of IPv6. The address is the connection's, or, behind ``LICET_PROXIES`` proxies, the one that the
outermost of these saw; what a caller writes into ``X-Forwarded-For`` is in neither.

Source: RFC 6585 sections 4 and 5; draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from cachetools import LRUCache
from limits import parse_many

from licet.authn.throttle import CountsUnavailable, network_of, throttle_key
from licet.errors import ConfigurationError, HeadersTooLarge, RateLimited, URLTooLong

__all__ = [
    "Rate",
    "RateLimiter",
    "SharedWindows",
    "check_size",
    "counted_as",
    "parse_rates",
]

_CALLERS: Final = 50_000
_HEADER: Final = "HTTP_"
_SEPARATORS: Final = 4  # ": " and the line's end


@dataclass(frozen=True, kw_only=True)
class Rate:
    """So many requests in so many seconds, counted from the first."""

    requests: int
    seconds: int


def parse_rates(text: str) -> tuple[Rate, ...]:
    """The rates of a setting such as ``100/minute; 2000/hour``; none of an empty one.

    Raises:
        ConfigurationError: it cannot be read.
    """
    if not text.strip():
        return ()
    try:
        items = parse_many(text.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"LICET_RATE_LIMIT is {text!r}: write rates such as 100/minute, with ; between them."
        ) from error
    rates = tuple(Rate(requests=item.amount, seconds=item.get_expiry()) for item in items)
    if any(rate.requests < 1 for rate in rates):
        raise ConfigurationError(f"LICET_RATE_LIMIT is {text!r}, which lets nobody send anything.")
    return rates


def counted_as(principal: str | None, address: str | None) -> str:
    """Under what somebody's requests are counted; tells nobody whose they were."""
    if principal is not None:
        return throttle_key("requests of", principal)
    return throttle_key("requests from", network_of(address or ""))


class SharedWindows(Protocol):
    """Counts that several processes share."""

    def window(self, key: str, attempts: int, seconds: int) -> tuple[int, float]:
        """Count one more; how many there are in this window, and how many seconds it lasts yet.

        Raises:
            CountsUnavailable: nothing could be counted.
        """
        ...


class RateLimiter:
    """Counts requests under each of some rates.

    Args:
        rates: all of them are kept.
        shared: the counts of all processes, which decide while they can be had.
        clock: seconds of a clock that is never set back.

    Concurrency: safe from many threads. Without `shared` each process counts for itself; the 50,000
    callers that came last are remembered.
    """

    def __init__(
        self,
        rates: Iterable[Rate],
        *,
        shared: SharedWindows | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rates: Final = tuple(rates)
        self._shared = shared
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: LRUCache[tuple[str, Rate], tuple[int, float]] = LRUCache(_CALLERS)

    def count(self, key: str) -> dict[str, str]:
        """Count one request; the headers that tell its sender how many are left.

        Raises:
            RateLimited: it is one too many.
        """
        windows = [(rate, *self._window(key, rate)) for rate in self.rates]
        headers = _headers(windows)
        waits = [left for rate, count, left in windows if count > rate.requests]
        if waits:
            raise RateLimited(retry_after_seconds=max(waits), limit_headers=headers)
        return headers

    def _window(self, key: str, rate: Rate) -> tuple[int, float]:
        found = self._here(key, rate)
        if self._shared is not None:
            # what was counted here meanwhile decides when the others' counts cannot be had
            with suppress(CountsUnavailable):
                found = self._shared.window(f"{key}:{rate.seconds}", rate.requests, rate.seconds)
        return found

    def _here(self, key: str, rate: Rate) -> tuple[int, float]:
        now = self._clock()
        with self._lock:
            count, ends = self._seen.get((key, rate), (0, 0.0))
            if now >= ends:
                count, ends = 0, now + rate.seconds
            self._seen[key, rate] = (count + 1, ends)
        return count + 1, ends - now


def _headers(windows: Sequence[tuple[Rate, int, float]]) -> dict[str, str]:
    """The rates and what is left of them; the older names tell of the rate that ends first."""
    if not windows:
        return {}
    states = [
        (rate, max(0, rate.requests - count), math.ceil(left)) for rate, count, left in windows
    ]
    rate, remaining, reset = min(states, key=lambda state: state[1])
    names = [f'"{one.requests}-in-{one.seconds}s"' for one, _, _ in states]
    named = list(zip(names, states, strict=True))
    policies = (f"{name};q={one.requests};w={one.seconds}" for name, (one, _, _) in named)
    lefts = (f"{name};r={left};t={ends}" for name, (_, left, ends) in named)
    return {
        "RateLimit-Policy": ", ".join(policies),
        "RateLimit": ", ".join(lefts),
        "RateLimit-Limit": str(rate.requests),
        "RateLimit-Remaining": str(remaining),
        "RateLimit-Reset": str(reset),
    }


def check_size(environ: dict[str, object], *, max_url_bytes: int, max_header_bytes: int) -> None:
    """Refuse a URL or headers that are too long.

    Args:
        environ: the WSGI environment of the request.
        max_url_bytes: for path and query string together, as they were sent.
        max_header_bytes: for names and values of all headers together.

    Raises:
        URLTooLong, HeadersTooLarge: they are longer.
    """
    path = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if path is None:
        path = f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}"
    if len(str(path)) > max_url_bytes:
        raise URLTooLong(f"The URL is longer than {max_url_bytes} bytes.")
    size = sum(
        len(name) - len(_HEADER) + len(str(value)) + _SEPARATORS
        for name, value in environ.items()
        if name.startswith(_HEADER)
    )
    if size > max_header_bytes:
        raise HeadersTooLarge(f"The headers are longer than {max_header_bytes} bytes.")
