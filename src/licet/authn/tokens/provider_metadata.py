"""What an OpenID provider says of itself: where people sign in, where tokens are had and revoked.

Every address is over https, or on this machine; each is checked before anything is sent to it.

Source: OpenID Connect Discovery 1.0 sections 3 and 4, RFC 8414, RFC 9207 section 3.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from licet.authn.tokens._asked_once import Flight
from licet.authn.tokens._fetch import (
    BAD_URL,
    JSONFetcher,
    ProviderUnusable,
    checked_issuer,
    is_safe_to_fetch,
)
from licet.authn.tokens._jwks import DISCOVERY_PATH
from licet.errors import AuthenticationUnavailable
from licet.errors.names import with_article

__all__ = [
    "ACCOUNTS_ENDPOINT",
    "MetadataCache",
    "ProviderMetadata",
    "ProviderUnusable",
    "discover",
]


ACCOUNTS_ENDPOINT: Final = "licet_accounts_endpoint"  # of the embedded issuer alone
log = logging.getLogger(__name__)
LIFESPAN_SECONDS: Final = 300
STALE_SECONDS: Final = 24 * 3600
PAUSE_SECONDS: Final = AuthenticationUnavailable.retry_after_seconds


@dataclass(frozen=True, kw_only=True)
class ProviderMetadata:
    """The parts that a client needs.

    `names_itself` is whether every answer of its sign-in page carries ``iss``;
    `client_methods` are the ways in which a client may show itself to the token endpoint;
    `accounts_endpoint` is where an embedded issuer of licet's takes addresses and passwords.
    """

    issuer: str
    authorization_endpoint: str | None
    token_endpoint: str | None
    revocation_endpoint: str | None
    end_session_endpoint: str | None
    accounts_endpoint: str | None
    scopes: frozenset[str]
    challenge_methods: frozenset[str]
    signing_algorithms: frozenset[str]
    client_methods: frozenset[str]
    names_itself: bool


def discover(
    issuer: str, *, transport: httpx2.BaseTransport | None = None, allow_http: bool = False
) -> ProviderMetadata:
    """The metadata of `issuer`; with its own spelling of its name, if only the last slash differs.

    Raises:
        ConfigurationError: it is no URL that documents may be fetched from.
        ProviderUnusable: it does not answer, is another, or names an address without https.
    """
    url = checked_issuer(issuer, allow_http=allow_http)
    path = url.path.rstrip("/") + DISCOVERY_PATH
    found = JSONFetcher(transport=transport).get(url.copy_with(path=path))
    named = found.get("issuer")
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        raise ProviderUnusable(
            f"{issuer} has metadata that name another issuer. If it is a service made with licet, "
            f"let it run with LICET_ISSUER={issuer}"
        )
    endpoint = _Endpoints(found, allow_http=allow_http)
    return ProviderMetadata(
        issuer=named,
        authorization_endpoint=endpoint("authorization_endpoint"),
        token_endpoint=endpoint("token_endpoint"),
        revocation_endpoint=endpoint("revocation_endpoint"),
        end_session_endpoint=endpoint("end_session_endpoint"),
        accounts_endpoint=endpoint(ACCOUNTS_ENDPOINT),
        scopes=_names(found, "scopes_supported"),
        challenge_methods=_names(found, "code_challenge_methods_supported"),
        signing_algorithms=_names(found, "id_token_signing_alg_values_supported"),
        client_methods=_names(found, "token_endpoint_auth_methods_supported"),
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
    )


@dataclass(frozen=True)
class _Endpoints:
    found: Mapping[str, Any]
    allow_http: bool

    def __call__(self, name: str) -> str | None:
        given = self.found.get(name)
        if given is None:
            return None
        try:
            url = httpx2.URL(given)
        except BAD_URL as error:
            raise ProviderUnusable(f"its metadata name no usable {name}") from error
        if url.fragment or url.userinfo or not url.host:
            raise ProviderUnusable(f"its metadata name no usable {name}")
        if not is_safe_to_fetch(url, allow_http=self.allow_http):
            raise ProviderUnusable(f"its metadata name {with_article(name)} without https")
        return str(url)


def _names(found: Mapping[str, Any], member: str) -> frozenset[str]:
    listed = found.get(member)
    return (
        frozenset(n for n in listed if isinstance(n, str))
        if isinstance(listed, list)
        else frozenset()
    )


@dataclass(frozen=True)
class _State:
    """What is known; replaced as a whole, so that reading it takes no lock."""

    known: ProviderMetadata | None = None
    fetched_at: float = float("-inf")
    tried_at: float = float("-inf")
    is_failing: bool = False


class MetadataCache:
    """The metadata of one provider; asked for at most every 300 s, and used for 24 h at most.

    Args:
        issuer: the provider's issuer URL; its metadata must name the very same.
        clock: seconds since the epoch.

    Concurrency: one for all threads. One of them fetches, 5 s at most; the others go on with what
    is known. Where nothing is known they wait for that fetch, but not beyond its first second, and
    not at all when the provider is known to fail: a provider that hangs holds one thread.

    Raises:
        ConfigurationError: the issuer is not a URL that metadata may be fetched from.
    """

    def __init__(self, issuer: str, *, clock: Callable[[], float] = time.time) -> None:
        checked_issuer(issuer, allow_http=False)
        self.issuer = issuer
        self._clock = clock
        self._state = _State()
        self._flight = Flight()

    def get(self) -> ProviderMetadata:
        """What the provider says of itself.

        Raises:
            AuthenticationUnavailable: it does not answer, and has not for long, or does not yet.
        """
        state = self._state
        if self._is_due(state):
            waits = not (self._is_usable(state) or state.is_failing)
            state = self._refreshed(state, waits=waits)
        if state.known is None or not self._is_usable(state):
            raise AuthenticationUnavailable(
                "The sign-in service does not answer at the moment. Try again later."
            )
        return state.known

    def _is_due(self, state: _State) -> bool:
        return self._is_past(LIFESPAN_SECONDS, state.fetched_at) and self._is_past(
            PAUSE_SECONDS, state.tried_at
        )

    def _is_usable(self, state: _State) -> bool:
        return not self._is_past(STALE_SECONDS, state.fetched_at)

    def _is_past(self, seconds: float, moment: float) -> bool:
        # Whichever way the clock was set meanwhile, nothing is kept forever.
        return abs(self._clock() - moment) > seconds

    def _refreshed(self, seen: _State, *, waits: bool) -> _State:
        """The state after an attempt, by this thread or by the one that is at it."""
        if self._flight.begin(waits=waits):
            try:
                if self._state is seen:
                    self._state = self._fetched(seen)
            finally:
                self._flight.end()
        return self._state

    def _fetched(self, seen: _State) -> _State:
        began = self._clock()
        try:
            known = self._discovered()
        except ProviderUnusable as error:
            log.warning("The metadata of %s cannot be used: %s", self.issuer, error)
            return _State(seen.known, seen.fetched_at, tried_at=self._clock(), is_failing=True)
        return _State(known, fetched_at=began, tried_at=began)

    def _discovered(self) -> ProviderMetadata:
        found = discover(self.issuer)
        if found.issuer != self.issuer:
            raise ProviderUnusable(f"it spells its issuer {found.issuer!r}")
        return found
