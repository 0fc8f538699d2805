"""An OpenID provider's metadata: fetched when needed, checked, kept through outages.

Source: OpenID Connect Discovery 1.0 sections 3 and 4.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx2

from licet.authn._fetch import JSONFetcher, ProviderUnusable, checked_issuer, is_safe_to_fetch
from licet.errors import AuthenticationUnavailable

__all__ = ["DISCOVERY_PATH", "ProviderMetadata", "endpoint_of", "fetch_metadata"]

log = logging.getLogger(__name__)
DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
LIFESPAN_SECONDS: Final = 300
STALE_SECONDS: Final = 24 * 3600
PAUSE_SECONDS: Final = AuthenticationUnavailable.retry_after_seconds


def fetch_metadata(fetcher: JSONFetcher, url: httpx2.URL, issuer: str) -> dict[str, Any]:
    """The metadata of the provider at `url`.

    Raises:
        ProviderUnusable: they cannot be had, or name another issuer.
    """
    path = url.path.rstrip("/") + DISCOVERY_PATH
    metadata = fetcher.get(url.copy_with(path=path))
    if metadata.get("issuer") != issuer:
        raise ProviderUnusable("its metadata name another issuer")
    return metadata


def endpoint_of(
    metadata: Mapping[str, Any], name: str, issuer_url: httpx2.URL, *, allow_http: bool = False
) -> httpx2.URL:
    """The URL that metadata give under `name`.

    Raises:
        ProviderUnusable: there is none, or it lacks https though the issuer has it.
    """
    try:
        url = httpx2.URL(metadata.get(name, ""))
    except (httpx2.InvalidURL, TypeError) as error:
        raise ProviderUnusable(f"its metadata name no usable {name}") from error
    is_downgrade = url.scheme == "http" != issuer_url.scheme
    if is_downgrade or not is_safe_to_fetch(url, allow_http=allow_http):
        raise ProviderUnusable(f"its metadata name a {name} without https")
    return url


class ProviderMetadata:
    """The metadata of one provider; asked for at most every 300 s, and used for 24 h at most.

    Args:
        issuer: the provider's issuer URL; its metadata must name the very same.
        clock: seconds since the epoch.

    Concurrency: one for all threads; one of them fetches while the others wait for it, 5 s at most.

    Raises:
        ConfigurationError: the issuer is not a URL that metadata may be fetched from.
    """

    def __init__(self, issuer: str, *, clock: Callable[[], float] = time.time) -> None:
        self.issuer = issuer
        self.url = checked_issuer(issuer, allow_http=False)
        self._fetcher = JSONFetcher()
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Any] | None = None
        self._fetched_at = self._tried_at = float("-inf")

    def get(self) -> Mapping[str, Any]:
        """What the provider says of itself.

        Raises:
            AuthenticationUnavailable: it does not answer, and has not for long.
        """
        with self._lock:
            if self._is_due():
                self._fetch()
            if self._known is None or self._age() > STALE_SECONDS:
                raise AuthenticationUnavailable(
                    "The sign-in service does not answer at the moment. Try again later."
                )
            return self._known

    def _age(self) -> float:
        return abs(self._clock() - self._fetched_at)

    def _is_due(self) -> bool:
        return self._age() > LIFESPAN_SECONDS and (
            abs(self._clock() - self._tried_at) > PAUSE_SECONDS
        )

    def _fetch(self) -> None:
        self._tried_at = self._clock()
        try:
            self._known = fetch_metadata(self._fetcher, self.url, self.issuer)
        except ProviderUnusable as error:
            log.warning("The metadata of %s cannot be fetched: %s", self.issuer, error)
        else:
            self._fetched_at = self._tried_at
