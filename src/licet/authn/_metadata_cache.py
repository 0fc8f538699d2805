"""An OpenID provider's metadata, asked for seldom and kept through outages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from licet.authn._fetch import ProviderUnusable, checked_issuer
from licet.authn.provider_metadata import ProviderMetadata, discover
from licet.errors import AuthenticationUnavailable

__all__ = ["MetadataCache"]

log = logging.getLogger(__name__)
LIFESPAN_SECONDS: Final = 300
STALE_SECONDS: Final = 24 * 3600
PAUSE_SECONDS: Final = AuthenticationUnavailable.retry_after_seconds


class MetadataCache:
    """The metadata of one provider; asked for at most every 300 s, and used for 24 h at most.

    Args:
        issuer: the provider's issuer URL; its metadata must name the very same.
        clock: seconds since the epoch.

    Concurrency: one for all threads; one of them fetches while the others wait for it, 5 s at most.

    Raises:
        ConfigurationError: the issuer is not a URL that metadata may be fetched from.
    """

    def __init__(self, issuer: str, *, clock: Callable[[], float] = time.time) -> None:
        checked_issuer(issuer, allow_http=False)
        self.issuer = issuer
        self._clock = clock
        self._lock = threading.Lock()
        self._known: ProviderMetadata | None = None
        self._fetched_at = self._tried_at = float("-inf")

    def get(self) -> ProviderMetadata:
        """What the provider says of itself.

        Raises:
            AuthenticationUnavailable: it does not answer, and has not for long.
        """
        with self._lock:
            if self._is_past(LIFESPAN_SECONDS, self._fetched_at) and self._is_past(
                PAUSE_SECONDS, self._tried_at
            ):
                self._fetch()
            if self._known is None or self._is_past(STALE_SECONDS, self._fetched_at):
                raise AuthenticationUnavailable(
                    "The sign-in service does not answer at the moment. Try again later."
                )
            return self._known

    def _is_past(self, seconds: float, moment: float) -> bool:
        # Whichever way the clock was set meanwhile, nothing is kept forever.
        return abs(self._clock() - moment) > seconds

    def _fetch(self) -> None:
        self._tried_at = self._clock()
        try:
            self._known = self._discovered()
        except ProviderUnusable as error:
            log.warning("The metadata of %s cannot be used: %s", self.issuer, error)
        else:
            self._fetched_at = self._tried_at

    def _discovered(self) -> ProviderMetadata:
        found = discover(self.issuer)
        if found.issuer != self.issuer:
            raise ProviderUnusable(f"it spells its issuer {found.issuer!r}")
        return found
