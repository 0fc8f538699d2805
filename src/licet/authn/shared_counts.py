"""Attempts counted in Redis, so that all processes share the counts; extra ``licet[redis]``.

While Redis does not answer, who asks is told so at once and counts for itself. It is asked again
after five seconds, and an outage is one line in the log.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter

from licet.authn.throttle import AddressThrottle, CountsUnavailable
from licet.errors import ConfigurationError
from licet.settings import Settings

__all__ = [
    "SharedCounts",
    "make_throttle",
]

log = logging.getLogger(__name__)
PAUSE_SECONDS: Final = 5.0
TIMEOUT_SECONDS: Final = 0.5
_SCHEMES: Final = ("redis", "rediss", "redis+unix")


class SharedCounts:
    """Counts under keys, in windows that begin with the first attempt.

    Args:
        url: of a Redis or Valkey server, perhaps with a password.

    Raises:
        ConfigurationError: the URL is none of Redis, or its client is not installed. Whether a
            server is there is found out when it is needed.

    Concurrency: safe from many threads and processes; one attempt is one atomic increment.
    """

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limiter = FixedWindowRateLimiter(_storage(url))
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._is_failing = False
        self._asks_again_at = float("-inf")

    def tally(self, key: str, attempts: int, seconds: int) -> float | None:
        """Count one more; None, or how many seconds to wait when it is one too many.

        Raises:
            CountsUnavailable: Redis does not answer, so nothing was counted.
        """
        count, left = self.window(key, attempts, seconds)
        return None if count <= attempts else left

    def window(self, key: str, attempts: int, seconds: int) -> tuple[int, float]:
        """Count one more; how many there are in this window, and how many seconds it lasts yet.

        Beyond `attempts` the count is `attempts` + 1.

        Raises:
            CountsUnavailable: Redis does not answer, so nothing was counted.
        """
        if self._monotonic() < self._asks_again_at:
            raise CountsUnavailable
        limit = RateLimitItemPerSecond(attempts, seconds)
        try:
            is_free = self._limiter.hit(limit, key)
            stats = self._limiter.get_window_stats(limit, key)
        except StorageError as error:
            self._note_outage(error)
            raise CountsUnavailable from error
        self._note_answer()
        count = attempts - stats.remaining if is_free else attempts + 1
        return count, max(stats.reset_time - time.time(), 1.0)

    def _note_outage(self, error: StorageError) -> None:
        with self._lock:
            self._asks_again_at = self._monotonic() + PAUSE_SECONDS
            if not self._is_failing:  # only the kind of error: its text may hold the address
                kind = type(error.storage_error).__name__
                log.warning("Attempts are counted in memory, since Redis does not answer: %s", kind)
            self._is_failing = True

    def _note_answer(self) -> None:
        if self._is_failing:
            with self._lock:
                self._is_failing = False
            log.info("Attempts are counted in Redis again.")


def _storage(url: str) -> RedisStorage:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in _SCHEMES and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigurationError(
            "LICET_THROTTLE_STORAGE_URL is not usable: write redis://host:6379/0, with rediss for "
            "TLS, or redis+unix:///path/to/socket."
        )
    options = _options()
    try:
        return RedisStorage(url, key_prefix="licet", wrap_exceptions=True, **options)
    except ValueError as error:  # the text may hold the password
        raise ConfigurationError(
            f"LICET_THROTTLE_STORAGE_URL is not usable: {type(error).__name__}."
        ) from None


def _options() -> dict[str, Any]:
    try:
        from redis.backoff import NoBackoff  # noqa: PLC0415 - an extra
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            "LICET_THROTTLE_STORAGE_URL needs the Redis client: pip install 'licet[redis]'."
        ) from error
    return {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 1),  # a connection may have been closed meanwhile
    }


def make_throttle(settings: Settings) -> AddressThrottle:
    """What counts attempts by network address, here or for all processes.

    Raises:
        ConfigurationError: the setting is not usable.
    """
    url = settings.accounts.throttle_storage_url
    if not url:
        return AddressThrottle()
    from licet.authn.shared_counts import SharedCounts  # noqa: PLC0415 - seldom needed

    return AddressThrottle(shared=SharedCounts(url))
