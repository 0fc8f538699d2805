"""A foreign issuer's public keys: found by discovery, fetched when needed, kept through outages.

At most one thread fetches at a time, and seldom: the keys serve 300 s; a token with an unknown key
may have them fetched again, but no sooner than 30 s after the last attempt, so that bogus tokens
cost the provider nothing. While it does not answer, the keys at hand stay in use for 24 h.

Source: OpenID Connect Discovery 1.0 section 4, RFC 7517 section 5.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx2
from cachetools import TTLCache
from joserfc.jwk import Key

from licet.authn.tokens._asked_once import Flight
from licet.authn.tokens._fetch import (
    BAD_URL,
    JSONFetcher,
    ProviderUnusable,
    checked_issuer,
    is_safe_to_fetch,
)
from licet.authn.tokens._jwk import MAX_KID_CHARS, usable_keys
from licet.errors import AuthenticationUnavailable

__all__ = ["ProviderKeys"]

log = logging.getLogger(__name__)
DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
LIFESPAN_SECONDS: Final = 300
PAUSE_SECONDS: Final = 30  # between two attempts, with keys at hand
PAUSE_WITHOUT_KEYS_SECONDS: Final = AuthenticationUnavailable.retry_after_seconds
STALE_SECONDS: Final = 24 * 3600
ABSENT_SECONDS: Final = 60
ABSENT_ENTRIES: Final = 1024


@dataclass(frozen=True)
class _State:
    """What is known; replaced as a whole, so that reading it takes no lock."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    fetched_at: float | None = None
    tried_at: float | None = None
    is_failing: bool = False


class ProviderKeys:
    """The public keys of an OpenID provider; a `KeySource`. A fetch takes 5 s at most.

    Args:
        issuer: the provider's issuer URL; its metadata must name the very same.
        transport: how HTTP is done, for tests and for proxies.
        clock: seconds since the epoch.
        allow_http: whether the issuer may lack https though it is not on this machine.

    Concurrency: one for all threads. When several need keys that are not there, one fetches and
    the others wait for it, but not beyond the first second of the fetch; when the provider is known
    to fail, or the keys at hand will do, nobody waits but the one that tries.

    Raises:
        ConfigurationError: the issuer is not a URL that keys may be fetched from.
    """

    def __init__(
        self,
        issuer: str,
        *,
        transport: httpx2.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        allow_http: bool = False,
    ) -> None:
        self.issuer = issuer
        self._url = checked_issuer(issuer, allow_http=allow_http)
        self._allow_http = allow_http
        self._fetcher = JSONFetcher(transport=transport)
        self._clock = clock
        self._jwks_url: httpx2.URL | None = None
        self._state = _State()
        self._flight = Flight()
        self._absent_lock = threading.Lock()
        self._absent: TTLCache[str, bool] = TTLCache(ABSENT_ENTRIES, ABSENT_SECONDS, timer=clock)

    @property
    def place(self) -> str:
        """Where the keys are, for the log."""
        return f"what {self.issuer} publishes"

    def key(self, kid: str) -> Key | None:
        """The public key with this id, or None when the provider has none such.

        Raises:
            AuthenticationUnavailable: there are no keys, and none can be had.
        """
        state = self._current()
        key = state.keys.get(kid)
        if key is None and self._is_worth_an_attempt(kid, state):
            state = self._refreshed(state, waits=True)
            key = state.keys.get(kid)
            if key is None and not state.is_failing:
                self._remember_absent(kid)
        return key

    def published(self) -> Mapping[str, Key]:
        """All keys that the provider publishes, by their id.

        Raises:
            AuthenticationUnavailable: there are no keys, and none can be had.
        """
        return self._current().keys

    def _current(self) -> _State:
        state = self._state
        if not self._is_within(LIFESPAN_SECONDS, state.fetched_at):
            state = self._refreshed(state, waits=not self._is_usable(state))
            if not self._is_usable(state):
                raise AuthenticationUnavailable
        return state

    def _is_worth_an_attempt(self, kid: str, state: _State) -> bool:
        return len(kid) <= MAX_KID_CHARS and self._may_try(state) and kid not in self._absent

    def _refreshed(self, seen: _State, *, waits: bool) -> _State:
        """The state after an attempt, by this thread or by the one that is at it."""
        if not self._flight.begin(waits=waits and not seen.is_failing):
            return self._state
        try:
            if self._state is seen and self._may_try(seen):
                self._state = self._fetched(seen)
            return self._state
        finally:
            self._flight.end()

    def _fetched(self, seen: _State) -> _State:
        began = self._clock()
        try:
            keys = self._fetch_keys()
        except ProviderUnusable as error:
            log.warning("The keys of %s cannot be fetched: %s", self.issuer, error)
            self._jwks_url = None
            return _State(seen.keys, seen.fetched_at, tried_at=self._clock(), is_failing=True)
        return _State(keys, fetched_at=began, tried_at=began)

    def _fetch_keys(self) -> dict[str, Key]:
        deadline = self._fetcher.deadline()
        if self._jwks_url is None:
            self._jwks_url = self._discovered_url(deadline)
        try:
            return usable_keys(self._fetcher.get(self._jwks_url, deadline))
        except ValueError as error:
            raise ProviderUnusable(f"{self._jwks_url} holds no keys: {error}") from error

    def _discovered_url(self, deadline: float) -> httpx2.URL:
        path = self._url.path.rstrip("/") + DISCOVERY_PATH
        metadata = self._fetcher.get(self._url.copy_with(path=path), deadline)
        if metadata.get("issuer") != self.issuer:
            raise ProviderUnusable("its metadata name another issuer")
        try:
            url = httpx2.URL(metadata.get("jwks_uri", ""))
        except BAD_URL as error:
            raise ProviderUnusable("its metadata name no usable jwks_uri") from error
        is_downgrade = url.scheme == "http" != self._url.scheme
        if is_downgrade or not is_safe_to_fetch(url, allow_http=self._allow_http):
            raise ProviderUnusable("its metadata name a jwks_uri without https")
        return url

    def _remember_absent(self, kid: str) -> None:
        with self._absent_lock:
            self._absent[kid] = True

    def _is_usable(self, state: _State) -> bool:
        return self._is_within(STALE_SECONDS, state.fetched_at)

    def _may_try(self, state: _State) -> bool:
        pause = PAUSE_SECONDS if self._is_usable(state) else PAUSE_WITHOUT_KEYS_SECONDS
        return not self._is_within(pause, state.tried_at)

    def _is_within(self, seconds: float, moment: float | None) -> bool:
        # Whichever way the clock was set meanwhile, keys are not kept forever.
        return moment is not None and abs(self._clock() - moment) < seconds
